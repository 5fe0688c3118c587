"""Every layer, with every kind of node where Docker's arguments are set: what becomes of ours."""

from __future__ import annotations

from dataclasses import replace

import pytest

from machine import os_config
from rancheros_ec2_metadata.errors import ExitStatus, worst
from rancheros_ec2_metadata.plan.given import Given
from rancheros_ec2_metadata.plan.mapping import NOTHING, Desired
from rancheros_ec2_metadata.plan.planning import Plan, plan
from rancheros_ec2_metadata.rancheros import disk as paths
from rancheros_ec2_metadata.rancheros import release as releases
from rancheros_ec2_metadata.rancheros import state as states
from rancheros_ec2_metadata.rancheros.change import in_order
from rancheros_ec2_metadata.rancheros.disk import Disk
from rancheros_ec2_metadata.rancheros.layers import stack
from rancheros_ec2_metadata.rancheros.state import State

LABEL = "--label=docker.role=web"
WANTED = Desired({"docker.role": "web"}, {"A": "b"}, {})
OURS = {paths.STATE, paths.DROP_IN}

WEAKER = {
    "oem-config.yml": paths.OEM_CONFIG,
    "boot.yml": f"{paths.CLOUD_CONFIG_D}/boot.yml",
    "user_config.yml": f"{paths.CLOUD_CONFIG_D}/user_config.yml",
    "without a suffix": f"{paths.CLOUD_CONFIG_D}/boot.yml~",
}
STRONGER = f"{paths.CLOUD_CONFIG_D}/zzz.yml"

PLAIN = {
    "block list": "rancher:\n  docker:\n    extra_args:\n    - --mine  # mine\n    - -D\n",
    "block list, indented": "rancher:\n  docker:\n    extra_args:\n      - --mine\n",
    "flow list": "rancher: {docker: {extra_args: [--mine, -D]}}\n",
    "flow list of lines": "rancher:\n  docker:\n    extra_args: [\n    --mine,\n    -D\n    ]\n",
    "tabs": "rancher:\t# mine\n  docker:\n    extra_args:\n    - --mine\t# tab\n    tls:\ttrue\n",
    "flow list and a tab": "rancher:\n  docker:\n    extra_args: [--mine,\t-D]\t# tab\n",
    "empty list": "rancher: {docker: {extra_args: []}}\n",
    "null": "rancher: {docker: {extra_args: null}}\n",
    "tilde": "rancher:\n  docker:\n    extra_args: ~  # none\n    tls: true\n",
    "nothing": "rancher:\n  docker:\n    extra_args:\n    tls: true\n",
    "null above": "rancher:\n  docker: null\nhostname: mine\n",
    "nothing above": "rancher:\n  docker:\nhostname: mine\n",
    "null at the top": "rancher: null\nhostname: mine\n",
    "label of ours": f"rancher: {{docker: {{extra_args: [{LABEL}, -D]}}}}\n",
}
NOT_SET = {
    "another list": "rancher: {docker: {args: [daemon]}, network: {dns: {search: [a]}}}\n",
    "no docker": "hostname: mine\n",
    "empty": "{}\n",
}
# Nothing of such a file is in force.
BROKEN = {
    "no yaml": "rancher: [\n",
    "comments": "# nothing\n",
    "a text": "rancher: {docker: {extra_args: -D}}\n",
    "a map": "rancher: {docker: {extra_args: {a: b}}}\n",
    "a list above": "rancher: {docker: [a]}\n",
}
UNSET = NOT_SET | BROKEN
ALL = PLAIN | UNSET
NOT_PLAIN = {
    "anchor": "rancher: {docker: {extra_args: &a [-D]}}\n",
    "alias": "x: &a [-D]\nrancher: {docker: {extra_args: *a}}\n",
    "tag": "rancher: {docker: {extra_args: !!seq [-D]}}\n",
    "anchor above": "rancher: {docker: &a {extra_args: [-D]}}\n",
    "alias above": "x: &a {extra_args: [-D]}\nrancher: {docker: *a}\n",
    "merge": "x: &a {tls: true}\nrancher: {docker: {<<: *a, extra_args: [-D]}}\n",
    "anchored item": "rancher: {docker: {extra_args: [&a -D]}}\n",
    "twice": "rancher: {docker: {extra_args: [-D]}}\nrancher: {docker: {extra_args: [-H]}}\n",
    "twice at the end": "rancher: {docker: {extra_args: [-D], extra_args: [-H]}}\n",
    "anchored null": "rancher: {docker: &a null}\n",
    "key of its own": "rancher:\n  docker:\n    ? extra_args\n    : - -D\n      - -H\n",
    "item of lines": "rancher:\n  docker:\n    extra_args:\n    -\n      -D\n",
    "line of its key": "rancher:\n  docker:\n    extra_args: !!seq\n    - -D\n",
}


