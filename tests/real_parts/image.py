"""The program's image, built with ``make`` as an operator builds it."""

from __future__ import annotations

import os
from pathlib import Path

from rancheros_ec2_metadata import __version__
from real_parts import stand_in_image
from real_parts.dockerd import Dockerd

ROOT = Path(__file__).parents[2]
BASE = "local/python:base"
IMAGE = f"rancheros-ec2-metadata:{__version__}"


def make_base(dockerd: Dockerd, folder: Path) -> None:
    """Make the base image that needs no registry, by way of files in ``folder``.

    It is a stand-in, or the tar of another base's files that ``BASE_IMAGE_ARCHIVE`` names.
    """
    if archive := os.environ.get("BASE_IMAGE_ARCHIVE"):
        stand_in_image.take(dockerd, BASE, Path(archive))
    else:
        stand_in_image.make(dockerd, BASE, folder)


def make(dockerd: Dockerd, target: str, *variables: str, buildkit: bool = False) -> None:
    """Run ``make`` with a target of the image's.

    Raises:
        AssertionError: it failed; the message is what was printed.
    """
    # Of the make that may run this test nothing is passed on.
    env = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    env["DOCKER_BUILDKIT"] = str(int(buildkit))
    docker = f"DOCKER={' '.join(dockerd.client)}"
    settings = [docker, f"BASE_IMAGE={BASE}", "BUILD_FLAGS=--network=host", *variables]
    done = dockerd.namespace.run(["make", target, *settings], env=env, cwd=ROOT, seconds=300)
    assert done.returncode == 0, done.stdout + done.stderr


def make_archive(dockerd: Dockerd, folder: Path) -> Path:
    """Make the image and return the file of ``make preload``."""
    make(dockerd, "preload", f"DIST={folder}")
    (archive,) = folder.glob("*.tar.gz")
    return archive


def load(dockerd: Dockerd, archive: Path, folder: Path) -> None:
    """Make the image and its base known to a dockerd that has not made them itself."""
    if not dockerd.docker("images", "--quiet", IMAGE):
        dockerd.docker("load", "--input", archive)
        make_base(dockerd, folder)
