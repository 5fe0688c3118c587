from collections.abc import Callable
from typing import Any

import pytest

from rancheros_ec2_metadata.errors import UsageError
from rancheros_ec2_metadata.settings import EnvPrefix, Settings, TagMapping, Template


def _alone(**one: Any) -> Settings:
    return Settings(label_prefixes=(), metadata=False, **one)


@pytest.mark.parametrize(
    ("parse", "texts"),
    [
        (
            TagMapping.parse,
            (
                "",
                "tag",
                ":VAR",
                "tag:",
                "tag:1VAR",
                "tag:A-B",
                "tag:PATH",
                "tag:EC2_METADATA_STATUS",
            ),
        ),
        (EnvPrefix.parse, ("", "a", "a:", "a:1", "a:AWS_", "a:aws_x", "a:B-")),
        (Template.parse, ("", "A", "1=x", "A={", "A=}", "A={}", "A={tag:}", "A={x y}", "path=x")),
    ],
)
def test_a_wrong_one_is_named(parse: Callable[[str], object], texts: tuple[str, ...]) -> None:
    for text in texts:
        with pytest.raises(UsageError) as caught:
            parse(text)
        assert repr(text) in str(caught.value)


@pytest.mark.parametrize(
    ("tag", "name"),
    [
        ("example.db.host", "APP_DB_HOST"),
        ("example.Db-host", "APP_DB_HOST"),
        ("example.", "APP_"),
        ("example.straße", "APP_STRA_E"),
    ],
)
def test_a_prefix_makes_a_variable_in_upper_case_with_underscores(tag: str, name: str) -> None:
    assert EnvPrefix.parse("example.:APP_").make_name(tag) == name


@pytest.mark.parametrize(
    ("prefixes", "tag", "label"),
    [
        (("docker.",), "docker.role", True),
        (("docker.",), "dockerx", False),
        (("",), "Name", True),
        (("",), "aws:x", False),
        (("aws:",), "aws:x", True),
        (("a", "aws:auto"), "aws:autoscaling:groupName", True),
        ((), "docker.role", False),
    ],
)
def test_aws_tags_are_labels_only_where_a_prefix_names_them(
    prefixes: tuple[str, ...], tag: str, label: bool
) -> None:
    assert Settings(label_prefixes=prefixes).is_label(tag) is label


def test_tags_are_wanted_by_whatever_uses_them() -> None:
    settings = Settings(
        label_prefixes=("docker.",),
        mappings=(TagMapping("one", "A"),),
        env_prefixes=(EnvPrefix("two.", "B_"),),
        templates=(Template.parse("C={tag:three}"),),
        require_tags=("four",),
    )
    tags = ["docker.a", "one", "two.x", "three", "four", "aws:autoscaling:groupName", "Name"]
    assert [tag for tag in tags if settings.wants(tag)] == tags[:-1]
    assert [tag for tag in tags if settings.maps(tag)] == tags[:4]


def test_a_tag_of_aws_is_wanted_only_where_a_prefix_names_it() -> None:
    everything = Settings(metadata=False, env_prefixes=(EnvPrefix("", "A_"),))
    assert everything.wants("x")
    assert not everything.wants("aws:x")
    assert Settings(env_prefixes=(EnvPrefix("aws:", "A_"),)).wants("aws:x")


@pytest.mark.parametrize(
    ("settings", "tags", "metadata"),
    [
        (Settings(label_prefixes=(), metadata=False), False, False),
        (Settings(label_prefixes=(), metadata=True), False, True),
        (Settings(label_prefixes=("docker.",), metadata=False), True, False),
        (_alone(mappings=(TagMapping("one", "A"),)), True, False),
        (_alone(env_prefixes=(EnvPrefix("two.", "B_"),)), True, False),
        (_alone(require_tags=("four",)), True, False),
        (_alone(templates=(Template.parse("C={tag:three}"),)), True, False),
        (_alone(templates=(Template.parse("C={AWS_REGION}"),)), False, True),
        (_alone(metadata_labels=("region",)), False, True),
    ],
)
def test_only_what_is_used_is_asked_for(settings: Settings, tags: bool, metadata: bool) -> None:
    assert (settings.uses_tags, settings.reads_metadata) == (tags, metadata)
