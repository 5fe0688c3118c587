"""Every command in the pages is run here, or is in docs/evidence with the reason."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from docs import definitions, templates
from docs.commands import (
    ELSEWHERE,
    NOT_RUN,
    commands,
    everything,
    in_sentences,
    run_here,
    why_not,
)
from docs.definitions import from_page
from docs.machine_shell import Shell
from docs.pages import ROOT, Page, pages
from e2e import program
from rancheros_ec2_metadata.fake_ec2.data import FakeInstance
from rancheros_ec2_metadata.fake_ec2.server import FakeImds
from rancheros_ec2_metadata.hosts.rancheros import paths

LABELS = [f"{key}={value}" for key, value in definitions.LABELS.items()]
# Statuses of single commands that are not 0, and why.
STATUSES = {
    # The flags on the page are not those of the machine's service.
    ("docs/troubleshooting.md", "plan -m"): 10,
    ("docs/upgrade.md", "plan -m"): 10,
    ("docs/removing.md", "clean --dry-run"): 10,
    # No run has ended on that machine.
    ("README.md", "status"): 5,
    ("docs/plain-hosts.md", "status"): 5,
    ("docs/plain-hosts.md", "plan"): 10,
}
# What the 2016 tool has left on a machine.
LEGACY = """\
rancher:
  docker:
    args: [daemon, --label, docker.role=old]
  environment:
    AWS_INSTANCE_ID: i-00000000
    AWS_ACCESS_KEY_ID: ASIAOLD
    AWS_SECRET_ACCESS_KE: old
    OPERATORS: own
  services_include:
    amazon-metadata: true
"""


README = from_page("README.md").text
PAGES = [page for page in pages() if run_here(page)]


@pytest.fixture
def imds() -> Iterator[FakeImds]:
    with FakeImds(FakeInstance(tags=definitions.TAGS, role="node")) as running:
        yield running


@pytest.fixture
def shell(tmp_path: Path, imds: FakeImds) -> Shell:
    """A machine with the README's user-data."""
    return Shell(tmp_path, imds, README)


def run_all(shell: Shell, page: Page) -> str:
    """Run the commands of a page, and return what they print."""
    printed = ""
    for command in run_here(page):
        expected = next(
            (
                status
                for (name, end), status in STATUSES.items()
                if name == page.name and command.endswith(end)
            ),
            0,
        )
        done = shell.run(command)
        assert done.returncode == expected, f"{command}\n{done.stdout}{done.stderr}"
        printed += done.stdout + done.stderr
    return printed


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_works_on_a_machine_that_has_the_service(shell: Shell, page: Page) -> None:
    (shell.home / "rancheros-ec2-metadata-1.0.0.tar.gz").touch()
    for name in ("00-image.yml", "user-data.yml"):
        (shell.home / name).write_text(README)
    shell.boot()
    assert shell.docker_labels == LABELS
    run_all(shell, page)


