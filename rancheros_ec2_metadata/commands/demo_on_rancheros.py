"""The demo's boot of RancherOS: a disk in a folder, and a stand-in for ``ros``."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from rancheros_ec2_metadata.commands.demo_instance import FLAGS, INSTANCE, describe_tags, run_once
from rancheros_ec2_metadata.commands.first_boot import BOOT_YML
from rancheros_ec2_metadata.deadline import Limit
from rancheros_ec2_metadata.fake_ec2.server import FakeImds
from rancheros_ec2_metadata.hosts.base import Host
from rancheros_ec2_metadata.hosts.rancheros import paths
from rancheros_ec2_metadata.hosts.rancheros.drop_in import parse_drop_in
from rancheros_ec2_metadata.hosts.rancheros.rancheros_host import make_rancheros
from rancheros_ec2_metadata.hosts.rancheros.rehearsal import Rehearsal
from rancheros_ec2_metadata.hosts.rancheros.ros import Printed, Ros
from rancheros_ec2_metadata.scratch import make_scratch_folder
from rancheros_ec2_metadata.settings import Settings

_OS_CONFIG = b"rancher:\n  environment:\n    VERSION: v1.5.8\n"
_USER_DATA = b"#cloud-config\nrancher:\n  docker:\n    extra_args: [--debug]\n"
# Of the AWS_ variables in our file only this one is shown: all of them do not fit the screen.
_SHOWN = "AWS_INSTANCE_ID"


def play() -> tuple[list[str], int]:
    """Play a boot of RancherOS; return the lines of the story, and the exit status.

    Raises:
        FilesError: there is no place for the disk.
    """
    # As it is at a first boot, when the user-data has been saved.
    disk = {paths.OS_CONFIG: _OS_CONFIG, f"/host{BOOT_YML}": _USER_DATA}
    with make_scratch_folder("demo", disk) as root, FakeImds(INSTANCE) as imds:
        link = root / paths.CONF.lstrip("/")
        link.parent.mkdir(parents=True)
        link.symlink_to(root / paths.COPY.lstrip("/"))
        result, log = run_once(root, "rancheros", imds.url, _make_host)
        written = paths.locate(root, paths.DROP_IN).read_text("ascii")
    arguments = _show_arguments(result.plan.lists[0].after)
    return [*_tell_opening(), *log, *_show_file(written), *arguments], result.status


def _make_host(settings: Settings, limit: Limit) -> Host:
    root = settings.root
    ros = Ros("ros", lambda commands, _: [_answer(root, one[-1]) for one in commands])
    host = make_rancheros(settings, limit, remove_legacy=False, off_machine=False)
    host.rehearsal = Rehearsal(root, ros, limit)
    return host


def _answer(root: Path, key: str) -> Printed:
    """Answer like ``ros config get`` on the demo's disk: the drop-in overrides the user-data."""
    drop_in = root / paths.CONF.lstrip("/") / "cloud-config.d" / paths.DROP_IN_NAME
    ours = parse_drop_in(drop_in.read_bytes()).get("rancher", {}) if drop_in.exists() else {}
    docker = {"extra_args": ["--debug"]} | ours.get("docker", {})
    rancher = {"docker": docker, "environment": ours.get("environment", {})}
    found = {"rancher": rancher, "hostname": ""}.get(key, [])
    return Printed(0, json.dumps(found).encode("ascii") + b"\n")


def _tell_opening() -> Iterator[str]:
    yield "# An instance of an Auto Scaling group boots RancherOS v1.5.8. Its tags:"
    yield from describe_tags()
    yield f"# Its user-data: extra_args [--debug]. The run, with {FLAGS},"
    yield "# on a stand-in for ros that knows this one disk:"


def _show_file(written: str) -> Iterator[str]:
    yield f"# The file that was written, below {paths.CONF}:"
    yield "--- /dev/null"
    yield f"+++ cloud-config.d/{paths.DROP_IN_NAME}"
    hidden = 0
    for line in written.splitlines():
        name = line.strip().partition('"')[2].partition('"')[0]
        if name.startswith("AWS_") and name != _SHOWN:
            hidden += 1
        elif not line.startswith("#"):
            yield "+" + line
    yield f"# ({hidden} more AWS_ variables are in it)"


def _show_arguments(items: Sequence[str]) -> Iterator[str]:
    """Yield the words that reach dockerd, through the bash that RancherOS starts it with."""
    bash = shutil.which("bash")
    if bash is None:
        return
    yield "# The arguments that reach dockerd, through a real bash:"
    script = "printf '%s\\0' " + " ".join(items)
    done = subprocess.run(  # noqa: S603 - our own quoting, shown at work
        [bash, "-c", script], capture_output=True, check=True, env={}
    )
    for word in done.stdout.decode("utf-8").split("\0")[:-1]:
        yield f"  {json.dumps(word, ensure_ascii=False)}"
