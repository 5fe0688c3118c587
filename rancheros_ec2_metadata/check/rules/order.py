"""Rules about when this program is started, and who waits for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from rancheros_ec2_metadata.check import program
from rancheros_ec2_metadata.check.file import File
from rancheros_ec2_metadata.check.finding import Found, Rule
from rancheros_ec2_metadata.check.service import Service
from rancheros_ec2_metadata.errors import shown

_PREFIX = "io.rancher.os."
_SYSTEM_CRON = (1, 1, 0)  # the release that brought it
_CRON_FIELDS = 6
_BEFORE_DOCKER = {"console", "docker"}


def label(name: str, *right: str) -> Callable[[File], Iterator[Found]]:
    """Return the rule that the services at boot have a label with one of these values."""

    def judge(file: File) -> Iterator[Found]:
        for service in file.at_boot:
            if service.labels.get(_PREFIX + name) not in right:
                yield _wrong(file, service, _PREFIX + name)

    return judge


def before(file: File) -> Iterator[Found]:
    """Find services at boot that neither the console nor Docker waits for."""
    for service in file.at_boot:
        waiting = service.labels.get(f"{_PREFIX}before", "").split(",")
        if not _BEFORE_DOCKER & {name.strip() for name in waiting}:
            yield _wrong(file, service, f"{_PREFIX}before")


def scope(file: File) -> Iterator[Found]:
    """Find services of this program outside of system-docker."""
    for service in file.ours:
        if not service.in_system_docker:
            yield _wrong(file, service, f"{_PREFIX}scope")


def _wrong(file: File, service: Service, key: str) -> Found:
    value = service.labels.get(key)
    there = f"no label {key}" if value is None else f"the label {key}: {shown(value)}"
    return Found(file.line_of(service.label_path(key)), f"{shown(service.name)} has {there}")


def create_only(file: File) -> Iterator[Found]:
    """Find services at boot that are never started."""
    for service in file.at_boot:
        key = f"{_PREFIX}createonly"
        if service.labels.get(key) == "true":
            yield _wrong(file, service, key)


def restart(file: File) -> Iterator[Found]:
    """Find services of this program that are started again when they end."""
    for service in file.ours:
        policy = service.text("restart")
        if policy not in ("", "no", "false"):
            line = file.line(*service.path, "restart")
            yield Found(line, f"{shown(service.name)} has restart: {shown(policy)}")


def cron(file: File) -> Iterator[Found]:
    """Find services that system-cron does not start, or that are started without it too."""
    for service in file.ours:
        if not service.by_cron:
            continue
        name = shown(service.name)
        schedule = service.labels["cron.schedule"]
        line = file.line_of(service.label_path("cron.schedule"))
        if not schedule.startswith("@") and len(schedule.split()) != _CRON_FIELDS:
            what = f"{name} has a cron.schedule of {len(schedule.split())} fields"
            mend = "second, minute, hour, day of month, month, day of week: '0 5 * * * *'"
            why = "a schedule begins with the second, so it does not mean what it would elsewhere"
            yield Found(line, what, mend, why)
        if file.release.version and file.release.version < _SYSTEM_CRON:
            what = f"{name} has a cron.schedule"
            why = f"{file.release.text} has no system-cron"
            yield Found(line, what, "use v1.1 or later", why)
        for key, value in (("createonly", "true"), ("before", "system-cron")):
            if service.labels.get(_PREFIX + key) != value:
                found = _wrong(file, service, _PREFIX + key)
                yield Found(found.line, found.what, f'set {_PREFIX}{key}: "{value}"')


def two_services(file: File) -> Iterator[Found]:
    """Find services of this program that undo each other's work."""
    wanted = [(service, program.mapped(file, service)) for service in file.ours]
    known = [(service, mapped) for service, mapped in wanted if mapped is not None]
    for service, mapped in known[1:]:
        first, other = known[0]
        if mapped != other:
            what = f"{shown(service.name)} and {shown(first.name)} have different mappings"
            yield Found(file.line(*service.path), what)


RULES = (
    Rule(
        "scope",
        "it does not run in system-docker, so it cannot come before Docker",
        "set io.rancher.os.scope: system",
        scope,
    ),
    Rule(
        "detach",
        "nobody waits for it, and Docker starts unlabelled",
        'set io.rancher.os.detach: "false"',
        label("detach", "false"),
    ),
    Rule(
        "after",
        "only for the exact word network does RancherOS wait for a default route first",
        "set io.rancher.os.after: network",
        label("after", "network"),
    ),
    Rule(
        "before",
        "Docker does not wait for it, and starts unlabelled",
        "set io.rancher.os.before: console",
        before,
    ),
    Rule(
        "reloadconfig",
        "services that start later are given the variables of the boot before",
        'set io.rancher.os.reloadconfig: "true"',
        label("reloadconfig", "true"),
    ),
    Rule(
        "createonly",
        "it is made, and not started",
        "take the label out",
        create_only,
    ),
    Rule(
        "restart",
        "it is done when it ends, and would be started again and again",
        "take restart out",
        restart,
    ),
    Rule(
        "cron",
        "system-cron starts a container that has been made for it, by a schedule of six fields",
        "write it as in docs/cron.md",
        cron,
    ),
    Rule(
        "two-services",
        "each run takes out what it does not want itself: they undo each other's work",
        "give both the same mappings",
        two_services,
    ),
)
