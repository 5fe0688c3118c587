"""The whole story: two lines of user-data, and Docker has the labels that tags say from then on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from real_parts.instance_imds import InstanceImds
from real_parts.polling import until
from systemd.booted import Booted
from systemd.installed import FOLLOW, SERVICE

pytestmark = pytest.mark.systemd_host

# Of a value each: what a shell, systemd or Docker could take for its own.
HOSTILE = {
    "QUOTES": 'it\'s "quoted"',
    "BACKSLASHES": "a\\nb\\\\c \\",
    "SHELL": "$HOME ${HOME} $(id) `id` \\$X",
    "LINES": "one\n# two\n\nX=four",
    "BLANKS": " \t between blanks \t ",
    "UNICODE": "café 日本 \u2028 🐳",
    "COMMENT": "# ; none",
    "PERCENT": "%h %% 100%",
    "EMPTY": "",
    "HOME_SIGN": "~",
    "LONG": "é" * 256,
}
TAGS = {"docker.role": "web", "docker.zone": "a b=c", "example.db.host": "db.internal"} | {
    f"example.{name}": value for name, value in HOSTILE.items()
}
MAPPED = {"DB_HOST": "db.internal"} | HOSTILE
FLAGS = " ".join(f"-l example.{name}:{name}" for name in HOSTILE) + " --env-file /run/ec2.env"

FOR_TAGS = "-t docker. -l example.db.host:DB_HOST --follow 5"
# What is there before, and the two lines.
SEEN = "/etc /usr /srv /var/lib -path /var/lib/docker -prune -o -path /var/lib/containerd -prune -o"
USER_DATA = f"""\
#!/bin/sh
find {SEEN} -print >/root/before
cp /srv/ec2-docker-labels.pyz /root/ec2-docker-labels.pyz
python3 /root/ec2-docker-labels.pyz install {FLAGS} {FOR_TAGS}
"""
DAEMON_JSON = '{\n    "log-driver": "json-file",\n    "labels": ["mine=1", "docker.zone=old"]}\n'
READER = """\
[Service]
Type=oneshot
User=nobody
EnvironmentFile=/run/metadata/ec2
ExecStart=/usr/bin/env --null
StandardOutput=file:/run/read
"""


def tagged(**tags: str) -> dict[str, object]:
    return {"tags": {**TAGS, **{f"docker.{key}": value for key, value in tags.items()}}}


def test_two_lines_of_user_data_label_docker_from_then_on(machine: Booted, tmp_path: Path) -> None:
    (machine.root / "etc/docker").mkdir(exist_ok=True)
    (machine.root / "etc/docker/daemon.json").write_text(DAEMON_JSON)
    machine.set_user_data(USER_DATA)
    with InstanceImds.started(machine.namespace, tagged(), tmp_path) as imds:
        machine.boot()
        # Docker was up before user-data's script: it is reloaded when the unit has ended.
        labels = {"mine": "1", "docker.role": "web", "docker.zone": "a b=c"}
        assert until(machine.labels, labels) == labels
        dockerd = machine.property("docker.service", "MainPID")
        assert_variables_are_exact(machine)
        assert_an_operator_sees_it(machine)
        assert_units_are_sound(machine)

        imds.show(tagged(role="db"))
        changed = labels | {"docker.role": "db"}
        assert until(machine.labels, changed) == changed
        imds.show({"tags": {"docker.role": "db"}})
        gone = {"mine": "1", "docker.role": "db", "docker.zone": "old"}
        assert until(machine.labels, gone) == gone
        assert machine.property("docker.service", "MainPID") == dockerd

        imds.show(tagged(role="cache"))
        machine.reboot()
        cached = labels | {"docker.role": "cache"}
        assert machine.labels() == cached
        assert "Reload" not in machine.journal("--unit=docker.service", "--boot")

        machine.run("ec2-docker-labels", "uninstall")
    assert machine.labels() == {"mine": "1", "docker.zone": "old"}
    assert (machine.root / "etc/docker/daemon.json").read_text() == DAEMON_JSON
    assert machine.run("find", "/run", "-name", "ec2*") == ""
    before = {*(machine.root / "root/before").read_text().splitlines()}
    after = {*machine.run("find", *SEEN.split(), "-print").splitlines()}
    assert sorted(path for path in after - before if "ec2" in path) == []
    machine.reboot()
    assert machine.labels() == {"mine": "1", "docker.zone": "old"}
    machine.power_off()


def assert_variables_are_exact(machine: Booted) -> None:
    """Read them with a real unit of another user, and with a real container."""
    (machine.root / "etc/systemd/system/reader.service").write_text(READER)
    machine.run("systemctl", "start", "reader.service")
    units = dict(one.split("=", 1) for one in machine.run("cat", "/run/read").split("\0") if one)
    assert {name: units.get(name) for name in MAPPED} == MAPPED
    assert units["EC2_METADATA_STATUS"] == "complete"

    machine.run("sh", "-c", "tar -C / -c bin/busybox | docker import - busybox")
    run = ["docker", "run", "--rm", "--network=none", "--env-file=/run/ec2.env", "busybox"]
    seen = machine.run(*run, "/bin/busybox", "env", "-0").split("\0")
    container = dict(one.split("=", 1) for one in seen if one)
    holdable = {name: value for name, value in MAPPED.items() if "\n" not in value}
    assert {name: container.get(name) for name in MAPPED if name in container} == holdable


def assert_an_operator_sees_it(machine: Booted) -> None:
    status = json.loads(machine.run("ec2-docker-labels", "status", "--format", "json"))
    assert (status["exit_status"], status["outcome"]) == (0, "complete"), status
    assert status["docker"]["has_labels"]
    assert all(file["as_left"] for file in status["files"])
    flags = machine.run(
        "sed", "-n", 's/^ExecStart=.*"--host=systemd" //p', f"/etc/systemd/system/{SERVICE}"
    )
    plan = machine.run("sh", "-c", f"ec2-docker-labels plan {flags}")
    assert plan.endswith("No changes.\n")
    assert machine.run("ec2-docker-labels", "show", "tag:docker.role") == "web\n"
    cleaning = machine.attempt("ec2-docker-labels", "clean", "--dry-run")
    assert cleaning.returncode == 10
    assert "-labels: 'docker.role=web'" in cleaning.stdout
    assert machine.labels()["docker.role"] == "web"


def assert_units_are_sound(machine: Booted) -> None:
    units = [f"/etc/systemd/system/{name}" for name in (SERVICE, FOLLOW)]
    verified = machine.attempt(
        "systemd-analyze", "verify", *units, FOLLOW.replace("service", "timer")
    )
    assert (verified.returncode, verified.stdout, verified.stderr) == (0, "", "")
    for name in (SERVICE, FOLLOW):
        # In tenths; 100 is the worst.
        machine.run("systemd-analyze", "security", "--threshold=25", name)
