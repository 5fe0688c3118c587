"""What `plan` prints, as text and as JSON, and that it writes nothing at all."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped] # it has no stubs of its own
import pytest

from docs.pages import Page
from e2e import program
from e2e.answering_api import DENIED, AnsweringApi
from machine import MachineDisk
from rancheros_ec2_metadata.fake_ec2.server import FakeImds
from rancheros_ec2_metadata.rancheros import disk as paths
from ros_stand_in.root_folder import executable

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
  environment: {{DB: {SECRET}, AWS_INSTANCE_ID: {SECRET}, MINE: {SECRET}}}
"""


def document(disk: MachineDisk, *arguments: str, status: int, imds: FakeImds) -> dict[str, Any]:
    """Run `plan --format json`, and return what it prints, held to the schema."""
    ran = program.run(disk, "plan", "--format=json", *arguments, imds=imds)
    assert ran.status == status, ran.err
    found: dict[str, Any] = json.loads(ran.out)
    jsonschema.validate(found, SCHEMA, cls=jsonschema.Draft202012Validator)
    assert found["exit_status"] == status
    return found


def objects(schema: Any) -> Iterator[dict[str, Any]]:
    """Yield each schema of an object."""
    if isinstance(schema, dict):
        if "properties" in schema and isinstance(schema["properties"], dict):
            yield schema
        for inner in schema.values():
            yield from objects(inner)


def test_the_schema_leaves_nothing_open() -> None:
    found = list(objects(SCHEMA))
    assert len(found) == 8
    for schema in found:
        assert schema["additionalProperties"] is False
        assert sorted(schema["required"]) == sorted(schema["properties"])


def test_the_page_says_what_each_field_of_the_document_is() -> None:
    table = PAGE.text.partition("\n| field |")[2].partition("\n\n")[0]
    assert all(f"`{name}`" in table for name in SCHEMA["properties"])


def test_a_first_boot_is_told_as_the_schema_says(disk: MachineDisk, imds: FakeImds) -> None:
    imds.instance = replace(imds.instance, tags=TAGS)
    found = document(disk, *EVERYTHING, status=10, imds=imds)
    assert found["instance_id"] == imds.instance.instance_id
    assert (found["outcome"], found["release"], found["would_change"]) == (
        *("complete", "v1.5.8"),
        True,
    )
    labels = {one["name"]: (one["after"], one["source"]["text"]) for one in found["labels"]}
    assert labels == {
        "aws.instance-type": ("m5.large", "metadata: identity document, instanceType"),
        "docker.role": ("web", "tag 'docker.role'"),
        "docker.motto": (TAGS["docker.motto"], "tag 'docker.motto'"),
        "ec2-metadata.status": ("complete", "the outcome of the run"),
    }
    left_out = {(one["kind"], one["name"]) for one in found["left_out"]}
    assert left_out == {
        ("label", "com.docker.x"),
        ("label", "aws.public-ipv4"),
        ("variable", "NONE"),
        ("config path", "rancher.ssh.port"),
    }
    assert {(one["kind"], one["name"]) for one in map(source, found["variables"])} >= {
        ("tag", "db"),
        ("set", "URL"),
        ("metadata", "AWS_INSTANCE_ID"),
        ("outcome", "EC2_METADATA_STATUS"),
    }
    assert [one["takes_effect"] for one in found["config"]] == ["next boot"]


def source(item: dict[str, Any]) -> dict[str, str]:
    found: dict[str, str] = item["source"]
    return found


def test_later_boots_are_told_as_the_schema_says_too(disk: MachineDisk, imds: FakeImds) -> None:
    imds.instance = replace(imds.instance, tags=TAGS)
    assert program.run(disk, *EVERYTHING, imds=imds).status == 0
    again = document(disk, *EVERYTHING, status=0, imds=imds)
    assert (again["would_change"], again["files"]) == (False, [])
    assert {one["change"] for one in again["labels"]} == {"stays"}
    imds.instance = replace(imds.instance, tags={"docker.role": "db"})
    disk.cloud_config(LOCAL)
    later = document(disk, *EVERYTHING, "--override-local", status=10, imds=imds)
    assert {one["change"] for one in later["labels"]} == {"stays", "changes", "goes"}
    disk.write(paths.COMMAND_LINE, "rancher.docker.extra_args=[--x]\n")
    shadowed = document(disk, status=5, imds=imds)
    assert shadowed["arguments"][0]["stronger_layer"] == "kernel command line"
    assert [one["level"] for one in shadowed["notes"] if "no label" in one["text"]] == ["error"]


def test_on_a_machine_that_is_not_on_ec2_all_goes(disk: MachineDisk, imds: FakeImds) -> None:
    program.run(disk, imds=imds)
    program.elsewhere(disk)
    ran = program.run(disk, "plan", "--format=json")
    found = json.loads(ran.out)
    jsonschema.validate(found, SCHEMA)
    assert (ran.status, found["exit_status"], found["instance_id"]) == (3, 3, None)
    assert {one["change"] for one in (*found["labels"], *found["variables"])} == {"goes"}


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


