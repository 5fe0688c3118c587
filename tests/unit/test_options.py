from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest

from rancheros_ec2_metadata import command_line, options
from rancheros_ec2_metadata.command_line import COMMANDS
from rancheros_ec2_metadata.errors import SEVERITY, ExitStatus, UsageError
from rancheros_ec2_metadata.options import OPTIONS
from rancheros_ec2_metadata.plan.last_known_good import Outcome
from rancheros_ec2_metadata.settings import (
    EnvPrefix,
    ImdsSettings,
    Settings,
    TagMapping,
    Template,
)

REFERENCE = (Path(__file__).parents[2] / "docs/reference.md").read_text("utf-8")
TWO = (TagMapping("a.b", "A"), TagMapping("x:y", "B"))


def read(*arguments: str, **environ: str) -> Settings:
    environ.setdefault("AWS_METADATA_ROS", "none")
    return command_line.parse(arguments, environ).settings


@pytest.mark.parametrize(
    ("arguments", "environ", "expected"),
    [
        # As the tool of 2016 has them.
        (["-m"], {}, {"metadata": True, "label_prefixes": ("docker.",)}),
        ([], {}, {"metadata": True, "label_prefixes": ("docker.",)}),
        (["-t", "a.", "-t", "b."], {}, {"label_prefixes": ("a.", "b.")}),
        (["-t", ""], {}, {"label_prefixes": ("",)}),
        (["-l", "a.b:A", "-e", "x:y:B"], {}, {"mappings": TWO}),
        (["--tag-variable=a.b:A", "-lx:y:B"], {}, {"mappings": TWO}),
        ([], {"LOAD": "false", "DEBUG": ""}, {"metadata": False, "debug": False}),
        # A list in a variable.
        ([], {"TAG_PREFIXES": "a.;b."}, {"label_prefixes": ("a.", "b.")}),
        ([], {"TAG_PREFIXES": ";a.;;b."}, {"label_prefixes": ("a.", "b.")}),
        ([], {"TAG_PREFIXES": ";"}, {"label_prefixes": ()}),
        ([], {"TAG_VARIABLES": "a.b:A;x:y:B;"}, {"mappings": TWO}),
        ([], {"TAG_VARIABLES": " a.b:A ;x:y:B ;"}, {"mappings": TWO}),
        ([], {"TAG_VARIABLES": "a.b:A;\n  x:y:B;\n"}, {"mappings": TWO}),
        ([], {"LABELS": "region, ami-id"}, {"metadata_labels": ("region", "ami-id")}),
        # White space: nothing in a variable, the tag's in a flag.
        ([], {"TAG_PREFIXES": " ", "LOAD": "\n"}, {"label_prefixes": ("docker.",)}),
        (["-t", "my team "], {}, {"label_prefixes": ("my team ",)}),
        # A flag that is given beats its variable.
        (["-m"], {"LOAD": "no"}, {"metadata": True}),
        (["-l", "a.b:A", "-l", "x:y:B"], {"TAG_VARIABLES": "y:Y"}, {"mappings": TWO}),
        # All others.
        (["--env-prefix=e.:E_"], {}, {"env_prefixes": (EnvPrefix("e.", "E_"),)}),
        (["--set", "A=b"], {}, {"templates": (Template("A", "b"),)}),
        (["--metadata-labels", "region,ami-id"], {}, {"metadata_labels": ("region", "ami-id")}),
        (["--require-tag=r"], {}, {"require_tags": ("r",)}),
        (["--deadline=30"], {}, {"deadline": 30}),
        (["--tags=api", "--status-label"], {}, {"tags": "api", "status_label": True}),
        (["--root=/x", "--ros=/y/ros"], {}, {"root": Path("/x"), "ros": Path("/y/ros")}),
        (["--env-file=/opt/ec2.env"], {}, {"env_file": "/opt/ec2.env"}),
        ([], {}, {"imds": ImdsSettings(v1=True)}),
        (["--imds=v2"], {}, {"imds": ImdsSettings(v1=False)}),
        ([], {"IMDS": "v2"}, {"imds": ImdsSettings(v1=False)}),
        # A command that does not take it does not read it.
        (["status"], {"DEADLINE": "soon", "ROOT": "/x"}, {"root": Path("/x"), "deadline": 120}),
    ],
)
def test_flags_and_variables_are_settings(
    arguments: list[str], environ: dict[str, str], expected: dict[str, Any]
) -> None:
    settings = read(*arguments, **{f"AWS_METADATA_{k}": text for k, text in environ.items()})
    assert {name: getattr(settings, name) for name in expected} == expected


