from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from failures.in_process import elsewhere, found
from plain_machine import DEBIANS, ENV_FILE, STOPPED, FakeDocker, PlainMachine, Watched
from rancheros_ec2_metadata.deadline import Clock, Limit
from rancheros_ec2_metadata.ec2.facts import Facts
from rancheros_ec2_metadata.ec2.firmware import Machine
from rancheros_ec2_metadata.hosts.state import State, parse_state
from rancheros_ec2_metadata.hosts.systemd.docker_unit import DockerUnit
from rancheros_ec2_metadata.hosts.systemd.found_machine import DAEMON_JSON, RECORD, STATE
from rancheros_ec2_metadata.hosts.systemd.systemd_host import SystemdHost
from rancheros_ec2_metadata.settings import Settings, TagMapping

USERS = '{\n  "debug": true,\n  "labels": ["mine=1", "docker.role=of-the-user"]\n}\n'
WEB, DB = {"docker.role": "web"}, {"docker.role": "db"}
LABELS = ["mine=1", "docker.role=web"]


@pytest.fixture
def machine(tmp_path: Path) -> PlainMachine:
    """A machine whose user has labels, and whose Docker runs."""
    return PlainMachine(tmp_path, USERS, starts=True)


def test_a_new_label_is_written_and_a_running_docker_has_it_at_once(machine: PlainMachine) -> None:
    ran = machine.run(WEB)
    assert ran.status == 0
    assert ran.log.splitlines()[-1] == (
        "ec2-metadata: status: complete; 1 label, 4 variables; wrote /run/metadata/ec2, wrote"
        " daemon.json; exit 0"
    )
    assert "Docker has the labels of daemon.json, without a restart" in ran.log
    assert ran.calls == {"unit": 2, "validate": 1, "reload": 1}
    assert machine.labels == LABELS == list(machine.docker.has)
    assert machine.path(RECORD).stat().st_mode & 0o777 == 0o600
    again = machine.run(WEB)
    assert (again.status, again.calls) == (0, {"unit": 2})
    assert "wrote no file" in again.log


def test_all_is_as_it_was_after_clean(machine: PlainMachine) -> None:
    machine.run(WEB)
    ran = machine.clean()
    assert ran.status == 0
    assert machine.contents() == {DAEMON_JSON: USERS, RECORD: None, STATE: None, ENV_FILE: None}
    assert list(machine.docker.has) == json.loads(USERS)["labels"]
    assert machine.clean().log.endswith("nothing to remove; exit 0\n")


@pytest.mark.parametrize("starts", [True, False])
@pytest.mark.parametrize("users", [None, "{}", '{"debug": true}', '{"labels": null}'])
def test_the_last_label_leaves_an_empty_list_until_a_running_docker_has_none(
    tmp_path: Path, users: str | None, starts: bool
) -> None:
    machine = PlainMachine(tmp_path, users, starts=starts)
    machine.run(WEB)
    ran = machine.run({})
    assert machine.labels == ([] if starts else json.loads(users or "{}").get("labels"))
    assert ran.calls.get("reload", 0) == starts
    assert machine.docker.has == ()
    assert machine.run({}).status == 0
    assert (machine.read(), machine.read(RECORD)) == (users, None)
    machine.run(WEB)
    assert machine.clean().status == 0
    assert machine.contents() == {DAEMON_JSON: users, RECORD: None, STATE: None, ENV_FILE: None}


ACTIVE = STOPPED._replace(active="active")


def by(*command: str) -> DockerUnit:
    """Return the unit of a Docker that runs by this command."""
    return ACTIVE._replace(command=command)


