"""How Docker's client reads the file of ``docker run --env-file``.

After docker/cli's opts/file.go, which is also pkg/kvfile of later releases, and Go's bufio.Scanner.
"""

from __future__ import annotations

# bufio.MaxScanTokenSize, the line end included.
_LINE_BYTES = 64 * 1024
# unicode.IsSpace of Go.
_SPACE = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(
    map(chr, range(0x2000, 0x200B))
)


class EnvFileError(Exception):
    """The whole file is refused."""


def read(content: bytes) -> dict[str, str]:
    """Return the variables that a container gets; one without ``=`` is left out here.

    Raises:
        EnvFileError: the client says so, and starts nothing.
    """
    variables = {}
    for number, raw in enumerate(content.split(b"\n")):
        if len(raw) >= _LINE_BYTES:
            raise EnvFileError("token too long")
        try:
            text = raw.removesuffix(b"\r").decode("utf-8")
        except UnicodeDecodeError as error:
            raise EnvFileError("invalid utf8 bytes") from error
        line = (text.removeprefix("\ufeff") if number == 0 else text).lstrip(_SPACE)
        name, equals, value = line.partition("=")
        if not line or line.startswith("#"):
            continue
        if not name or " " in name or "\t" in name:
            raise EnvFileError("poorly formatted environment")
        if equals:
            variables[name] = value
    return variables
