"""The demo's boot of RancherOS: a disk in a folder, and a stand-in for ``ros``."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from rancheros_ec2_metadata.apply import Result, apply, render_last_line
from rancheros_ec2_metadata.commands.demo_instance import (
    FLAGS,
    INSTANCE,
    describe_tags,
    make_settings,
)
from rancheros_ec2_metadata.deadline import Clock
from rancheros_ec2_metadata.fake_ec2.server import FakeImds
from rancheros_ec2_metadata.hosts.rancheros import paths
from rancheros_ec2_metadata.hosts.rancheros.drop_in import parse_drop_in
from rancheros_ec2_metadata.hosts.rancheros.rancheros_host import make_rancheros
from rancheros_ec2_metadata.hosts.rancheros.rehearsal import Rehearsal
from rancheros_ec2_metadata.hosts.rancheros.ros import Printed, Ros
from rancheros_ec2_metadata.log import Log
from rancheros_ec2_metadata.runtime import Limits, make_runtime
from rancheros_ec2_metadata.scratch import scratch

_OS_CONFIG = "rancher:\n  environment:\n    VERSION: v1.5.8\n"
_USER_DATA = "#cloud-config\nrancher:\n  docker:\n    extra_args: [--debug]\n"
_BOOT_YML = f"{paths.CLOUD_CONFIG_D}/boot.yml"
# Of the AWS_ variables in our file only this one is shown: all of them do not fit the screen.
_SHOWN = "AWS_INSTANCE_ID"


def play(show: Callable[[Iterable[str]], None]) -> int:
    """Play a boot of RancherOS; return its exit status.

    Args:
        show: prints lines.

    Raises:
        FilesError: there is no place for the disk.
    """
    lines = io.StringIO()
    log = Log(lines)
    with scratch("demo") as root:
        _install(root)
        show(_opening())
        with FakeImds(INSTANCE) as imds:
            settings = make_settings(root, "rancheros", imds.url)
            limits = Limits.of(settings.deadline, 0, Clock())
            runtime = make_runtime(settings, log, limits)
            ros = Ros("ros", lambda commands, _: [_answer(root, one[-1]) for one in commands])
            rehearsal = Rehearsal(root, ros, limits.deadline)
            host = make_rancheros(settings, limits.deadline, remove_legacy=False, off_machine=False)
            target = runtime.target._replace(host=replace(host, rehearsal=rehearsal))
            result = apply(settings, runtime._replace(target=target))
            log.last(render_last_line(result))
        written = paths.locate(root, paths.DROP_IN).read_text("ascii")
    show(lines.getvalue().splitlines())
    show(_files(written))
    show(_results(result))
    return result.status


def _install(root: Path) -> None:
    """Lay out the disk as it is at a first boot, when the user-data has been saved."""
    for path, text in ((paths.OS_CONFIG, _OS_CONFIG), (f"/host{_BOOT_YML}", _USER_DATA)):
        target = root / path.lstrip("/")
        target.parent.mkdir(parents=True)
        target.write_text(text, encoding="utf-8")
    link = root / paths.CONF.lstrip("/")
    link.parent.mkdir(parents=True)
    link.symlink_to(root / paths.COPY.lstrip("/"))


def _answer(root: Path, key: str) -> Printed:
    """Answer like ``ros config get`` on the demo's disk: the drop-in overrides the user-data."""
    drop_in = root / paths.CONF.lstrip("/") / "cloud-config.d" / paths.DROP_IN_NAME
    ours = parse_drop_in(drop_in.read_bytes()).get("rancher", {}) if drop_in.exists() else {}
    docker = {"extra_args": ["--debug"]} | ours.get("docker", {})
    rancher = {"docker": docker, "environment": ours.get("environment", {})}
    found = {"rancher": rancher, "hostname": ""}.get(key, [])
    return Printed(0, json.dumps(found).encode("ascii") + b"\n")


def _opening() -> Iterator[str]:
    yield "# An instance of an Auto Scaling group boots RancherOS v1.5.8. Its tags:"
    yield from describe_tags()
    yield f"# Its user-data: extra_args [--debug]. The run, with {FLAGS},"
    yield "# on a stand-in for ros that knows this one disk:"


def _files(written: str) -> Iterator[str]:
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


def _results(result: Result) -> Iterator[str]:
    ours = result.in_effect
    yield f"# Labels that Docker will have ({len(ours.labels)}):"
    for key, value in sorted(ours.labels.items()):
        yield f"  {key}={value}"
    yield f"# Variables that services can name ({len(ours.variables)}):"
    named = [name for name in sorted(ours.variables) if not name.startswith("AWS_")]
    yield f"  {', '.join(named)}, and {len(ours.variables) - len(named)} AWS_ variables"
    if result.plan is not None:
        yield from _arguments(result.plan.lists[0].after)


def _arguments(items: Sequence[str]) -> Iterator[str]:
    """Yield the words that reach dockerd, through the bash that RancherOS starts it with."""
    bash = shutil.which("bash")
    if bash is None:
        yield "# The items that RancherOS passes to dockerd through bash (none is here):"
        words = list(items)
    else:
        yield "# The arguments that reach dockerd, through a real bash:"
        script = "printf '%s\\0' " + " ".join(items)
        done = subprocess.run(  # noqa: S603 - our own quoting, shown at work
            [bash, "-c", script], capture_output=True, check=True, env={}
        )
        words = [word.decode("utf-8") for word in done.stdout.split(b"\0")[:-1]]
    for word in words:
        yield f"  {json.dumps(word, ensure_ascii=False)}"
