"""The stand-in for ``ros`` as a process that stays, and a small executable that asks it.

To start Python with YAML for each question would take longer than all else that a run does.
"""

from __future__ import annotations

import atexit
import signal
import socketserver
import subprocess
import sys
import tempfile
import threading
import traceback
from functools import cache
from pathlib import Path
from shutil import rmtree

from . import root_folder

_CLIENT = """\
#!{python} -IS
import os, sys, _socket
asked = "\\0".join([{root!r}, {release!r}, *sys.argv[1:]]).encode("utf-8", "surrogateescape")
server = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
server.connect({socket!r})
server.sendall(asked)
server.shutdown(_socket.SHUT_WR)
answer = b""
while part := server.recv(1 << 16):
    answer += part
head, _, text = answer.partition(b"\\n")
status, length = map(int, head.split())
for descriptor, rest in ((1, text[:length]), (2, text[length:])):
    while rest:
        rest = rest[os.write(descriptor, rest):]
sys.exit(status)
"""


def executable(folder: Path, root: Path, release: str) -> Path:
    """Return an executable ``ros`` of a release in ``folder``, for the machine below ``root``.

    It sees that folder as this process does, not as a mount namespace of its own would have it.
    """
    file = folder / "ros"
    client = _CLIENT.format(
        python=sys.executable,
        root=str(root),
        release=release,
        socket=_started(),
    )
    # One that may be starting just now is not to be written.
    if not (file.exists() and file.read_text() == client):
        file.write_text(client)
        file.chmod(0o755)
    return file


@cache
def _started() -> str:
    """Start the process, which ends when this one does; return the path of its socket."""
    path = f"{tempfile.mkdtemp(prefix='ros-')}/socket"
    code = (
        f"import sys; sys.path += {root_folder.places()!r}\n"
        f"from ros_stand_in.served import main; main({path!r})"
    )
    # Isolated: coverage, and what else the environment brings, would be slow.
    process = subprocess.Popen(
        [sys.executable, "-IS", "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    atexit.register(process.communicate)  # this closes its standard input
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    return path


class _Question(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        asked = self.rfile.read().decode("utf-8", "surrogateescape")
        root, release, *arguments = asked.split("\0")
        try:
            given = root_folder.call(root, release, arguments)
            status, texts = given.status, (given.stdout, given.stderr)
        except Exception:  # noqa: BLE001 - whoever asked is told
            status, texts = 1, ("", traceback.format_exc())
        out, err = (text.encode("utf-8", "surrogatepass") for text in texts)
        self.wfile.write(b"%d %d\n" % (status, len(out)) + out + err)


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    request_queue_size = 64


def main(path: str) -> None:
    """Answer at a socket until standard input ends, then remove its folder."""
    try:
        with _Server(path, _Question) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            sys.stdout.write("ready\n")
            sys.stdout.flush()
            # Ctrl-C reaches this process too: it ends as its parent does.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            sys.stdin.read()
    finally:
        rmtree(Path(path).parent)
