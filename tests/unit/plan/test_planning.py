from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given as any_of
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from machine import os_config
from rancheros_ec2_metadata.errors import ExitStatus, worst
from rancheros_ec2_metadata.plan import local
from rancheros_ec2_metadata.plan.given import Given
from rancheros_ec2_metadata.plan.local import Local
from rancheros_ec2_metadata.plan.mapping import NOTHING, Desired, desired
from rancheros_ec2_metadata.plan.planning import Plan, plan
from rancheros_ec2_metadata.rancheros import disk as paths
from rancheros_ec2_metadata.rancheros import release as releases
from rancheros_ec2_metadata.rancheros import state as states
from rancheros_ec2_metadata.rancheros.disk import Disk
from rancheros_ec2_metadata.rancheros.layers import stack
from rancheros_ec2_metadata.rancheros.state import State
from rancheros_ec2_metadata.settings import Settings
from ros_stand_in.yaml_writing import write_document

BOOT = f"{paths.CLOUD_CONFIG_D}/boot.yml"
LABELS = {"docker.role": "web"}


def disk(version: str = "v1.5.8", **files: str) -> Disk:
    names = {"boot": BOOT, "cloud_config": paths.CLOUD_CONFIG, "late": f"{BOOT[:-8]}zzz.yml"}
    names |= {"cmdline": paths.COMMAND_LINE, "daemon_json": paths.DAEMON_JSON}
    names |= {"docker": paths.DOCKER_OPTS}
    content = {names[name]: text.encode() for name, text in files.items()}
    return Disk({paths.OS_CONFIG: os_config(version).encode(), **content})


def run(
    before: Disk, labels: dict[str, str], may_go: Local = local.NOTHING, **variables: str
) -> tuple[Disk, Plan]:
    """Plan once, and return the disk as it is then."""
    raw = before.files.get(paths.STATE)
    state = states.parse(raw) if raw else State()
    given = Given(before, releases.of(before), state)
    done = plan(Desired(labels, variables, {}), given, State(), may_go)
    return before.with_files({change.path: change.after for change in done.changes}), done


def arguments(after: Disk, key: str = "extra_args") -> list[str]:
    return list(stack(after, releases.of(after)).docker_arguments(key))


def test_labels_follow_the_users_items_from_user_data() -> None:
    before = disk(boot="rancher: {docker: {extra_args: [--debug, '--label=a=b c']}}\n")
    after, _ = run(before, {"docker.role": "web", "docker.env": "a b"})
    assert arguments(after) == [
        "--debug",
        "--label=a=b c",
        "--label='docker.env=a b'",
        "--label=docker.role=web",
    ]


def test_a_second_run_changes_nothing() -> None:
    before = disk(boot="rancher: {docker: {extra_args: [--debug]}}\n", cloud_config="hostname: h\n")
    once, _ = run(before, LABELS, A="b")
    _, second = run(once, LABELS, A="b")
    assert second.changes == ()


def test_what_is_gone_from_the_tags_is_gone_from_the_files() -> None:
    before = disk(boot="rancher: {docker: {extra_args: [--debug]}}\n")
    once, _ = run(before, LABELS, A="b")
    after, _ = run(once, {})
    assert after.files == before.files


@pytest.mark.parametrize(
    "theirs",
    [
        "[--label=docker.role=db]",
        "['--label docker.role=db']",
        "[--label, docker.role=db]",
        "['--label=\"docker.role=db\"']",
        "[\"--label='docker.role'=db\"]",
    ],
)
def test_a_label_of_the_users_gives_way_in_any_spelling(theirs: str) -> None:
    before = disk(boot=f"rancher: {{docker: {{extra_args: {theirs}}}}}\n")
    after, _ = run(before, LABELS)
    assert arguments(after) == ["--label=docker.role=web"]


@pytest.mark.parametrize("layer", ["boot", "cloud_config"])
@pytest.mark.parametrize("later", [{}, {"docker.role": "db"}])
def test_a_label_that_the_user_has_set_to_what_the_tag_says_stays_the_users(
    layer: str, later: dict[str, str]
) -> None:
    theirs = '{"rancher": {"docker": {"extra_args": ["-D", "--label=docker.role=web"]}}}'
    before = disk(**{layer: theirs})
    first, _ = run(before, LABELS)
    again, done = run(first, LABELS)
    assert arguments(first) == arguments(again) == ["-D", "--label=docker.role=web"]
    assert done.changes == ()
    changed, _ = run(again, later)
    assert arguments(changed)[-1] == f"--label=docker.role={later.get('docker.role', 'web')}"
    assert run(changed, {})[0].files == before.files