def disk(files: dict[str, str], version: str = "v1.5.8") -> Disk:
    base = {paths.OS_CONFIG: os_config(version), paths.COMMAND_LINE: "console=ttyS0\n"}
    return Disk({path: text.encode() for path, text in {**base, **files}.items()})


def run(before: Disk, desired: Desired) -> tuple[Disk, Plan]:
    raw = before.files.get(paths.STATE)
    given = Given(before, releases.of(before), states.parse(raw) if raw else State())
    state = State() if desired == NOTHING else State(status="complete")
    done = plan(desired, given, state)
    return before.with_files({change.path: change.after for change in done.changes}), done


def items(found: Disk) -> tuple[str, ...]:
    return stack(found, releases.of(found)).docker_arguments("extra_args")


def status(done: Plan) -> ExitStatus:
    return worst(note.status for note in done.notes)


def checked(before: Disk, may_change: set[str]) -> tuple[Disk, Plan]:
    """Run, and check what holds for every layer and node."""
    after, done = run(before, WANTED)
    again, second = run(after, WANTED)
    assert (second.changes, again.files) == ((), after.files)
    changed = {
        p for p in {*before.files, *after.files} if before.files.get(p) != after.files.get(p)
    }
    assert changed <= may_change
    variables = stack(after, releases.of(after)).environment()
    # A null at the top of a stronger file hides the variables too, and is named.
    assert variables.get("A") == "b" or any("variable A" in note.text for note in done.notes)
    assert [item for item in items(after) if item != LABEL] == [
        item for item in items(before) if item != LABEL
    ]
    assert (LABEL in items(after)) == (done.labels == WANTED.labels) or LABEL in items(before)
    assert run(after, NOTHING)[0].files == before.files
    return after, done


@pytest.mark.parametrize("node", ALL)
@pytest.mark.parametrize("layer", WEAKER)
def test_below_our_drop_in_it_is_read_and_never_written(layer: str, node: str) -> None:
    text = ALL[node]
    before = disk({WEAKER[layer]: text})
    after, done = checked(before, OURS)
    assert items(after)[-1] == LABEL
    assert status(done) is ExitStatus.OK


@pytest.mark.parametrize("node", PLAIN)
def test_in_cloud_config_yml_that_one_node_is_changed(node: str) -> None:
    hidden = "rancher: {docker: {extra_args: [--hidden]}}\n"
    before = disk({paths.CLOUD_CONFIG: PLAIN[node], WEAKER["boot.yml"]: hidden})
    after, done = checked(before, {*OURS, paths.CLOUD_CONFIG})
    assert items(after)[-1] == LABEL
    assert after.files[paths.CLOUD_CONFIG] != before.files[paths.CLOUD_CONFIG]
    assert status(done) is ExitStatus.OK


@pytest.mark.parametrize("node", UNSET)
def test_a_cloud_config_yml_that_sets_no_list_is_left_alone(node: str) -> None:
    before = disk({paths.CLOUD_CONFIG: UNSET[node]})
    after, done = checked(before, OURS)
    assert items(after)[-1] == LABEL
    assert status(done) is ExitStatus.OK


@pytest.mark.parametrize("node", NOT_PLAIN)
def test_in_cloud_config_yml_what_is_not_plain_is_refused_by_name(node: str) -> None:
    before = disk({paths.CLOUD_CONFIG: NOT_PLAIN[node]})
    _, done = checked(before, OURS)
    assert done.labels == {}
    assert status(done) is ExitStatus.FILES
    assert any("cloud-config.yml sets Docker's arguments" in note.text for note in done.notes)


