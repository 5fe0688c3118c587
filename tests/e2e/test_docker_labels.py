"""The main job on real parts: tags in, and a real dockerd reports exactly them as its labels."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from failures import hostile
from failures.hostile import KEYS, VALUES
from failures.hostile_runs import carried
from rancheros_ec2_metadata.fake_ec2.data import FakeInstance
from rancheros_ec2_metadata.hosts.rancheros import paths
from real_parts.ec2_instance import Ec2Instance
from real_parts.moto_ec2 import REGION, MotoEc2
from real_parts.namespace import IMDS_IPV6, Namespace
from ros_stand_in.root_folder import reserialised

pytestmark = pytest.mark.real_parts

HOSTILE_VALUES = {
    f"docker.v{number:02}": value for number, value in enumerate(VALUES) if carried(value)
} | {"docker.role": "web"}
HOSTILE_KEYS = {f"docker.{key}": "x" for key in KEYS if carried(key) and "=" not in key}
# As many as an instance can have, each value as long as it can be; 96 KiB hold them quoted.
FIFTY = {f"docker.n{number:02}": ("x y'$;" * 43)[:250] + 'é語🐄\n\\"' for number in range(50)}
USER_DATA = """\
#cloud-config
rancher:
  docker:
    extra_args: [--debug, "--label=user.motto='kept as it is'", --label, docker.role=of-the-user]
