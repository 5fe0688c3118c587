"""An instance's metadata service at its real address, as the program ``fake-imds``."""

from __future__ import annotations

import contextlib
import json
import signal
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from subprocess import STDOUT

from e2e import program
from real_parts.namespace import IMDS_IPV4, Namespace, Started
from real_parts.polling import until


@dataclass(frozen=True)
class InstanceImds:
    """A metadata service that answers; what it shows can be changed.

    Args:
        data: the file that it shows. log: what it says. server: the program.
    """

    data: Path
    log: Path
    server: Started

    @classmethod
    @contextlib.contextmanager
    def started(
        cls, namespace: Namespace, instance: Mapping[str, object], folder: Path
    ) -> Iterator[InstanceImds]:
        """Start it, and stop it on leaving.

        Args:
            namespace: where it runs.
            instance: fields of FakeInstance, as its JSON file has them.
            folder: for its files.
        """
        data, log = folder / "imds.json", folder / "imds.log"
        _write(data, instance)
        command = program.command("fake-imds", f"--listen={IMDS_IPV4}:80", f"--data={data}")
        with (
            log.open("w") as out,
            namespace.start(command, stdout=out, stderr=STDOUT) as server,
        ):
            imds = cls(data, log, server)
            assert until(lambda: imds._said(f"is at http://{IMDS_IPV4}:80\n"), expected=1)
            yield imds

    @contextlib.contextmanager
    def silent(self) -> Iterator[None]:
        """Take connections and answer nothing, until this is left."""
        self.server.signal(signal.SIGSTOP)
        try:
            yield
        finally:
            # nsenter has stopped with the program, and passes this on to it.
            self.server.process.send_signal(signal.SIGCONT)

    def show(self, instance: Mapping[str, object]) -> None:
        """Show this instance from now on."""
        before = self._said("was read again\n")
        _write(self.data, instance)
        assert until(lambda: self._said("was read again\n") > before, expected=True)

    def _said(self, words: str) -> int:
        return self.log.read_text().count(words)


def _write(data: Path, instance: Mapping[str, object]) -> None:
    # Replaced as a whole: the service looks at it at any time.
    new = data.with_suffix(".new")
    new.write_text(json.dumps(instance))
    new.replace(data)
