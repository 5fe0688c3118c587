"""A tag that is changed on a running worker moves the tasks of Swarm, without a restart."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from real_parts.polling import until
from systemd import installed
from systemd.booted import Booted

pytestmark = pytest.mark.systemd_host

ROLES = ("web", "db")
RUNNING, PENDING = "Running", "Pending"
ENDED = "assigned node no longer meets constraints"


def test_a_changed_tag_starts_the_pending_task_and_ends_the_other(
    tree: Path, tmp_path: Path, say: installed.Said
) -> None:
    tags = {"docker.role": "db"}
    with installed.labelled(tree, tmp_path, tags, "--follow=5") as (machine, imds):
        dockerd = machine.property("docker.service", "MainPID")
        make_services(machine)
        assert wait_for(machine, "db", RUNNING) == RUNNING
        assert wait_for(machine, "web", PENDING) == PENDING

        began = time.monotonic()
        imds.show({"tags": {"docker.role": "web"}})
        assert until(machine.labels, {"docker.role": "web"}) == {"docker.role": "web"}
        say("from the tag to Docker's label, --follow 5", time.monotonic() - began)
        labelled = time.monotonic()
        assert wait_for(machine, "web", RUNNING) == RUNNING
        say("from Docker's label to the running task", time.monotonic() - labelled)
        assert until(
            lambda: ENDED in tasks(machine, "db", "{{.Error}}"), expected=True, seconds=120
        )
        say("from Docker's label to the other's end", time.monotonic() - labelled)
        assert wait_for(machine, "db", PENDING) == PENDING
        assert machine.property("docker.service", "MainPID") == dockerd


def make_services(machine: Booted) -> None:
    machine.run("sh", "-c", "tar -C / -c bin/busybox | docker import - busybox")
    machine.run("docker", "swarm", "init", "--advertise-addr=127.0.0.1")
    for role in ROLES:
        create = ["docker", "service", "create", "--detach", f"--name={role}"]
        create += [f"--constraint=engine.labels.docker.role=={role}"]
        # No overlay network, no registry; the first process of a container ignores SIGTERM.
        create += ["--network=host", "--no-resolve-image", "--stop-signal=KILL"]
        machine.run(*create, "busybox", "/bin/busybox", "sleep", "1000000")


def wait_for(machine: Booted, service: str, state: str) -> str:
    """Return the state of the newest task, once it is as expected."""

    def look() -> str:
        newest, *_ = tasks(machine, service, "{{.CurrentState}}").splitlines() or [""]
        return newest.partition(" ")[0]

    return until(look, state, 120)


def tasks(machine: Booted, service: str, what: str) -> str:
    return machine.run("docker", "service", "ps", "--no-trunc", f"--format={what}", service)
