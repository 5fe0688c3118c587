"""The instance's tags as the metadata service gives them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from rancheros_ec2_metadata.errors import quote

from .imds import check_component
from .retry import RequestError

if TYPE_CHECKING:
    from rancheros_ec2_metadata.deadline import Limit

    from .imds import Imds

TAGS_PATH = "meta-data/tags/instance"

# The tag keys that EC2 allows while the metadata service serves an instance's tags.
_KEY = re.compile(r"[0-9a-zA-Z\-_+=,.@:]{1,255}")
# At most 50, and those of `aws:`, which are not counted.
MOST_KEYS = 256


def is_imds_key(key: str) -> bool:
    """Tell whether a tag of this key can be on an instance whose tags are in IMDS."""
    return bool(_KEY.fullmatch(key)) and key not in (".", "..", "_index")


class Tags(NamedTuple):
    """What is known of an instance's tags.

    Args:
        keys: all that the instance has.
        values: of the keys that are used.
        unread: keys that are used and whose value could not be read, each with the reason.
    """

    keys: frozenset[str]
    values: Mapping[str, str]
    unread: Mapping[str, str]


def take_all_known(tags: Mapping[str, str], used: Callable[[str], bool]) -> Tags:
    """Return what the API gave, reduced to the tags that are used."""
    values = {key: value for key, value in tags.items() if used(key)}
    return Tags(frozenset(tags), values, {})


def read_tags(
    imds: Imds, used: Callable[[str], bool], known: Mapping[str, str], limit: Limit
) -> Tags | None:
    """Return the tags, with the values of those that are used.

    Args:
        imds: the metadata service.
        used: whether a key's value is wanted.
        known: values read before; not asked for again.
        limit: until when failing requests are tried again.

    Returns:
        None if the metadata service does not serve the tags of this instance (404).

    Raises:
        RequestError: the list could not be had.
    """
    listed = imds.get(TAGS_PATH, limit)
    if listed is None:
        return None
    keys = list(dict.fromkeys(line for line in listed.split("\n") if line))
    if len(keys) > MOST_KEYS:
        raise RequestError(f"{TAGS_PATH}: lists {len(keys)} tags, more than an instance can have")
    if keys and not any(map(_KEY.fullmatch, keys)):
        raise RequestError(f"{TAGS_PATH}: {quote(keys[0])} and what follows are not keys of tags")
    values = {key: known[key] for key in keys if key in known}
    unread = {}
    paths = {}
    for key in keys:
        if used(key) and key not in known:
            try:
                paths[key] = f"{TAGS_PATH}/{check_component(key, _KEY, 'the key of a tag')}"
            except RequestError as refusal:
                unread[key] = str(refusal)
    answers = imds.get_all(paths.values(), limit)
    gone = set()
    for key, path in paths.items():
        answer = answers[path]
        if isinstance(answer, RequestError):
            unread[key] = str(answer)
        elif answer is None:
            gone.add(key)
        else:
            values[key] = answer
    return Tags(frozenset(keys) - gone, values, unread)