def test_a_label_that_the_user_writes_after_we_have_set_the_same_elsewhere_is_the_users() -> None:
    ours, _ = run(disk(), LABELS)
    theirs = b"rancher: {docker: {extra_args: [--label=docker.role=web, -D]}}\n"
    written = ours.with_files({paths.CLOUD_CONFIG: theirs})
    after, _ = run(written, LABELS)
    assert sorted(arguments(after)) == ["--label=docker.role=web", "-D"]
    assert run(after, {})[0].files[paths.CLOUD_CONFIG] == theirs


def test_only_the_label_is_cut_out_of_an_item_with_other_words() -> None:
    before = disk(boot="rancher: {docker: {extra_args: ['-D --label docker.role=db --x=$(y)']}}\n")
    after, _ = run(before, LABELS)
    assert arguments(after) == ["-D   --x=$(y)", "--label=docker.role=web"]


@pytest.mark.parametrize("other", ["--x=a\\ ", "--x=a\r", "--x=a\xa0"])
@pytest.mark.parametrize("form", ["--label=docker.role=db {}", "{} --label=docker.role=db"])
def test_what_is_left_of_an_item_keeps_the_blank_that_belongs_to_a_word(
    other: str, form: str
) -> None:
    items = json.dumps([form.format(other)])
    after, _ = run(disk(boot=f"rancher: {{docker: {{extra_args: {items}}}}}\n"), LABELS)
    assert arguments(after) == [other, "--label=docker.role=web"]


def test_address_variables_of_the_users_items_are_left_for_ros_to_replace() -> None:
    before = disk(
        boot="rancher: {docker: {extra_args: ['--cluster-advertise=$private_ipv4:2376']}}\n"
    )
    after, _ = run(before, LABELS)
    assert b'"--cluster-advertise=$private_ipv4:2376"' in after.files[paths.DROP_IN]


@pytest.mark.parametrize(
    ("version", "key", "first"),
    [("v0.4.5", "args", "daemon"), ("v0.6.1", "args", "daemon"), ("v0.7.1", "extra_args", None)],
)
def test_labels_go_where_the_release_reads_them(version: str, key: str, first: str | None) -> None:
    after, _ = run(disk(version), LABELS)
    items = arguments(after, key)
    assert items[-1] == "--label=docker.role=web"
    assert items[0] == (first or items[-1])


def test_labels_go_to_extra_args_where_args_was_replaced_by_something_else() -> None:
    before = disk("v0.6.1", boot="rancher: {docker: {args: [-D]}}\n")
    after, _ = run(before, LABELS)
    assert arguments(after, "args") == ["-D"]
    assert arguments(after) == ["--label=docker.role=web"]


def test_a_label_in_the_other_list_gives_way_too() -> None:
    before = disk("v0.6.1", boot="rancher: {docker: {extra_args: [--label=docker.role=db, -D]}}\n")
    after, _ = run(before, LABELS)
    assert arguments(after) == ["-D"]
    assert arguments(after, "args")[-1] == "--label=docker.role=web"


def test_before_v0_6_labels_are_raw_and_what_is_not_ascii_is_left_out_by_name() -> None:
    after, done = run(disk("v0.4.5"), {"docker.a": "x y", "docker.b": "é"})
    assert arguments(after, "args")[-1] == "--label=docker.a=x y"
    left_out = [note.text for note in done.notes if "left out" in note.text]
    assert ["docker.b" in text for text in left_out] == [True]


def test_before_v0_6_a_label_in_which_ros_would_put_an_address_is_left_out_by_name() -> None:
    after, done = run(disk("v0.4.5"), {"docker.a": "at $private_ipv4:1", "docker.b": "$private"})
    assert arguments(after, "args")[-1] == "--label=docker.b=$private"
    left_out = [note.text for note in done.notes if "left out" in note.text]
    assert ["docker.a" in text for text in left_out] == [True]


def test_an_unknown_release_gets_extra_args_and_only_plain_labels() -> None:
    after, done = run(Disk({}), {"docker.a": "x y", "docker.b": "z"})
    assert arguments(after) == ["--label=docker.b=z"]
    assert any("docker.a" in note.text for note in done.notes)


BLOCK = """\
# mine
rancher:
  docker:
    # before
    extra_args:
    - --debug   # why
    # between
    - '--label=docker.role=db'
    - "--mtu 1400"
  # after
ssh_authorized_keys: [x]
"""


