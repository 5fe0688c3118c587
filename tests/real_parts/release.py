"""``make check-release``: ``make release-image`` for real, then its images as instances run them.

As root on Debian 12 of amd64: the dockerd that pulls and runs is the 20.10 there, the one that
builds and pushes is of Debian 13, in a chroot. Only Debian's archive and the package index are
asked. Each line is something found; the status is 1 if some of it is wrong. The folder keeps the
chroot and the build cache for the next time.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from subprocess import CalledProcessError

from rancheros_ec2_metadata import __version__
from real_parts import debian_base, requirements
from real_parts.buildx import Buildx
from real_parts.dockerd import Dockerd
from real_parts.emulation import arm64_runs
from real_parts.image_machine import Machine
from real_parts.moto_ec2 import MotoEc2
from real_parts.namespace import Namespace
from real_parts.registry import Registry
from real_parts.served import LIST, Look

PLATFORMS = {"linux/amd64": "x86_64", "linux/arm64": "aarch64"}
NAME = "rancheros-ec2-metadata"
TAGS = {"docker.role": "web", "docker.motto": "café $(id)"}
PROGRAMS = {
    Path("/usr/sbin/debootstrap"): "debootstrap",
    Path("/usr/bin/qemu-aarch64-static"): "qemu-user-static",
}
# An emulated pip compiles itself first.
BUILD_SECONDS = 3600
# What a wheel has compiled for one architecture, imported; one per line.
COMPILED = """
import importlib, os, pathlib, sys
sys.path.insert(0, "/app")
names = (path.relative_to("/app") for path in pathlib.Path("/app").rglob("*.so"))
for name in sorted(".".join((*name.parts[:-1], name.name.partition(".")[0])) for name in names):
    print(importlib.import_module(name).__name__)
import yaml
print(os.uname().machine, yaml.CSafeLoader.__name__)
"""


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def missing() -> str | None:
    """Return what this machine lacks."""
    for program, package in PROGRAMS.items():
        if not program.exists():
            return f"{program} is missing (apt-get install {package})"
    if os.uname().machine != PLATFORMS["linux/amd64"]:
        return "this is not an amd64 machine"
    return requirements.missing()


def build_and_push(folder: Path, data: Path) -> tuple[int, Path, Look]:
    """Run ``make release-image`` and ``make preload``.

    Returns:
        The port of the registry, the archive, and what the registry served.
    """
    context = folder / "base"
    if not (folder / "base.made").exists():
        shutil.rmtree(context, ignore_errors=True)
        debian_base.write_context(context, [name.partition("/")[2] for name in PLATFORMS])
        (folder / "base.made").touch()
    with (
        Namespace.opened("host") as namespace,
        Registry.started(namespace, data) as registry,
        Buildx.started(namespace, folder / "chroot", context) as buildx,
    ):
        version = ["version", "--format", "dockerd {{.Server.Version}}"]
        say(f"built by {buildx.printed('/', *buildx.client, *version)}")
        say(f"built by {buildx.printed('/', *buildx.client, 'buildx', 'version')}")
        # As far from what is to be pushed as a base can be: OCI's media types, and zstd.
        base = push_base(buildx, f"{registry.address}/python:zstd", "zstd")
        image = f"{registry.address}/{NAME}"
        make(buildx, "release-image", f"IMAGE={image}", f"BASE_IMAGE={base}")
        look = Look(partial(registry.get, NAME))
        look.at_release(__version__, PLATFORMS)
        inspect = ["buildx", "imagetools", "inspect", "--raw", f"{image}:{__version__}"]
        told = json.loads(buildx.printed("/", *buildx.client, *inspect))["mediaType"]
        look.found.append(f"docker {' '.join(inspect)}: {told}")
        look.wrong += [] if told == LIST else [f"imagetools inspect says {told}"]
        # `docker save` takes the layers of this image store as they are.
        base = push_base(buildx, f"{registry.address}/python:gzip", "gzip")
        make(buildx, "preload", "DIST=/tmp/preload", f"BASE_IMAGE={base}")
        (made,) = (buildx.root / "tmp/preload").iterdir()
        return registry.port, made.rename(folder / "preload.tar.gz"), look


def push_base(buildx: Buildx, name: str, compression: str) -> str:
    """Build and push the base for both platforms; return its name."""
    build = ["buildx", "build", f"--platform={','.join(PLATFORMS)}", "--provenance=false"]
    build += [f"--build-arg=COMPRESSION={compression}"]
    output = f"--output=type=image,name={name},push=true,oci-mediatypes=true"
    output += f",compression={compression},force-compression=true"
    buildx.printed("/context", *buildx.client, *build, output, ".", seconds=BUILD_SECONDS)
    return name


def make(buildx: Buildx, target: str, *variables: str) -> None:
    """Run ``make`` with a target of the image's."""
    began = time.monotonic()
    docker = f"DOCKER={' '.join(buildx.client)}"
    call = ["make", target, *variables, docker, "BUILD_FLAGS=--network=host"]
    say(shlex.join(call))
    buildx.printed("/source", *call, seconds=BUILD_SECONDS)
    say(f"took {time.monotonic() - began:.0f} s")