# Docker's unit, whether labels are set, what the log says, and how it exits. Where nothing of ours
# was there, nothing of the user's changes.
UNITS: dict[str, tuple[DockerUnit | None, bool, str, int]] = {
    "active": (ACTIVE, True, "labels: 'docker.role'", 0),
    "inactive": (STOPPED, True, "labels: 'docker.role'", 0),
    "failed": (STOPPED._replace(active="failed"), True, "labels: 'docker.role'", 0),
    "activating": (STOPPED._replace(active="activating"), True, "labels: 'docker.role'", 0),
    "deactivating": (STOPPED._replace(active="deactivating"), True, "labels: 'docker.role'", 0),
    "by env": (by("/usr/bin/env", "A=b", *DEBIANS), True, "labels:", 0),
    "not there": (DockerUnit(), False, "labels wait: there is no docker.service yet", 0),
    "masked": (DockerUnit("masked"), False, "labels wait: ", 0),
    "snap": (DockerUnit(snap=True), False, "no label is set: Docker is a snap", 5),
    "bad": (DockerUnit("bad-setting"), False, "does not start dockerd itself", 5),
    "init": (by("/etc/init.d/docker"), False, "its flags are not known, see 'systemctl cat", 5),
    "wrapper": (by("/bin/sh", "-c", "exec dockerd"), False, "does not start dockerd itself", 5),
    "flag": (
        by(*DEBIANS, "--label", "a=b"),
        False,
        "ExecStart of docker.service has --label, and Docker does not start with that and",
        5,
    ),
    "other file": (by(*DEBIANS, "--config-file=/etc/d.json"), False, "has --config-file", 5),
    "variable": (
        ACTIVE._replace(environment=("A=1", "DOCKER_OPTS=--debug --label=a=b")),
        False,
        "Environment of docker.service has --label",
        5,
    ),
    "no answer": (None, False, "no label is set: systemd does not tell of docker.service", 5),
}


@pytest.mark.parametrize("name", UNITS)
def test_how_docker_is_started_decides_whether_labels_are_set(tmp_path: Path, name: str) -> None:
    machine = PlainMachine(tmp_path, USERS)
    unit, is_set, words, status = UNITS[name]
    machine.docker.unit = unit
    ran = machine.run(WEB)
    assert ran.status == status
    assert words in ran.log
    outcome = "complete" if status == 0 else "partial"
    assert f'EC2_METADATA_STATUS="{outcome}"' in (machine.read(ENV_FILE) or "")
    assert 'AWS_REGION="eu-west-1"' in (machine.read(ENV_FILE) or "")
    runs = unit is not None and unit.active == "active"
    assert ran.calls.get("reload", 0) == (is_set and runs)
    assert ran.calls.get("validate", 0) == is_set
    if is_set:
        assert machine.labels == LABELS
        assert json.loads(machine.read(RECORD) or "")["pending"] is True
        machine.run(WEB)
        assert json.loads(machine.read(RECORD) or "")["pending"] is not runs
    else:
        assert (machine.read(), machine.read(RECORD)) == (USERS, None)
    machine.docker.unit = STOPPED
    assert machine.clean().status == 0
    assert machine.contents() == {DAEMON_JSON: USERS, RECORD: None, STATE: None, ENV_FILE: None}


@pytest.mark.parametrize("name", [name for name, row in UNITS.items() if not row[1]])
@pytest.mark.parametrize("users", [None, USERS])
def test_what_was_set_goes_where_docker_would_not_start_with_it_and_stays_where_nobody_knows(
    tmp_path: Path, users: str | None, name: str
) -> None:
    machine = PlainMachine(tmp_path, users, starts=True)
    machine.run(WEB)
    had = machine.docker.has
    unit, _, words, status = UNITS[name]
    machine.docker.unit = unit and unit._replace(active="active")
    for tags in (DB, DB, {}, WEB):
        ran = machine.run(tags)
        assert ran.status == (status if tags or unit is None else 0)
        assert machine.read() == users if unit is not None else "docker.role=web" in had
        # Beside a flag Docker does not start with an empty list either.
        assert (ran.calls.get("reload", 0), machine.docker.has) == (0, had)
        assert unit is None or not tags or words in ran.log
    machine.docker.unit = ACTIVE
    assert machine.run(DB).status == 0
    assert "docker.role=db" in machine.docker.has


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("DOCKER_OPTS='--debug --label=a=b'\n", "/etc/default/docker has --label"),
        ("DOCKER_OPTS=--config-file /x\n", "/etc/default/docker has --config-file"),
        ("# DOCKER_OPTS=--label=a=b\n ;--label\nDOCKER_OPTS=--labels-are-not --log-level=x\n", ""),
        (None, ""),
    ],
)
def test_a_label_in_an_environment_file_of_the_unit_is_refused(
    tmp_path: Path, content: str | None, words: str
) -> None:
    machine = PlainMachine(tmp_path)
    # Systemd names a glob as it is written, and an optional file as any other.
    for pattern in ("/etc/default/docker", "/etc/default/doc*"):
        machine.docker.unit = STOPPED._replace(environment_files=("/run/none.env", pattern))
        if content is not None:
            machine.path("/etc/default").mkdir(exist_ok=True)
            machine.path("/etc/default/docker").write_text(content)
        ran = machine.run(WEB)
        assert (ran.status, words in ran.log) == (5 if words else 0, True)
        assert machine.labels == (None if words else ["docker.role=web"])


