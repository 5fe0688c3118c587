"""What a run is asked to do: the settings, and the grammar of mappings and templates."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, NamedTuple

from rancheros_ec2_metadata.errors import UsageError, quote
from rancheros_ec2_metadata.plan import config_paths

HostKind = Literal["auto", "rancheros", "systemd"]
TagSource = Literal["auto", "imds", "api", "none"]

STATUS_VARIABLE = "EC2_METADATA_STATUS"
GROUP_TAG = "aws:autoscaling:groupName"
DEFAULT_PREFIXES = ("docker.",)

# RancherOS writes the first into /etc/profile.d, where $(…) stays live, or into its own service
# files and command line (docs/rancheros.md, "Services, order, waiting"); the others make a
# program that a unit starts load code: whoever sets them controls the machine.
NEVER_FROM_TAGS = frozenset(
    {
        *("PATH", "path", "VERSION", "SUFFIX", "REGISTRY_DOMAIN"),
        *("EXTRA_CMDLINE", "KERNEL_VERSION"),
        *("LD_PRELOAD", "LD_LIBRARY_PATH", "LD_AUDIT", "BASH_ENV", "SHELLOPTS"),
        *("PYTHONPATH", "PYTHONHOME", "PERL5LIB", "PERL5OPT", "RUBYOPT"),
        *("NODE_OPTIONS", "JAVA_TOOL_OPTIONS"),
    }
)
PROXY_NAMES = frozenset(
    {"http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"}
)

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# Two braces are one; what is neither a tag nor a variable is wrong.
_PLACE = re.compile(
    r"\{\{|\}\}|\{tag:(?P<tag>[^{}]+)\}|\{(?P<variable>[A-Za-z_][A-Za-z0-9_]*)\}"
    r"|(?P<stray>\{[^{}]*\}|[{}])"
)


class ImdsSettings(NamedTuple):
    """Where the metadata service is, and which version may be spoken.

    Args:
        endpoint: base URL that replaces both well-known addresses.
        mode: ask only the IPv4 or only the IPv6 address; None tries IPv4, then IPv6.
        disabled: the operator forbids asking it at all (AWS_EC2_METADATA_DISABLED).
        v1: IMDSv1 may be used if no token can be had.
    """

    endpoint: str | None = None
    mode: Literal["IPv4", "IPv6"] | None = None
    disabled: bool = False
    v1: bool = True


class ApiSettings(NamedTuple):
    """How the EC2 API is reached: by botocore's own addresses and certificates unless told."""

    endpoint: str | None = None
    ca_bundle: str | None = None
    fips: bool = False
    dualstack: bool = False


def _covers(prefix: str, tag: str) -> bool:
    """Tell whether a tag is below a prefix, one of aws: only if the prefix names those."""
    return tag.startswith(prefix) and (not tag.startswith("aws:") or prefix.startswith("aws:"))


class TagMapping(NamedTuple):
    """``-l TAG:TARGET``: one tag's value to a variable, or to a config path (with a dot)."""

    tag: str
    target: str

    @property
    def is_config_path(self) -> bool:
        """Tell whether the target is a RancherOS config path."""
        return "." in self.target or self.target == "hostname"

    @classmethod
    def parse(cls, text: str) -> TagMapping:
        """Read ``TAG:TARGET``, split at the last colon: tag keys may hold colons.

        Raises:
            UsageError: a part is missing, or no tag may set the target.
        """
        tag, colon, target = text.rpartition(":")
        if not (tag and colon and target):
            raise UsageError(f"mapping {quote(text)} is not TAG:VARIABLE or TAG:config.path")
        mapping = cls(tag, target)
        if mapping.is_config_path:
            config_paths.find(target)
        else:
            _check_variable(target, f"mapping {quote(text)}")
        return mapping


class EnvPrefix(NamedTuple):
    """``--env-prefix example.:APP_``: every tag below a prefix to a variable below another."""

    tag_prefix: str
    variable_prefix: str

    @classmethod
    def parse(cls, text: str) -> EnvPrefix:
        """Read ``TAGPREFIX:VARPREFIX``, split at the last colon.

        Raises:
            UsageError: the output prefix is empty, no name, or begins with AWS_ (those names are
                the metadata's, and steer the AWS tools).
        """
        tag_prefix, colon, variable_prefix = text.rpartition(":")
        if not colon or not _NAME.fullmatch(variable_prefix):
            raise UsageError(f"environment prefix {quote(text)} is not TAGPREFIX:NAMEPREFIX")
        if variable_prefix.upper().startswith("AWS_"):
            raise UsageError(f"environment prefix {quote(text)}: AWS_ names are not for tags")
        return cls(tag_prefix, variable_prefix)

    def covers(self, tag: str) -> bool:
        """Tell whether a tag becomes a variable."""
        return _covers(self.tag_prefix, tag)

    def make_name(self, tag: str) -> str:
        """Return the name of the variable for a tag: upper case, everything odd to ``_``."""
        rest = tag.removeprefix(self.tag_prefix)
        # First to ASCII: str.upper turns one letter into several ('ß' to 'SS'), so that two tags
        # could give one name.
        return self.variable_prefix + re.sub(r"[^A-Za-z0-9_]", "_", rest).upper()

    def spells(self, tag: str, name: str) -> bool:
        """Tell whether a tag is a variable's name in lower case, with dots for underscores."""
        rest = tag.removeprefix(self.tag_prefix)
        plain = name.removeprefix(self.variable_prefix).lower()
        return rest == plain.replace("_", ".")


