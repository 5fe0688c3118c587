"""``demo``: a boot, played on this machine: a fake EC2, and a RancherOS disk in a folder."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from rancheros_ec2_metadata.boot import boot
from rancheros_ec2_metadata.deadline import Clock
from rancheros_ec2_metadata.edges import Limits, edges
from rancheros_ec2_metadata.fake_ec2.data import FakeInstance
from rancheros_ec2_metadata.fake_ec2.server import FakeImds
from rancheros_ec2_metadata.log import Log
from rancheros_ec2_metadata.plan.planning import Plan
from rancheros_ec2_metadata.rancheros import disk as paths
from rancheros_ec2_metadata.rancheros.disk import read_disk
from rancheros_ec2_metadata.rancheros.store import Store
from rancheros_ec2_metadata.scratch import scratch
from rancheros_ec2_metadata.settings import ImdsSettings, Settings, TagMapping

_WIDTH = 80
_ENDING = 16  # characters
_SECONDS = 30.0
_TAGS = {
    "docker.environment": "production",
    "docker.motto": "it's café; $(touch pwned)",
    "docker.role": "web",
    "example.db.host": "db.internal",
}
_MAPPINGS = ("example.db.host:DB_HOST",)
_OS_CONFIG = "rancher:\n  environment:\n    VERSION: v1.5.8\n"
_USER_DATA = "#cloud-config\nrancher:\n  docker:\n    extra_args: [--debug]\n"
# Of the AWS_ variables in our file only this one is shown: all of them do not fit the screen.
_SHOWN = "AWS_INSTANCE_ID"
_COLOURS = {"+": "32", "-": "31", "#": "1"}


def play(show: Callable[[Iterable[str]], None], *, colour: bool) -> int:
    """Play a boot and print what it did, in 80 columns and 50 lines; return its exit status.

    Args:
        show: prints lines of the story, the run's own log included.
        colour: with terminal colours.

    Raises:
        FilesError: there is no place for the disk.
    """
    lines = io.StringIO()
    log = Log(lines)
    with scratch("demo") as root:
        _install(root)
        before = read_disk(root)
        instance = FakeInstance(tags=_TAGS, role="docker-node", autoscaling_group="web")
        show(_drawn(_opening(), colour=colour))
        with FakeImds(instance) as imds:
            settings = Settings(
                mappings=tuple(map(TagMapping.parse, _MAPPINGS)),
                root=root,
                deadline=_SECONDS,
                imds=ImdsSettings(endpoint=imds.url),
            )
            limits = Limits.of(_SECONDS, 0, Clock())
            plan = boot(settings, edges(settings, log, limits, Store(root)))
        after = read_disk(root)
    show(_drawn(lines.getvalue().splitlines(), colour=colour))
    show(_drawn(_files(before.files, after.files), colour=colour))
    if plan is not None:
        show(_drawn(_results(plan), colour=colour))
        items = plan.predicted.docker_arguments("extra_args")
        show(_drawn(_arguments(items), colour=colour))
    return log.status()


def _install(root: Path) -> None:
    """Lay out the disk as it is at a first boot, when the user-data has been saved."""
    boot_yml = f"{paths.CLOUD_CONFIG_D}/boot.yml"
    for path, text in ((paths.OS_CONFIG, _OS_CONFIG), (boot_yml, _USER_DATA)):
        target = root / path.lstrip("/")
        target.parent.mkdir(parents=True)
        target.write_text(text, encoding="utf-8")


def _opening() -> Iterator[str]:
    yield "# An instance of an Auto Scaling group boots RancherOS v1.5.8. Its tags:"
    for key, value in _TAGS.items():
        yield f"  {key:20} {value}"
    flags = " ".join(f"-l {mapping}" for mapping in _MAPPINGS)
    yield f"# Its user-data: extra_args [--debug]. The run, with {flags}"


def _files(before: Mapping[str, bytes], after: Mapping[str, bytes]) -> Iterator[str]:
    yield f"# Files below {paths.CONF}, before and after:"
    for path in sorted({*before, *after}):
        if before.get(path) == after.get(path) or path == paths.STATE:
            continue
        name = path.removeprefix(f"{paths.CONF}/")
        yield f"--- {name if path in before else '/dev/null'}"
        yield f"+++ {name}"
        for line in after[path].decode("ascii").splitlines():
            name = line.strip().partition('"')[2].partition('"')[0]
            if not line.startswith("#") and (not name.startswith("AWS_") or name == _SHOWN):
                yield "+" + line


def _results(plan: Plan) -> Iterator[str]:
    yield f"# Labels that Docker will have ({len(plan.labels)}):"
    for key, value in sorted(plan.labels.items()):
        yield f"  {key}={value}"
    yield f"# Variables that services can name ({len(plan.variables)}):"
    ours = [name for name in sorted(plan.variables) if not name.startswith("AWS_")]
    aws = [name[4:] for name in sorted(plan.variables) if name.startswith("AWS_")]
    for first, names in (("  ", ours), ("  AWS_: ", aws)):
        yield from textwrap.wrap(
            ", ".join(names), _WIDTH, initial_indent=first, subsequent_indent="    "
        )


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


def _drawn(lines: Iterable[str], *, colour: bool) -> Iterator[str]:
    """Yield the lines, of long ones the beginning and the end: a status stands there."""
    for line in lines:
        cut = line
        if len(line) > _WIDTH:
            cut = f"{line[: _WIDTH - _ENDING - 1]}…{line[-_ENDING:]}"
        code = _COLOURS.get(line[:1])
        yield f"\x1b[{code}m{cut}\x1b[0m" if colour and code else cut
