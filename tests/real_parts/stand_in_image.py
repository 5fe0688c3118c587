"""A base image made of this machine's Python, where no registry can be reached.

It stands in for ``python:3.13-alpine``: Python below /usr/local with pip, a busybox shell. Unlike
that it is glibc, and of the version of Python that runs this.
"""

from __future__ import annotations

import io
import os
import re
import ssl
import subprocess
import sys
import sysconfig
import tarfile
from collections.abc import Iterable
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from packaging.requirements import Requirement

from e2e import program
from real_parts.dockerd import Dockerd

_BUSYBOX = "/bin/busybox"
_CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
# Not in the official images either, or only of use where programs are compiled.
_LEFT_OUT = re.compile(
    r"(.*/)?(__pycache__|tests?|idlelib|tkinter|lib2to3|ensurepip|config-.*|(site|dist)-packages)"
)
_OF_GLIBC = ("dl", "m", "pthread", "rt", "util")
_PASSED_ON = ("PIP_INDEX_URL", "PIP_TRUSTED_HOST", "HTTPS_PROXY", "https_proxy", "NO_PROXY")


def make(dockerd: Dockerd, name: str, folder: Path, *installed: str) -> None:
    """Import the image into a dockerd, by way of a file in ``folder``.

    Args:
        dockerd: where to. name: the image's. folder: for the file.
        installed: requirements, as ``moto[server]``, copied from this virtual environment.
    """
    archive = folder / "stand-in.tar"
    write(archive, *installed)
    take(dockerd, name, archive)
    archive.unlink()


def take(dockerd: Dockerd, name: str, archive: Path) -> None:
    """Import an image's tree, a tar file, with what pip in it must know of this machine."""
    changes = [f"--change=ENV {key}={value}" for key, value in environment().items()]
    dockerd.docker("import", *changes, '--change=CMD ["python3"]', archive, name)


def environment() -> dict[str, str]:
    """Return the variables of an image whose pip is to reach the index that this machine's does."""
    passed_on = {key: os.environ[key] for key in _PASSED_ON if key in os.environ}
    return {"PATH": "/usr/local/bin:/usr/bin:/bin", "PIP_CERT": _CERTIFICATES, **passed_on}


def certificates() -> str:
    """Return the file of the certificates that this machine's pip trusts."""
    return os.environ.get("PIP_CERT") or ssl.get_default_verify_paths().cafile or _CERTIFICATES


def write(archive: Path, *installed: str) -> None:
    """Write the image's tree as a tar file; ``installed`` as for ``make``."""
    python = f"python{sysconfig.get_python_version()}"
    interpreter = Path(sys.executable).resolve()
    library = Path(sysconfig.get_path("stdlib"))
    site = "dist" if "deb_system" in sysconfig.get_scheme_names() else "site"
    pip = find_spec("pip")
    assert pip is not None
    assert pip.origin is not None
    with tarfile.open(archive, "w", dereference=True) as tar:
        tar.add(interpreter, f"usr/local/bin/{python}")
        _link(tar, "usr/local/bin/python3", python)
        tar.add(library, f"usr/local/lib/{python}", filter=_kept)
        folder = f"usr/local/lib/{python}/{site}-packages"
        tar.add(Path(pip.origin).parent, f"{folder}/pip", filter=_kept)
        binaries = [interpreter, *library.glob("lib-dynload/*.so")]
        for name, path in _files_of(installed).items():
            tar.add(path, f"{folder}/{name}")
            binaries += [path] if path.suffix == ".so" else []
        for needed in _shared(binaries):
            loader = needed.name.startswith("ld-")
            tar.add(needed, str(needed)[1:] if loader else f"lib/{needed.name}")
        tar.add(_BUSYBOX, "bin/busybox")
        applets = subprocess.run([_BUSYBOX, "--list"], capture_output=True, text=True, check=True)
        for applet in applets.stdout.split():
            if applet != "busybox":
                _link(tar, f"bin/{applet}", "busybox")
        tar.add(certificates(), _CERTIFICATES[1:])
        _file(tar, "etc/passwd", "root:x:0:0:root:/:/bin/sh\n")
        _file(tar, "etc/nsswitch.conf", "hosts: files dns\n")
        tmp = tarfile.TarInfo("tmp")
        tmp.type, tmp.mode = tarfile.DIRTYPE, 0o1777
        tar.addfile(tmp)


def _files_of(installed: Iterable[str]) -> dict[str, Path]:
    """Return the files of these requirements and all that they require, by name below site."""
    waiting = [Requirement(line) for line in installed]
    seen: set[str] = set()
    files: dict[str, Path] = {}
    while waiting:
        requirement = waiting.pop()
        if str(requirement) in seen:
            continue
        seen.add(str(requirement))
        distribution = metadata.distribution(requirement.name)
        for file in distribution.files or []:
            if ".." not in file.parts and file.suffix != ".pyc":
                files[str(file)] = Path(str(file.locate()))
        extras = [{"extra": extra} for extra in requirement.extras or [""]]
        waiting += [
            needed
            for needed in map(Requirement, distribution.requires or [])
            if needed.marker is None or any(map(needed.marker.evaluate, extras))
        ]
    return files


def _shared(binaries: list[Path]) -> list[Path]:
    """Return the shared libraries that ``ldd`` finds for programs and modules, each once."""
    listed = program.ended(["ldd", *binaries])
    found = {Path(path) for path in re.findall(r"(/\S+) \(0x", listed.stdout)}
    # Libraries of their own until glibc 2.34: wheels still name them. The last is loaded by glibc
    # itself when a thread is ended, as Python ends those that are left.
    (libc,) = (path for path in found if path.name.startswith("libc.so"))
    found |= {
        path for name in (*_OF_GLIBC, "gcc_s") for path in libc.parent.glob(f"lib{name}.so.?")
    }
    return sorted(found)


def _kept(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    return None if _LEFT_OUT.fullmatch(member.name) else member


def _link(tar: tarfile.TarFile, name: str, target: str) -> None:
    link = tarfile.TarInfo(name)
    link.type, link.linkname = tarfile.SYMTYPE, target
    tar.addfile(link)


def _file(tar: tarfile.TarFile, name: str, text: str) -> None:
    file = tarfile.TarInfo(name)
    file.size, file.mode = len(text), 0o644
    tar.addfile(file, io.BytesIO(text.encode()))