@pytest.mark.parametrize(
    ("arguments", "environ", "named"),
    [
        (["-l", "nonsense"], {}, ["-l", "'nonsense'"]),
        (["-l", "tag:rancher.console"], {}, ["-l", "'rancher.console'"]),
        ([], {"AWS_METADATA_TAG_VARIABLES": "a:B;c:1"}, ["AWS_METADATA_TAG_VARIABLES", "'c:1'"]),
        ([], {"AWS_METADATA_LOAD": "maybe"}, ["AWS_METADATA_LOAD", "'maybe'"]),
        (["--deadline", "0"], {}, ["--deadline", "'0'"]),
        (["--deadline", "nan"], {}, ["--deadline", "'nan'"]),
        (["--deadline", "soon"], {}, ["--deadline", "'soon'"]),
        (["clean", "--deadline", "86401"], {}, ["--deadline", "'86401'"]),
        ([], {"AWS_METADATA_DEADLINE": "1e300"}, ["AWS_METADATA_DEADLINE", "'1e300'"]),
        (["--tags", "x"], {}, ["--tags", "'x'", "auto, imds, api, none"]),
        (["--metadata-labels", "nope"], {}, ["--metadata-labels", "'nope'"]),
        (["--require-tag", ""], {}, ["--require-tag"]),
        (["--set", "A"], {}, ["--set", "'A'"]),
        (["--env-file", "x"], {}, ["--env-file", "'x'"]),
        ([], {"AWS_METADATA_ENV_FILE": "/proc/x"}, ["AWS_METADATA_ENV_FILE", "'/proc/x'"]),
        (["apply", "-t"], {}, ["-t"]),
        (["show", "--format", "xml"], {}, ["--format", "xml", "yaml"]),
        (["clean", "--legacy=yes"], {}, ["--legacy"]),
        (["fake-imds"], {}, ["--listen"]),
        (["check"], {}, ["FILE"]),
        # The nearest word.
        (["plna"], {}, ["unknown command 'plna'; did you mean 'plan'?"]),
        (["zzz"], {}, ["unknown command 'zzz'"]),
        (["--dedline=9"], {}, ["apply has no flag '--dedline'; did you mean '--deadline'?"]),
        (["clean", "--legcay"], {}, ["did you mean '--legacy'?"]),
        (["--metadat"], {}, ["no flag '--metadat'", "--metadata"]),
        (["plan", "apply"], {}, ["plan takes no argument 'apply'"]),
        # A flag of another command.
        (["show", "-l", "a:B"], {}, ["show has no flag '-l'"]),
        (["status", "--deadline=9"], {}, ["status has no flag '--deadline'"]),
        (["plan", "--dry-run"], {}, ["plan has no flag '--dry-run'"]),
        (["--legacy"], {}, ["apply has no flag '--legacy'"]),
        (["demo", "--tags=api"], {}, ["demo has no flag '--tags'"]),
        # AWS's own.
        ([], {"AWS_EC2_METADATA_SERVICE_ENDPOINT": "imds"}, ["SERVICE_ENDPOINT", "'imds'"]),
        ([], {"AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE": "v5"}, ["ENDPOINT_MODE", "'v5'"]),
        ([], {"AWS_ENDPOINT_URL_EC2": "ftp://x"}, ["AWS_ENDPOINT_URL_EC2", "'ftp://x'"]),
    ],
)
def test_a_wrong_one_is_named_with_the_text_that_is_wrong(
    arguments: list[str], environ: dict[str, str], named: list[str]
) -> None:
    with pytest.raises(UsageError) as caught:
        read(*arguments, **environ)
    assert [text for text in named if text not in str(caught.value)] == []


def test_a_variable_that_nobody_reads_is_named_with_the_one_that_may_be_meant() -> None:
    environ = ["AWS_METADATA_TAGPREFIXES", "AWS_METADATA_TAGS", "HOME", "AWS_METADATA_0"]
    zero, near = [note.text for note in options.find_unknown_variables(environ)]
    assert zero == "unknown variable AWS_METADATA_0: ignored"
    assert near.endswith(
        "AWS_METADATA_TAGPREFIXES: ignored; did you mean 'AWS_METADATA_TAG_PREFIXES'?"
    )


@pytest.mark.parametrize("name", ["AWS_EC2_METADATA_SERVICE_ENDPOINT", "AWS_ENDPOINT_URL_EC2"])
@pytest.mark.parametrize("url", ["http://user:pass/word@host", "secret@host"])
def test_an_address_with_a_password_is_wrong_and_not_shown(name: str, url: str) -> None:
    with pytest.raises(UsageError) as caught:
        read(**{name: url})
    assert name in str(caught.value)
    assert "host" not in str(caught.value)