def test_a_block_list_in_cloud_config_yml_is_changed_at_its_items_alone() -> None:
    after, _ = run(disk(cloud_config=BLOCK), LABELS)
    text = after.files[paths.CLOUD_CONFIG].decode()
    assert text == BLOCK.replace("    - '--label=docker.role=db'\n", "").replace(
        '1400"\n', '1400"\n    - "--label=docker.role=web"\n'
    )
    assert "docker" not in json.loads(b"\n".join(after.files[paths.STATE].split(b"\n")))


CLOUD_CONFIGS = [
    BLOCK,
    BLOCK.replace("\n", "\r\n"),
    BLOCK.rstrip("\n").partition("  # after")[0].rstrip("\n"),
    "rancher: {docker: {extra_args: [--debug, '--label=docker.role=db'], tls: true}}\n",
    '{"rancher":{"docker":{"extra_args":["--debug"]}}}',
    "rancher:\n  docker:\n    extra_args: [\n      --debug,\n    ]\n",
    "rancher:\n  docker:\n    extra_args: []\n",
    "rancher:\n  docker:\n    extra_args:\nhostname: h\n",
    "rancher:\n  docker:\n    extra_args: ~\n",
    "rancher:\n  docker:\n    extra_args: null # none\n",
    "rancher:\n  docker:\nhostname: h\n",
    "rancher:\n",
    "rancher:\n  docker:\n    extra_args:\n      - |\n        --debug\n      - --x\n",
]


@pytest.mark.parametrize("text", CLOUD_CONFIGS)
def test_cloud_config_yml_is_byte_for_byte_as_before_when_the_labels_are_gone(text: str) -> None:
    before = disk(cloud_config=text)
    during, done = run(before, LABELS)
    if "|" in text:
        assert worst(note.status for note in done.notes) is ExitStatus.FILES
        return
    assert arguments(during)[-1] == "--label=docker.role=web"
    assert during.files[paths.CLOUD_CONFIG] != before.files[paths.CLOUD_CONFIG]
    assert run(during, LABELS)[1].changes == ()
    other, _ = run(during, {"docker.role": "other", "docker.x": "y"})
    assert arguments(other)[-2:] == ["--label=docker.role=other", "--label=docker.x=y"]
    assert len(arguments(other)) == len(arguments(during)) + 1
    after, _ = run(other, {})
    assert after.files == before.files


def test_labels_of_the_users_come_back_after_ros_has_written_the_file_anew() -> None:
    before = disk(cloud_config=BLOCK)
    during, _ = run(before, LABELS)
    items = [*arguments(during), "--new"]
    anew = {"rancher": {"docker": {"extra_args": items}}}
    after, _ = run(during.with_files({paths.CLOUD_CONFIG: json.dumps(anew).encode()}), {})
    assert arguments(after) == ["--debug", "--mtu 1400", "--new", "--label=docker.role=db"]
    assert paths.STATE not in after.files


@pytest.mark.parametrize(
    ("theirs", "added", "back"),
    [
        (
            ["--label", "a=1", "--label", "docker.role=db"],
            ["-D"],
            ["--label", "a=1", "-D", "--label", "docker.role=db"],
        ),
        (["--label=docker.role=db"], ["--label=docker.role=mq"], ["--label=docker.role=mq"]),
        (
            ["--label=docker.role=db"],
            ["--label", "docker.role=db"],
            ["--label", "docker.role=db"],
        ),
        (["-D", "--label=docker.role=db"], ["a;b"], ["-D", "a;b", "--label=docker.role=db"]),
    ],
)
@pytest.mark.parametrize("version", ["v0.5.0", "v1.5.8"])
def test_a_label_comes_back_whole_and_once_to_a_list_that_the_user_has_added_to(
    theirs: list[str], added: list[str], back: list[str], version: str
) -> None:
    def cloud_config(items: list[str]) -> str:
        return json.dumps({"rancher": {"docker": {"extra_args": items}}})

    during, _ = run(disk(version, cloud_config=cloud_config(theirs)), LABELS)
    edited = cloud_config([*arguments(during), *added]).encode()
    after, _ = run(during.with_files({paths.CLOUD_CONFIG: edited}), {})
    assert arguments(after) == back


