"""The instance that the demo plays a boot of, on any host."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rancheros_ec2_metadata.fake_ec2.data import FakeInstance
from rancheros_ec2_metadata.settings import HostKind, ImdsSettings, Settings, TagMapping

TAGS = {
    "docker.environment": "production",
    "docker.motto": "it's café; $(touch pwned)",
    "docker.role": "web",
    "example.db.host": "db.internal",
}
INSTANCE = FakeInstance(tags=TAGS, role="docker-node", autoscaling_group="web")
FLAGS = "-l example.db.host:DB_HOST"


def make_settings(root: Path, host: HostKind, imds: str) -> Settings:
    """Return the settings of a run with FLAGS.

    Args:
        root: the folder that stands for the machine's root.
        host: the kind of machine.
        imds: the address of the fake metadata service.
    """
    return Settings(
        mappings=(TagMapping.parse(FLAGS.removeprefix("-l ")),),
        root=root,
        host=host,
        deadline=30.0,
        imds=ImdsSettings(endpoint=imds),
    )


def describe_tags() -> Iterator[str]:
    """Yield a line for each tag."""
    for key, value in TAGS.items():
        yield f"  {key:20} {value}"