def test_awss_own_variables_are_read_as_its_sdks_read_them() -> None:
    settings = read(
        AWS_EC2_METADATA_SERVICE_ENDPOINT="http://imds",
        AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE="ipv6",
        AWS_EC2_METADATA_DISABLED="True",
        AWS_EC2_METADATA_V1_DISABLED="true",
        AWS_ENDPOINT_URL_EC2="https://ec2",
        AWS_CA_BUNDLE="/ca",
        AWS_USE_FIPS_ENDPOINT="true",
        AWS_USE_DUALSTACK_ENDPOINT="1",
    )
    imds, api = settings.imds, settings.api
    assert imds == ImdsSettings("http://imds", "IPv6", disabled=True, v1=False)
    assert (api.endpoint, api.ca_bundle) == ("https://ec2", "/ca")
    assert (api.fips, api.dualstack) == (True, False)
    # By commands that ask EC2.
    assert read("status", AWS_ENDPOINT_URL_EC2="of no use") == read("status")


def test_ros_is_looked_for_on_this_machine_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ros = tmp_path / "ros"
    ros.write_text("#!/bin/sh\n")
    ros.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert command_line.parse([], {}).settings.ros == ros
    assert command_line.parse([], {"AWS_METADATA_ROS": "none"}).settings.ros is None
    assert command_line.parse(["--root=/elsewhere"], {}).settings.ros is None


def section(title: str) -> str:
    """Return a section of the reference."""
    return REFERENCE.partition(f"\n## {title}\n")[2].partition("\n## ")[0].replace("\\|", "/")


def rows(title: str) -> Iterator[list[str]]:
    """Yield the cells of each row in a section's tables, titles aside."""
    for line in section(title).splitlines():
        if line.startswith("|") and not line.startswith(("|---", "| flag", "| status")):
            yield [cell.strip() for cell in line.strip("|").split("|")]


def test_the_reference_has_each_flag_with_its_variable_and_the_commands_that_take_it() -> None:
    found = {}
    for flags, variable, *more in rows("Flags and variables of the run"):
        if flags.startswith("`-"):
            names = tuple(re.findall(r"(?<![\w/-])-[\w-]+", flags))
            found[names] = variable.strip("`"), tuple(re.findall(r"[a-z-]+", more[0]))
    assert found == {option.flags: (option.variable, option.commands) for option in OPTIONS}


def test_the_reference_has_every_command_with_the_flags_of_its_own() -> None:
    found: dict[str, set[str]] = {}
    for commands, *more in rows("Commands"):
        for name in re.findall(r"`([a-z-]+)", commands):
            flags = found.setdefault(name, set())
            flags.update(re.findall(r"--[a-z-]+|FILE…", commands if len(more) == 1 else more[0]))
    assert found == {
        name: {
            "FILE…" if flag == "files" else flag
            for flag, _ in command.arguments
            if flag.startswith("-") or flag == "files"
        }
        for name, command in COMMANDS.items()
    }


def test_the_reference_has_every_exit_status_and_which_of_several_counts() -> None:
    said = section("Exit statuses")
    assert re.findall(r"^\| (\d+) \|", said, re.MULTILINE) == [f"{one:d}" for one in ExitStatus]
    assert f"in the order {', '.join(f'{one:d}' for one in SEVERITY)} counts" in said


def test_the_reference_and_the_help_say_what_the_defaults_are() -> None:
    defaults = {"--tag-prefix": "docker.", "--deadline": "120"}
    settings = Settings()
    assert (settings.label_prefixes, settings.deadline) == (("docker.",), 120)
    in_rows = {}
    for flags, *_, meaning in rows("Flags and variables of the run"):
        if found := re.search(r"Default `?([\w.]*\w\.?)`?[,.]", meaning + "."):
            in_rows[re.findall(r"--[a-z-]+", flags)[0]] = found[1]
    in_help = {
        option.flags[-1]: found[1]
        for option, text in OPTIONS.items()
        if (found := re.search(r"\(default ([\w.]+)", text))
    }
    assert {flag: in_rows[flag] for flag in defaults} == defaults
    assert {flag: in_help[flag] for flag in defaults} == defaults


@pytest.mark.parametrize("page", ["docs/reference.md", "README.md"])
def test_the_pages_name_every_outcome(page: str) -> None:
    text = (Path(__file__).parents[2] / page).read_text("utf-8")
    said = text.partition("`EC2_METADATA_STATUS` ")[2].partition("\n\n")[0].partition("none`")
    assert re.findall(r"`([a-z]+)`", "".join(said[:2])) == list(get_args(Outcome))