@pytest.mark.parametrize("left", [[], ["-D"]])
def test_a_label_does_not_come_back_to_a_list_that_the_user_has_written_anew(
    left: list[str],
) -> None:
    def cloud_config(items: list[str]) -> str:
        return json.dumps({"rancher": {"docker": {"extra_args": items}}})

    before = disk("v0.6.1", cloud_config=cloud_config([*left, "--label=docker.role=db"]))
    during, _ = run(before, LABELS)
    assert arguments(during, "extra_args") == left
    anew = during.with_files({paths.CLOUD_CONFIG: cloud_config(["--new"]).encode()})
    assert arguments(run(run(anew, LABELS)[0], {})[0]) == ["--new"]


@pytest.mark.parametrize("then", [{"docker.role": "other", "docker.x": "y"}, LABELS, {}])
@pytest.mark.parametrize("text", [text for text in CLOUD_CONFIGS if "|" not in text])
def test_a_file_that_ros_has_written_anew_takes_other_labels_and_gives_all_back(
    text: str, then: dict[str, str]
) -> None:
    before = disk(cloud_config=text)
    during, _ = run(before, LABELS)
    tree = stack(during, releases.of(during)).only(paths.CLOUD_CONFIG).merged
    anew = write_document({**tree, "added": "by the system"}).encode()
    other, _ = run(during.with_files({paths.CLOUD_CONFIG: anew}), then)
    assert sorted(arguments(other)) == sorted(arguments(run(before, then)[0]))
    assert run(other, then)[1].changes == ()
    after, _ = run(other, {})
    assert sorted(arguments(after)) == sorted(arguments(before))
    assert b"by the system" in after.files[paths.CLOUD_CONFIG]
    assert paths.STATE not in after.files


def test_a_label_of_ours_that_went_and_that_the_user_then_sets_is_the_users() -> None:
    before = disk(cloud_config='{"rancher": {"docker": {"extra_args": ["-D"]}}}')
    both, _ = run(before, {"docker.a": "1", "docker.role": "web"})
    one, _ = run(both, {"docker.a": "1"})
    again = one.with_files({paths.CLOUD_CONFIG: both.files[paths.CLOUD_CONFIG]})
    after, _ = run(again, {"docker.a": "2"})
    assert sorted(arguments(after)) == ["--label=docker.a=2", "--label=docker.role=web", "-D"]


def test_a_list_the_user_has_written_anew_without_ours_is_the_users() -> None:
    during, _ = run(disk(cloud_config=BLOCK), LABELS)
    anew = b"rancher: {docker: {extra_args: [--only]}}\n"
    after, _ = run(during.with_files({paths.CLOUD_CONFIG: anew}), {})
    assert after.files[paths.CLOUD_CONFIG] == anew


@pytest.mark.parametrize(
    "text",
    [
        "rancher:\n  docker:\n    extra_args: &a [--debug]\n",
        "x: &a [--debug]\nrancher:\n  docker:\n    extra_args: *a\n",
        "rancher:\n  docker: &a {extra_args: [--debug]}\n",
        "rancher:\n  docker: !!map {extra_args: [--debug]}\n",
        "rancher:\n  docker: {extra_args: [--debug]}\n  docker: {extra_args: [--debug]}\n",
        "rancher:\n  docker: {extra_args: [&a --debug]}\n",
        "rancher:\n  docker:\n    extra_args:\n    - --debug\n    -\n      --x\n",
        "rancher:\n  docker:\n    ? extra_args\n    : - --debug\n      - --x\n",
    ],
)
def test_what_is_not_plain_is_refused_by_name_and_untouched(text: str) -> None:
    after, done = run(disk(cloud_config=text), LABELS, A="b")
    assert after.files[paths.CLOUD_CONFIG] == text.encode()
    assert worst(note.status for note in done.notes) is ExitStatus.FILES
    assert any("cloud-config.yml" in note.text for note in done.notes)
    assert stack(after, releases.of(after)).environment()["A"] == "b"


