"""The diff of cloud-config.yml: no text of it, because private keys are in it."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from rancheros_ec2_metadata.errors import quote
from rancheros_ec2_metadata.hosts.rancheros import cloud_config, docker_args


def diff_lists(old: str, new: str, ours: Collection[str]) -> Iterator[str]:
    """Yield the arguments that are added and removed, and the names of removed variables.

    Arguments of the user's are told by their options alone.

    Args:
        old: the text as it is.
        new: as planned.
        ours: items of Docker's arguments that are ours.
    """
    for key in ("args", "extra_args"):
        was, now = cloud_config.list_items(old, key), cloud_config.list_items(new, key)
        for sign, these, others in (("-", was, now), ("+", now, was)):
            for item in these:
                if item not in others:
                    told = item if item in ours else docker_args.name_option(item)
                    yield f"{sign}rancher.docker.{key}: {quote(told, 300)}"
    gone = cloud_config.find_variables(old).keys() - cloud_config.find_variables(new).keys()
    for name in sorted(gone):
        yield f"-rancher.environment.{name}: (its value is not shown)"
