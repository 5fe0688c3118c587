"""The report of a plan, from files and desired values alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given as any_of
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from machine import os_config
from rancheros_ec2_metadata.plan.given import Given
from rancheros_ec2_metadata.plan.local import Local
from rancheros_ec2_metadata.plan.mapping import NOTHING, desired
from rancheros_ec2_metadata.plan.planning import plan
from rancheros_ec2_metadata.plan_report.arguments import Argument
from rancheros_ec2_metadata.plan_report.report import Item, Report, report, told
from rancheros_ec2_metadata.plan_report.text import lines
from rancheros_ec2_metadata.rancheros import disk as paths
from rancheros_ec2_metadata.rancheros import release as releases
from rancheros_ec2_metadata.rancheros import state as states
from rancheros_ec2_metadata.rancheros.disk import Disk
from rancheros_ec2_metadata.rancheros.state import State
from rancheros_ec2_metadata.settings import EnvPrefix, Settings, TagMapping, Template

BOOT = f"{paths.CLOUD_CONFIG_D}/boot.yml"
METADATA = {"AWS_INSTANCE_TYPE": "m5.large"}
SOURCES = {"AWS_INSTANCE_TYPE": "identity document, instanceType"}
SECRET = "hunter2"
ROLE = {"docker.role": "web"}


def disk(version: str = "v1.5.8", **files: str) -> Disk:
    names = {"boot": BOOT, "cloud_config": paths.CLOUD_CONFIG, "cmdline": paths.COMMAND_LINE}
    names |= {"late": f"{paths.CLOUD_CONFIG_D}/zzz.yml", "daemon_json": paths.DAEMON_JSON}
    content = {names[name]: text.encode() for name, text in files.items()}
    return Disk({paths.OS_CONFIG: os_config(version).encode(), **content})


def planned(
    before: Disk, tags: Mapping[str, str], *mappings: str, **settings: Any
) -> tuple[Report, Disk]:
    """Return the report of a run with these tags, and the disk after it."""
    raw = before.files.get(paths.STATE)
    state = states.parse(raw) if raw else State()
    asked = Settings(
        metadata=False,
        mappings=tuple(map(TagMapping.parse, mappings)),
        **settings,
    )
    wanted = desired(asked, METADATA, tags, "complete")
    given = Given(before, releases.of(before), state)
    made = plan(wanted, given, State(instance_id="i-1", status="complete"), Local.of(asked))
    return report(made, SOURCES), before.with_files({one.path: one.after for one in made.changes})


def named(items: tuple[Item, ...], name: str) -> Item:
    (found,) = (item for item in items if item.name == name)
    return found


def items(told_of: Report, list_number: int = 0) -> list[tuple[str, str, str | None]]:
    """Return each item of a list with its change, and the layer or what gives it."""
    return [
        (one.text, one.change, one.layer or (told(one.source) if one.source else None))
        for one in told_of.arguments[list_number].items
    ]


def test_labels_come_change_stay_and_go() -> None:
    _, after = planned(disk(), {"docker.a": "1", "docker.b": "1", "docker.c": "1"})
    second, _ = planned(after, {"docker.a": "1", "docker.b": "2", "docker.d": "1"})
    assert [(one.name, one.change, one.before, one.after) for one in second.labels] == [
        ("docker.a", "stays", "1", "1"),
        ("docker.b", "changes", "1", "2"),
        ("docker.c", "goes", "1", None),
        ("docker.d", "comes", None, "1"),
    ]
    assert {one.when for one in second.labels} == {"when Docker starts"}


def test_a_label_that_the_user_has_set_to_what_the_tag_says_stays() -> None:
    theirs = "rancher: {docker: {extra_args: [--label=docker.role=web]}}\n"
    first, after = planned(disk(cloud_config=theirs), ROLE)
    second, again = planned(after, ROLE)
    without_the_tag, _ = planned(again, {})
    assert [(one.name, one.change) for one in first.labels] == [("docker.role", "stays")]
    assert [(one.name, one.change) for one in second.labels] == [("docker.role", "stays")]
    # It is the user's: it does not go with the tag.
    assert without_the_tag.labels == ()


def test_variables_come_change_stay_and_go() -> None:
    mappings = ("a:A", "b:B", "c:C", "d:D")
    _, after = planned(disk(), {"a": "1", "b": "1", "c": "1"}, *mappings)
    second, _ = planned(after, {"a": "1", "b": "2", "d": "1"}, *mappings)
    assert [(one.name, one.change) for one in second.variables] == [
        ("A", "stays"),
        ("B", "changes"),
        ("C", "goes"),
        ("D", "comes"),
        ("EC2_METADATA_STATUS", "stays"),
    ]
    assert named(second.variables, "C").source is None


def test_config_paths_come_change_and_go_each_with_the_boot_at_which_it_counts() -> None:
    mappings = (
        "host:hostname",
        "port:rancher.ssh.port",
        "dns:rancher.network.dns.nameservers",
        "fwd:rancher.sysctl.net.ipv4.ip_forward",
    )
    tags = {"host": "web-1", "port": "22", "dns": "10.0.0.2,10.0.0.3", "fwd": "1"}
    _, after = planned(disk(), tags, *mappings)
    second, _ = planned(after, {**tags, "port": "2222"} | {"fwd": "1"}, *mappings[1:])
    assert [(o.name, o.change, o.before, o.after, o.boot) for o in second.config] == [
        ("hostname", "goes", "web-1", None, "next boot"),
        ("rancher.network.dns.nameservers", "stays", *["10.0.0.2, 10.0.0.3"] * 2, "next boot"),
        ("rancher.ssh.port", "changes", "22", "2222", "this boot"),
        ("rancher.sysctl.net.ipv4.ip_forward", "stays", "1", "1", "next boot"),
    ]
    assert named(second.config, "rancher.ssh.port").when == "in force at this boot"


def test_what_somebody_put_into_our_file_goes_and_counts_at_the_next_boot() -> None:
    before = disk().with_files({paths.DROP_IN: b"rancher: {debug: true}\n"})
    (config,) = planned(before, {})[0].config
    assert (config.name, config.change, config.boot) == ("rancher.debug", "goes", "next boot")


def test_each_is_told_with_the_tag_or_the_field_that_gives_it() -> None:
    settings: dict[str, Any] = {
        "metadata_labels": ("instance-type",),
        "status_label": True,
        "env_prefixes": (EnvPrefix("app.", "APP_"),),
        "templates": (Template.parse("URL=http://{DB}"),),
    }
    tags = {**ROLE, "db": "h", "app.x": "1", "host": "web"}
    made, _ = planned(disk(), tags, "db:DB", "host:hostname", **settings)
    sources = {
        one.name: told(one.source)
        for one in (*made.labels, *made.variables, *made.config)
        if one.source
    }
    assert sources == {
        "aws.instance-type": "metadata: identity document, instanceType",
        "docker.role": "tag 'docker.role'",
        "ec2-metadata.status": "the outcome of the run",
        "APP_X": "tag 'app.x'",
        "DB": "tag 'db'",
        "EC2_METADATA_STATUS": "the outcome of the run",
        "URL": "--set URL",
        "hostname": "tag 'host'",
    }


def test_arguments_are_told_with_the_layer_of_each_and_ours_with_the_tag() -> None:
    before = disk(boot="rancher: {docker: {extra_args: [--debug, --label=docker.role=db]}}\n")
    first, after = planned(before, ROLE)
    boot = "cloud-config.d/boot.yml"
    assert items(first) == [
        ("--debug", "stays", boot),
        ("--label=docker.role=web", "comes", "tag 'docker.role'"),
        ("--label=docker.role=db", "goes", boot),
    ]
    assert first.arguments[0].written == "cloud-config.d/zz-ec2-metadata.yml"
    assert items(planned(after, ROLE)[0])[1][1] == "stays"
    gone, _ = planned(after, {})
    assert items(gone) == [
        ("--debug", "stays", boot),
        ("--label=docker.role=db", "comes", boot),
        ("--label=docker.role=web", "goes", None),
    ]
    assert gone.arguments[0].written is None


def test_on_an_old_release_the_systems_own_items_are_told_as_such() -> None:
    made, _ = planned(disk("v0.6.1"), ROLE)
    args, extra = made.arguments
    assert (args.key, args.layer, extra.key, extra.layer) == (
        *("args", "os-config.yml"),
        *("extra_args", None),
    )
    assert items(made)[0] == ("daemon", "stays", "os-config.yml")
    assert items(made)[-1] == ("--label=docker.role=web", "comes", "tag 'docker.role'")


def test_of_cloud_config_yml_no_value_is_told() -> None:
    local = f"""\