@pytest.mark.parametrize("version", ["v0.4.5", "v0.6.1"])
@pytest.mark.parametrize("node", [node for node in PLAIN if node.endswith(("above", "top"))])
def test_a_null_above_both_lists_is_refused_by_name_for_it_hides_what_docker_needs(
    node: str, version: str
) -> None:
    before = disk({paths.CLOUD_CONFIG: PLAIN[node]}, version)
    _, done = checked(before, OURS)
    assert done.labels == {}
    assert status(done) is ExitStatus.FILES
    assert any("a null at rancher" in note.text for note in done.notes)


@pytest.mark.parametrize("node", PLAIN)
def test_a_drop_in_behind_ours_is_named_and_all_else_applied(node: str) -> None:
    before = disk({STRONGER: PLAIN[node]})
    _, done = checked(before, OURS)
    assert done.labels == {}
    assert status(done) is ExitStatus.FILES
    assert any("cloud-config.d/zzz.yml" in note.text for note in done.notes)


@pytest.mark.parametrize("parameter", ["=[--mine,-D]", "=[]", "=null", "="])
@pytest.mark.parametrize("where", ["kernel command line", "EXTRA_CMDLINE"])
def test_a_command_line_is_named_and_all_else_applied(parameter: str, where: str) -> None:
    text = f"rancher.docker.extra_args{parameter}"
    files = {paths.COMMAND_LINE: f"quiet {text}\n"}
    if where == "EXTRA_CMDLINE":
        files = {f"{paths.CLOUD_CONFIG_D}/init.yml": f'EXTRA_CMDLINE: "{text}"\n'}
    _, done = checked(disk(files), OURS)
    assert done.labels == {}
    assert status(done) is ExitStatus.FILES
    assert any(where in note.text for note in done.notes)


@pytest.mark.parametrize(
    ("files", "where", "expected"),
    [
        ({STRONGER: "rancher: {environment: {A: x}}\n"}, "zzz.yml", ExitStatus.FILES),
        ({STRONGER: "rancher: {environment: null}\n"}, "zzz.yml", ExitStatus.FILES),
        ({paths.CLOUD_CONFIG: "rancher: {environment: ~}\n"}, "cloud-config.yml", ExitStatus.FILES),
        ({paths.CLOUD_CONFIG: "rancher: {environment: {A: x}}\n"}, "--override", ExitStatus.OK),
        ({paths.COMMAND_LINE: "rancher.environment.A=x\n"}, "command line", ExitStatus.FILES),
        (
            {WEAKER["boot.yml"]: "EXTRA_CMDLINE: rancher.environment.A=x\n"},
            *("EXTRA_CMDLINE", ExitStatus.FILES),
        ),
    ],
)
def test_a_variable_that_a_stronger_layer_sets_is_named_and_the_labels_are_set(
    files: dict[str, str], where: str, expected: ExitStatus
) -> None:
    before = disk(files)
    after, done = run(before, WANTED)
    assert items(after) == (LABEL,)
    assert stack(after, releases.of(after)).environment().get("A") != "b"
    assert any("variable A" in note.text and where in note.text for note in done.notes)
    assert status(done) is expected
    assert {path: after.files[path] for path in before.files} == before.files


def test_ours_in_a_list_that_a_stronger_layer_sets_for_one_boot_is_not_taken_for_the_users() -> (
    None
):
    text = PLAIN["block list"]
    before = disk({paths.CLOUD_CONFIG: text})
    during, _ = run(before, WANTED)
    parameter = {paths.COMMAND_LINE: b"rancher.docker.extra_args=[-H]\n"}
    shadowed, _ = run(during.with_files(parameter), WANTED)
    after, _ = run(
        shadowed.with_files({paths.COMMAND_LINE: b"quiet\n"}), Desired({}, {"A": "b"}, {})
    )
    assert items(after) == ("--mine", "-D")
    assert after.files[paths.CLOUD_CONFIG] == text.encode()


