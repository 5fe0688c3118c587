"""Whether what a registry serves is what RancherOS's system-docker can pull: schema 2 and gzip."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

_OF_DOCKER = "application/vnd.docker."
LIST = f"{_OF_DOCKER}distribution.manifest.list.v2+json"
MANIFEST = f"{_OF_DOCKER}distribution.manifest.v2+json"
CONFIG = f"{_OF_DOCKER}container.image.v1+json"
LAYER = f"{_OF_DOCKER}image.rootfs.diff.tar.gzip"
# What Docker 17.06 says that it takes; a registry may convert what it has for an older client.
ACCEPTED = (MANIFEST, LIST, f"{_OF_DOCKER}distribution.manifest.v1+prettyjws", "application/json")
GZIP = b"\x1f\x8b\x08"


@dataclass(frozen=True)
class Answer:
    """A registry's answer to a GET.

    Args:
        status: of HTTP. media_type: its Content-Type. body: all of it.
    """

    status: int
    media_type: str
    body: bytes


# Asks for a path below /v2/NAME/, with Accept as Docker 17.06 has it.
Get = Callable[[str], Answer]


@dataclass
class Look:
    """What was found, line by line, and what of it system-docker would not pull.

    Args:
        get: asks the registry.
    """

    get: Get
    found: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def at_release(self, tag: str, platforms: Collection[str]) -> None:
        """Look at a list that must have these platforms (``linux/amd64``), each once, and no more.

        Attestations would be entries too, of the platform ``unknown/unknown``.
        """
        listed = self._document(f"manifests/{tag}", LIST)
        entries = {f"{tag} {_platform(entry['platform'])}": entry for entry in _items(listed)}
        names = sorted(_platform(entry["platform"]) for entry in _items(listed))
        if names != sorted(platforms):
            self.wrong.append(f"{tag}: platforms {names}, not {sorted(platforms)}")
        for name, entry in entries.items():
            if entry["mediaType"] != MANIFEST:
                self.wrong.append(f"{name}: listed as {entry['mediaType']}, not {MANIFEST}")
            self._look_at_image(name, entry["digest"], _platform(entry["platform"]))

    def at_image(self, tag: str, platform: str) -> None:
        """Look at an image of one platform, which no list stands for."""
        self._look_at_image(tag, tag, platform)

    def _look_at_image(self, name: str, reference: str, platform: str) -> None:
        manifest = self._document(f"manifests/{reference}", MANIFEST)
        if not manifest:
            return
        told = manifest["config"]
        if told["mediaType"] != CONFIG:
            self.wrong.append(f"{name}: config {told['mediaType']}, not {CONFIG}")
        config = json.loads(self._blob(name, told["digest"]) or b"{}")
        if _platform(config) != platform:
            self.wrong.append(f"{name}: the config is of {_platform(config)}, not {platform}")
        if not manifest["layers"]:
            self.wrong.append(f"{name}: no layers")
        for layer in manifest["layers"]:
            blob = self._blob(name, layer["digest"])
            self.found.append(f"{name}: layer {layer['mediaType']} begins {blob[:3].hex()}")
            if layer["mediaType"] != LAYER:
                self.wrong.append(f"{name}: layer {layer['mediaType']}, not {LAYER}")
            if not blob.startswith(GZIP):
                self.wrong.append(f"{name}: layer {layer['digest']} is no gzip: {blob[:4].hex()}")

    def _document(self, path: str, media_type: str) -> Mapping[str, Any]:
        """Return a manifest or a list; nothing if it is not what it must be."""
        answer = self.get(path)
        self.found.append(f"{path}: {answer.status} {answer.media_type}")
        said = [answer.media_type]
        if answer.status == 200:
            document: dict[str, Any] = json.loads(answer.body)
            said.append(document.get("mediaType", ""))
            if said == [media_type, media_type]:
                return document
        self.wrong.append(f"{path}: {answer.status} {' '.join(said)}, not {media_type}")
        return {}

    def _blob(self, name: str, digest: str) -> bytes:
        answer = self.get(f"blobs/{digest}")
        if f"sha256:{hashlib.sha256(answer.body).hexdigest()}" != digest:
            self.wrong.append(f"{name}: {digest} is served as something else ({answer.status})")
            return b""
        return answer.body


def _items(listed: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return list(listed.get("manifests", []))


def _platform(described: Mapping[str, Any]) -> str:
    return f"{described.get('os')}/{described.get('architecture')}"