def test_a_required_tag_that_is_not_there_is_status_6_with_the_report(
    disk: MachineDisk, imds: FakeImds
) -> None:
    flags = ("--require-tag=docker.fleet", "--tags=imds", "--deadline=3")
    found = document(disk, *flags, status=6, imds=imds)
    assert [one["name"] for one in found["labels"]] == ["docker.role"]


def test_metadata_labels_and_the_status_label_are_shown(disk: MachineDisk, imds: FakeImds) -> None:
    ran = program.run(
        *(disk, "plan", "--status-label", "--metadata-labels", "instance-type,region,public-ipv4"),
        imds=imds,
    )
    assert ran.status == 10
    shown = ran.out.partition("LABELS, in force when Docker starts\n")[2].partition("\n\n")[0]
    assert shown.splitlines() == [
        "  comes    'aws.instance-type' = 'm5.large'",
        "           (metadata: identity document, instanceType)",
        "  comes    'aws.region' = 'eu-west-1'  (metadata: identity document, region)",
        "  comes    'docker.role' = 'web'  (tag 'docker.role')",
        "  comes    'ec2-metadata.status' = 'complete'  (the outcome of the run)",
    ]
    assert "label 'aws.public-ipv4' from metadata: public-ipv4: the instance does not" in ran.out


@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.parametrize("flags", [(), ("--override-local",)])
def test_no_value_of_cloud_config_yml_is_printed(
    disk: MachineDisk, imds: FakeImds, form: str, flags: Sequence[str]
) -> None:
    imds.instance = replace(imds.instance, tags=TAGS)
    disk.cloud_config(LOCAL)
    asked = ("plan", f"--format={form}", *EVERYTHING, *flags)
    before = program.run(disk, *asked, imds=imds)
    program.run(disk, *EVERYTHING, *flags, imds=imds)
    after = program.run(disk, "plan", f"--format={form}", "-t", "x.", imds=imds)
    assert (before.status, after.status) == (10, 10)
    for ran in (before, after):
        assert "--log-opt" in ran.out
        assert SECRET not in ran.out + ran.err


def test_no_tag_reaches_the_terminal_as_it_is(disk: MachineDisk, imds: FakeImds) -> None:
    imds.instance = replace(imds.instance, tags=TAGS)
    disk.user_data("rancher: {docker: {extra_args: [\"'\\e[2J'\"]}}\n")
    ran = program.run(disk, "plan", *EVERYTHING, imds=imds)
    assert "docker.motto" in ran.out
    assert all(line.isprintable() for line in ran.out.splitlines())


def test_where_only_ros_tells_the_release_it_is_asked_as_in_a_run(
    tmp_path: Path, imds: FakeImds
) -> None:
    disk = MachineDisk(tmp_path / "machine", version=None)
    ros = executable(tmp_path, disk.root, "v1.5.8")
    assert document(disk, "--ros", str(ros), status=10, imds=imds)["release"] == "v1.5.8"
    unknown = document(disk, "--ros", "none", status=5, imds=imds)
    assert unknown["release"] is None
    assert any("/usr/share/ros" in note["text"] for note in unknown["notes"])


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

    A file that was made and removed again shows in its folder's times.
    """
    found: dict[str, tuple[int, ...]] = {}
    for path in (disk.root, *disk.root.rglob("*")):
        at = os.lstat(path)
        found[str(path)] = (at.st_ino, at.st_mode, at.st_size, at.st_mtime_ns, at.st_ctime_ns)
    return found


@pytest.mark.parametrize("form", ["text", "json"])
def test_nothing_is_written_not_even_for_a_moment(
    disk: MachineDisk, imds: FakeImds, form: str
) -> None:
    disk.cloud_config("rancher: {docker: {extra_args: [--mine]}}\n")
    leftover = f"{paths.CLOUD_CONFIG_D}/.ec2-metadata.tmp.zz-ec2-metadata.yml"
    disk.write(leftover, "of a run that was killed")
    before = attributes(disk)
    assert program.run(disk, "plan", f"--format={form}", imds=imds).status == 10
    assert attributes(disk) == before
    assert program.run(disk, imds=imds).status == 0
    imds.instance = replace(imds.instance, tags={"docker.role": "db"})
    applied = attributes(disk)
    assert program.run(disk, "plan", f"--format={form}", imds=imds).status == 10
    assert attributes(disk) == applied != before


@pytest.mark.real_parts
def test_on_a_read_only_disk_a_plan_is_as_on_any_other(disk: MachineDisk, imds: FakeImds) -> None:
    read_only = 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && ! touch "$0/x"'
    done = subprocess.run(
        [
            *("unshare", "--mount", "sh", "-c", f'{read_only} && exec "$@"', str(disk.root)),
            *program.command("plan", "--root", str(disk.root)),
        ],
        env=program.environment(AWS_EC2_METADATA_SERVICE_ENDPOINT=imds.url),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 10, done.stderr
    assert "'docker.role' = 'web'" in done.stdout
