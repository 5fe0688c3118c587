"""Cut botocore's data, 27 MB for 400 services, to what the program asks of EC2.

Run while the image is built: ``python prune_botocore.py SITE_PACKAGES``. The cut client sends and
reads what the full one does, for every partition and region; tests/unit/test_prune_botocore.py.
"""

from __future__ import annotations

import gzip
import json
import shutil
import sys
from collections.abc import Collection
from pathlib import Path
from typing import Any

SERVICE = "ec2"
OPERATIONS = ("DescribeTags",)

# How calls are retried, defaults, and which endpoint a region has: small, and of no one service.
SHARED = ("_retry.json", "sdk-default-configuration.json", "partitions.json")


def cut(data: Path, target: Path, operations: Collection[str] = OPERATIONS) -> None:
    """Write to the new folder ``target`` what of botocore's ``data`` the operations need."""
    newest = max(folder for folder in (data / SERVICE).iterdir() if folder.is_dir())
    service = target / SERVICE / newest.name
    service.mkdir(parents=True)
    for name in SHARED:
        shutil.copy(data / name, target / name)
    _write(target / "endpoints.json", _endpoints_of_service(_read(data / "endpoints.json")))
    _write(service / "endpoint-rule-set-1.json", _read(newest / "endpoint-rule-set-1.json"))
    _write(service / "service-2.json", cut_model(_read(newest / "service-2.json"), operations))
    paginators = _read(newest / "paginators-1.json")
    paginators["pagination"] = _only(paginators["pagination"], operations)
    _write(service / "paginators-1.json", paginators)


def cut_model(model: dict[str, Any], operations: Collection[str]) -> dict[str, Any]:
    """Return a service's model with these operations and the shapes they reach."""
    kept = {name: model["operations"][name] for name in operations}
    reached: dict[str, Any] = {}
    waiting = _shapes_named_in(kept)
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached[name] = model["shapes"][name]
            waiting += _shapes_named_in(reached[name])
    return {
        **model,
        "operations": kept,
        "shapes": {name: reached[name] for name in sorted(reached)},
    }


def _shapes_named_in(node: Any) -> list[str]:
    """Return the names in all ``{"shape": NAME}`` of a model's node."""
    if isinstance(node, list):
        return [name for item in node for name in _shapes_named_in(item)]
    if not isinstance(node, dict):
        return []
    # A member may itself be called "shape"; its value is a map then.
    named = [node["shape"]] if isinstance(node.get("shape"), str) else []
    return named + [name for value in node.values() for name in _shapes_named_in(value)]


def _endpoints_of_service(endpoints: dict[str, Any]) -> dict[str, Any]:
    return {
        **endpoints,
        "partitions": [
            {**partition, "services": _only(partition["services"], [SERVICE])}
            for partition in endpoints["partitions"]
        ],
    }


def _only(mapping: dict[str, Any], keys: Collection[str]) -> dict[str, Any]:
    return {key: value for key, value in mapping.items() if key in keys}


def _read(path: Path) -> dict[str, Any]:
    """Return the document of ``path``, which botocore may have compressed."""
    if path.exists():
        content = path.read_bytes()
    else:
        content = gzip.decompress(path.with_name(path.name + ".gz").read_bytes())
    document: dict[str, Any] = json.loads(content)
    return document


def _write(path: Path, document: dict[str, Any]) -> None:
    path.write_text(json.dumps(document, separators=(",", ":")))


def main(site_packages: Path) -> None:
    """Replace the data of the botocore and boto3 that are installed in a folder."""
    data = site_packages / "botocore" / "data"
    pruned = data.with_name("pruned")
    cut(data, pruned)
    shutil.rmtree(data)
    pruned.rename(data)
    # What boto3 calls resources; the program uses clients.
    shutil.rmtree(site_packages / "boto3" / "data")
    # Certificates for where certifi is missing.
    (site_packages / "botocore" / "cacert.pem").unlink()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