def test_an_environment_file_that_cannot_be_read_is_named_and_nothing_changes(
    machine: PlainMachine,
) -> None:
    machine.run(WEB)
    before = machine.read()
    machine.docker.unit = ACTIVE._replace(environment_files=("/etc/default/docker",))
    machine.path("/etc/default/docker").mkdir(parents=True)
    ran = machine.run(DB)
    assert (ran.status, machine.read()) == (5, before)
    assert "labels stay as they are: " in ran.log
    assert "/etc/default/docker, which docker.service reads, cannot be read: a folder" in ran.log
    assert ran.log.endswith(
        "status: partial; 1 label, 4 variables; wrote /run/metadata/ec2; exit 5\n"
    )


def test_rootless_docker_is_refused_by_name(tmp_path: Path) -> None:
    machine = PlainMachine(tmp_path)
    machine.docker.unit = DockerUnit()
    machine.path("/run/user/1000").mkdir(parents=True)
    machine.path("/run/user/1000/docker.sock").touch()
    ran = machine.run(WEB)
    assert (ran.status, machine.read()) == (5, None)
    assert "no label is set: Docker is rootless" in ran.log


def test_labels_that_dockerd_refuses_are_not_set_and_its_words_are_said(
    machine: PlainMachine,
) -> None:
    machine.run(WEB)
    machine.docker.refuses = lambda tree: "no db\x1b" if "role=db" in str(tree) else None
    ran = machine.run(DB)
    assert ran.status == 5
    assert "no label is set: dockerd does not take our labels: no db" in ran.log
    assert machine.read() == USERS
    # Its words may quote what the user has in it.
    machine.docker.refuses = lambda tree: "secret" if "debug" in tree else None
    ran = machine.run(WEB)
    assert ran.status == 5
    assert "does not take /etc/docker/daemon.json as it is; run 'dockerd --validate'" in ran.log
    assert "secret" not in ran.log
    assert machine.read() == USERS


def link_to_a_file(file: Path) -> None:
    file.rename(file.with_name("there"))
    file.symlink_to("there")


def link_of_the_folder(file: Path) -> None:
    file.parent.rename(file.parent.with_name("there"))
    file.parent.symlink_to("there")


def folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


def fifo(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


def holding(raw: bytes) -> Callable[[Path], object]:
    return lambda file: file.write_bytes(raw)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (link_to_a_file, "a symbolic link, which is never followed in writing; make it a plain"),
        (link_of_the_folder, "a symbolic link"),
        (folder, "a folder stands where a file should be; make it a plain file"),
        (fifo, "it is not a regular file"),
        (holding("{}".encode("utf-16")), "it is not UTF-8; save it as UTF-8 without a mark"),
        (holding(b"{} # mine"), "it is not JSON"),
        (holding(b'{"labels": ["a"]}'), "its label 'a' is not KEY=VALUE; correct it"),
        (holding(b"{" * 4 * 1024 * 1024 + b"{"), "it is larger than 4 MiB"),
    ],
)
@pytest.mark.parametrize("has_run", [True, False])
def test_a_file_that_cannot_be_merged_is_left_alone_and_named(
    machine: PlainMachine, change: Callable[[Path], object], words: str, has_run: bool
) -> None:
    if has_run:
        machine.run(WEB)
    change(machine.path(DAEMON_JSON))
    listed = sorted(machine.path("/etc").iterdir())
    before, record = machine.read(), machine.read(RECORD)
    ran = machine.run(DB)
    assert ran.status == 5
    assert "no label is set: /etc/docker/daemon.json: " in ran.log
    assert words in ran.log
    assert (machine.read(), machine.read(RECORD)) == (before, record)
    assert sorted(machine.path("/etc").iterdir()) == listed
    assert 'EC2_METADATA_STATUS="partial"' in (machine.read(ENV_FILE) or "")
    assert ran.calls.get("reload", 0) == 0
    # What is the user's alone is none of our business.
    is_known = has_run and change is not link_of_the_folder
    assert machine.run({}).status == (5 if is_known else 0)