def test_make_demo_plays_its_boot(tmp_path: Path) -> None:
    # The environment of the demo is this one; everything else is as in the Makefile.
    (tmp_path / "bin").mkdir()
    python = tmp_path / "bin/python"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    (tmp_path / "made").touch()
    make = ["make", "demo", f"RUN={tmp_path}"]
    done = program.ended(make, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert "--label=docker.role=web" in done.stdout


def test_the_lists_have_no_command_that_no_page_has() -> None:
    named = [key.strip("`") for key in ELSEWHERE if not key.startswith("all of")]
    assert [command for command in named if command not in everything()] == []
    unused = [s for s in NOT_RUN if not any(line.startswith(s) for line in everything())]
    assert unused == []


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_a_command_in_a_sentence_is_run_somewhere_or_named(page: Page) -> None:
    known = [line.removeprefix("sudo ") for each in PAGES for line in run_here(each)]
    known += [key.strip("`").removeprefix("sudo ") for key in (*ELSEWHERE, *NOT_RUN)]
    # What is only the beginning of one (`ros service enable`) tells which is meant.
    unknown = [
        span
        for span in in_sentences(page)
        if why_not(span) is None
        and not any(line.startswith(span.removeprefix("sudo ")) for line in known)
    ]
    assert unknown == []


def test_what_runs_a_command_elsewhere_is_there() -> None:
    for where in ELSEWHERE.values():
        file, _, name = where.split("`")[1].partition("::")
        text = (ROOT / file).read_text("utf-8")
        assert not name or f"\ndef {name}(" in text, where


def test_removing_leaves_the_machine_as_it_was(shell: Shell) -> None:
    before = shell.disk.snapshot()
    shell.boot()
    assert shell.docker_labels == LABELS
    run_all(shell, Page("docs/removing.md"))
    assert shell.docker_labels == []
    after = shell.disk.snapshot()
    cloud_config = paths.CLOUD_CONFIG.lstrip("/")
    # What the page itself has set there is what is left.
    set_there = yaml.safe_load(after.pop(cloud_config)[1])["rancher"]
    assert set_there["services"] == {"ec2-metadata": {"command": "clean"}}
    assert {k: content for k, (_, content) in after.items()} == {
        k: content for k, (_, content) in before.items()
    }


def test_the_upgrade_takes_out_what_was_there_and_labels_docker(
    tmp_path: Path, imds: FakeImds
) -> None:
    shell = Shell(tmp_path, imds, None)
    shell.disk.cloud_config(LEGACY)
    shell.boot()
    printed = run_all(shell, Page("docs/upgrade.md"))
    assert "AWS_ACCESS_KEY_ID" in printed
    assert "ASIAOLD" not in printed
    shell.boot()
    assert shell.docker_labels == LABELS
    left = yaml.safe_load(shell.disk.path(paths.CLOUD_CONFIG).read_text())["rancher"]
    assert left["environment"] == {"OPERATORS": "own"}
    assert left["services_include"]["amazon-metadata"] is False
    assert "docker.role=old" not in str(left)


def test_an_instance_of_a_baked_image_has_its_own_values_and_its_own_user_data(
    shell: Shell, imds: FakeImds
) -> None:
    page = Page("docs/baking-an-image.md")
    (block,) = (b for b in page.blocks if b.text.startswith("#cloud-config"))
    (shell.home / "00-image.yml").write_text(block.text)
    (shell.home / "rancheros-ec2-metadata-1.0.0.tar.gz").touch()
    shell.boot()
    run_all(shell, page)
    made_on = imds.instance
    imds.instance = FakeInstance(instance_id="i-0fedcba9876543210", tags={"docker.role": "db"})
    shell.boot()
    assert shell.docker_labels == ["docker.role=db"]
    assert shell.disk.variables()["AWS_INSTANCE_ID"] != made_on.instance_id
    # The image's configuration gives way to the instance's user-data.
    assert "DB_HOST" not in shell.disk.variables()
    imds.instance = FakeInstance(instance_id="i-0fedcba9876543210", tags=definitions.TAGS)
    shell.disk.user_data(README)
    shell.boot()
    assert shell.disk.variables()["DB_HOST"] == "db.internal"


def test_rolling_back_to_the_old_tool_leaves_no_label_behind(shell: Shell) -> None:
    shell.boot()
    run_all(shell, Page("docs/rolling-back.md"))
    assert not shell.disk.path(paths.DROP_IN).exists()


@pytest.mark.parametrize("folder", ["classic-swarm", "swarm-mode"])
def test_the_parameters_that_are_given_are_those_of_the_template(folder: str) -> None:
    page = Page(f"examples/{folder}/README.md")
    (command,) = (line for line in commands(page) if line.startswith("aws cloudformation"))
    words = shlex.split(command)
    template = words[words.index("--template-file") + 1]
    assert template == f"examples/{folder}/group.yml"
    parameters = templates.parameters((ROOT / template).read_text("utf-8"))
    given = {w.partition("=")[0] for w in words[words.index("--parameter-overrides") + 1 :]}
    assert given <= parameters.keys()
    assert {name for name, default in parameters.items() if default is None} <= given
