"""A run as a process of its own: what it writes, and the exit status that stands for it."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace

from e2e import program
from e2e.answering_api import AnsweringApi, tags
from faulty_imds import FaultyImds
from machine import MachineDisk
from rancheros_ec2_metadata.hosts.rancheros import paths

LABEL = "--label=docker.role=web"


def test_a_run_writes_labels_and_variables_and_ends_with_0(
    disk: MachineDisk, imds: FaultyImds
) -> None:
    ran = program.run(disk, "-l", "other:OTHER", imds=imds)
    assert ran.status == 0
    assert disk.extra_args() == ["--debug", LABEL]
    variables = disk.variables()
    assert variables["AWS_INSTANCE_ID"] == imds.instance.instance_id
    assert (variables["OTHER"], variables["EC2_METADATA_STATUS"]) == ("x", "complete")
    assert ran.out == ""


def test_a_second_run_leaves_the_same_bytes_in_the_same_inodes_and_says_so(
    disk: MachineDisk, imds: FaultyImds
) -> None:
    disk.cloud_config("rancher:\n  docker:\n    extra_args: [--mine]  # by hand\n")
    wrote = "wrote zz-ec2-metadata.yml, wrote cloud-config.yml"
    last = rf"status: complete; 1 label, \d\d variables; {wrote}; exit 0"
    assert re.fullmatch(last, program.run(disk, imds=imds).log[-1])
    after_one = disk.snapshot()
    assert LABEL.encode() in after_one["host/var/lib/rancher/conf/cloud-config.yml"][1]
    again = program.run(disk, imds=imds)
    assert (again.status, disk.snapshot()) == (0, after_one)
    assert re.fullmatch(
        r"status: complete; 1 label, \d\d variables; wrote no file; exit 0", again.log[-1]
    )


def test_a_second_run_with_tags_of_the_api_writes_nothing_before_it_has_answered_either(
    disk: MachineDisk, imds: FaultyImds
) -> None:
    imds.instance = replace(imds.instance, tags_in_metadata=False, role="node")
    with AnsweringApi(tags(imds.instance.instance_id, {"docker.role": "web"})) as api:
        given = {"AWS_ENDPOINT_URL_EC2": api.url}
        assert program.run(disk, "--status-label", imds=imds, **given).status == 0
        before = disk.snapshot()
        again = program.run(disk, "--status-label", imds=imds, **given)
    assert (again.status, disk.snapshot()) == (0, before)
    assert again.log[-1].endswith("wrote no file; exit 0")


def test_our_files_are_for_their_owner_alone(disk: MachineDisk, imds: FaultyImds) -> None:
    program.run(disk, imds=imds)
    modes = {path: disk.path(path).stat().st_mode & 0o777 for path in (paths.DROP_IN, paths.STATE)}
    assert modes == {paths.DROP_IN: 0o600, paths.STATE: 0o600}


def test_not_on_ec2_ends_with_3_and_takes_out_what_an_earlier_run_wrote(
    disk: MachineDisk, imds: FaultyImds
) -> None:
    before = disk.snapshot()
    program.run(disk, imds=imds)
    program.elsewhere(disk)
    firmware = {"sys/class/dmi/id/sys_vendor"}
    ran = program.run(disk)  # no endpoint is set: that would count as being on EC2
    assert ran.status == 3
    assert {name: at for name, at in disk.snapshot().items() if name not in firmware} == before
    assert ran.log[-1].endswith("exit 3")


def test_without_a_conf_folder_a_run_ends_with_5_and_names_it_and_the_mount(
    disk: MachineDisk, imds: FaultyImds
) -> None:
    shutil.rmtree(disk.path(paths.CONF))
    before = disk.snapshot()
    ran = program.run(disk, imds=imds)
    assert ran.status == 5
    assert ran.log[0].startswith("status: started; ")
    assert ran.line("error", f"{paths.CONF} is not there", paths.MOUNT)
    assert ran.log[-1] == "exit 5"
    assert disk.snapshot() == before
