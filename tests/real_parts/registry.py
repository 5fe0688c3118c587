"""A real registry: Debian's docker-registry, without a login and without TLS, on loopback."""

from __future__ import annotations

import contextlib
import json
import re
import tempfile
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from real_parts.namespace import Namespace
from real_parts.polling import until
from real_parts.requirements import REGISTRY

_OF_DOCKER = "application/vnd.docker."
MANIFEST = f"{_OF_DOCKER}distribution.manifest.v2+json"
LAYER = f"{_OF_DOCKER}image.rootfs.diff.tar.gzip"
# What Docker 17.06 says that it takes; a registry may convert what it has for an older client.
ACCEPTED = (
    MANIFEST,
    f"{_OF_DOCKER}distribution.manifest.list.v2+json",
    f"{_OF_DOCKER}distribution.manifest.v1+prettyjws",
    "application/json",
)


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

    def get(self, path: str) -> tuple[str, bytes]:
        """Return media type and body below /v2/, asked for as Docker 17.06 asks."""
        asked = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/v2/{path}", headers={"Accept": ", ".join(ACCEPTED)}
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(asked, timeout=60) as answer:
            return answer.headers.get_content_type(), answer.read()
