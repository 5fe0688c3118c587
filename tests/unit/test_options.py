import argparse
import re
from pathlib import Path
from typing import get_args

import pytest

from rancheros_ec2_metadata import options
from rancheros_ec2_metadata.commands.table import COMMANDS
from rancheros_ec2_metadata.errors import SEVERITY, ExitStatus, UsageError
from rancheros_ec2_metadata.plan.kept import Outcome
from rancheros_ec2_metadata.settings import EnvPrefix, Settings, TagMapping


def read(*arguments: str, **environ: str) -> Settings:
    parser = options.Parser(allow_abbrev=False)
    options.add_to(parser)
    environ.setdefault("AWS_METADATA_ROS", "none")
    return options.settings(parser.parse_args(arguments), environ)


def test_m_alone_imports_metadata_and_labels_docker_tags() -> None:
    settings = read("-m")
    assert settings.metadata
    assert settings.label_prefixes == ("docker.",)
    assert settings == read()


def test_t_given_means_only_the_prefixes_given() -> None:
    assert read("-t", "a.", "-t", "b.").label_prefixes == ("a.", "b.")
    assert read("-t", "").label_prefixes == ("",)


@pytest.mark.parametrize("text", ["a.;b.", "a.;b.;", ";a.;;b."])
def test_a_list_in_a_variable_may_end_in_its_separator(text: str) -> None:
    assert read(AWS_METADATA_TAG_PREFIXES=text).label_prefixes == ("a.", "b.")


@pytest.mark.parametrize("text", ["a.b:A; x:y:B", " a.b:A ;x:y:B ;", "a.b:A;\n  x:y:B;\n"])
def test_a_list_in_a_variable_may_be_written_with_spaces_and_on_lines(text: str) -> None:
    settings = read(AWS_METADATA_TAG_VARIABLES=text)
    assert settings.mappings == (TagMapping("a.b", "A"), TagMapping("x:y", "B"))


@pytest.mark.parametrize("text", ["", " ", "\n"])
def test_a_variable_of_nothing_but_white_space_is_not_set(text: str) -> None:
    assert read(AWS_METADATA_TAG_PREFIXES=text, AWS_METADATA_LOAD=text) == read()


def test_a_space_in_a_flag_is_the_tags() -> None:
    assert read("-t", "my team ").label_prefixes == ("my team ",)


def test_the_variables_of_2016_work() -> None:
    settings = read(
        AWS_METADATA_LOAD="false", AWS_METADATA_TAG_VARIABLES="a.b:A;x:y:B;", AWS_METADATA_DEBUG=""
    )
    assert not settings.metadata
    assert settings.mappings == (TagMapping("a.b", "A"), TagMapping("x:y", "B"))
    assert not settings.debug


def test_l_and_e_are_one_list_in_their_order() -> None:
    settings = read("-l", "a:A", "-e", "b:B", "-l", "c:hostname")
    assert [mapping.tag for mapping in settings.mappings] == ["a", "b", "c"]


def test_a_flag_beats_its_variable() -> None:
    settings = read("-m", "-l", "x:X", AWS_METADATA_LOAD="no", AWS_METADATA_TAG_VARIABLES="y:Y")
    assert settings.metadata
    assert settings.mappings == (TagMapping("x", "X"),)


def test_everything_else_is_read_too() -> None:
    settings = read(
        "--env-prefix=e.:E_",
        "--metadata-labels",
        "instance-type, region",
        "--require-tag=r",
        "--deadline=30",
        "--imds=v2",
        "--tags=api",
        "--root=/x",
        "--ros=/y/ros",
        "--status-label",
        "--override-local",
        "--env-file=/opt/ec2.env",
    )
    assert settings.env_prefixes == (EnvPrefix("e.", "E_"),)
    assert settings.metadata_labels == ("instance-type", "region")
    assert settings.require_tags == ("r",)
    assert settings.deadline == 30
    assert not settings.imds.v1
    assert settings.tags == "api"
    assert (settings.root, settings.ros) == (Path("/x"), Path("/y/ros"))
    assert settings.status_label
    assert settings.override_local
    assert settings.env_file == "/opt/ec2.env"