"""
# XML, and so the API, cannot carry these as they are.
CONTROLS = re.compile("[\0-\x08\x0b-\x1f\x7f]")
USERS = {"user.motto": "kept as it is"}


@pytest.mark.parametrize("tags", [HOSTILE_VALUES, FIFTY], ids=["hostile", "50"])
def test_tags_of_the_metadata_service_are_dockers_labels(
    namespace: Namespace, tmp_path: Path, tags: Mapping[str, str]
) -> None:
    described = FakeInstance(tags={**tags, "unmapped": "x"})
    with Ec2Instance.started(namespace, described, tmp_path) as instance:
        instance.disk.user_data(USER_DATA)
        ran = instance.boot()
        assert ran.status == 0, ran.err
        assert ran.line("IMDSv2 at http://169.254.169.254")
        users = USERS if "docker.role" in tags else {**USERS, "docker.role": "of-the-user"}
        assert instance.docker_labels() == {**tags, **users}
    assert instance.docker_arguments()[:2] == ["--debug", "--label=user.motto='kept as it is'"]
    assert hostile.ran(tmp_path) == []


@pytest.mark.parametrize(
    "tags", [HOSTILE_VALUES, HOSTILE_KEYS, FIFTY], ids=["values", "keys", "50"]
)
def test_tags_of_the_api_are_dockers_labels(
    namespace: Namespace, moto_ec2: MotoEc2, tmp_path: Path, tags: Mapping[str, str]
) -> None:
    items = [(key, value) for key, value in tags.items() if not CONTROLS.search(key + value)]
    tags = dict(items[:50])
    instance_id = moto_ec2.launch(tags)
    described = FakeInstance(instance_id, REGION, role="node", tags_in_metadata=False)
    with Ec2Instance.started(namespace, described, tmp_path) as instance:
        instance.disk.user_data(USER_DATA)
        ran = instance.boot(AWS_ENDPOINT_URL_EC2=moto_ec2.endpoint, AWS_PROFILE="of-nobody")
        assert ran.status == 0, ran.err
        assert ran.line(f"{len(tags)} tags from the EC2 API")
        users = USERS if "docker.role" in tags else {**USERS, "docker.role": "of-the-user"}
        assert instance.docker_labels() == {**tags, **users}
    assert hostile.ran(tmp_path) == []


def test_a_boot_after_a_change_of_tags_labels_docker_anew(
    namespace: Namespace, moto_ec2: MotoEc2, tmp_path: Path
) -> None:
    instance_id = moto_ec2.launch({"docker.role": "web", "docker.old": "x"})
    described = FakeInstance(instance_id, REGION, role="node", tags_in_metadata=False)
    api = {"AWS_ENDPOINT_URL_EC2": moto_ec2.endpoint}
    with Ec2Instance.started(namespace, described, tmp_path) as instance:
        instance.disk.user_data(USER_DATA)
        instance.boot(**api)
        moto_ec2.untag(instance_id, "docker.old", "docker.role")
        moto_ec2.tag(instance_id, {"docker.new=": "cannot be one", "docker.new": "café"})
        ran = instance.boot(**api)
        assert ran.status == 0, ran.err
        assert ran.line("warning", "'docker.new='")
        expected = {"docker.new": "café", "docker.role": "of-the-user", **USERS}
        assert instance.docker_labels() == expected


def test_labels_outlive_that_the_system_writes_cloud_config_yml_anew(
    namespace: Namespace, tmp_path: Path
) -> None:
    with Ec2Instance.started(namespace, FakeInstance(tags=HOSTILE_VALUES), tmp_path) as instance:
        # The list is in this file, so our items are too; and `ros` leaves every `$` bare in it.
        instance.disk.cloud_config("rancher: {docker: {extra_args: [--label=mine=kept]}}\n")
        assert instance.boot().status == 0
        machine = instance.disk.root / "host"
        reserialised(machine, {"rancher": {"ssh": {"keys": {"rsa": "a\nb"}}}})
        before = instance.disk.snapshot()
        assert instance.boot().status == 0
        assert instance.disk.snapshot() == before
        assert instance.docker_labels() == {**HOSTILE_VALUES, "mine": "kept"}
    assert hostile.ran(tmp_path) == []


def test_an_instance_with_ipv6_only_is_labelled(tmp_path: Path) -> None:
    described = FakeInstance(
        local_ipv4=None, ipv6="2001:db8::12", tags={"docker.role": "web", "docker.motto": "é 'x'"}
    )
    with Namespace.opened() as namespace:
        # To the IPv4 address there is a route, and no answer: packets that nobody takes.
        for change in ("addr del 169.254.169.254/32", "route add 169.254.169.254/32"):
            assert namespace.run(["ip", *change.split(), "dev", "lo"]).returncode == 0
        with Ec2Instance.started(namespace, described, tmp_path, [IMDS_IPV6]) as instance:
            ran = instance.boot()
            assert ran.status == 0, ran.err
            assert ran.line("IMDSv2 at http://[fd00:ec2::254]")
            assert instance.docker_labels() == dict(described.tags)
            variables = instance.environment()
    assert variables["AWS_IPV6"] == "2001:db8::12"
    assert "AWS_LOCAL_IPV4" not in variables


def test_tags_of_an_auto_scaling_group_are_labels_and_variables_of_its_instance(
    namespace: Namespace, moto_ec2: MotoEc2, tmp_path: Path
) -> None:
    labels = {"docker.environment": "production", "docker.role": "web"}
    hosts = {"example.db.host": "db.example.com", "example.queue.host": "queue.example.com"}
    instance_id = moto_ec2.launch_by_group({**labels, **hosts})
    described = FakeInstance(instance_id, REGION, role="node", tags_in_metadata=False)
    # As the service is configured.
    flags = "-m -l example.db.host:DB_HOST -l example.queue.host:QUEUE_HOST"
    with Ec2Instance.started(namespace, described, tmp_path) as instance:
        ran = instance.boot(*flags.split(), AWS_ENDPOINT_URL_EC2=moto_ec2.endpoint)
        assert ran.status == 0, ran.err
        assert instance.docker_labels() == labels
        variables = instance.environment()
    assert variables["DB_HOST"] == "db.example.com"
    assert variables["QUEUE_HOST"] == "queue.example.com"
    assert variables["AWS_INSTANCE_ID"] == instance_id
    assert variables["AWS_AUTOSCALING_GROUP"].startswith("group-")
    assert variables["EC2_METADATA_STATUS"] == "complete"
    assert "example.db.host" not in instance.disk.path(paths.DROP_IN).read_text()
