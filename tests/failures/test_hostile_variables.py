"""Whoever can tag an instance gets variables and config values, and no more."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from e2e import program
from failures import timed
from failures.hostile import KEYS, VALUES
from failures.hostile_runs import OURS, machine, run
from failures.in_process import METADATA
from rancheros_ec2_metadata import command_line
from rancheros_ec2_metadata.errors import UsageError
from rancheros_ec2_metadata.plan import config_paths
from rancheros_ec2_metadata.settings import (
    NEVER_FROM_TAGS,
    PROXY_NAMES,
    STATUS_VARIABLE,
)
from ros_stand_in import in_effect


@pytest.mark.parametrize("value", VALUES)
def test_a_variable_is_exactly_its_tag_or_left_out_and_named(tmp_path: Path, value: str) -> None:
    disk = machine(tmp_path)
    booted = run(
        disk,
        {"app.x": value},
        *("-l", "app.x:MAPPED", "--env-prefix", "app.:APP_"),
        *("--set", "COMPOSED=<{tag:app.x}>", "--set", "TWICE={COMPOSED}"),
    )
    assert booted.status == 0
    environment = timed.environment(disk)
    assert environment["MINE"] == "1"
    assert environment["PATH"] == "/usr/bin"
    assert environment[STATUS_VARIABLE] == "complete"
    assert environment.items() >= METADATA.items()
    ascii_text = re.fullmatch(r"[\t\n\r -~]*", value) is not None
    for name, expected in (("MAPPED", value), ("APP_X", value), ("COMPOSED", f"<{value}>")):
        if ascii_text and expected not in ("~", "null"):
            assert environment[name] == expected
        else:
            assert name not in environment
            assert f"is not set as {name}" in booted.log
    names = {*METADATA, "MINE", "PATH", "MAPPED", "APP_X", "COMPOSED", "TWICE", STATUS_VARIABLE}
    assert set(environment) <= names | {"VERSION", "SUFFIX", "REGISTRY_DOMAIN"}


def test_the_keys_of_tags_below_a_prefix_make_names_and_nothing_else(tmp_path: Path) -> None:
    disk = machine(tmp_path)
    before = timed.environment(disk)
    assert run(disk, {f"app.{key}": "1" for key in KEYS}, "--env-prefix", "app.:APP_").status == 0
    environment = timed.environment(disk)
    assert all(re.fullmatch("[A-Z_][A-Z0-9_]*", name) for name in set(environment) - set(before))
    assert {name: environment[name] for name in before} == before


STEERING = sorted(NEVER_FROM_TAGS | PROXY_NAMES | {STATUS_VARIABLE, "AWS_SECRET_ACCESS_KEY"})


@pytest.mark.parametrize("name", [name for name in STEERING if name.isupper()])
def test_no_prefix_reaches_a_variable_that_steers_the_machine(tmp_path: Path, name: str) -> None:
    disk = machine(tmp_path)
    half = min(len(name) // 2, 3)
    prefix, rest = name[:half], name[half:].lower().replace("_", ".")
    before = timed.environment(disk).get(name)
    booted = run(disk, {f"x.{rest}": "evil"}, "--env-prefix", f"x.:{prefix}")
    after = timed.environment(disk).get(name)
    assert after == ("complete" if name == STATUS_VARIABLE else before)
    assert f"{name} is not for a prefix to set" in booted.log


@pytest.mark.parametrize("value", [*VALUES, "http://proxy.internal:3128", "[::1]:3128", "*.local"])
def test_a_proxy_from_a_tag_runs_no_command_at_login(tmp_path: Path, value: str) -> None:
    disk = machine(tmp_path)
    flags = [flag for name in sorted(PROXY_NAMES) for flag in ("-l", f"proxy:{name}")]
    run(disk, {"proxy": value}, *flags, "--set", "no_proxy={tag:proxy},10.0.0.0/8")
    environment = timed.environment(disk)
    proxies = {name: environment[name] for name in sorted(PROXY_NAMES & environment.keys())}
    exported = at_login(proxies, tmp_path)
    if "://proxy" in value:
        assert sorted(proxies) == sorted(PROXY_NAMES)
        assert exported["http_proxy"] == value


def at_login(proxies: dict[str, str], folder: Path) -> dict[str, str]:
    """Return the variables of a login shell; nothing else may happen at the login.

    Args:
        proxies: by name, as /etc/profile.d has them: $(…) and backquotes are live in both forms.
        folder: for the shell to work in.
    """
    profile = "".join(
        f'export {name}={text}\nexport {name}="{text}"\n' for name, text in proxies.items()
    )
    printed = bash(f"{profile}\nenv -0", folder)
    found = dict(line.split("=", 1) for line in printed if line)
    assert {name: found[name] for name in proxies} == proxies
    return found


def bash(script: str, folder: Path) -> list[str]:
    """Return what a script prints, split at NUL; it may leave no file and say nothing else."""
    working = folder / "working"
    working.mkdir(exist_ok=True)
    done = program.ended(["bash", "--norc", "-c", script], cwd=working)
    assert done.stderr == ""
    assert list(working.iterdir()) == []
    return done.stdout.split("\0")


PATHS = [
    "hostname",
    "rancher.sysctl.net.core.somaxconn",
    "rancher.sysctl.kernel.modprobe",
    "rancher.sysctl.kernel.core_pattern",
    "rancher.network.http_proxy",
    "rancher.network.https_proxy",
    "rancher.network.no_proxy",
    "rancher.network.dns.nameservers",
    "rancher.network.dns.search",
    "rancher.ssh.port",
    "rancher.docker.log_driver",
    "rancher.docker.log_opts.max-size",
    "rancher.docker.registry_mirror",
    "rancher.docker.insecure_registry",
    "rancher.docker.bip",
    "rancher.docker.storage_driver",
]


AT_PATHS = (*VALUES, "10.0.0.1", "8080", "1.1.1.1,8.8.8.8")


@pytest.mark.parametrize("first", range(len(AT_PATHS)))
def test_a_config_path_takes_what_is_safe_there_and_changes_no_other_key(
    tmp_path: Path, first: int
) -> None:
    """Each path has another value than the others: in all runs together it has every value."""
    disk = machine(tmp_path)
    given = {path: AT_PATHS[(first + n) % len(AT_PATHS)] for n, path in enumerate(PATHS)}
    tags = {f"x{n}": value for n, value in enumerate(given.values())}
    flags = [word for n, path in enumerate(PATHS) for word in ("-l", f"x{n}:{path}")]
    before: Any = in_effect.in_effect(disk.read(), disk.release)
    ran = run(disk, tags, *flags, may_change=(*OURS, *map(config_paths.keys, PATHS)))
    assert ran.status == 0
    after: Any = in_effect.in_effect(disk.read(), disk.release)
    for path, value in given.items():
        got = found_at(after, path)
        if got == found_at(before, path):
            continue
        if path.startswith("rancher.docker."):
            for text in got if isinstance(got, list) else [got]:
                # One word of a shell; dockerlaunch looks at each by its first characters.
                printed = bash(f"exec printf '%s\\0' dockerd --option {text}", tmp_path)
                assert printed == ["dockerd", "--option", text, ""]
                assert not text.startswith("-")
        if path.startswith("rancher.network.") and isinstance(got, str):
            assert at_login({"http_proxy": got}, tmp_path)["http_proxy"] == got
        if path.startswith("rancher.sysctl."):
            # The kernel runs, as root, what kernel.modprobe and its like name.
            assert not re.search("[/|]", str(got))
        if isinstance(got, list):
            assert got == re.split(r"[\s,]+", value.strip())
        else:
            assert got == (int(value) if isinstance(got, int) else value)


def found_at(tree: Any, path: str) -> Any:
    for key in config_paths.keys(path):
        tree = tree.get(key) if tree else None
    return tree


OTHER_PATHS = [
    *("rancher.console", "rancher.docker.engine", "rancher.docker.extra_args"),
    *("rancher.docker.environment", "rancher.services.x", "rancher.services_include.x"),
    *("runcmd.x", "write_files.x", "ssh_authorized_keys.x", "rancher.environment.PATH"),
    *("rancher.sysctl.a;b", "rancher.sysctl.", "rancher.docker.log_opts.a b"),
    *("rancher.password", "rancher.docker.group", "rancher.docker.tls_args.x"),
]


@pytest.mark.parametrize("path", OTHER_PATHS)
def test_no_tag_reaches_any_other_config_path(path: str) -> None:
    with pytest.raises(UsageError, match="no tag may set that config path"):
        command_line.parse(["-l", f"x:{path}"], {})
