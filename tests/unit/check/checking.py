"""A cloud-config that nothing is wrong with, and what is found in others."""

from __future__ import annotations

from rancheros_ec2_metadata.check import rules
from rancheros_ec2_metadata.check.checked_file import NEWEST_RELEASE, File
from rancheros_ec2_metadata.check.finding import Finding
from rancheros_ec2_metadata.hosts.rancheros.release import parse_release

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
        - /var/lib/rancher/conf:/host/var/lib/rancher/conf
        - /etc/docker:/host/etc/docker:ro
"""
GOOD = f"#cloud-config\nrancher:\n  services:\n{SERVICE}"
SERVICE_FILE = "".join(line.removeprefix("    ") for line in SERVICE.splitlines(keepends=True))


def check(text: str | bytes, release: str = "v1.5.8") -> list[Finding]:
    """Return what is found in a file that is meant for a release."""
    known = NEWEST_RELEASE if release == "newest" else parse_release(release)
    assert known is not None
    return rules.check(File(text.encode() if isinstance(text, str) else text, known))


def changed(old: str, new: str, text: str = GOOD) -> str:
    """Return the good cloud-config with one thing in it changed."""
    assert text.count(old) == 1, old
    return text.replace(old, new)


def _below(key: str, indent: int, lines: str, text: str) -> str:
    inner = "".join(f"{' ' * (indent + 2)}{line}\n" for line in lines.strip("\n").splitlines())
    return f"{text}{' ' * indent}{key}:\n{inner}"


def with_service(definition: str, text: str = GOOD) -> str:
    """Return the good cloud-config with one more service."""
    return _below("web", 4, definition, text)


def in_service_file(definition: str) -> str:
    """Return the service file with one more service."""
    return _below("web", 0, definition, SERVICE_FILE)


def with_docker(lines: str, text: str = GOOD) -> str:
    """Return the good cloud-config with something under rancher.docker."""
    return _below("docker", 2, lines, text)


def with_command(command: str) -> str:
    """Return the good cloud-config with another command."""
    return changed('command: [-m, -l, "example.db.host:DB_HOST"]', f"command:{command}")


def with_file(content: str, path: str, encoding: str = "") -> str:
    """Return the good cloud-config with a file that the console writes."""
    entry = f"- path: {path}\n  content: '{content}'\n  encoding: '{encoding}'\n"
    return f"{GOOD}write_files:\n- path: /a\n{entry}"
