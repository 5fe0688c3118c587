"""A real registry: Debian's docker-registry, without a login and without TLS, on loopback."""

from __future__ import annotations

import contextlib
import json
import re
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from real_parts.namespace import Namespace
from real_parts.polling import until
from real_parts.requirements import REGISTRY
from real_parts.served import ACCEPTED, Answer


@dataclass(frozen=True)
class Registry:
    """A registry that answers.

    Args:
        port: on 127.0.0.1, where Docker takes a registry without TLS.
    """

    port: int

    @classmethod
    @contextlib.contextmanager
    def started(cls, namespace: Namespace, data: Path, port: int = 0) -> Iterator[Registry]:
        """Start it where ``namespace`` is, and stop it on leaving.

        Args:
            namespace: where it runs, and where 127.0.0.1 is it.
            data: its folder; what is in it is served, and stays.
            port: 0 for one that is free.
        """
        data.mkdir(parents=True, exist_ok=True)
        config = data / "config.yml"
        settings = {
            "version": 0.1,
            "log": {"level": "info"},
            "storage": {"filesystem": {"rootdirectory": str(data / "registry")}},
            "http": {"addr": f"127.0.0.1:{port}"},
        }
        config.write_text(json.dumps(settings))
        with (
            tempfile.NamedTemporaryFile("w+") as log,
            namespace.start([REGISTRY, "serve", config], stdout=log, stderr=log) as process,
        ):

            def ports() -> list[str]:
                if not process.running():
                    raise RuntimeError(Path(log.name).read_text())
                return re.findall(r"listening on 127\.0\.0\.1:(\d+)", Path(log.name).read_text())

            until(lambda: bool(ports()), expected=True)
            yield cls(int(ports()[0]))

    @property
    def address(self) -> str:
        """What the names of its images begin with."""
        return f"127.0.0.1:{self.port}"

    def get(self, name: str, path: str) -> Answer:
        """Ask for a path below /v2/NAME/ as Docker 17.06 asks; this machine's network only."""
        asked = urllib.request.Request(
            f"http://{self.address}/v2/{name}/{path}", headers={"Accept": ", ".join(ACCEPTED)}
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(asked, timeout=60) as answer:
                return Answer(answer.status, answer.headers.get_content_type(), answer.read())
        except urllib.error.HTTPError as refused:
            with refused:
                return Answer(refused.code, refused.headers.get_content_type(), refused.read())