@pytest.mark.parametrize(
    ("files", "named"),
    [
        ({"cmdline": "rancher.docker.extra_args=[-D]"}, "kernel command line"),
        ({"late": "rancher: {docker: {extra_args: [-D]}}"}, "zzz.yml"),
        ({"boot": 'EXTRA_CMDLINE: "rancher.docker.extra_args=[-D]"'}, "EXTRA_CMDLINE"),
        ({"boot": "rancher: {docker: {extra_args: ['a;b']}}"}, "a ;"),
        ({"boot": 'rancher: {docker: {extra_args: ["a\'b"]}}'}, "an open '"),
        ({"boot": "rancher: {docker: {extra_args: ['--label={docker.role,x}=y']}}"}, "braces"),
        ({"boot": 'rancher: {docker: {extra_args: ["--label={docker.role=a,b=c}"]}}'}, "braces"),
        ({"boot": 'rancher: {docker: {extra_args: ["--label=n=x{1..3}"]}}'}, "braces"),
        ({"boot": 'rancher: {docker: {extra_args: ["-D {--label=a=b,--ipv6}"]}}'}, "braces"),
        ({"boot": 'rancher: {docker: {extra_args: [--label, "{a=b,c=d}"]}}'}, "braces"),
        ({"daemon_json": '{"labels": []}'}, "daemon.json"),
    ],
)
def test_where_no_label_can_be_set_that_is_named_and_variables_are(
    files: dict[str, str], named: str
) -> None:
    before = disk(**files)
    after, done = run(before, LABELS, A="b")
    assert arguments(after) == arguments(before)
    assert worst(note.status for note in done.notes) is ExitStatus.FILES
    assert any(named in note.text for note in done.notes)
    assert stack(after, releases.of(after)).environment()["A"] == "b"


@pytest.mark.parametrize(
    "item", ["--log-opt={max-size=1m,max-file=2}", "'--label={a=b,c=d}'", "--label=a={b}"]
)
def test_braces_that_make_no_label_are_no_obstacle(item: str) -> None:
    before = disk(boot=json.dumps({"rancher": {"docker": {"extra_args": [item]}}}))
    after, _ = run(before, LABELS)
    assert arguments(after) == [item, "--label=docker.role=web"]


def test_the_outcome_is_not_complete_where_a_file_is_in_the_way_of_a_label() -> None:
    settings = Settings(status_label=True, env_file="/opt/ec2.env")
    tags = {"docker.role": "web", "docker.x": "y", "docker.com=": "left out"}
    wanted = desired(settings, {}, tags, "complete")

    def outcomes(before: Disk) -> list[str | None]:
        given = Given(before, releases.of(before), State())
        done = plan(wanted, given, State(status="complete"))
        again = before.with_files({change.path: change.after for change in done.changes})
        kept = states.parse(again.files[paths.STATE])
        second = plan(wanted, Given(again, releases.of(again), kept), State(status="complete"))
        assert second.changes == ()
        env_file = again.files["/opt/ec2.env"].decode()
        return [
            kept.status,
            stack(again, releases.of(again)).environment().get("EC2_METADATA_STATUS"),
            done.labels.get("ec2-metadata.status"),
            env_file.partition("EC2_METADATA_STATUS=")[2].rstrip("\n"),
        ]

    assert outcomes(disk()) == ["complete"] * 4
    assert outcomes(disk(docker="DOCKER_OPTS=--label=docker.role=db\n")) == ["partial"] * 4
    none = ["partial", "partial", None, "partial"]
    assert outcomes(disk(daemon_json='{"labels": []}')) == none
    assert outcomes(disk(cloud_config="rancher: {docker: {extra_args: &a []}}\n")) == none


def test_a_label_that_a_list_out_of_reach_sets_is_left_out_and_the_others_are_not() -> None:
    before = disk("v0.6.1", cmdline="rancher.docker.extra_args=[--label=docker.role=db]")
    after, done = run(before, {"docker.role": "web", "docker.x": "y"})
    assert arguments(after, "args")[-1] == "--label=docker.x=y"
    assert "--label=docker.role=web" not in arguments(after, "args")
    assert worst(note.status for note in done.notes) is ExitStatus.FILES


def test_a_variable_in_cloud_config_yml_is_the_operators_and_stays_with_a_warning() -> None:
    before = disk(cloud_config="rancher: {environment: {A: mine}}\n")
    after, done = run(before, {}, A="tag", B="b")
    assert stack(after, releases.of(after)).environment()["A"] == "mine"
    assert worst(note.status for note in done.notes) is ExitStatus.OK
    assert [note.text for note in done.notes if "variable A" in note.text]


def test_all_arguments_stay_below_96_kib_and_the_longest_label_goes_first() -> None:
    labels = {f"docker.{n:02}": "中" * 256 for n in range(60)} | {"docker.zz": "short"}
    after, done = run(disk(), labels)
    assert len(" ".join(arguments(after))) < 96 * 1024
    assert "--label=docker.zz=short" in arguments(after)
    left_out = [note for note in done.notes if "KiB" in note.text]
    assert len(left_out) + len(arguments(after)) == 61


