"""The instance that the demo plays a boot of, and a run on it, on any host."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path

from rancheros_ec2_metadata.apply import Result, apply, render_last_line
from rancheros_ec2_metadata.deadline import Limit
from rancheros_ec2_metadata.fake_ec2.data import FakeInstance
from rancheros_ec2_metadata.hosts.base import Host
from rancheros_ec2_metadata.log import Log
from rancheros_ec2_metadata.runtime import make_runtime
from rancheros_ec2_metadata.settings import HostKind, ImdsSettings, Settings, TagMapping

TAGS = {
    "docker.environment": "production",
    "docker.motto": "it's café; $(touch pwned)",
    "docker.role": "web",
    "example.db.host": "db.internal",
}
INSTANCE = FakeInstance(tags=TAGS, role="docker-node", autoscaling_group="web")
FLAGS = "-l example.db.host:DB_HOST"


def run_once(
    root: Path, kind: HostKind, imds: str, make_host: Callable[[Settings, Limit], Host]
) -> tuple[Result, list[str]]:
    """Run with FLAGS on a host with stand-ins; return the result and the lines of the log."""
    settings = Settings(
        mappings=(TagMapping.parse(FLAGS.removeprefix("-l ")),),
        root=root,
        host=kind,
        deadline=30.0,
        imds=ImdsSettings(endpoint=imds),
    )
    lines = io.StringIO()
    runtime = make_runtime(settings, Log(lines))
    target = runtime.target._replace(host=make_host(settings, runtime.deadline))
    result = apply(settings, runtime._replace(target=target))
    target.log.last(render_last_line(result))
    return result, lines.getvalue().splitlines()


def describe_tags() -> Iterator[str]:
    """Yield a line for each tag."""
    for key, value in TAGS.items():
        yield f"  {key:20} {value}"