def test_a_docker_that_waits_for_the_run_has_the_labels_later_and_is_told_until_it_has(
    machine: PlainMachine,
) -> None:
    machine.docker.is_after_us = True
    ran = machine.run(WEB)
    assert ran.status == 0
    assert "reload daemon.json, which it does when this run has ended" in ran.log
    for _ in range(2):
        assert machine.run(WEB).calls["reload"] == 1
    assert json.loads(machine.read(RECORD) or "")["pending"] is True
    machine.docker.load()
    again = machine.run(WEB)
    assert again.calls.get("reload", 0) == 0
    assert json.loads(machine.read(RECORD) or "")["pending"] is False


def test_a_docker_that_is_to_lose_a_label_is_told_after_a_run_that_could_not_ask_systemd(
    machine: PlainMachine,
) -> None:
    machine.run(WEB)
    machine.docker.is_after_us = True
    machine.run({})
    assert (machine.read(), list(machine.docker.has)) == (USERS, LABELS)
    machine.docker.unit = None
    machine.run({})
    machine.docker.unit, machine.docker.is_after_us = ACTIVE, False
    assert machine.run({}).calls["reload"] == 1
    assert list(machine.docker.has) == json.loads(USERS)["labels"]


def test_a_reload_that_was_lost_while_docker_started_is_made_up_for(machine: PlainMachine) -> None:
    machine.docker.unit = ACTIVE._replace(active="activating")
    assert machine.run(WEB).calls.get("reload", 0) == 0
    machine.docker.unit = ACTIVE
    assert machine.run(WEB).calls["reload"] == 1
    assert "docker.role=web" in machine.docker.has


def test_what_its_user_changes_meanwhile_is_the_base(machine: PlainMachine) -> None:
    machine.run(WEB)
    users = '{"labels": ["mine=2", "docker.role=web"], "log-level": "warn"}'
    machine.path(DAEMON_JSON).write_text(users)
    assert machine.run(DB).status == 0
    assert machine.labels == ["mine=2", "docker.role=db"]
    assert machine.clean().status == 0
    assert json.loads(machine.read() or "") == {
        "labels": ["mine=2", "docker.role=of-the-user"],
        "log-level": "warn",
    }
    # Which has gone is not made again, and one that is his stays.
    machine.run(WEB)
    machine.path(DAEMON_JSON).unlink()
    machine.run(WEB)
    assert machine.labels == ["docker.role=web"]
    machine.clean()
    assert machine.read() is None


@pytest.mark.parametrize(
    "raw", [b"", b"{", b"[]", b'{"former": 5}', b'{"former": "", "ours": 5}', b"\xff", None]
)
def test_without_a_record_that_reads_ours_are_known_by_the_state(
    machine: PlainMachine, raw: bytes | None
) -> None:
    machine.run(WEB)
    if raw is None:
        machine.path(RECORD).unlink()
    else:
        machine.path(RECORD).write_bytes(raw)
    ran = machine.run({})
    assert ran.status == 0
    assert (f"{RECORD} cannot be used; it is written anew" in ran.log) is (raw is not None)
    assert machine.labels == ["mine=1"]


def test_a_record_that_cannot_be_read_costs_the_labels_and_not_the_variables(
    machine: PlainMachine,
) -> None:
    machine.path(RECORD).mkdir()
    ran = machine.run(WEB)
    assert (ran.status, machine.read()) == (5, USERS)
    assert f"what of it is ours is not known, {RECORD}: a folder stands" in ran.log
    assert ran.log.endswith(
        "status: partial; 0 labels, 4 variables; wrote /run/metadata/ec2; exit 5\n"
    )


