"""What is measured: the machine, the instance, the cases."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.measure import Case
from benchmarks.places import Place
from machine import MachineDisk
from ros_stand_in import root_folder

DELAYS = (0, 1, 5)
"""Milliseconds to an answer of EC2."""

NO_ROS = "no ros"
ROS_MS = 45
"""Milliseconds to an answer of a real ``ros``."""

# The setup of the README: two labels, two variables, the group's tag, all metadata.
INSTANCE: dict[str, Any] = {
    "instance_id": "i-0123456789abcdef0",
    "role": "web-node",
    "public_ipv4": "203.0.113.25",
    "autoscaling_group": "web",
    "tags": {
        "Name": "web-1",
        "docker.environment": "production",
        "docker.role": "web",
        "example.db.host": "db.internal",
        "example.queue.host": "queue.internal",
    },
}
FLAGS = ("-m", "-l", "example.db.host:DB_HOST", "-l", "example.queue.host:QUEUE_HOST")

# As Nitro's firmware has it: a second run knows from it, before any request, whose values it kept.
_FIRMWARE = {
    "sys_vendor": "Amazon EC2",
    "board_asset_tag": INSTANCE["instance_id"],
    "bios_version": "1.0",
    "product_uuid": "ec2a1b2c-3d4e-5f60-7182-93a4b5c6d7e8",
}

_USER_DATA = """\
#cloud-config
hostname: web
rancher:
  docker:
    extra_args: [--debug]
  services:
    registry-login:
      image: example/login:1
      environment: [DB_HOST]
      labels: {io.rancher.os.scope: system}
"""

# With the same fields as the program imports; it has no code for IPv6 and the role's own name.
_EC2_METADATA = """\
from ec2_metadata import NetworkInterface, ec2_metadata as m
base = ENDPOINT + "/latest/"
m.service_url, m.dynamic_url = base, base + "dynamic/"
m.metadata_url, m.userdata_url = base + "meta-data/", base + "user-data/"
fields = '''account_id ami_id ami_launch_index ami_manifest_path availability_zone
    availability_zone_id autoscaling_target_lifecycle_state instance_action instance_id
    instance_life_cycle instance_profile_name instance_type mac partition private_hostname
    private_ipv4 public_hostname public_ipv4 region reservation_id security_groups'''
for field in fields.split():
    getattr(m, field)
card = NetworkInterface(m.mac, m)
card.subnet_id, card.vpc_id
for key in KEYS:
    m.tags[key]
"""


@dataclass(frozen=True)
class Servers:
    """The addresses of benchmarks/ec2_process.py, by delay in milliseconds."""

    imds: Mapping[int, str]
    imds_without_tags: Mapping[int, str]
    api: Mapping[int, str]

    @classmethod
    @contextmanager
    def started(cls) -> Iterator[Servers]:
        """Start them in a process of their own, stop it on leaving."""
        asked = json.dumps({"instance": INSTANCE, "delays": [ms / 1000 for ms in DELAYS]})
        argv = [sys.executable, "-m", "benchmarks.ec2_process", asked]
        with subprocess.Popen(argv, stdout=subprocess.PIPE) as process:
            try:
                ports = json.loads(process.stdout.readline()) if process.stdout else {}
                kinds = ("imds", "imds-no-tags", "api")
                yield cls(*(_addresses(ports, kind) for kind in kinds))
            finally:
                process.kill()


def _addresses(ports: Mapping[str, int], kind: str) -> dict[int, str]:
    return {ms: f"http://127.0.0.1:{ports[f'{kind} {ms / 1000}']}" for ms in DELAYS}


def os_config() -> str:
    """Return an os-config.yml as large as that of v1.5.8: 26 services in 13 KB."""
    service = """\
    service-{n}:
      image: rancher/os-base:v1.5.8
      command: ros run-{n}
      labels:
        io.rancher.os.detach: "false"
        io.rancher.os.scope: system
      log_driver: json-file
      net: host
      uts: host
      privileged: true
      volumes:
      - /var/lib/rancher/{n}a:/var/lib/rancher/{n}a:ro
      - /var/lib/rancher/{n}b:/var/lib/rancher/{n}b:ro
      - /var/lib/rancher/{n}c:/var/lib/rancher/{n}c:ro
      - /var/lib/rancher/{n}d:/var/lib/rancher/{n}d:ro
