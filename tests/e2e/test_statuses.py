"""A run as a process of its own: what it writes, and the exit status that stands for it."""

from __future__ import annotations

import shutil

from e2e import program
from faulty_imds import FaultyImds
from machine import MachineDisk
from rancheros_ec2_metadata.hosts.rancheros import paths


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
