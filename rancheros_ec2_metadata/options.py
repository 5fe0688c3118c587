"""The flags and variables of a run: one table, and how it is read into settings."""

from __future__ import annotations

import argparse
import math
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from rancheros_ec2_metadata.ec2.instance import METADATA_LABELS
from rancheros_ec2_metadata.errors import Note, UsageError, quote, warning
from rancheros_ec2_metadata.plan import env_file
from rancheros_ec2_metadata.settings import (
    ApiSettings,
    EnvPrefix,
    ImdsSettings,
    Settings,
    TagMapping,
    Template,
)

PREFIX = "AWS_METADATA_"
AWS_VARIABLES = (
    *("AWS_EC2_METADATA_SERVICE_ENDPOINT", "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE"),
    *("AWS_EC2_METADATA_DISABLED", "AWS_EC2_METADATA_V1_DISABLED", "AWS_ENDPOINT_URL_EC2"),
    *("AWS_CA_BUNDLE", "AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT"),
)
"""AWS's own, with AWS's meaning; docs/reference.md has them."""
_SWITCH = {"true": True, "yes": True, "on": True, "1": True}
_SWITCH |= {"false": False, "no": False, "off": False, "0": False}
_LONGEST_SECONDS = 24 * 60 * 60  # far more is more than the system's own clocks can wait for


class Option(NamedTuple):
    """One setting of a run.

    Args:
        setting: the field of Settings.
        words: the flags, short ones first.
        name: of the variable, behind its prefix. A flag that is given beats it.
        read: text to value; raises UsageError.
        metavar: what stands for the value in the help; empty for a switch.
        separator: of the variable's list; empty if it is one value.
        commands: which take it.
    """

    setting: str
    words: str
    name: str
    read: Callable[[str], Any]
    metavar: str = ""
    separator: str = ""
    commands: tuple[str, ...] = ("apply", "plan", "install", "preflight")

    @property
    def flags(self) -> tuple[str, ...]:
        """The flags, the long one last."""
        return tuple(self.words.split())

    @property
    def variable(self) -> str:
        """The name of the variable."""
        return PREFIX + self.name


def _read_switch(text: str) -> bool:
    if text.lower() not in _SWITCH:
        raise UsageError(f"{quote(text)} is neither true nor false")
    return _SWITCH[text.lower()]