"""
    head = 'rancher:\n  environment:\n    VERSION: v1.5.8\n    SUFFIX: ""\n  sysctl:\n'
    sysctl = "".join(f"    net.core.setting_{n}: {n * 1024}\n" for n in range(13))
    services = "".join(service.format(n=n) for n in range(26))
    docker = "  docker:\n    group: docker\n    log_opts: {max-size: 25m, max-file: 2}\n"
    return f"{head}{sysctl}  services:\n{services}{docker}"


# Of the same question about the same drop-in the answer is the same.
_ROS = """\
#!/bin/sh
drop_in=$( {{ cksum <"{copy}/cloud-config.d/zz-ec2-metadata.yml"; }} 2>/dev/null)
answer="{answers}/${{drop_in% *}}-$3"
[ -e "$answer" ] || "{stand_in}" "$@" >"$answer"
{wait}exec cat "$answer"
"""


class Disk:
    """A RancherOS disk in a folder, as the service's container sees it, and its ``ros``.

    That is a shell script: what the stand-in of the tests has answered once it says again at once,
    so that what is measured is the program.

    Args:
        root: the folder; ``ros`` and its answers are beside it.
        ros_ms: milliseconds that ``ros`` takes besides.
    """

    def __init__(self, root: Path, ros_ms: int = 0) -> None:
        self.root = root
        beside = root.with_name(f"{root.name}.ros")
        answers = beside / "answers"
        answers.mkdir(parents=True)
        script = _ROS.format(
            copy=root / "dev/shm/rancher-conf",
            answers=answers,
            stand_in=root_folder.executable(beside, root, "v1.5.8"),
            wait=f"sleep {ros_ms / 1000}\n" if ros_ms else "",
        )
        ros = beside / "answers-again"
        ros.write_text(script)
        ros.chmod(0o755)
        self.flags = ("--root", str(root), "--ros", str(ros))

    def first_boot(self) -> MachineDisk:
        """Make it what it is at the first boot, when the user-data has been saved."""
        shutil.rmtree(self.root, ignore_errors=True)
        disk = MachineDisk(self.root)
        for name, text in _FIRMWARE.items():
            disk.write(f"/sys/class/dmi/id/{name}", f"{text}\n")
        disk.user_data(_USER_DATA)
        disk.write("/usr/share/ros/os-config.yml", os_config())
        return disk


@dataclass(frozen=True)
class World:
    """All that the cases need.

    Args:
        servers: EC2.
        places: the program, installed.
        others: the folder of the commands that it is compared with.
        folder: for disks.
    """

    servers: Servers
    places: tuple[Place, ...]
    others: Path
    folder: Path

    def cases(self) -> list[Case]:
        """Return all cases; the name of one of the program is ``place, way, run, delay``."""
        cases = [case for place in self.places for case in self._of_place(place)]
        return [*cases, *self._of_others()]

    def _of_place(self, place: Place) -> Iterator[Case]:
        plain = {"PATH": "/usr/bin:/bin"}
        yield Case(f"{place.name}, python -I -c pass", [*place.interpreter, "-c", "pass"], plain)
        for libraries in ("requests, yaml", "boto3"):
            argv = place.code(f"import {libraries}")
            yield Case(f"{place.name}, import {libraries}", argv, plain)
        for ms in DELAYS:
            for way, endpoint in (
                ("IMDS tags", self.servers.imds[ms]),
                ("API tags", self.servers.imds_without_tags[ms]),
            ):
                environ = {
                    **plain,
                    "AWS_EC2_METADATA_SERVICE_ENDPOINT": endpoint,
                    "AWS_ENDPOINT_URL_EC2": self.servers.api[ms],
                }
                named = f"{place.name}, {way}"
                if ms <= 1:
                    yield self._without_ros(f"{named}, {NO_ROS}, {ms} ms", place, environ)
                for run in ("first", "second"):
                    yield self._run(f"{named}, {run} run, {ms} ms", run, place, environ)
                    if ms == 1:
                        name = f"{named}, {run} run, {ms} ms, ros {ROS_MS} ms"
                        yield self._run(name, run, place, environ, ROS_MS)

    def _run(
        self, name: str, run: str, place: Place, environ: dict[str, str], ros_ms: int = 0
    ) -> Case:
        """Return the first run on a disk, or the second one, which finds nothing to do."""
        disk = Disk(self.folder / name.replace(" ", "-"), ros_ms)
        argv = place.command(*disk.flags, *FLAGS)
        disk.first_boot()
        # From now on its ros knows all answers.
        subprocess.run(argv, env=environ, check=True, stderr=subprocess.DEVNULL)
        if run == "first":
            return Case(name, argv, environ, disk.first_boot)
        return Case(name, argv, environ)

    def _without_ros(self, name: str, place: Place, environ: dict[str, str]) -> Case:
        """Return a first run that finds no ``ros``: it asks nothing, and sets no label."""
        disk = Disk(self.folder / name.replace(" ", "-"))
        argv = place.command("--root", str(disk.root), "--ros", "/nowhere/ros", *FLAGS)
        return Case(name, argv, environ, disk.first_boot, status=5)

    def _of_others(self) -> Iterator[Case]:
        python = str(self.others / "python")
        for ms in DELAYS:
            keys = [key for key in INSTANCE["tags"] if key != "Name"]
            code = f"ENDPOINT, KEYS = {self.servers.imds[ms]!r}, {keys!r}\n{_EC2_METADATA}"
            yield Case(f"ec2-metadata, the same fields, {ms} ms", [python, "-I", "-c", code], {})
        environ = {
            "PATH": "/usr/bin:/bin",
            "AWS_ACCESS_KEY_ID": "benchmark",
            "AWS_SECRET_ACCESS_KEY": "benchmark",
            "AWS_DEFAULT_REGION": "eu-west-1",
            "AWS_CONFIG_FILE": "/dev/null",
            "AWS_ENDPOINT_URL_EC2": self.servers.api[0],
        }
        command = [python, "-I", str(self.others / "aws"), "ec2", "describe-tags", "--filters"]
        filters = f"Name=resource-id,Values={INSTANCE['instance_id']}"
        yield Case("aws ec2 describe-tags, 0 ms", [*command, filters], environ)