@pytest.mark.parametrize("former", ["5", '["a"]', '["a=1", "a=2"]', "{", '["com.docker.x=1"]'])
def test_a_record_with_which_docker_would_not_start_is_not_used(
    machine: PlainMachine, former: str
) -> None:
    machine.run(WEB)
    record = json.loads(machine.read(RECORD) or "")
    record["former"] = former
    machine.path(RECORD).write_text(json.dumps(record))
    assert machine.run(DB).status == 0
    assert machine.labels == ["mine=1", "docker.role=db"]


def test_a_damaged_state_costs_nothing_but_what_only_it_knew(machine: PlainMachine) -> None:
    machine.run(WEB)
    machine.path(STATE).write_bytes(b"\xff")
    ran = machine.run(WEB)
    assert ran.status == 0
    assert f"{STATE} cannot be used" in ran.log
    assert "wrote no file" in ran.log
    assert parse_state(machine.path(STATE).read_bytes()).labels == WEB
    machine.clean()
    assert machine.read() == USERS


SILENT = found(None, instance_id=None)
OTHER_MACHINE = Machine("yes", "i-0fedcba9876543210", "ec2-2")


@pytest.mark.parametrize(
    ("said", "firmware", "status"), [(elsewhere(), None, 3), (SILENT, OTHER_MACHINE, 4)]
)
def test_on_another_machine_all_goes_but_the_file_that_units_name_and_on_the_same_it_stays(
    machine: PlainMachine, said: Facts, firmware: Machine | None, status: int
) -> None:
    machine.run(WEB)
    ran = machine.run(said, machine=firmware)
    assert (ran.status, machine.read()) == (status, USERS)
    assert (machine.read(ENV_FILE) or "").splitlines()[1:] == ['EC2_METADATA_STATUS="none"']
    assert "labels removed: 'docker.role'" in ran.log
    machine.run(WEB)
    machine.run(SILENT)
    assert machine.labels == LABELS


def test_a_label_that_its_user_has_set_to_the_tags_value_stays_when_the_tag_goes(
    tmp_path: Path,
) -> None:
    users = '{"labels": ["docker.role=web"]}'
    machine = PlainMachine(tmp_path, users)
    machine.run(WEB)
    machine.run({})
    assert machine.read() == users


def test_variables_that_systemd_cannot_read_and_config_paths_are_left_out_and_named(
    machine: PlainMachine,
) -> None:
    mappings = ("a:A", "b:B", "c:C", "d:rancher.ssh.port", "e:hostname")
    chosen = Settings(root=machine.root, mappings=tuple(map(TagMapping.parse, mappings)))
    tags = {"a": "x\x1b", "b": "\ufffe", "c": "1\n2", "d": "22", "e": "web-1"}
    ran = machine.run(tags, settings=chosen)
    assert ran.status == 0
    assert "it holds \\x1b, which systemd does not read" in ran.log
    assert "it holds \\ufffe" in ran.log
    for path in ("rancher.ssh.port", "hostname"):
        assert f"{path} is not set: only RancherOS has config paths" in ran.log
    text = machine.read(ENV_FILE) or ""
    assert 'C="1\n2"\n' in text
    assert "\nA=" not in text
    assert "\nB=" not in text


@pytest.mark.parametrize("text", ["$(id)", "é", "1\n2", "~", "x" * 256, "`id`\\\"'", ' "$x" '])
def test_what_a_tag_says_is_data_in_each_file_and_one_line_in_the_log(
    machine: PlainMachine, text: str
) -> None:
    key = f"docker.{text[:120]}"
    chosen = Settings(
        root=machine.root, env_file="/etc/docker/ec2.env", mappings=(TagMapping.parse("v:V"),)
    )
    tags = {key: text, "v": text}
    ran = machine.run(tags, settings=chosen)
    assert ran.status == 0
    assert ran.log.count("\nec2-metadata: ") == ran.log.count("\n") - 1
    assert json.loads(machine.read() or "")["labels"] == ["mine=1", *machine.docker.has[1:]]
    assert machine.docker.has[-1] == f"{key}={text}"
    quoted = re.sub(r'(["\\\\`$])', r"\\\1", text)
    assert f'\nV="{quoted}"\n' in (machine.read(ENV_FILE) or "")
    in_dockers_form = f"\nV={text}\n" in (machine.read("/etc/docker/ec2.env") or "")
    assert in_dockers_form is ("\n" not in text)
    machine.run({})
    assert machine.read("/etc/docker/ec2.env") is None
    machine.run(tags, settings=chosen)
    assert machine.clean().status == 0
    assert machine.read("/etc/docker/ec2.env") is None