@pytest.mark.parametrize("newer", ["v0.7.1", "v1.5.8"])
@pytest.mark.parametrize(
    "text",
    [
        "rancher:\n  docker:\n    args: [daemon, -D]  # mine\n",
        "rancher:\n  docker:\n    args:\n    - daemon\n    - --label docker.role=mine\n",
    ],
)
def test_ours_in_args_goes_with_the_release_that_has_it(text: str, newer: str) -> None:
    before = disk({paths.CLOUD_CONFIG: text}, "v0.6.1")
    during, _ = run(before, WANTED)
    assert during.files[paths.CLOUD_CONFIG] != text.encode()
    upgraded = during.with_files({paths.OS_CONFIG: os_config(newer).encode()})
    after, done = run(upgraded, WANTED)
    assert after.files[paths.CLOUD_CONFIG] == text.encode()
    assert items(after) == (LABEL,)
    assert status(done) is ExitStatus.OK
    for taken_back in (run(upgraded, NOTHING)[0], run(after, NOTHING)[0]):
        assert taken_back.files[paths.CLOUD_CONFIG] == text.encode()
        assert taken_back.files.keys() == before.files.keys()


def test_ours_in_a_list_of_another_release_that_cannot_be_taken_out_is_named_and_known_on() -> None:
    before = disk({paths.CLOUD_CONFIG: "rancher: {docker: {args: [daemon, -D]}}\n"}, "v0.6.1")
    during, _ = run(before, WANTED)
    anchored = during.files[paths.CLOUD_CONFIG].replace(b"args: [", b"args: &a [")
    files = {paths.OS_CONFIG: os_config().encode(), paths.CLOUD_CONFIG: anchored}
    after, done = run(during.with_files(files), WANTED)
    assert after.files[paths.CLOUD_CONFIG] == anchored
    assert done.labels == WANTED.labels
    assert any("not taken back yet" in note.text for note in done.notes)
    assert status(done) is ExitStatus.FILES
    mended = after.with_files({paths.CLOUD_CONFIG: anchored.replace(b"&a ", b"")})
    taken_back, _ = run(mended, NOTHING)
    assert taken_back.files[paths.CLOUD_CONFIG] == before.files[paths.CLOUD_CONFIG]


@pytest.mark.parametrize("desired", [WANTED, NOTHING])
def test_ours_in_a_cloud_config_yml_that_has_been_broken_is_named_and_known_on(
    desired: Desired,
) -> None:
    before = disk({paths.CLOUD_CONFIG: PLAIN["block list"]})
    during, _ = run(before, WANTED)
    whole = during.files[paths.CLOUD_CONFIG]
    broken, done = run(during.with_files({paths.CLOUD_CONFIG: whole + b"x: [\n"}), desired)
    assert any("not taken back yet" in note.text for note in done.notes)
    assert status(done) is ExitStatus.FILES
    after, _ = run(broken.with_files({paths.CLOUD_CONFIG: whole}), NOTHING)
    assert after.files == before.files


@pytest.mark.parametrize("desired", [WANTED, NOTHING])
def test_ours_in_a_cloud_config_yml_that_cannot_be_read_for_one_boot_is_known_on(
    desired: Desired,
) -> None:
    before = disk({paths.CLOUD_CONFIG: PLAIN["block list"]})
    during, _ = run(before, WANTED)
    away = during.with_files({paths.CLOUD_CONFIG: None})
    unread, done = run(replace(away, unreadable={paths.CLOUD_CONFIG: paths.DANGLING}), desired)
    assert any("not taken back yet" in note.text for note in done.notes)
    assert status(done) is ExitStatus.FILES
    there = {paths.CLOUD_CONFIG: during.files[paths.CLOUD_CONFIG]}
    after, _ = run(unread.with_files(there), NOTHING)
    assert after.files == before.files


@pytest.mark.parametrize("kept", range(4))
def test_a_run_cut_off_at_any_write_costs_no_label_of_the_users_in_the_other_list(
    kept: int,
) -> None:
    docker = '{args: [daemon], extra_args: [-D, "--label=docker.role=mine"]}'
    before = disk({paths.CLOUD_CONFIG: f"rancher: {{docker: {docker}}}\n"}, "v0.6.1")
    during, _ = run(before, WANTED)
    _, done = run(during, Desired({"docker.role": "db"}, {"A": "b"}, {}))
    for change in in_order(done.changes)[:kept]:
        during = during.with_files({change.path: change.after})
    assert run(run(during, WANTED)[0], NOTHING)[0].files == before.files