def run(dockerd: Dockerd, moto: MotoEc2, image: str, platform: str) -> list[str]:
    """Pull the image of a platform and run it in all ways; return what is wrong."""
    dockerd.docker("pull", "--quiet", f"--platform={platform}", image)
    # Read-only and without capabilities, as the service; --tmpfs for what `demo` plays on.
    alone = ["run", "--rm", "--network=host", "--read-only", "--cap-drop=ALL", "--tmpfs=/tmp"]
    version = dockerd.docker(*alone, image, "--version").split()
    told = [
        line for line in dockerd.docker(*alone, image, "demo").splitlines() if "complete:" in line
    ]
    script = ["-I", "-S", "-c", COMPILED]
    compiled = dockerd.docker(*alone, "--entrypoint=python3", image, *script).splitlines()
    with (
        tempfile.TemporaryDirectory() as folder,
        Machine.started(dockerd, image, moto, TAGS, Path(folder)) as machine,
    ):
        began = time.monotonic()
        dockerd.docker(*machine.run_arguments(machine.service))
        seconds = time.monotonic() - began
        labels = machine.docker_labels()
    for line in (" ".join(version), *told, ", ".join(compiled), f"{labels} in {seconds:.1f} s"):
        say(f"{platform}: {line}")
    checks = {
        f"--version is {version}": version[-1] == __version__,
        f"demo says {told}": len(told) == 1,
        f"compiled is {compiled}": "yaml._yaml" in compiled,
        f"runs as {compiled[-1:]}": compiled[-1:] == [f"{PLATFORMS[platform]} CSafeLoader"],
        f"labels are {labels}": labels == TAGS,
    }
    return [f"{platform}: {what}" for what, right in checks.items() if not right]


def pull_and_run(data: Path, port: int) -> list[str]:
    """Run the images where the metadata service and the API are; return what is wrong."""
    image = f"127.0.0.1:{port}/{NAME}:{__version__}"
    wrong: list[str] = []
    with (
        Namespace.opened() as namespace,
        Registry.started(namespace, data, port),
        MotoEc2.started(namespace) as moto,
    ):
        for platform in PLATFORMS:
            with Dockerd.started(namespace, []) as dockerd:
                version = ["version", "--format", "dockerd {{.Server.Version}}"]
                say(f"{platform}: pulled and run by {dockerd.docker(*version).strip()}")
                try:
                    wrong += run(dockerd, moto, image, platform)
                except CalledProcessError as error:
                    wrong.append(f"{platform}: {error} {' '.join(error.__notes__)}")
    return wrong


def load(archive: Path) -> list[str]:
    """Load the archive of ``make preload`` and run its image; return what is wrong."""
    with Namespace.opened() as namespace, Dockerd.started(namespace, []) as dockerd:
        try:
            said = dockerd.docker("load", "--input", archive)
            alone = ["run", "--rm", "--network=host", "--read-only", "--cap-drop=ALL"]
            said += dockerd.docker(*alone, f"{NAME}:{__version__}", "--version")
        except CalledProcessError as error:
            return [f"{archive}: {error} {' '.join(error.__notes__)}"]
    say(f"{archive}: {' '.join(said.split())}")
    return []


def main(arguments: list[str]) -> int:
    """Build, push, look, pull and run; return the exit status."""
    reason = missing()
    if reason is not None:
        say(f"this cannot run here: {reason}")
        return 1
    folder = Path(arguments[0])
    data = folder / "registry"
    # What an earlier run has pushed is no proof of this one.
    shutil.rmtree(data, ignore_errors=True)
    data.mkdir(parents=True)
    with arm64_runs():
        port, archive, look = build_and_push(folder, data)
        for line in look.found:
            say(line)
        wrong = look.wrong + pull_and_run(data, port) + load(archive)
    for line in wrong:
        say(f"WRONG: {line}")
    say(f"{'not fit' if wrong else 'fit'} for a release; {folder} can be removed")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