ITEM = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=12).filter(
    lambda text: text not in ("", "~", "null", "Null", "NULL")
)
KEY = st.sampled_from(["docker.a", "docker.b", "docker.c"])
TAGS = st.dictionaries(KEY, st.text(max_size=8), max_size=3)
# Most printable text is no shell words, and beside such an item no label is set.
PLAIN = st.text("ab-= \t", min_size=1, max_size=8).map("-{}".format) | st.sampled_from(
    [" --debug", "--mtu 1400 ", "--x='a b'"]
)
SET = st.builds("docker.{}={}".format, st.sampled_from("abc"), st.sampled_from("xy"))
LABEL = st.one_of(
    SET.map(lambda pair: [f"--label={pair}"]),
    SET.map(lambda pair: [f"--label '{pair}'"]),
    SET.map(lambda pair: ["--label", pair]),
)
GROUPS = st.lists(st.one_of(PLAIN.map(lambda item: [item]), LABEL), max_size=5) | st.lists(
    st.one_of(ITEM.map(lambda item: [item]), LABEL), max_size=5
)


def without_labels(items: Sequence[str]) -> list[str]:
    return [item for item in items if not re.match(r"--label\b|docker\.[abc]=[xy]$", item)]


@any_of(GROUPS, st.booleans(), st.lists(TAGS, min_size=1, max_size=3))
@hypothesis_settings(max_examples=200, deadline=None)
def test_any_users_list_survives_any_runs_and_comes_back_whole(
    groups: list[list[str]], in_cloud_config: bool, runs: list[dict[str, str]]
) -> None:
    items = [item for group in groups for item in group]
    text = json.dumps({"rancher": {"docker": {"extra_args": items}}}).replace("$", "\\u0024")
    before = disk(**{"cloud_config" if in_cloud_config else "boot": text})
    after = before
    for tags in runs:
        after, done = run(after, tags)
        again, second = run(after, tags)
        assert again.files == after.files
        assert second.changes == ()
        assert without_labels(arguments(after)) == without_labels(items)
        assert len(set(done.labels)) == len(done.labels)
    assert run(after, {})[0].files == before.files


def test_nothing_desired_on_a_clean_disk_is_no_file() -> None:
    before = disk()
    assert plan(NOTHING, Given(before, releases.of(before), State()), State()).changes == ()


def test_the_drop_in_is_json_with_a_comment_and_every_value_a_string() -> None:
    after, _ = run(disk(), LABELS, A="$HOME $private_ipv4")
    lines = after.files[paths.DROP_IN].decode("ascii").splitlines()
    assert lines[0].startswith("#")
    assert not any("$" in line for line in lines)
    tree: Any = json.loads("".join(line for line in lines if not line.startswith("#")))
    assert tree["rancher"]["environment"] == {"A": "$HOME $private_ipv4"}


def test_what_an_item_of_the_users_holds_is_in_no_note() -> None:
    secret = "hunter2"
    for item, named in (
        (f"--x={secret};", "item '--x…' has"),
        (f"-y {secret};", "item '-y…' has"),
        ("--z;", "item '--z…' has"),
        (f"{secret};", "item '…' has"),
    ):
        before = disk(boot=f"rancher: {{docker: {{extra_args: ['{item}', '-y {secret}']}}}}")
        _, done = run(before, LABELS)
        assert any(named in note.text for note in done.notes)
        assert not any(secret in note.text for note in done.notes)


def test_a_later_run_names_the_labels_that_changed_and_when_they_count() -> None:
    def texts(before: Disk, labels: dict[str, str]) -> tuple[Disk, list[str]]:
        raw = before.files.get(paths.STATE)
        state = states.parse(raw) if raw else State()
        given = Given(before, releases.of(before), state)
        done = plan(Desired(labels, {}, {}), given, State(instance_id="i-1"))
        after = before.with_files({change.path: change.after for change in done.changes})
        return after, [note.text for note in done.notes if "changed" in note.text]

    once, first = texts(disk(), {"docker.a": "1", "docker.b": "1", "docker.c": "1"})
    assert first == []
    assert texts(once, {"docker.a": "1", "docker.b": "1", "docker.c": "1"})[1] == []
    _, later = texts(once, {"docker.a": "1", "docker.b": "2", "docker.d": "1"})
    assert later == [
        "labels changed: 'docker.b', 'docker.c', 'docker.d'; Docker takes them when it starts"
    ]
