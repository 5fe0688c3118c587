"""What `plan` prints, as text and as JSON, and that it writes nothing at all."""

from __future__ import annotations

import json
import os
import re
from dataclasses import replace
from typing import Any

import jsonschema  # type: ignore[import-untyped] # it has no stubs of its own
import pytest

from docs.pages import Page
from e2e import program
from e2e.answering_api import DENIED, AnsweringApi
from machine import MachineDisk
from rancheros_ec2_metadata.fake_ec2.server import FakeImds
from rancheros_ec2_metadata.hosts.rancheros import paths

PAGE = Page("docs/plan.md")
(SCHEMA,) = (json.loads(block.text) for block in PAGE.blocks if block.language == "json")
EVERYTHING = (
    *("-l", "host:hostname", "-l", "port:rancher.ssh.port", "-l", "db:DB", "-l", "none:NONE"),
    *("--set", "URL=http://{DB}", "-t", "docker.", "-t", "com.docker.", "--status-label"),
    *("--metadata-labels", "instance-type,public-ipv4"),
)
TAGS = {
    "docker.role": "web",
    "docker.motto": "caf\u00e9; $(touch x)\n\x1b[2J",
    "com.docker.x": "1",
    "host": "web-1",
    "port": "x",
    "db": "db.internal",
}
SECRET = "hunter2-of-nobody"
LOCAL = f"""\
ssh_authorized_keys: [{SECRET}]
rancher:
  ssh: {{keys: {{rsa: {SECRET}}}}}
  docker: {{extra_args: ['--log-opt=token={SECRET}', '--label=docker.role={SECRET}']}}
  environment:
    DB: {SECRET}
    AWS_INSTANCE_ID: {SECRET}
    MINE: {SECRET}
"""


def document(disk: MachineDisk, *arguments: str, status: int, imds: FakeImds) -> dict[str, Any]:
    """Run `plan --format json`, and return what it prints, held to the schema."""
    ran = program.run(disk, "plan", "--format=json", *arguments, imds=imds)
    assert ran.status == status, ran.err
    found: dict[str, Any] = json.loads(ran.out)
    jsonschema.validate(found, SCHEMA, cls=jsonschema.Draft202012Validator)
    assert found["exit_status"] == status
    return found


def actions(items: list[dict[str, Any]]) -> dict[str, str]:
    return {one["name"]: one["action"] for one in items}


def test_the_schema_leaves_nothing_open_and_the_page_has_each_field() -> None:
    schemas = [SCHEMA, *SCHEMA["$defs"].values()]
    schemas += [one["items"] for one in SCHEMA["properties"].values() if "items" in one]
    found = [one for one in schemas if "properties" in one]
    assert len(found) == 8
    for schema in found:
        assert schema["additionalProperties"] is False
        assert sorted(schema["required"]) == sorted(schema["properties"])
    table = PAGE.table("field |")
    assert [name for name in SCHEMA["properties"] if f"`{name}`" not in table] == []


def test_a_first_boot_and_later_ones_are_told_as_the_schema_says(
    disk: MachineDisk, imds: FakeImds
) -> None:
    imds.instance = replace(imds.instance, tags=TAGS)
    found = document(disk, *EVERYTHING, status=10, imds=imds)
    assert (found["instance_id"], found["outcome"]) == (imds.instance.instance_id, "complete")
    assert {one["name"]: (one["after"], one["source"]["kind"]) for one in found["labels"]} == {
        "aws.instance-type": ("m5.large", "metadata"),
        "docker.role": ("web", "tag"),
        "docker.motto": (TAGS["docker.motto"], "tag"),
        "ec2-metadata.status": ("complete", "outcome"),
    }
    assert {(one["kind"], one["name"]) for one in found["left_out"]} == {
        ("label", "com.docker.x"),
        ("label", "aws.public-ipv4"),
        ("variable", "NONE"),
        ("config path", "rancher.ssh.port"),
    }
    sources = {(one["source"]["kind"], one["source"]["name"]) for one in found["variables"]}
    assert sources >= {("tag", "db"), ("set", "URL"), ("metadata", "AWS_INSTANCE_ID")}
    assert actions(found["config"]) == {"hostname": "add"}
    (arguments,) = found["arguments"]
    assert arguments["items"][0] == {"action": "unchanged", "text": "--debug", "source": None}

    assert program.run(disk, *EVERYTHING, imds=imds).status == 0
    again = document(disk, *EVERYTHING, status=0, imds=imds)
    assert (again["would_change"], again["files"]) == (False, [])
    assert {*actions(again["labels"]).values(), *actions(again["variables"]).values()} == {
        "unchanged"
    }
    imds.instance = replace(imds.instance, tags={"docker.role": "db", "docker.new": "1"})
    later = document(disk, *EVERYTHING, status=10, imds=imds)
    assert actions(later["labels"]) == {
        "aws.instance-type": "unchanged",
        "docker.motto": "remove",
        "docker.new": "add",
        "docker.role": "change",
        "ec2-metadata.status": "unchanged",
    }
    assert actions(later["config"]) == {"hostname": "remove"}


