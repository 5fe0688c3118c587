"""The service file and every copy of it in the pages: checked against what RancherOS does."""

from __future__ import annotations

import re

import pytest
import yaml

from docs import definitions
from docs.definitions import CloudConfig, Definition, cloud_configs
from docs.pages import ROOT
from rancheros_ec2_metadata import __version__
from rancheros_ec2_metadata.options import OPTIONS
from ros_stand_in import RELEASES
from ros_stand_in.config_structs import Series, cloud_config
from ros_stand_in.loading import Disk, load
from ros_stand_in.os_config import os_config
from ros_stand_in.yaml_reading import read_map
from ros_stand_in.yaml_writing import write_document

# As the libcompose that RancherOS is built with has them: other keys are lost.
_SERVICES = cloud_config(Series.V1_5_8)["rancher"]["services"]
COMPOSE_V1_KEYS = _SERVICES[1][1].keys()
LABELS = {
    "io.rancher.os.scope": "system",
    "io.rancher.os.detach": "false",
    "io.rancher.os.after": "network",
    "io.rancher.os.before": "console",
    "io.rancher.os.reloadconfig": "true",
}
# A service that is made at boot, and started by RancherOS's own system-cron.
CRON_LABELS = {
    "io.rancher.os.scope": "system",
    "io.rancher.os.createonly": "true",
    "io.rancher.os.before": "system-cron",
}
VOLUMES = {
    "/usr/bin/ros:/usr/bin/ros:ro",
    "/usr/share/ros:/usr/share/ros:ro",
    "/var/lib/rancher/conf:/host/var/lib/rancher/conf",
    "/etc/docker:/host/etc/docker:ro",
}

every_definition = pytest.mark.parametrize("one", list(definitions.definitions()), ids=str)
every_cloud_config = pytest.mark.parametrize("config", list(cloud_configs()), ids=str)


@every_definition
def test_rancheros_waits_for_it_or_runs_it_by_cron_and_it_has_no_privilege(one: Definition) -> None:
    service = one.service
    assert service.keys() <= COMPOSE_V1_KEYS
    labels = dict(service["labels"])
    assert all(isinstance(value, str) for value in labels.values())
    if one.by_cron:
        assert len(labels.pop("cron.schedule").split()) == 6, "the first is the second"
        assert labels == CRON_LABELS
    elif one.source.startswith("docs/before-docker.md"):
        assert labels == LABELS | {"io.rancher.os.before": "docker"}
    else:
        assert labels == LABELS
    assert (service["net"], service["read_only"], service["cap_drop"]) == ("host", True, ["ALL"])
    assert set(service["volumes"]) == VOLUMES
    assert not service.keys() & {"privileged", "cap_add", "devices", "security_opt", "pid", "ipc"}


@every_definition
def test_its_image_is_this_version_by_name(one: Definition) -> None:
    assert one.service["image"].endswith(f"/{definitions.IMAGE}:{__version__}")


@every_definition
def test_the_program_takes_its_command(one: Definition) -> None:
    definitions.settings(one.service["command"], "--ros=none")


@every_definition
def test_it_names_variables_singly(one: Definition) -> None:
    names = one.service.get("environment", [])
    assert all(re.fullmatch(r"\w+", name) for name in names)
    assert len(set(names)) == len(names)


def test_the_service_file_names_every_variable_of_the_program_and_those_of_aws() -> None:
    (file,) = (d for d in definitions.definitions() if d.source == "service/ec2-metadata.yml")
    ours = {option.variable for option in OPTIONS}
    page = (ROOT / "docs/reference.md").read_text("utf-8")
    table = page.partition("These are AWS's own")[2].partition("\n\n|")[2].partition("\n\n")[0]
    names = [row.split("|")[1] for row in table.splitlines() if row.startswith("| `")]
    of_aws = {name.strip(" `") for cell in names for name in cell.split(",")}
    assert len(of_aws) > 5
    assert set(file.service["environment"]) == ours | of_aws


def test_the_service_file_holds_one_service_and_nothing_that_rancheros_replaces() -> None:
    text = definitions.SERVICE_FILE.read_text("utf-8")
    assert list(yaml.safe_load(text)) == [definitions.NAME]
    assert "$" not in text
    assert text.isascii()
    # RancherOS reads a service file, writes it anew and reads that.
    assert read_map(write_document(read_map(text))) == yaml.safe_load(text)


@every_cloud_config
def test_no_service_waits_for_a_variable_to_be_put_into_it(config: CloudConfig) -> None:
    # Names are looked up in environment: alone; anything else is passed on as it is written.
    texts = {k: v for k, v in config.services.items() if "$" in yaml.safe_dump(v)}
    assert texts == {}


@pytest.mark.parametrize("release", RELEASES)
@every_cloud_config
def test_every_release_reads_it_as_it_is_written(config: CloudConfig, release: str) -> None:
    assert config.text.isascii(), "what ros makes of other characters differs by release"
    files = {"cloud-config.d/boot.yml": config.text.encode()}
    loaded = load(Disk(files, os_config(release)), release)
    assert (loaded.errors, loaded.unreadable) == ((), "")
    assert read_map(config.text) == yaml.safe_load(config.text)
