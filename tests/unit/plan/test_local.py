from __future__ import annotations

import json

import pytest
from hypothesis import given as any_of
from hypothesis import settings
from hypothesis import strategies as st

from machine import os_config
from rancheros_ec2_metadata.errors import ExitStatus, worst
from rancheros_ec2_metadata.plan import local
from rancheros_ec2_metadata.plan.given import Given
from rancheros_ec2_metadata.plan.local import Local
from rancheros_ec2_metadata.plan.mapping import Desired
from rancheros_ec2_metadata.plan.planning import Plan, plan
from rancheros_ec2_metadata.rancheros import disk as paths
from rancheros_ec2_metadata.rancheros import release as releases
from rancheros_ec2_metadata.rancheros import state as states
from rancheros_ec2_metadata.rancheros.change import in_order
from rancheros_ec2_metadata.rancheros.disk import Disk
from rancheros_ec2_metadata.rancheros.layers import stack
from rancheros_ec2_metadata.rancheros.ros_yaml import parse
from rancheros_ec2_metadata.rancheros.state import State
from ros_stand_in.yaml_writing import write_document

OVERRIDE = Local(override=True)
LEGACY = Local(legacy=True, label_prefixes=("docker.",))
SECRET = "wJalrXUtnFEMI"
OURS = {"A": "tag", "B": "tag"}


def disk(cloud_config: str, version: str = "v1.5.8") -> Disk:
    os = os_config(version).encode()
    return Disk({paths.OS_CONFIG: os, paths.CLOUD_CONFIG: cloud_config.encode()})


def run(
    before: Disk, variables: dict[str, str], may_go: Local, labels: dict[str, str] | None = None
) -> tuple[Disk, Plan]:
    raw = before.files.get(paths.STATE)
    given = Given(before, releases.of(before), states.parse(raw) if raw else State())
    done = plan(Desired(labels or {}, variables, {}), given, State(), may_go)
    return before.with_files({change.path: change.after for change in done.changes}), done


def environment(after: Disk) -> dict[str, str]:
    return stack(after, releases.of(after)).environment()


FILES = [
    "rancher:\n  environment:\n    X: x # keep\n    A: mine\n    # mine\n    B: 'b'\n    Y: y\n",
    "rancher:\n  environment:\n    A: mine\n    B: mine\n",
    "# a comment\n\nrancher:\n  environment:\n    ? A\n    : mine\n",
    "rancher:\n  environment:\n    A: mine\n  docker: {tls: true}\nhostname: h\n",
    "rancher: {environment: {A: mine, X: x, B: 'b'}}\nhostname: h\n",
    "rancher: {environment: {X: x, A: mine, B: 'b'}}\n",
    "rancher: {environment: {A: mine}}\n",
    '{"rancher":{"environment":{"B":"b","Z":"z"}}}',
    "rancher:\r\n  environment:\r\n    A: mine\r\n    X: x\r\n",
    "rancher:\n  environment:\n    A: |\n      several\n      lines\n    X: x\n",
    "rancher:\n  docker:\n    extra_args:\n    - --debug\n  environment:\n    A: 0123\n    X: x\n",
]


@pytest.mark.parametrize("text", FILES)
def test_variables_in_our_way_go_and_come_back_byte_for_byte(text: str) -> None:
    before = disk(text)
    during, _ = run(before, OURS, OVERRIDE, {"docker.role": "web"})
    assert environment(during)["A"] == "tag"
    assert environment(during).get("X") == environment(before).get("X")
    assert stack(during, releases.of(during)).docker_arguments("extra_args")[-1:] == (
        "--label=docker.role=web",
    )
    assert run(during, OURS, OVERRIDE, {"docker.role": "web"})[1].changes == ()
    other, _ = run(during, {"A": "other"}, OVERRIDE)
    assert environment(other)["A"] == "other"
    assert environment(other).get("B") == environment(before).get("B")
    after, _ = run(other, {}, local.NOTHING)
    assert after.files == before.files


def test_a_variable_is_in_force_after_each_write_of_taking_it_out_and_giving_it_back() -> None:
    files = disk(FILES[0])
    for variables, at_the_end in ((OURS, "tag"), ({"C": "tag"}, "mine")):
        _, done = run(files, variables, OVERRIDE)
        for change in in_order(done.changes):
            files = files.with_files({change.path: change.after})
            assert environment(files)["A"] in ("mine", "tag"), change.path
        assert environment(files)["A"] == at_the_end


@pytest.mark.parametrize("as_ros", [True, False])
@pytest.mark.parametrize("text", FILES)
def test_after_ros_has_written_the_file_anew_they_come_back_by_value(
    text: str, *, as_ros: bool
) -> None:
    before = disk(text)
    during, _ = run(before, OURS, OVERRIDE)
    tree = stack(during, releases.of(during)).only(paths.CLOUD_CONFIG).merged
    anew = json.dumps({**tree, "added": "by the system"}).encode()
    if as_ros:
        anew = write_document(parse(anew)).encode()
    after, _ = run(during.with_files({paths.CLOUD_CONFIG: anew}), {}, local.NOTHING)
    assert environment(after) == environment(before)
    assert paths.STATE not in after.files
    assert b"by the system" in after.files[paths.CLOUD_CONFIG]


