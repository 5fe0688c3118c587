"""Flags and variables: one table, read into settings. A flag that is given beats its variable."""

from __future__ import annotations

import argparse
import math
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NoReturn

from rancheros_ec2_metadata.ec2.instance import METADATA_LABELS
from rancheros_ec2_metadata.errors import UsageError, shown
from rancheros_ec2_metadata.plan import config_paths, env_file
from rancheros_ec2_metadata.settings import (
    ApiSettings,
    EnvPrefix,
    ImdsSettings,
    Settings,
    TagMapping,
    Template,
)

Kind = Literal["switch", "list", "one"]
_ROS = ("/usr/bin/ros", "/bin/ros")
_TRUE = ("true", "yes", "on", "1")
_FALSE = ("false", "no", "off", "0")
_LONGEST_SECONDS = 24 * 60 * 60  # far more is more than the system's own clocks can wait for


@dataclass(frozen=True)
class Option:
    """One setting: its flags, its variable, and how its text is read.

    Args:
        setting: the field of Settings.
        flags: short and long.
        variable: the environment's name for it.
        kind: a switch, a list (a flag that repeats, a variable with separators) or one value.
        read: text to value; raises UsageError.
        metavar: what stands for the value in the help.
        help: for an operator.
        separator: of the variable's list.
    """

    setting: str
    flags: tuple[str, ...]
    variable: str
    kind: Kind
    read: Callable[[str], Any]
    metavar: str
    help: str
    separator: str = ";"


def _switch(text: str) -> bool:
    if text.lower() in _TRUE:
        return True
    if text.lower() in _FALSE:
        return False
    raise UsageError(f"{shown(text)} is neither true nor false")


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not (math.isfinite(seconds) and seconds >= 0):
        raise UsageError(f"{shown(text)} is not a number of seconds")
    if seconds > _LONGEST_SECONDS:
        raise UsageError(f"{shown(text)} is more than a day ({_LONGEST_SECONDS} seconds)")
    return seconds


def _deadline(text: str) -> float:
    seconds = _seconds(text)
    if seconds < 1:
        raise UsageError(f"{shown(text)}: a deadline is at least 1 second")
    return seconds


