"""The check of what a registry serves sees everything that system-docker would not pull."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Callable
from typing import Any

import pytest

from real_parts.served import CONFIG, LAYER, LIST, MANIFEST, Answer, Look

PLATFORMS = ("linux/amd64", "linux/arm64")
OCI = "application/vnd.oci.image."
ZSTD = b"\x28\xb5\x2f\xfd" + bytes(9)


class Pretended:
    """A registry with one release in it, all as it should be."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.images = {platform: self.image(platform) for platform in PLATFORMS}
        self.entries = [self.entry(platform, MANIFEST) for platform in PLATFORMS]

    def image(self, platform: str) -> dict[str, Any]:
        system, _, architecture = platform.partition("/")
        config = json.dumps({"os": system, "architecture": architecture}).encode()
        layers = [self.blob(LAYER, gzip.compress(name)) for name in (b"base", platform.encode())]
        return {"mediaType": MANIFEST, "config": self.blob(CONFIG, config), "layers": layers}

    def blob(self, media_type: str, body: bytes) -> dict[str, str]:
        digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
        self.answers[f"blobs/{digest}"] = Answer(200, "application/octet-stream", body)
        return {"mediaType": media_type, "digest": digest}

    def entry(self, platform: str, media_type: str) -> dict[str, Any]:
        system, _, architecture = platform.partition("/")
        shown = {"os": system, "architecture": architecture}
        return {"mediaType": media_type, "digest": platform, "platform": shown}

    def get(self, path: str) -> Answer:
        return self.answers.get(path, Answer(404, "application/json", b"{}"))

    def put(self, reference: str, document: dict[str, Any], media_type: str = "") -> None:
        body = json.dumps(document).encode()
        served = Answer(200, media_type or document["mediaType"], body)
        self.answers[f"manifests/{reference}"] = served

    def release(self) -> Look:
        for platform, image in self.images.items():
            self.put(platform, image)
        if "manifests/1.0.0" not in self.answers:
            self.put("1.0.0", {"mediaType": LIST, "manifests": self.entries})
        look = Look(self.get)
        look.at_release("1.0.0", PLATFORMS)
        return look


def test_what_system_docker_pulls_is_found_right_and_told_line_by_line() -> None:
    look = Pretended().release()
    assert look.wrong == []
    assert look.found[0] == f"manifests/1.0.0: 200 {LIST}"
    assert [line.rpartition(" ")[2] for line in look.found if " layer " in line] == ["1f8b08"] * 4


def an_attestation(registry: Pretended) -> None:
    registry.images["unknown/unknown"] = registry.image("unknown/unknown")
    registry.entries.append(registry.entry("unknown/unknown", MANIFEST))


def an_architecture_missing(registry: Pretended) -> None:
    del registry.entries[1]


def an_architecture_twice(registry: Pretended) -> None:
    registry.entries[1] = registry.entries[0]


def an_index_of_oci(registry: Pretended) -> None:
    index = {"mediaType": f"{OCI}index.v1+json", "manifests": registry.entries}
    registry.put("1.0.0", index)


def an_index_of_oci_served_as_a_list(registry: Pretended) -> None:
    index = {"mediaType": f"{OCI}index.v1+json", "manifests": registry.entries}
    registry.put("1.0.0", index, LIST)


def one_image_and_no_list(registry: Pretended) -> None:
    registry.put("1.0.0", registry.images["linux/amd64"])


def nothing(registry: Pretended) -> None:
    registry.answers["manifests/1.0.0"] = Answer(404, "application/json", b"not found")


def an_entry_of_oci(registry: Pretended) -> None:
    registry.entries[0]["mediaType"] = f"{OCI}manifest.v1+json"


def a_manifest_of_oci(registry: Pretended) -> None:
    registry.images["linux/arm64"]["mediaType"] = f"{OCI}manifest.v1+json"


def a_config_of_oci(registry: Pretended) -> None:
    registry.images["linux/arm64"]["config"]["mediaType"] = f"{OCI}config.v1+json"


def the_config_of_the_other_architecture(registry: Pretended) -> None:
    registry.images["linux/arm64"]["config"] = registry.images["linux/amd64"]["config"]


def a_layer_of_oci(registry: Pretended) -> None:
    registry.images["linux/amd64"]["layers"][0]["mediaType"] = f"{OCI}layer.v1.tar+gzip"


def zstd_called_gzip(registry: Pretended) -> None:
    registry.images["linux/amd64"]["layers"][0] = registry.blob(LAYER, ZSTD)


def an_uncompressed_layer(registry: Pretended) -> None:
    registry.images["linux/amd64"]["layers"][1] = registry.blob(LAYER, bytes(512))


def no_layer(registry: Pretended) -> None:
    registry.images["linux/amd64"]["layers"] = []


def a_layer_that_is_something_else(registry: Pretended) -> None:
    path = f"blobs/{registry.images['linux/amd64']['layers'][0]['digest']}"
    registry.answers[path] = Answer(200, "application/octet-stream", gzip.compress(b"other"))


def a_layer_that_is_not_there(registry: Pretended) -> None:
    del registry.answers[f"blobs/{registry.images['linux/arm64']['layers'][1]['digest']}"]


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (an_attestation, "unknown/unknown"),
        (an_architecture_missing, "platforms ['linux/amd64']"),
        (an_architecture_twice, "platforms ['linux/amd64', 'linux/amd64']"),
        (an_index_of_oci, "oci.image.index"),
        (an_index_of_oci_served_as_a_list, "oci.image.index"),
        (one_image_and_no_list, "distribution.manifest.v2+json, not"),
        (nothing, "404"),
        (an_entry_of_oci, "listed as application/vnd.oci"),
        (a_manifest_of_oci, "oci.image.manifest"),
        (a_config_of_oci, "oci.image.config"),
        (the_config_of_the_other_architecture, "of linux/amd64, not linux/arm64"),
        (a_layer_of_oci, "oci.image.layer"),
        (zstd_called_gzip, "is no gzip: 28b52ffd"),
        (an_uncompressed_layer, "is no gzip: 00000000"),
        (no_layer, "no layers"),
        (a_layer_that_is_something_else, "is served as something else (200)"),
        (a_layer_that_is_not_there, "is served as something else (404)"),
    ],
)
def test_what_system_docker_does_not_pull_is_wrong(
    spoil: Callable[[Pretended], None], said: str
) -> None:
    registry = Pretended()
    spoil(registry)
    assert any(said in line for line in registry.release().wrong)


def test_a_pushed_image_is_looked_at_without_a_list() -> None:
    registry = Pretended()
    registry.put("1.0.0", registry.images["linux/arm64"])
    right, other = Look(registry.get), Look(registry.get)
    right.at_image("1.0.0", "linux/arm64")
    other.at_image("1.0.0", "linux/amd64")
    assert right.wrong == []
    assert other.wrong == ["1.0.0: the config is of linux/arm64, not linux/amd64"]
