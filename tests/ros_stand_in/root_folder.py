"""A machine's disk below a root folder, and the ``ros`` that answers for it."""

from __future__ import annotations

import errno
import os
import stat
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from .answers import Answer, answer
from .loading import CLOUD_CONFIG, CONF, OEM_CONFIG, OS_CONFIG, Disk, merge
from .os_config import os_config
from .yaml_reading import UnusableError, read_map
from .yaml_scalars import Node
from .yaml_writing import write_document

COMMAND_LINE = "/proc/cmdline"
_LINKS_FOLLOWED = 40  # as Linux does
_MODE = 0o620  # ros says 400 and means octal


def machine(
    root: Path, release: str, files: Mapping[str, str], cmdline: str = "", oem: str = ""
) -> None:
    """Make the disk of a machine below ``root``.

    Args:
        root: a folder. release: its name, as ``v1.5.8``.
        files: text by path below the conf folder.
        cmdline: the kernel command line. oem: the text of oem/oem-config.yml.
    """
    everything = {f"{CONF}/{name}": text for name, text in files.items()}
    everything |= {OS_CONFIG: os_config(release).decode(), COMMAND_LINE: cmdline}
    if oem:
        everything[OEM_CONFIG] = oem
    for path, text in everything.items():
        file = root / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text.encode("utf-8", "surrogatepass"))


def read_disk(root: Path | str) -> Disk:
    """Return what ``ros`` reads below ``root``, where absolute links begin too."""
    top = str(root).rstrip("/")
    names = [CLOUD_CONFIG, "metadata"]
    try:
        folder = _below(top, f"{CONF}/cloud-config.d")
        with os.scandir(folder) as entries:
            names += [
                f"cloud-config.d/{e.name}" for e in entries if not e.is_dir(follow_symlinks=False)
            ]
    except OSError:
        pass  # it says so, and goes on without the folder
    found = {name: _read(top, f"{CONF}/{name}") for name in names}
    files = {name: content for name, content in found.items() if content != b""}
    os_file, oem, cmdline = (
        _read(top, path) or b"" for path in (OS_CONFIG, OEM_CONFIG, COMMAND_LINE)
    )
    return Disk(files, os_file, oem, cmdline.decode("utf-8", "replace"))


def in_process(root: Path, release: str) -> Callable[..., tuple[int, bytes]]:
    """Return a function that answers as the executable: its first argument is the command."""

    def run(command: Sequence[str], *_: object) -> tuple[int, bytes]:
        given = call(str(root), release, command[1:])
        return given.status, given.stdout.encode("utf-8", "surrogatepass")

    return run


def executable(folder: Path, root: Path, release: str) -> Path:
    """Return an executable ``ros`` of a release in ``folder``, for the machine below ``root``."""
    file = folder / "ros"
    # Isolated and without site it starts in half the time.
    file.write_text(
        f"#!{sys.executable} -IS\n"
        f"import sys\n"
        f"sys.path += {places()!r}\n"
        f"from ros_stand_in.root_folder import main\n"
        f"sys.exit(main({str(root)!r}, {release!r}, sys.argv[1:]))\n"
    )
    file.chmod(0o755)
    return file


def places() -> list[str]:
    """Return the folders of this package and of yaml."""
    import yaml  # noqa: PLC0415 - its place only

    return [str(Path(__file__).resolve().parents[1]), str(Path(yaml.__file__).parents[1])]


def main(root: str, release: str, arguments: list[str]) -> int:
    """Be ``ros`` for one call, and return the exit status."""
    given = call(root, release, arguments)
    for descriptor, text in ((1, given.stdout), (2, given.stderr)):
        rest = text.encode("utf-8", "surrogatepass")
        while rest:
            rest = rest[os.write(descriptor, rest) :]
    return given.status


def reserialised(root: Path, changes: dict[str, Node] | None = None) -> None:
    """Write cloud-config.yml anew, as the system does when it merges something into it.

    Comments are lost and scalars retyped; address variables stay as they are. What cannot be read
    stays as well.
    """
    try:
        tree = read_map(_read(str(root), f"{CONF}/{CLOUD_CONFIG}") or b"\x7b}")
    except UnusableError:
        return
    _write(str(root), CLOUD_CONFIG, write_document(merge(tree, changes or {})).encode())


def call(root: str, release: str, arguments: Sequence[str]) -> Answer:
    """Do what one call of ``ros`` does below a root folder; return what it prints."""
    given = answer(read_disk(root), release, arguments)
    for name, content in given.written.items():
        _write(root, name, content)
    return given


def _write(root: str, name: str, content: bytes) -> None:
    file = Path(_below(root.rstrip("/"), f"{CONF}/{name}"))
    file.parent.mkdir(parents=True, exist_ok=True)
    temporary = file.with_name(f".{file.name}123456789")
    temporary.write_bytes(content)
    temporary.chmod(_MODE)
    temporary.replace(file)


def _below(root: str, path: str) -> str:
    """Return where ``path`` leads from ``root``, links followed."""
    here, links = root, 0
    rest = path.split("/")[::-1]
    while rest:
        name = rest.pop()
        if name in ("", "."):
            continue
        if name == "..":
            here = here.rpartition("/")[0] if here != root else root
            continue
        try:
            target = os.readlink(f"{here}/{name}")  # noqa: PTH115 - texts are twice as fast
        except OSError:
            here = f"{here}/{name}"
            continue
        links += 1
        if links > _LINKS_FOLLOWED:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        if target.startswith("/"):
            here, target = root, target.removeprefix(f"{root}/")
        rest += target.split("/")[::-1]
    return here


def _read(root: str, path: str) -> bytes | None:
    """Return a file's content, empty where none is; None if it cannot be read."""
    try:
        # To open a FIFO that nobody writes to would wait for ever.
        descriptor = os.open(_below(root, path), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return b""
    except OSError:
        return None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        return None
    with os.fdopen(descriptor, "rb") as file:
        return file.read()