def test_what_is_overridden_and_what_is_refused_is_told_with_the_layer(
    disk: MachineDisk, imds: FakeImds
) -> None:
    disk.cloud_config("rancher: {environment: {AWS_REGION: mine}}\n")
    found = document(disk, status=10, imds=imds)
    overridden = {one["name"]: one["overridden_by"] for one in found["variables"]}
    assert overridden["AWS_REGION"] == "cloud-config.yml"
    disk.write(paths.COMMAND_LINE, "rancher.docker.extra_args=[--x]\n")
    refused = document(disk, status=5, imds=imds)
    assert (refused["labels"], refused["outcome"]) == ([], "partial")
    assert [one["level"] for one in refused["notes"] if "no label" in one["text"]] == ["error"]
    # Not one plan is another than the run.
    program.run(disk, imds=imds)
    assert document(disk, status=5, imds=imds)["files"] == []


def test_on_a_machine_that_is_not_on_ec2_all_is_removed(disk: MachineDisk, imds: FakeImds) -> None:
    program.run(disk, imds=imds)
    program.elsewhere(disk)
    ran = program.run(disk, "plan", "--format=json")
    found = json.loads(ran.out)
    jsonschema.validate(found, SCHEMA)
    assert (ran.status, found["exit_status"], found["instance_id"]) == (3, 3, None)
    everything = {**actions(found["labels"]), **actions(found["variables"])}
    assert {*everything.values()} == {"remove"}


def test_where_a_run_fails_in_part_the_report_comes_all_the_same(
    disk: MachineDisk, imds: FakeImds
) -> None:
    imds.instance = replace(imds.instance, tags_in_metadata=False, role="node")
    with AnsweringApi(DENIED) as api:
        for form in ("text", "json"):
            ran = program.run(
                *(disk, "plan", f"--format={form}"), imds=imds, AWS_ENDPOINT_URL_EC2=api.url
            )
            assert ran.status == 4
            assert "AWS_INSTANCE_TYPE" in ran.out
            assert [line for line in ran.log if "exit" in line] == [ran.log[-1]]
            assert ran.log[-1] == "nothing was written; exit 4"
    found = json.loads(ran.out)
    assert (found["exit_status"], found["outcome"]) == (4, "partial")
    assert any("ec2:DescribeTags" in note["text"] for note in found["notes"])


@pytest.mark.parametrize("form", ["text", "json"])
def test_no_value_of_cloud_config_yml_is_printed_and_no_tag_as_it_is(
    disk: MachineDisk, imds: FakeImds, form: str
) -> None:
    imds.instance = replace(imds.instance, tags=TAGS)
    disk.cloud_config(LOCAL)
    before = program.run(disk, "plan", f"--format={form}", *EVERYTHING, imds=imds)
    program.run(disk, *EVERYTHING, imds=imds)
    after = program.run(disk, "plan", f"--format={form}", "-t", "x.", imds=imds)
    cleaned = program.run(disk, "clean", "--legacy", "--dry-run")
    assert (before.status, after.status, cleaned.status) == (10, 10, 10)
    for ran in (before, after, cleaned):
        assert SECRET not in ran.out + ran.err
        assert all(line.isprintable() for line in ran.out.splitlines())
    assert "--log-opt" in before.out
    assert "docker.motto" in before.out


def test_the_text_of_the_page_is_what_is_printed(disk: MachineDisk, imds: FakeImds) -> None:
    (sample,) = (block.text for block in PAGE.blocks if block.language == "text")
    (flags,) = re.findall(r"with the flags\n`(.*?)`", PAGE.text)
    tags = {"docker.role": "web", "com.docker.x": "1", "example.db.host": "db.internal"}
    imds.instance = replace(imds.instance, tags={**tags, "example.host": "web-1"})
    disk.user_data("rancher: {docker: {extra_args: [--debug, --label=docker.role=db]}}\n")
    ran = program.run(disk, "plan", *flags.split(), imds=imds, AWS_METADATA_LOAD="false")
    assert ran.status == 10
    assert ran.out.partition("\n\n")[2] == sample


def attributes(disk: MachineDisk) -> dict[str, tuple[int, ...]]:
    """Return all of each file and folder that a write could change, its time of reading left out.

    A file that was made and removed again shows in its folder's times. Not those of the container's
    memory: the copy is made there.
    """
    found: dict[str, tuple[int, ...]] = {}
    for path in (disk.root, *disk.root.rglob("*")):
        if "shm" not in path.parts:
            at = os.lstat(path)
            found[str(path)] = (at.st_ino, at.st_mode, at.st_size, at.st_mtime_ns, at.st_ctime_ns)
    return found


def test_nothing_is_written_not_even_for_a_moment(disk: MachineDisk, imds: FakeImds) -> None:
    disk.cloud_config("rancher: {docker: {extra_args: [--mine]}}\n")
    leftover = f"{paths.CLOUD_CONFIG_D}/.ec2-metadata.tmp.zz-ec2-metadata.yml"
    disk.write(leftover, "of a run that was killed")
    before = attributes(disk)
    assert program.run(disk, "plan", imds=imds).status == 10
    assert attributes(disk) == before
    assert program.run(disk, imds=imds).status == 0
    imds.instance = replace(imds.instance, tags={"docker.role": "db"})
    applied = attributes(disk)
    assert program.run(disk, "plan", imds=imds).status == 10
    assert attributes(disk) == applied != before