def _one_of(*names: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in names:
            raise UsageError(f"{shown(text)} is not one of {', '.join(names)}")
        return text

    return read


def _mapping(text: str) -> TagMapping:
    mapping = TagMapping.parse(text)
    if mapping.is_config_path:
        config_paths.find(mapping.target)
    return mapping


def _tag_key(text: str) -> str:
    if not text:
        raise UsageError("the tag key is empty")
    return text


OPTIONS = (
    Option(
        "metadata",
        ("-m", "--metadata"),
        "AWS_METADATA_LOAD",
        "switch",
        _switch,
        "",
        "import the EC2 metadata as AWS_ variables (the default; the variable can say false)",
    ),
    Option(
        "label_prefixes",
        ("-t", "--tag-prefix"),
        "AWS_METADATA_TAG_PREFIXES",
        "list",
        str,
        "PREFIX",
        "tags whose key starts with PREFIX become Docker labels (default docker.; '' is all tags)",
    ),
    Option(
        "mappings",
        ("-l", "-e", "--tag-variable"),
        "AWS_METADATA_TAG_VARIABLES",
        "list",
        _mapping,
        "TAG:TARGET",
        "the tag's value becomes the variable TARGET, or the config path TARGET if it has a dot",
    ),
    Option(
        "env_prefixes",
        ("--env-prefix",),
        "AWS_METADATA_ENV_PREFIXES",
        "list",
        EnvPrefix.parse,
        "PREFIX:NAME",
        "every tag below PREFIX becomes a variable below NAME: example.:APP_ makes APP_DB_HOST",
    ),
    Option(
        "templates",
        ("--set",),
        "AWS_METADATA_SET",
        "list",
        Template.parse,
        "NAME=TEXT",
        "a variable composed of {AWS_LOCAL_IPV4}, any variable, and {tag:KEY}",
    ),
    Option(
        "metadata_labels",
        ("--metadata-labels",),
        "AWS_METADATA_LABELS",
        "list",
        _one_of(*METADATA_LABELS),
        "FIELD,FIELD",
        "metadata that becomes labels too: instance-type makes aws.instance-type",
        ",",
    ),
    Option(
        "status_label",
        ("--status-label",),
        "AWS_METADATA_STATUS_LABEL",
        "switch",
        _switch,
        "",
        "also set the label ec2-metadata.status to the outcome",
    ),
    Option(
        "override_local",
        ("--override-local",),
        "AWS_METADATA_OVERRIDE_LOCAL",
        "switch",
        _switch,
        "",
        "take variables of ours out of cloud-config.yml, where they would win",
    ),
    Option(
        "env_file",
        ("--env-file",),
        "AWS_METADATA_ENV_FILE",
        "one",
        env_file.parse_path,
        "PATH",
        "write all variables there too, for docker run --env-file",
    ),
    Option(
        "require_tags",
        ("--require-tag",),
        "AWS_METADATA_REQUIRE_TAGS",
        "list",
        _tag_key,
        "KEY",
        "wait for this tag for as long as the deadline leaves; without it the status is 6",
    ),
    Option(
        "deadline",
        ("--deadline",),
        "AWS_METADATA_DEADLINE",
        "one",
        _deadline,
        "SECONDS",
        "end the run after so long, whatever it is doing (default 120)",
    ),
    Option(
        "splay",
        ("--splay",),
        "AWS_METADATA_SPLAY",
        "one",
        _seconds,
        "SECONDS",
        "first wait up to so long, fixed by the instance id; for runs by cron (default 0)",
    ),
    Option(
        "tags",
        ("--tags",),
        "AWS_METADATA_TAGS",
        "one",
        _one_of("auto", "imds", "api", "none"),
        "SOURCE",
        "where tags are read: auto (IMDS, else the API), imds, api or none",
    ),
    Option(
        "imds_version",
        ("--imds",),
        "AWS_METADATA_IMDS",
        "one",
        _one_of("auto", "v2"),
        "VERSION",
        "v2 never speaks IMDSv1; auto does where no token can be had",
    ),
    Option(
        "root",
        ("--root",),
        "AWS_METADATA_ROOT",
        "one",
        Path,
        "DIR",
        "the folder that stands for the machine's / (default /)",
    ),
    Option(
        "ros",
        ("--ros",),
        "AWS_METADATA_ROS",
        "one",
        str,
        "PATH",
        "the ros command to read back through, or none (default: where it is, with --root only"
        " if given)",
    ),
    Option(
        "debug",
        ("--debug",),
        "AWS_METADATA_DEBUG",
        "switch",
        _switch,
        "",
        "log every request and, on a bug of ours, a traceback",
    ),
)


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are ours."""

    def error(self, message: str) -> NoReturn:
        """Raise a UsageError."""
        raise UsageError(message)


def add_to(parser: argparse.ArgumentParser) -> None:
    """Add the table's flags to a parser."""
    for option in OPTIONS:
        kind: dict[str, Any] = {"action": "append", "metavar": option.metavar}
        if option.kind == "switch":
            kind = {"action": "store_const", "const": "true"}
        elif option.kind == "one":
            kind = {"metavar": option.metavar}
        parser.add_argument(
            *option.flags,
            dest=option.setting,
            help=f"{option.help} [{option.variable}]",
            default=None,
            **kind,
        )


def settings(given: argparse.Namespace, environ: Mapping[str, str]) -> Settings:
    """Return the settings that flags and variables make.

    Raises:
        UsageError: one of them makes no sense; the message names it and its text.
    """
    values: dict[str, Any] = {}
    for option in OPTIONS:
        flag = getattr(given, option.setting)
        if flag is not None:
            values[option.setting] = _value(option, flag, option.flags[0])
        elif environ.get(option.variable, "").strip():
            text = environ[option.variable]
            items = (item.strip() for item in text.split(option.separator))
            texts = [item for item in items if item] if option.kind == "list" else text
            values[option.setting] = _value(option, texts, option.variable)
    root: Path = values.get("root", Path("/"))
    values["ros"] = _ros(values.get("ros"), root)
    version = values.pop("imds_version", "auto")
    return Settings(imds=_imds(environ, version), api=_api(environ), **values)


def _value(option: Option, given: str | Sequence[str], where: str) -> Any:
    try:
        if isinstance(given, str):
            return option.read(given)
        if option.separator == ",":
            given = [text.strip() for item in given for text in item.split(",") if text.strip()]
        return tuple(option.read(text) for text in given)
    except UsageError as error:
        raise UsageError(f"{where}: {error}") from None


def _ros(text: str | None, root: Path) -> Path | None:
    """Return the ros command: on PATH, /usr/bin or /bin; below another root only if named."""
    if text == "none":
        return None
    if text is not None:
        return Path(text)
    if root != Path("/"):
        return None
    found = shutil.which("ros") or next(filter(os.path.exists, _ROS), None)
    return Path(found) if found else None


def _imds(environ: Mapping[str, str], version: str) -> ImdsSettings:
    mode = environ.get("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE") or None
    modes: dict[str, Literal["IPv4", "IPv6"]] = {"ipv4": "IPv4", "ipv6": "IPv6"}
    if mode is not None and mode.lower() not in modes:
        raise UsageError(
            f"AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE: {shown(mode)} is not IPv4 or IPv6"
        )
    endpoint = environ.get("AWS_EC2_METADATA_SERVICE_ENDPOINT") or None
    _check_url("AWS_EC2_METADATA_SERVICE_ENDPOINT", endpoint)
    return ImdsSettings(
        endpoint=endpoint,
        mode=modes[mode.lower()] if mode else None,
        disabled=_is_true(environ, "AWS_EC2_METADATA_DISABLED"),
        v1=version != "v2" and not _is_true(environ, "AWS_EC2_METADATA_V1_DISABLED"),
    )


def _api(environ: Mapping[str, str]) -> ApiSettings:
    endpoint = environ.get("AWS_ENDPOINT_URL_EC2") or None
    _check_url("AWS_ENDPOINT_URL_EC2", endpoint)
    return ApiSettings(
        endpoint=endpoint,
        ca_bundle=environ.get("AWS_CA_BUNDLE") or None,
        fips=_is_true(environ, "AWS_USE_FIPS_ENDPOINT"),
        dualstack=_is_true(environ, "AWS_USE_DUALSTACK_ENDPOINT"),
    )


def _check_url(name: str, url: str | None) -> None:
    if url is not None and "@" in url:
        # Not shown: addresses are logged, and passwords are not.
        raise UsageError(f"{name}: no user and no password may be in the address")
    if url is not None and not url.startswith(("http://", "https://")):
        raise UsageError(f"{name}: {shown(url)} is not an http:// or https:// address")


def _is_true(environ: Mapping[str, str], name: str) -> bool:
    # As AWS's SDKs read these: the word true in any case, everything else is false.
    return environ.get(name, "").strip().lower() == "true"