class Template(NamedTuple):
    """``--set NAME=TEXT``: a variable composed of others and of tags."""

    name: str
    text: str

    @property
    def variables(self) -> list[str]:
        """The names of the variables that it uses."""
        return [one["variable"] for one in _PLACE.finditer(self.text) if one["variable"]]

    @property
    def tags(self) -> list[str]:
        """The keys of the tags that it uses."""
        return [one["tag"] for one in _PLACE.finditer(self.text) if one["tag"]]

    @classmethod
    def parse(cls, text: str) -> Template:
        """Read ``NAME=TEXT`` with ``{VARIABLE}``, ``{tag:KEY}``, and ``{{`` ``}}`` for braces.

        Raises:
            UsageError: no name, a name that must not come from a tag, or a stray brace.
        """
        name, equals, template = text.partition("=")
        if not equals:
            raise UsageError(f"--set {quote(text)} is not NAME=TEMPLATE")
        _check_variable(name, f"--set {quote(text)}")
        for one in _PLACE.finditer(template):
            if one["stray"]:
                why = f"{quote(one['stray'])} is not {{VARIABLE}} or {{tag:KEY}}"
                raise UsageError(f"--set {quote(text)}: {why}")
        return cls(name, template)

    def fill(self, variables: Mapping[str, str], tags: Mapping[str, str]) -> str:
        """Return the text with the variables and tags that it uses, all of which are there."""

        def fill_place(one: re.Match[str]) -> str:
            if one["tag"]:
                return tags[one["tag"]]
            return variables[one["variable"]] if one["variable"] else one[0][0]

        return _PLACE.sub(fill_place, self.text)


def _check_variable(name: str, where: str) -> None:
    if not _NAME.fullmatch(name):
        raise UsageError(f"{where}: {quote(name)} is not a variable's name ({_NAME.pattern})")
    if name in NEVER_FROM_TAGS:
        raise UsageError(f"{where}: {name} steers the system and is never set from a tag")
    if name == STATUS_VARIABLE:
        raise UsageError(f"{where}: {name} is the outcome of the run, of the program itself")


class Settings(NamedTuple):
    """One run's settings, from flags and AWS_METADATA_ variables; options.py explains each."""

    metadata: bool = True
    label_prefixes: tuple[str, ...] = DEFAULT_PREFIXES
    mappings: tuple[TagMapping, ...] = ()
    env_prefixes: tuple[EnvPrefix, ...] = ()
    templates: tuple[Template, ...] = ()
    metadata_labels: tuple[str, ...] = ()
    status_label: bool = False
    env_file: str | None = None
    require_tags: tuple[str, ...] = ()
    deadline: float = 120.0
    tags: TagSource = "auto"
    host: HostKind = "auto"
    root: Path = Path("/")
    ros: Path | None = None
    debug: bool = False
    imds: ImdsSettings = ImdsSettings()
    api: ApiSettings = ApiSettings()

    @property
    def uses_tags(self) -> bool:
        """Tell whether anything is made of tags at all."""
        composed = any(template.tags for template in self.templates)
        lists = (self.label_prefixes, self.mappings, self.env_prefixes, self.require_tags)
        return composed or any(lists)

    @property
    def reads_metadata(self) -> bool:
        """Tell whether any metadata is used: as variables, as labels, or in a template."""
        composed = any(template.variables for template in self.templates)
        return self.metadata or bool(self.metadata_labels) or composed

    def is_label(self, tag: str) -> bool:
        """Tell whether a tag is a label: below a prefix, aws: ones only if it names them."""
        return any(_covers(prefix, tag) for prefix in self.label_prefixes)

    def wants(self, tag: str) -> bool:
        """Tell whether a tag's value is used by a label, a mapping, a template or a wait."""
        of_group = tag == GROUP_TAG and self.reads_metadata
        return of_group or tag in self.require_tags or self.maps(tag)

    def maps(self, tag: str) -> bool:
        """Tell whether a tag becomes a label, a variable or a config value."""
        return (
            self.is_label(tag)
            or any(mapping.tag == tag for mapping in self.mappings)
            or any(prefix.covers(tag) for prefix in self.env_prefixes)
            or any(tag in template.tags for template in self.templates)
        )