def test_an_env_file_of_somebody_elses_is_left_alone(machine: PlainMachine) -> None:
    machine.path(ENV_FILE).write_text("MINE=1\n")
    ran = machine.run(WEB)
    assert (ran.status, machine.read(ENV_FILE)) == (5, "MINE=1\n")
    assert "no variable is set: /run/metadata/ec2 is left as it is: it does not begin" in ran.log
    assert machine.labels == LABELS


def test_below_another_root_labels_are_removed_without_docker(machine: PlainMachine) -> None:
    machine.run(WEB)
    assert machine.run({}, asks=False).status == 0
    assert machine.read() == USERS


@pytest.mark.parametrize(
    ("unit", "has", "what", "has_labels"),
    [
        (None, (), "not known: systemd does not tell of docker.service", None),
        (DockerUnit(), (), "there is no docker.service", None),
        (STOPPED, (), "it does not run: it reads daemon.json when it starts", None),
        (ACTIVE._replace(active="activating"), (), "it does not say which labels it has", None),
        (ACTIVE, tuple(LABELS), "active; it has the labels of daemon.json", True),
        (
            ACTIVE._replace(started=1767600000000000),
            (),
            "active, started 2026-01-05T08:00:00Z; it has NOT the labels",
            False,
        ),
    ],
)
def test_the_status_says_whether_docker_has_the_labels(
    machine: PlainMachine,
    unit: DockerUnit | None,
    has: tuple[str, ...],
    what: str,
    has_labels: bool | None,
) -> None:
    machine.run(WEB)
    docker = FakeDocker(machine.docker.file, unit, has)
    host = SystemdHost(machine.root, docker, Limit.after(0, Clock()))
    found = host.check_docker(State(), None)
    assert what in found.what
    assert found.has_labels is has_labels
    state, _ = host.read_state()
    (file,) = host.check_files(state)
    assert (file.path, file.as_left) == (DAEMON_JSON, True)
    machine.path(DAEMON_JSON).write_text("{")
    (file,) = host.check_files(state)
    assert (file.as_left, file.what) == (False, "1 of our labels are gone")
    assert "it is not JSON" in host.check_docker(state, None).what or has_labels is None
    assert list(host.check_files(State())) == []


TAGS = st.dictionaries(
    st.sampled_from(("docker.a", "docker.b", "docker.c")), st.sampled_from("12"), max_size=3
)
STATES = st.sampled_from(("active", "active", "inactive", "activating"))


@settings(max_examples=150)
@given(st.sampled_from((None, "{}", '{"labels": ["docker.a=u", "x=y"]}')), st.data())
def test_a_label_that_stays_is_never_absent_from_the_file_nor_from_docker(
    users: str | None, data: st.DataObject
) -> None:
    # In memory: to wait for this machine's disk would show nothing more.
    with TemporaryDirectory(dir="/dev/shm") as name:
        machine = PlainMachine(Path(name), users, starts=True)
        docker, before = machine.docker, dict[str, str]()
        for after in data.draw(st.lists(TAGS, min_size=1, max_size=4)):
            docker.is_after_us = data.draw(st.booleans())
            if (active := data.draw(STATES)) == "active" != docker.active:
                docker.start()
            docker.unit = STOPPED._replace(active=active)
            stay = {f"{key}={value}" for key, value in before.items() & after.items()}
            had = stay & {*docker.has}

            def check(_: object, stay: set[str] = stay, had: set[str] = had) -> None:
                assert stay <= {*(machine.labels or ())}
                assert had <= {*docker.has}

            ran = machine.run(after, files=partial(Watched, after=check))
            assert ran.status == 0
            if docker.is_after_us and active == "active" and "reload" in ran.calls:
                docker.load()
            check(None)
            before = after
        docker.is_after_us = False
        docker.start()
        machine.run(before)
        assert {f"{k}={v}" for k, v in before.items()} <= {*docker.has}
        machine.clean()
        assert machine.read() == users
        assert set(docker.has) == set(json.loads(users or "{}").get("labels", ()))
