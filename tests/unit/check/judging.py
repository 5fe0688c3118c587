"""A cloud-config that nothing is wrong with, and what is found in others."""

from __future__ import annotations

from rancheros_ec2_metadata.check.file import File
from rancheros_ec2_metadata.check.finding import Finding
from rancheros_ec2_metadata.check.table import judge
from rancheros_ec2_metadata.rancheros import release as releases

SERVICE = """\
    ec2-metadata:
      image: example/rancheros-ec2-metadata:1.0.0
      command: [-m, -l, "example.db.host:DB_HOST"]
      net: host
      labels:
        io.rancher.os.scope: system
        io.rancher.os.detach: "false"
        io.rancher.os.after: network
        io.rancher.os.before: console
        io.rancher.os.reloadconfig: "true"
      volumes:
        - /usr/bin/ros:/usr/bin/ros:ro
        - /usr/share/ros:/usr/share/ros:ro
        - /var/lib/rancher/conf:/var/lib/rancher/conf
        - /etc/docker:/etc/docker:ro
"""
GOOD = f"#cloud-config\nrancher:\n  services:\n{SERVICE}"
SERVICE_FILE = "".join(line.removeprefix("    ") for line in SERVICE.splitlines(keepends=True))


def judged(text: str | bytes, release: str = "v1.5.8") -> list[Finding]:
    """Return what is found in a file that is meant for a release."""
    known = releases.named(release)
    assert known is not None
    return judge(File.of(text.encode() if isinstance(text, str) else text, known))


def found(text: str | bytes, release: str = "v1.5.8") -> list[tuple[str, str]]:
    """Return the rules that found something, each with the line that it names.

    A line that is not there, such as that of a missing key, is the one above it.
    """
    whole = text if isinstance(text, str) else text.decode("utf-8", "replace")
    lines = whole.splitlines() or [""]
    return [(one.rule, lines[one.line - 1].strip()) for one in judged(text, release)]


def changed(old: str, new: str, text: str = GOOD) -> str:
    """Return the good cloud-config with one thing in it changed."""
    assert text.count(old) == 1, old
    return text.replace(old, new)


def with_service(definition: str, name: str = "web") -> str:
    """Return the good cloud-config with one more service."""
    lines = definition.strip("\n").splitlines()
    return GOOD + f"    {name}:\n" + "".join(f"      {line}\n" for line in lines)


def with_docker(lines: str, text: str = GOOD) -> str:
    """Return the good cloud-config with something under rancher.docker."""
    return text + "  docker:\n" + "".join(f"    {line}\n" for line in lines.splitlines())


def with_environment(lines: str, text: str = GOOD) -> str:
    """Return the good cloud-config with something under rancher.environment."""
    return text + "  environment:\n" + "".join(f"    {line}\n" for line in lines.splitlines())
