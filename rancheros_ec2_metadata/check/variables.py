"""Which variables there will be for the services of a file, and what sets them."""

from __future__ import annotations

from dataclasses import dataclass

from rancheros_ec2_metadata.check import program
from rancheros_ec2_metadata.check.file import File
from rancheros_ec2_metadata.ec2.instance import VARIABLES
from rancheros_ec2_metadata.settings import PROXY_NAMES, STATUS_VARIABLE

# RancherOS's own (os-config.yml, docker/env.go). The proxies are there where they are set.
_SYSTEM = frozenset({"VERSION", "SUFFIX", "REGISTRY_DOMAIN", "KERNEL_VERSION", *PROXY_NAMES})
CREDENTIALS = frozenset(
    {
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SECRET_ACCESS_KE",
        "AWS_SECURITY_TOKEN",
        "AWS_SESSION_TOKEN",
    }
)


@dataclass(frozen=True)
class Variables:
    """The variables that are known.

    Args:
        here: the file sets them in rancher.environment.
        ours: this program sets them, as a service of the file.
        prefixes: of names that --env-prefix makes of whatever tags there are.
        complete: whether this is all: the file has a service of this program, and can be read.
    """

    here: frozenset[str]
    ours: frozenset[str]
    prefixes: tuple[str, ...]
    complete: bool

    @property
    def all(self) -> frozenset[str]:
        """All of them, and RancherOS's own."""
        return self.here | self.ours | _SYSTEM

    def is_ours(self, name: str) -> bool:
        """Tell whether this program sets a variable of this name, or one that a star means."""
        if not name.endswith("*"):
            return name in self.ours or self.may_be(name)
        return any(one.startswith(name[:-1]) for one in self.ours) or self.may_be(name)

    def may_be(self, name: str) -> bool:
        """Tell whether --env-prefix may make a variable of this name, or one that a star means."""
        start = name.removesuffix("*")
        return any(
            start.startswith(prefix) or (start != name and prefix.startswith(start))
            for prefix in self.prefixes
        )


def of(file: File) -> Variables:
    """Return the variables that are known for the services of a file."""
    ours: set[str] = set()
    prefixes: list[str] = []
    every = list(program.all_settings(file))
    for settings in every:
        ours.add(STATUS_VARIABLE)
        ours.update(VARIABLES if settings.metadata else ())
        ours.update(one.target for one in settings.mappings if not one.is_config_path)
        ours.update(template.name for template in settings.templates)
        prefixes += [prefix.variable_prefix for prefix in settings.env_prefixes]
    here = frozenset(program.here(file))
    complete = bool(every) and len(every) == len(file.ours)
    return Variables(here, frozenset(ours), tuple(prefixes), complete)