def _read_deadline(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 1 <= seconds <= _LONGEST_SECONDS:
        raise UsageError(f"{quote(text)} is not a number of seconds from 1 to {_LONGEST_SECONDS}")
    return seconds


def _read_one_of(*names: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in names:
            raise UsageError(f"{quote(text)} is not one of {', '.join(names)}")
        return text

    return read


def _read_tag_key(text: str) -> str:
    if not text:
        raise UsageError("the tag key is empty")
    return text


_EVERY = ("apply", "plan", "show", "status", "clean")
_READING = ("apply", "plan", "show", "install")
_MAPPING = ("apply", "plan", "clean", "install", "preflight")
_LIMITED = ("apply", "plan", "show", "clean", "install", "uninstall")
_read_tags = _read_one_of("auto", "imds", "api", "none")
_read_version = _read_one_of("auto", "v2")
_read_host = _read_one_of("auto", "rancheros", "systemd")
_read_field = _read_one_of(*METADATA_LABELS)

OPTIONS = {
    Option("metadata", "-m --metadata", "LOAD", _read_switch): (
        "import the EC2 metadata as AWS_ variables (the default; the variable can say false)"
    ),
    Option("label_prefixes", "-t --tag-prefix", "TAG_PREFIXES", str, "PREFIX", ";", _MAPPING): (
        "tags whose key starts with PREFIX become Docker labels (default docker.; '' is all tags)"
    ),
    Option(
        "mappings",
        "-l -e --tag-variable",
        "TAG_VARIABLES",
        TagMapping.parse,
        "TAG:TARGET",
        ";",
        _MAPPING,
    ): "the tag's value becomes the variable TARGET, or the config path TARGET if it has a dot",
    Option("env_prefixes", "--env-prefix", "ENV_PREFIXES", EnvPrefix.parse, "PREFIX:NAME", ";"): (
        "every tag below PREFIX becomes a variable below NAME: example.:APP_ makes APP_DB_HOST"
    ),
    Option("templates", "--set", "SET", Template.parse, "NAME=TEXT", ";"): (
        "a variable composed of {AWS_LOCAL_IPV4}, any variable, and {tag:KEY}"
    ),
    Option("metadata_labels", "--metadata-labels", "LABELS", _read_field, "FIELD,FIELD", ","): (
        "metadata that becomes labels too: instance-type makes aws.instance-type"
    ),
    Option("status_label", "--status-label", "STATUS_LABEL", _read_switch): (
        "also set the label ec2-metadata.status to the outcome"
    ),
    Option("env_file", "--env-file", "ENV_FILE", env_file.parse_path, "PATH"): (
        "write all variables there too, for docker run --env-file"
    ),
    Option("require_tags", "--require-tag", "REQUIRE_TAGS", _read_tag_key, "KEY", ";"): (
        "wait for this tag for as long as the deadline leaves; without it the status is 6"
    ),
    Option("deadline", "--deadline", "DEADLINE", _read_deadline, "SECONDS", commands=_LIMITED): (
        "end after so long, whatever it is doing (default 120)"
    ),
    Option("tags", "--tags", "TAGS", _read_tags, "SOURCE", commands=(*_READING, "preflight")): (
        "where tags are read: auto (IMDS, else the API), imds, api or none"
    ),
    Option("imds_version", "--imds", "IMDS", _read_version, "VERSION", commands=_READING): (
        "v2 never speaks IMDSv1; auto does where no token can be had"
    ),
    Option("host", "--host", "HOST", _read_host, "KIND", commands=(*_EVERY, "demo", "preflight")): (
        "the kind of machine: rancheros, systemd, or auto, which looks (default)"
    ),
    Option("root", "--root", "ROOT", Path, "DIR", commands=_EVERY): (
        "the folder that stands for the machine's / (default /)"
    ),
    Option("ros", "--ros", "ROS", str, "PATH", commands=("apply", "plan", "clean")): (
        "the ros command to ask, or none (default: where it is, with --root only if given)"
    ),
    Option("debug", "--debug", "DEBUG", _read_switch, commands=(*_EVERY, "preflight")): (
        "log every request and, on a bug of ours, a traceback"
    ),
}
"""Each option, and its help."""


def add_flags(parser: argparse.ArgumentParser, command: str) -> None:
    """Add the flags that a command takes to its parser."""
    for option, help_text in OPTIONS.items():
        if command not in option.commands:
            continue
        kind: dict[str, Any] = {"metavar": option.metavar}
        if not option.metavar:
            kind = {"action": "store_const", "const": "true"}
        elif option.separator:
            kind["action"] = "append"
        text = f"{help_text} [{option.variable}]"
        parser.add_argument(*option.flags, dest=option.setting, help=text, **kind)


def read_settings(given: argparse.Namespace, environ: Mapping[str, str]) -> Settings:
    """Return the settings that flags and variables make.

    Args:
        given: the command, and the flags that were given.
        environ: has the variables; those that the command does not take are not read.

    Raises:
        UsageError: one of them makes no sense; the message names it and its text.
    """
    values = {
        option.setting: _read_value(option, text, where)
        for option, text, where in _find_given(given, environ)
    }
    values["ros"] = _find_ros(values.get("ros"), values.get("root", Path("/")))
    version = values.pop("imds_version", "auto")
    if given.command in _READING:
        values |= {"imds": _read_imds(environ, version), "api": _read_api(environ)}
    return Settings(**values)


def list_given_fields(given: argparse.Namespace, environ: Mapping[str, str]) -> set[str]:
    """Return the fields of the settings that a flag or a variable sets."""
    return {option.setting for option, _, _ in _find_given(given, environ)}


def _find_given(
    given: argparse.Namespace, environ: Mapping[str, str]
) -> Iterator[tuple[Option, str | list[str], str]]:
    """Yield each option that is set, with its text or texts, and what sets it."""
    for option in OPTIONS:
        if given.command not in option.commands:
            continue
        flag, text = getattr(given, option.setting), environ.get(option.variable, "")
        if flag is not None:
            yield option, flag, option.flags[0]
        elif text.strip():
            texts = _split(text, option.separator) if option.separator else text
            yield option, texts, option.variable


def render_flags(given: argparse.Namespace) -> list[str]:
    """Return the flags that were given, each in its long form."""
    flags = []
    for option in OPTIONS:
        texts = getattr(given, option.setting, None) or []
        texts = [texts] if isinstance(texts, str) else texts
        name = option.flags[-1]
        flags += [f"{name}={text}" if option.metavar else name for text in texts]
    return flags


def list_variables_of_a_run(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that a run would read: this program's and AWS's own."""
    names = [option.variable for option in OPTIONS if "install" in option.commands]
    return {name: environ[name] for name in (*names, *AWS_VARIABLES) if environ.get(name)}


def _split(text: str, separator: str) -> list[str]:
    return [item.strip() for item in text.split(separator) if item.strip()]


def _read_value(option: Option, given: str | Sequence[str], where: str) -> Any:
    try:
        if isinstance(given, str):
            return option.read(given)
        if option.separator == ",":
            given = [item for text in given for item in _split(text, ",")]
        return tuple(map(option.read, given))
    except UsageError as error:
        raise UsageError(f"{where}: {error}") from None


def _find_ros(text: str | None, root: Path) -> Path | None:
    """Return the ros command: the one on PATH, below another root only one that is named."""
    if text is None and root == Path("/"):
        text = shutil.which("ros")
    return Path(text) if text is not None and text != "none" else None


def _read_imds(environ: Mapping[str, str], version: str) -> ImdsSettings:
    mode = environ.get("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", "")
    modes: dict[str, Literal["IPv4", "IPv6"] | None] = {"": None, "ipv4": "IPv4", "ipv6": "IPv6"}
    if mode.lower() not in modes:
        raise UsageError(
            f"AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE: {quote(mode)} is not IPv4 or IPv6"
        )
    return ImdsSettings(
        endpoint=_read_url(environ, "AWS_EC2_METADATA_SERVICE_ENDPOINT"),
        mode=modes[mode.lower()],
        disabled=_is_true(environ, "AWS_EC2_METADATA_DISABLED"),
        v1=version != "v2" and not _is_true(environ, "AWS_EC2_METADATA_V1_DISABLED"),
    )


def _read_api(environ: Mapping[str, str]) -> ApiSettings:
    return ApiSettings(
        endpoint=_read_url(environ, "AWS_ENDPOINT_URL_EC2"),
        ca_bundle=environ.get("AWS_CA_BUNDLE") or None,
        fips=_is_true(environ, "AWS_USE_FIPS_ENDPOINT"),
        dualstack=_is_true(environ, "AWS_USE_DUALSTACK_ENDPOINT"),
    )


def _read_url(environ: Mapping[str, str], name: str) -> str | None:
    url = environ.get(name, "")
    if "@" in url:
        # Not shown: addresses are logged, and passwords are not.
        raise UsageError(f"{name}: no user and no password may be in the address")
    if url and not url.startswith(("http://", "https://")):
        raise UsageError(f"{name}: {quote(url)} is not an http:// or https:// address")
    return url or None


def _is_true(environ: Mapping[str, str], name: str) -> bool:
    # As AWS's SDKs read these: the word true in any case, everything else is false.
    return environ.get(name, "").strip().lower() == "true"


def find_unknown_variables(environ: Iterable[str]) -> Iterator[Note]:
    """Yield a warning for each variable that has this program's prefix and is not known."""
    known = [option.name for option in OPTIONS]
    for name in sorted(environ):
        rest = name.removeprefix(PREFIX)
        if name.startswith(PREFIX) and rest not in known:
            yield warning(f"unknown variable {name}: ignored{suggest(rest, known, PREFIX)}")


def suggest(word: str, known: Iterable[str], prefix: str = "") -> str:
    """Return the end of a message that names the known word that may be meant, if any."""
    from difflib import get_close_matches  # noqa: PLC0415 - not at boot

    near = get_close_matches(word, list(known), 1)
    return f"; did you mean {quote(prefix + near[0])}?" if near else ""
