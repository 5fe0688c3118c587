"""What the pages give to paste, on a machine that boots with it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from docs import boots, definitions
from docs.commands import commands
from docs.definitions import LABELS, CloudConfig, from_page
from docs.pages import Page
from rancheros_ec2_metadata import __version__
from rancheros_ec2_metadata.hosts.rancheros import paths

TAGS = {**definitions.TAGS, "hostname": "web-1"}
BOOTED = [one for one in definitions.cloud_configs() if definitions.NAME in one.services]


@pytest.mark.parametrize("config", BOOTED, ids=str)
def test_a_boot_with_it_labels_docker(config: CloudConfig, tmp_path: Path) -> None:
    with boots.machine(tmp_path, config.text, TAGS) as machine:
        machine.boot()
        assert machine.status == 0, machine.log
        assert machine.docker_labels() == LABELS
        assert machine.variables()["EC2_METADATA_STATUS"] == "complete"


def test_with_tokens_required_the_tag_names_the_machine_and_the_user_data_can_be_baked(
    tmp_path: Path,
) -> None:
    config = from_page("docs/tokens-required.md")
    with boots.machine(tmp_path, "", TAGS) as machine:
        # No user-data has arrived: RancherOS was answered with 401.
        machine.disk.path(f"{paths.CLOUD_CONFIG_D}/boot.yml").unlink()
        machine.disk.path(f"{paths.CLOUD_CONFIG_D}/00-image.yml").write_text(config.text)
        machine.boot()
        assert machine.docker_labels() == LABELS
        assert machine.in_effect()["hostname"] == "web-1"


def test_the_archive_that_is_baked_has_the_name_that_the_service_asks_for() -> None:
    page = Page("docs/baking-an-image.md")
    (made,) = (line for line in commands(page) if line.startswith("make preload"))
    wanted = from_page(page.name).services[definitions.NAME]["image"]
    assert made == f"make preload IMAGE={wanted.removesuffix(f':{__version__}')}"


def test_a_run_by_cron_has_the_flags_of_the_boot_and_changes_only_what_has_changed(
    tmp_path: Path,
) -> None:
    readme = from_page("README.md")
    (again,) = from_page("docs/cron.md").services.values()
    command = definitions.words(again["command"])
    assert command == definitions.words(readme.services[definitions.NAME]["command"])
    with boots.machine(tmp_path, readme.text, TAGS) as machine:
        machine.boot()
        booted = machine.disk.snapshot()
        machine.run(command)
        assert machine.disk.snapshot() == booted

        machine.imds.instance = replace(machine.imds.instance, tags={**TAGS, "docker.role": "db"})
        machine.run(command)
        assert machine.status == 0
        assert "labels changed: 'docker.role'" in machine.log
        assert machine.docker_labels() == {**LABELS, "docker.role": "db"}
        after = machine.disk.snapshot()
        changed = {name for name in after if after[name] != booted.get(name)}
        assert changed == {f"host{paths.DROP_IN}"}