def test_one_that_no_file_can_be_given_anew_stays_out_and_is_named_until_it_is_there() -> None:
    before = disk("rancher:\n  environment:\n    A: mià\n    X: x\n")
    during, _ = run(before, OURS, OVERRIDE)
    assert environment(during)["A"] == "tag"
    edited = during.files[paths.CLOUD_CONFIG] + b"# mine\n"
    after, done = run(during.with_files({paths.CLOUD_CONFIG: edited}), {}, local.NOTHING)
    assert after.files[paths.CLOUD_CONFIG] == edited
    assert worst(note.status for note in done.notes) is ExitStatus.FILES
    assert any("variables of cloud-config.yml stay" in note.text for note in done.notes)
    mended = edited.replace(b"    X:", b"    A: a\n    X:")
    last, _ = run(after.with_files({paths.CLOUD_CONFIG: mended}), {}, local.NOTHING)
    assert last.files == {**before.files, paths.CLOUD_CONFIG: mended}


def test_without_the_flag_they_are_the_operators() -> None:
    before = disk(FILES[0])
    after, done = run(before, OURS, local.NOTHING)
    assert after.files[paths.CLOUD_CONFIG] == before.files[paths.CLOUD_CONFIG]
    assert any("--override-local" in note.text for note in done.notes)


@pytest.mark.parametrize(
    "text",
    [
        "rancher:\n  environment: &e\n    A: mine\n",
        "rancher:\n  environment:\n    A: &x mine\n    C: *x\n",
        "rancher:\n  environment:\n    ? A\n    : mine\n    X: x\n",
    ],
)
def test_what_is_not_plain_stays_and_is_named_and_the_labels_are_set_all_the_same(
    text: str,
) -> None:
    after, done = run(disk(text), OURS, OVERRIDE, {"docker.role": "web"})
    assert after.files[paths.CLOUD_CONFIG] == text.encode()
    assert done.labels == {"docker.role": "web"}
    assert worst(note.status for note in done.notes) is ExitStatus.FILES
    assert any("cloud-config.yml stay" in note.text for note in done.notes)


LEFT_BY_2016 = f"""\
rancher:
  docker:
    args: [--label, docker.role=old, --label, docker.role=old]
  environment:
    AWS_INSTANCE_ID: i-old
    AWS_SECRET_ACCESS_KEY: {SECRET}
    AWS_SECRET_ACCESS_KE: {SECRET}
    AWS_MINE: keep
    DB_HOST: old
    OTHER: keep
"""


def test_what_the_2016_tool_left_is_taken_out_and_kept_nowhere() -> None:
    may_go = Local(mapped=frozenset({"DB_HOST"}))
    after, done = run(disk(LEFT_BY_2016), {"DB_HOST": "new"}, may_go)
    found = environment(after)
    assert (found["AWS_MINE"], found["OTHER"], found["DB_HOST"]) == ("keep", "keep", "new")
    assert "AWS_INSTANCE_ID" not in found
    assert not any(SECRET.encode() in content for content in after.files.values())
    assert not any(SECRET in note.text for note in done.notes)
    assert (
        run(after, {}, local.NOTHING)[0].files[paths.CLOUD_CONFIG]
        == (after.files[paths.CLOUD_CONFIG])
    )


def test_without_its_mark_aws_variables_are_the_operators() -> None:
    text = "rancher: {environment: {AWS_DEFAULT_REGION: mine}}\n"
    after, _ = run(disk(text), {}, local.NOTHING)
    assert after.files[paths.CLOUD_CONFIG] == text.encode()
    cleaned, _ = run(disk(text), {}, LEGACY)
    assert b"AWS_DEFAULT_REGION" not in cleaned.files[paths.CLOUD_CONFIG]


@pytest.mark.parametrize("version", ["v0.6.1", "v1.5.8"])
def test_its_args_go_where_nothing_but_its_labels_was_in_them(version: str) -> None:
    after, _ = run(disk(LEFT_BY_2016, version), {}, LEGACY)
    assert b"args" not in after.files[paths.CLOUD_CONFIG]
    assert b"OTHER: keep" in after.files[paths.CLOUD_CONFIG]


def test_what_else_was_in_args_stays() -> None:
    text = "rancher: {docker: {args: [daemon, -D, --label, docker.a=b, --label, mine=c]}}\n"
    after, _ = run(disk(text, "v0.6.1"), {}, LEGACY)
    items = stack(after, releases.of(after)).docker_arguments("args")
    assert items == ("daemon", "-D", "--label", "mine=c")
    assert run(after, {}, LEGACY)[1].changes == ()


def test_a_file_of_nothing_but_its_variables_is_left_as_an_empty_map() -> None:
    after, _ = run(disk("rancher: {environment: {AWS_INSTANCE_ID: i-old}}\n"), {}, local.NOTHING)
    assert after.files[paths.CLOUD_CONFIG].strip().endswith(b"{}")
    assert "AWS_INSTANCE_ID" not in environment(after)


NAMES = st.sampled_from("ABCDEFXYZ")
VALUES = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=6).filter(
    lambda text: text not in ("~", "null", "Null", "NULL")
)


@any_of(
    st.dictionaries(NAMES, VALUES, max_size=5),
    st.lists(st.dictionaries(NAMES, VALUES, max_size=4), min_size=1, max_size=3),
    st.sampled_from([None, 1, 4]),
)
@settings(max_examples=150, deadline=None)
def test_whatever_is_overridden_comes_back(
    theirs: dict[str, str], runs: list[dict[str, str]], indent: int | None
) -> None:
    tree = {"rancher": {"environment": theirs, "x": "y"}}
    before = disk(json.dumps(tree, indent=indent).replace("$", "\\u0024"))
    after = before
    for ours in runs:
        after, _ = run(after, ours, OVERRIDE)
        assert run(after, ours, OVERRIDE)[1].changes == ()
        system = {"VERSION": "v1.5.8", "SUFFIX": "", "REGISTRY_DOMAIN": "docker.io"}
        assert environment(after) == {**system, **theirs, **ours}
    assert run(after, {}, local.NOTHING)[0].files == before.files