@pytest.mark.parametrize(
    ("arguments", "environ", "named"),
    [
        (["-l", "nonsense"], {}, ["-l", "'nonsense'"]),
        (["-l", "tag:rancher.console"], {}, ["-l", "'rancher.console'"]),
        ([], {"AWS_METADATA_TAG_VARIABLES": "a:B;c:1"}, ["AWS_METADATA_TAG_VARIABLES", "'c:1'"]),
        ([], {"AWS_METADATA_LOAD": "maybe"}, ["AWS_METADATA_LOAD", "'maybe'"]),
        (["--deadline", "0"], {}, ["--deadline", "'0'"]),
        (["--deadline", "nan"], {}, ["--deadline", "'nan'"]),
        (["--deadline", "86401"], {}, ["--deadline", "'86401'"]),
        ([], {"AWS_METADATA_DEADLINE": "1e300"}, ["AWS_METADATA_DEADLINE", "'1e300'"]),
        (["--splay", "-1"], {}, ["--splay", "'-1'"]),
        (["--splay", "1e300"], {}, ["--splay", "'1e300'"]),
        (["--tags", "x"], {}, ["--tags", "'x'"]),
        (["--metadata-labels", "nope"], {}, ["--metadata-labels", "'nope'"]),
        (["--require-tag", ""], {}, ["--require-tag"]),
        (["--set", "A"], {}, ["--set", "'A'"]),
        (["--env-file", "x"], {}, ["--env-file", "'x'"]),
        ([], {"AWS_METADATA_ENV_FILE": "/proc/x"}, ["AWS_METADATA_ENV_FILE", "'/proc/x'"]),
        (["--nonsense"], {}, ["--nonsense"]),
        (["stray"], {}, ["stray"]),
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
    assert all(text in str(caught.value) for text in named)


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
    assert (imds.endpoint, imds.mode, imds.disabled, imds.v1) == (
        "http://imds",
        "IPv6",
        True,
        False,
    )
    assert (api.endpoint, api.ca_bundle) == ("https://ec2", "/ca")
    assert (api.fips, api.dualstack) == (True, False)


def test_ros_is_looked_for_on_this_machine_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ros = tmp_path / "ros"
    ros.write_text("#!/bin/sh\n")
    ros.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    given = argparse.Namespace(**{option.setting: None for option in options.OPTIONS})
    assert options.settings(given, {}).ros == ros
    assert options.settings(given, {"AWS_METADATA_ROS": "none"}).ros is None
    given.root = "/elsewhere"
    assert options.settings(given, {}).ros is None


@pytest.mark.parametrize("page", ["docs/reference.md"])
def test_the_reference_has_every_flag_and_variable(page: str) -> None:
    text = (Path(__file__).parents[2] / page).read_text("utf-8").replace("\\|", "/")
    missing = [
        name
        for option in options.OPTIONS
        for name in (*option.flags, option.variable)
        if f"`{name}" not in text
    ]
    assert missing == []
    known = {option.variable for option in options.OPTIONS}
    rows = [line for line in text.splitlines() if line.startswith("| `-")]
    assert len(rows) == len(options.OPTIONS)
    assert {row.split("|")[2].strip(" `") for row in rows} == known


def test_the_reference_has_every_flag_of_single_commands() -> None:
    text = (Path(__file__).parents[2] / "docs/reference.md").read_text("utf-8")
    missing = []
    for name, command in COMMANDS.items():
        parser = argparse.ArgumentParser(add_help=False)
        command.add_flags(parser)
        rows = [line for line in text.splitlines() if line.startswith("|") and f"`{name}" in line]
        flags = [flag for action in parser._actions for flag in action.option_strings]  # noqa: SLF001 - argparse tells them nowhere else
        missing += [f"{name} {flag}" for flag in flags if not any(flag in row for row in rows)]
    assert missing == []


def section(title: str) -> str:
    """Return a section of the reference."""
    text = (Path(__file__).parents[2] / "docs/reference.md").read_text("utf-8")
    return text.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def test_the_reference_has_every_command_and_no_other() -> None:
    rows = re.findall(r"^\| (?:\(none\), )?`([a-z-]+)", section("Commands"), re.MULTILINE)
    assert set(rows) == set(COMMANDS)


def test_the_reference_has_every_exit_status_and_which_of_several_counts() -> None:
    said = section("Exit statuses")
    assert re.findall(r"^\| (\d+) \|", said, re.MULTILINE) == [f"{one:d}" for one in ExitStatus]
    assert f"in the order {', '.join(f'{one:d}' for one in SEVERITY)} counts" in said


def test_the_reference_and_the_help_say_what_the_defaults_are() -> None:
    settings = Settings()
    defaults = {
        "--tag-prefix": ";".join(settings.label_prefixes),
        "--deadline": f"{settings.deadline:g}",
        "--splay": f"{settings.splay:g}",
    }
    rows = section("Flags and variables of the run")
    in_rows = re.findall(
        r"^\| .*(--[a-z-]+).*?` \| .*Default `?([\w.]*\w\.?)`?", rows, re.MULTILINE
    )
    in_help = {
        option.flags[-1]: found[1]
        for option in options.OPTIONS
        if (found := re.search(r"\(default ([\w.]+)", option.help))
    }
    assert dict(in_rows) == defaults
    assert in_help == defaults


@pytest.mark.parametrize("page", ["docs/reference.md", "README.md"])
def test_the_pages_name_every_outcome(page: str) -> None:
    text = (Path(__file__).parents[2] / page).read_text("utf-8")
    said = text.partition("`EC2_METADATA_STATUS` ")[2].partition("\n\n")[0].partition("none`")
    assert re.findall(r"`([a-z]+)`", "".join(said[:2])) == list(get_args(Outcome))
