"""A base image of Debian's own Python, for several architectures: nothing is run to make it.

It stands in for ``python:3.13-alpine`` where no registry can be reached: Python below /usr/local
with pip. Unlike that it is glibc.
"""

from __future__ import annotations

import shlex
import shutil
import subprocess
from pathlib import Path

from real_parts import stand_in_image

SUITE = "trixie"
_PYTHON = "python3.13"  # Debian's there
COMPRESSIONS = ("gzip", "zstd")
# The first file makes all layers different: a builder takes what it has of the same content, and so
# of the other compression.
_DOCKERFILE = """\
FROM scratch
ARG TARGETARCH
ARG COMPRESSION
COPY ${{COMPRESSION}} /
ADD ${{TARGETARCH}}.tar /
ENV {environment}
CMD ["python3"]
"""
# Packages are unpacked and not installed: what their scripts would have made is made here.
_LAY_OUT = """
set -eu
packages=$1 root=$2 python=$3 certificates=$4
mkdir "$root"
for package in "$packages"/*.deb; do
    dpkg-deb --fsys-tarfile "$package" | tar -x -C "$root" --keep-directory-symlink
done
here=$root/usr/local
mkdir -p "$here/bin" "$here/lib"
mv "$root/usr/bin/$python" "$here/bin/"
ln -s "$python" "$here/bin/python3"
mv "$root/usr/lib/$python" "$here/lib/"
mkdir -p "$here/lib/$python/dist-packages"
mv "$root/usr/lib/python3/dist-packages/pip" "$here/lib/$python/dist-packages/"
echo root:x:0:0:root:/:/bin/sh >"$root/etc/passwd"
cp "$certificates" "$root/etc/ssl/certs/ca-certificates.crt"
tar -c -C "$root" -f "$root.tar" .
rm -r "$root"
"""


def write_context(context: Path, architectures: list[str]) -> None:
    """Write what ``docker build`` makes the base of, below a new folder.

    The build's argument COMPRESSION is how it is then pushed.

    Raises:
        subprocess.CalledProcessError: Debian's archive cannot be reached, mostly.
    """
    context.mkdir(parents=True)
    environment = shlex.join(f"{k}={v}" for k, v in stand_in_image.environment().items())
    (context / "Dockerfile").write_text(_DOCKERFILE.format(environment=environment))
    for compression in COMPRESSIONS:
        (context / compression).touch()
    for architecture in architectures:
        unpacked = context.parent / f"unpacked-{architecture}"
        # --foreign: downloaded, and not configured, which would need the other architecture.
        download = ["debootstrap", "--foreign", "--variant=minbase", f"--arch={architecture}"]
        download += ["--include=python3,python3-pip", SUITE, str(unpacked)]
        subprocess.run(download, check=True, stdout=subprocess.DEVNULL)
        packages, root = unpacked / "var/cache/apt/archives", context / architecture
        given = [str(packages), str(root), _PYTHON, stand_in_image.certificates()]
        subprocess.run(["bash", "-c", _LAY_OUT, "bash", *given], check=True)
        shutil.rmtree(unpacked)
