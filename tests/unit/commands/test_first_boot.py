"""``plan --user-data``: a first boot is planned for, of this instance or of another one."""

from __future__ import annotations

import gzip
import json
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e import described_api, program
from e2e.answering_api import AnsweringApi
from faulty_imds import FaultyImds
from rancheros_ec2_metadata.errors import ExitStatus
from rancheros_ec2_metadata.fake_ec2.data import FakeInstance
from rancheros_ec2_metadata.hosts.files import SIZE_LIMIT
from unit.commands.workstation import INSTANCE_ID, Workstation

USERS = "the user's own arguments: decided by ros on the machine"
NOT_SAVED = "warning: RancherOS saves nothing of this user-data"
CLOUD_CONFIG = b"#cloud-config\nrancher: {docker: {extra_args: [--debug]}}\n"


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Where the disk of a first boot is laid out; nothing of it is left behind."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("instance_id", [None, INSTANCE_ID], ids=["this machine", "--instance"])
def test_labels_and_variables_are_shown_and_what_ros_decides_is_said(
    workstation: Workstation,
    api: AnsweringApi,
    instance: FakeInstance,
    user_data: Path,
    instance_id: str | None,
) -> None:
    before = user_data.stat()
    workstation.log_in(api)
    flags = ("--user-data", str(user_data), "-l", "example.db.host:DB_HOST", "--format", "json")
    with FaultyImds(instance) as imds:
        workstation.set(AWS_EC2_METADATA_SERVICE_ENDPOINT=imds.url)
        named = () if instance_id is None else ("--instance", instance_id)
        assert workstation.run("plan", *flags, *named) == ExitStatus.WOULD_CHANGE
        assert (imds.requests == []) == (instance_id is not None)
    report = workstation.json()
    labels = {one["name"]: (one["action"], one["after"]) for one in report["labels"]}
    assert labels["docker.role"] == ("add", "web")
    assert {"DB_HOST", "AWS_VPC_ID"} <= {one["name"] for one in report["variables"]}
    assert USERS in workstation.err
    # The user's list is not merged here: nobody was asked what it is.
    assert "--debug" not in workstation.out
    after = user_data.stat()
    assert (after.st_mtime_ns, after.st_ino) == (before.st_mtime_ns, before.st_ino)


@pytest.mark.parametrize(
    ("content", "flags", "said"),
    [
        (CLOUD_CONFIG, (), "a first boot of v1.5.8"),
        (CLOUD_CONFIG, ("--release", "v0.4.5"), "a first boot of v0.4.5"),
        (CLOUD_CONFIG, ("--release", "v0.6.1"), "i-0123456789abcdef0, v0.6.1"),
        (CLOUD_CONFIG.partition(b"\n")[2], (), f"{NOT_SAVED}: its first line"),
        (
            gzip.compress(CLOUD_CONFIG, mtime=0),
            ("--release", "v1.0.4"),
            f"{NOT_SAVED}: it is gzipped",
        ),
        (b"#!/bin/sh\n", (), "the user-data is a script"),
        (b"#compose\n", (), "the user-data is #compose"),
    ],
)
def test_what_the_release_makes_of_the_user_data_is_said(
    workstation: Workstation, api: AnsweringApi, content: bytes, flags: tuple[str, ...], said: str
) -> None:
    file = workstation.home / "user-data"
    file.write_bytes(content)
    workstation.log_in(api)
    named = ("--instance", INSTANCE_ID, "--user-data", str(file))
    assert workstation.run("plan", *named, *flags) == ExitStatus.WOULD_CHANGE
    assert said in workstation.err


@pytest.mark.parametrize(
    ("size", "said"), [(None, "cannot be read"), (SIZE_LIMIT + 1, "larger")], ids=["none", "large"]
)
def test_user_data_that_cannot_be_read_is_named(
    workstation: Workstation, tmp_path: Path, size: int | None, said: str
) -> None:
    file = tmp_path / "odd"
    if size is not None:
        file.write_bytes(bytes(size))
    assert workstation.run("plan", "--user-data", str(file)) == ExitStatus.FILES
    assert said in workstation.error()
    assert str(file) in workstation.error()


@pytest.mark.parametrize(
    ("redirected", "status", "said"),
    [
        ("", ExitStatus.WOULD_CHANGE, "with standard input as user-data"),
        (" <&-", ExitStatus.FILES, "'-' cannot be read"),
    ],
    ids=["a pipe", "closed"],
)
def test_user_data_comes_by_standard_input(
    api: AnsweringApi, redirected: str, status: ExitStatus, said: str
) -> None:
    argv = program.command(
        "plan", "--instance", INSTANCE_ID, "--user-data", "-", "--format", "json"
    )
    done = subprocess.run(
        ["sh", "-c", f'exec "$@"{redirected}', "sh", *argv],
        env=program.measured_environment(**described_api.environment(api)),
        input=CLOUD_CONFIG,
        capture_output=True,
        check=False,
    )
    assert (done.returncode, said in done.stderr.decode()) == (status, True), done.stderr
    if status is ExitStatus.WOULD_CHANGE:
        assert json.loads(done.stdout)["labels"]
