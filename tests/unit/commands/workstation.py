"""The program as an operator calls it, in this process, with an AWS configuration of its own."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from e2e.answering_api import AnsweringApi
from e2e.described_api import KEY_ID, SECRET
from rancheros_ec2_metadata.cli import main
from rancheros_ec2_metadata.commands.invocation import Process

if TYPE_CHECKING:
    import pytest

INSTANCE_ID = "i-0123456789abcdef0"


class Workstation:
    """A workstation: a home folder, and variables of the environment.

    Args:
        home: an empty folder.
        monkeypatch: sets the variables; botocore reads them from the process.
    """

    def __init__(self, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.home = home
        self._monkeypatch = monkeypatch
        monkeypatch.setenv("HOME", str(home))
        monkeypatch.setenv("AWS_CONFIG_FILE", str(home / "config"))
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(home / "credentials"))
        self.out = self.err = ""

    def set(self, **variables: str) -> None:
        for name, value in variables.items():
            self._monkeypatch.setenv(name, value)

    def unset(self, *names: str) -> None:
        for name in names:
            self._monkeypatch.delenv(name)

    def log_in(self, api: AnsweringApi) -> None:
        """Have keys and a region, and this API for EC2's."""
        self.set(
            AWS_ACCESS_KEY_ID=KEY_ID,
            AWS_SECRET_ACCESS_KEY=SECRET,
            AWS_REGION="eu-west-1",
            AWS_ENDPOINT_URL_EC2=api.url,
        )

    def config(self, text: str) -> None:
        (self.home / "config").write_text(text)

    def run(self, *arguments: str) -> int:
        """Run the program, keep what it prints, and return its exit status."""
        out, err = io.StringIO(), io.StringIO()
        status = main(arguments, Process(dict(os.environ), out, err))
        self.out, self.err = out.getvalue(), err.getvalue()
        assert SECRET not in self.out + self.err
        assert "Traceback" not in self.err
        return status

    def json(self) -> Any:
        """Return what was printed, as JSON."""
        return json.loads(self.out)

    def error(self) -> str:
        """Return the one error that was logged."""
        (line,) = (line for line in self.err.splitlines() if ": error: " in line)
        return line