rancher:
  docker:
    extra_args: [--x={SECRET}, {SECRET}, '-y{SECRET}', '--label=docker.role={SECRET}', --z]
  environment: {{DB: {SECRET}}}
"""
    for override in (False, True):
        made, after = planned(
            disk(cloud_config=local), {**ROLE, "db": "h"}, "db:DB", override_local=override
        )
        assert SECRET not in repr(made)
        assert SECRET.encode() in after.files[paths.CLOUD_CONFIG]
        assert SECRET not in repr(planned(after, {})[0])
    assert items(made) == [
        *((text, "stays", "cloud-config.yml") for text in ("--x…", "…", "-y…", "--z")),
        ("--label=docker.role=web", "comes", "tag 'docker.role'"),
        ("--label…", "goes", "cloud-config.yml"),
    ]
    assert made.arguments[0].written == "cloud-config.yml"


def test_a_layer_that_is_stronger_than_ours_is_named_with_what_it_overrules() -> None:
    before = disk(
        cmdline="rancher.docker.extra_args=[--mine] rancher.environment.DB=x",
        late="hostname: theirs\n",
    )
    made, _ = planned(before, {**ROLE, "db": "h", "host": "web"}, "db:DB", "host:hostname")
    assert made.labels == ()
    assert made.arguments[0].stronger == "kernel command line"
    assert made.arguments[0].items == (Argument("--mine", "stays", "kernel command line", None),)
    assert named(made.variables, "DB").stronger == "kernel command line"
    assert named(made.config, "hostname").stronger == "cloud-config.d/zzz.yml"
    assert {(one.kind, one.name, one.by) for one in made.left_out} == {
        ("label", "docker.role", "kernel command line"),
        ("variable", "DB", "kernel command line"),
        ("config path", "hostname", "cloud-config.d/zzz.yml"),
    }


@pytest.mark.parametrize(
    ("files", "by"),
    [
        ({"daemon_json": '{"labels": []}'}, paths.DAEMON_JSON),
        ({"boot": "rancher: {docker: {extra_args: ['--x=\"']}}"}, "cloud-config.d/boot.yml"),
        ({"cloud_config": "a: &a [--x]\nrancher: {docker: {extra_args: *a}}"}, "cloud-config.yml"),
    ],
)
def test_where_no_label_can_be_set_each_is_left_out_for_the_reason(
    files: dict[str, str], by: str
) -> None:
    made, _ = planned(disk(**files), {"docker.a": "1", "docker.b": "2"})
    assert made.labels == ()
    assert [(one.name, one.by, str(one.source)) for one in made.left_out] == [
        ("docker.a", by, "tag 'docker.a'"),
        ("docker.b", by, "tag 'docker.b'"),
    ]


@pytest.mark.parametrize(
    ("tags", "settings", "left_out"),
    [
        ({"com.docker.x": "1"}, {"label_prefixes": ("",)}, ("label", "com.docker.x", "reserved")),
        ({"docker.a=b": "1"}, {}, ("label", "docker.a=b", "'='")),
        ({"docker.a": "1" * 99_000}, {}, ("label", "docker.a", "96 KiB")),
        ({"v": "caf\u00e9"}, {}, ("variable", "V", "U+00E9")),
        ({"host": "a_b"}, {}, ("config path", "hostname", "'a_b'")),
        ({}, {"templates": (Template.parse("U={AWS_X}"),)}, ("variable", "U", "no AWS_X")),
        ({}, {"metadata_labels": ("vpc-id",)}, ("label", "aws.vpc-id", "does not have")),
        ({"v": "1"}, {"env_prefixes": (EnvPrefix("v", "V"),)}, ("variable", "V", "gives way")),
        ({"a.PATH": "1"}, {"env_prefixes": (EnvPrefix("a.P", "P"),)}, ("variable", "PATH", "not")),
    ],
)
def test_what_is_left_out_is_told_with_its_source_and_the_reason(
    tags: dict[str, str], settings: dict[str, Any], left_out: tuple[str, str, str]
) -> None:
    made, _ = planned(disk(), tags, "v:V", "host:hostname", **settings)
    found = [one for one in made.left_out if one.name == left_out[1] and left_out[2] in one.reason]
    assert [one.kind for one in found] == [left_out[0]]
    assert found[0].source is not None


def test_a_mapping_whose_tag_is_not_there_is_told() -> None:
    made, _ = planned(disk(), {}, "v:V", "host:hostname")
    assert [(one.kind, one.name, str(one.source)) for one in made.left_out] == [
        ("variable", "V", "tag 'v'"),
        ("config path", "hostname", "tag 'host'"),
    ]


def test_of_two_tags_for_one_config_path_the_loser_is_told() -> None:
    made, _ = planned(disk(), {"a": "web-1", "b": "web-2"}, "a:hostname", "b:hostname")
    assert named(made.config, "hostname").after == "web-2"
    assert [(str(one.source), one.reason) for one in made.left_out] == [
        ("tag 'a'", "it gives way to tag 'b'")
    ]


def test_each_file_is_told_once_with_what_happens_to_it() -> None:
    before = disk(cloud_config="rancher: {docker: {extra_args: [--mine]}}\n")
    first, after = planned(before, ROLE)
    assert [(one.path, one.action) for one in first.files] == [
        (paths.STATE, "create"),
        (paths.DROP_IN, "create"),
        (paths.CLOUD_CONFIG, "change"),
    ]
    second, _ = planned(after, {"docker.role": "db"})
    assert [(one.path, one.action) for one in second.files] == [
        (paths.STATE, "change"),
        (paths.CLOUD_CONFIG, "change"),
    ]
    given = Given(after, releases.of(after), states.parse(after.files[paths.STATE]))
    gone = report(plan(NOTHING, given, State()), {})
    assert {(one.path, one.action) for one in gone.files} == {
        (paths.STATE, "remove"),
        (paths.DROP_IN, "remove"),
        (paths.CLOUD_CONFIG, "change"),
    }
    assert (gone.outcome, gone.instance_id) == (None, None)
    assert {one.change for one in (*gone.labels, *gone.variables)} == {"goes"}


def test_where_all_is_as_it_should_be_no_file_is_told_and_all_stays() -> None:
    before = disk(boot="rancher: {docker: {extra_args: [--label=docker.role=web]}}\n")
    _, after = planned(before, ROLE)
    second, _ = planned(after, ROLE)
    assert second.files == ()
    assert {one.change for one in (*second.labels, *second.variables)} == {"stays"}
    assert {one.change for one in second.arguments[0].items} == {"stays"}


def test_the_text_names_the_layer_that_overrules_at_each_that_is_not_in_force() -> None:
    local = "rancher: {environment: {DB: theirs}}\n"
    before = disk(cloud_config=local, cmdline="rancher.docker.extra_args=[--mine]")
    first, after = planned(before, {**ROLE, "db": "h"}, "db:DB")
    printed = list(lines(first))
    over = "NOT IN FORCE: {} is stronger"
    assert f"  comes    'DB' = 'h'  (tag 'db'; {over.format('cloud-config.yml')})" in printed
    assert f"  {over.format('kernel command line')} than any file of ours" in printed
    second, _ = planned(after, {**ROLE, "db": "h"}, "db:DB")
    assert f"           'DB': {over.format('cloud-config.yml')}" in list(lines(second))


def test_a_list_of_ours_that_somebody_broke_is_told_without_its_labels() -> None:
    broken = b"rancher: {docker: {extra_args: ['--label=\"']}}\n"
    made, _ = planned(disk().with_files({paths.DROP_IN: broken}), ROLE)
    assert named(made.labels, "docker.role").change == "comes"


def test_what_somebody_put_into_our_file_cannot_reach_the_terminal() -> None:
    before = disk().with_files({paths.DROP_IN: b"# \x1b[2J\nhostname: x\n"})
    printed = list(lines(planned(before, {})[0]))
    assert "-# \\x1b[2J" in printed
    assert all(line.isprintable() for line in printed)


TEXT = st.text(max_size=60)
TAGS = st.dictionaries(TEXT, TEXT, max_size=6)


@any_of(first=TAGS, second=TAGS)
@hypothesis_settings(max_examples=60)
def test_whatever_the_tags_what_is_told_adds_up_and_the_text_is_80_plain_columns(
    first: dict[str, str], second: dict[str, str]
) -> None:
    before = disk(boot="rancher: {docker: {extra_args: [--debug]}}\n")
    settings: dict[str, Any] = {"label_prefixes": ("",), "env_prefixes": (EnvPrefix("", "X_"),)}
    one, after = planned(before, first, **settings)
    two, _ = planned(after, second, **settings)
    for earlier, later in ((one.labels, two.labels), (one.variables, two.variables)):
        written = {item.name: item.after for item in earlier if item.after is not None}
        found = {item.name: item.before for item in later if item.before is not None}
        assert found == written
    tried = {tag for tag in second if tag not in {item.name for item in two.labels}}
    assert tried <= {item.name for item in two.left_out if item.kind == "label"}
    for told_of in (one, two):
        of_files = sum(len(file.diff) for file in told_of.files)
        printed = list(lines(told_of))
        assert all(line.isprintable() for line in printed)
        assert max(map(len, printed[of_files:])) <= 80
