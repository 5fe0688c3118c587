"""Whoever can tag an instance gets no more than tags."""

from __future__ import annotations

import copy
import re
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import fake_ros
from e2e import program
from failures import hostile, in_process, timed
from failures.hostile import KEYS, VALUES
from failures.in_process import METADATA, Booted, GivenEc2, found
from hostile_imds import SANE
from machine import MachineDisk
from rancheros_ec2_metadata import options
from rancheros_ec2_metadata.fake_ec2.server import FakeImds
from rancheros_ec2_metadata.plan import config_paths
from rancheros_ec2_metadata.rancheros.layers import DOCKER, ENVIRONMENT
from rancheros_ec2_metadata.settings import NEVER_FROM_TAGS, PROXY_NAMES, STATUS_VARIABLE, Settings

USER_DATA = """\
#cloud-config
hostname: mine
rancher:
  docker:
    extra_args: [--debug, "--label=user.motto='a  b'"]
    log_driver: json-file
  environment: {MINE: 1, PATH: /usr/bin}
"""
USERS = ["--debug", "--label=user.motto=a  b"]
RELEASES = ["v0.4.5", "v0.6.1", "v0.7.1", "v1.5.8"]
BENIGN = {"docker.role": "web", "docker.zone": "b"}


def machine(folder: Path, release: str = "v1.5.8") -> MachineDisk:
    disk = MachineDisk(folder / "disk", release)
    disk.user_data(USER_DATA)
    program.on_ec2(disk)
    return disk


def settings(disk: MachineDisk, *flags: str) -> Settings:
    parser = options.Parser()
    options.add_to(parser)
    return options.settings(parser.parse_args([*flags, "--root", str(disk.root)]), {})


def run(disk: MachineDisk, tags: Mapping[str, str], *flags: str) -> Booted:
    """Run with flags and these tags, and some benign ones, which must come through it."""
    before = timed.layers_of(disk).merged
    names = set(disk.snapshot())
    booted = in_process.run(
        disk.root, GivenEc2(found({**BENIGN, **tags})), settings=settings(disk, *flags)
    )
    log_is_safe(booted.log)
    assert booted.status != 1
    new = {name.rpartition("/")[2] for name in set(disk.snapshot()) - names}
    assert new <= {".ec2-metadata.json", "zz-ec2-metadata.yml"}
    layers = timed.layers_of(disk)
    assert (layers.problems, layers.fatal) == ((), None)
    after = copy.deepcopy(layers.merged)
    for path in ((*DOCKER, "args"), (*DOCKER, "extra_args"), ENVIRONMENT):
        drop(after, path)
        drop(before, path)
    assert {**after, "rancher": differing(after, before)} == {**before, "rancher": {}}
    return booted


def drop(tree: Any, path: tuple[str, ...]) -> None:
    for key in path[:-1]:
        tree = tree.get(key, {})
    tree.pop(path[-1], None)


def differing(after: Any, before: Any) -> Any:
    return {} if after["rancher"] == before["rancher"] else after["rancher"]


def log_is_safe(log: str) -> None:
    """Check that each line is one of the program's, printable, and of bounded length."""
    for line in log.splitlines():
        assert re.match(r"ec2-metadata: (error: |warning: |debug: )?[a-zA-Z0-9'/-]", line), line
        assert line.isprintable(), line
        assert len(line) < 2000
    assert log == "" or log.endswith("\n")


def argv(disk: MachineDisk, folder: Path) -> list[str]:
    """Return what dockerd is started with, by a real bash where the release has one."""
    working = folder / "working"
    working.mkdir(exist_ok=True)
    found = fake_ros.dockerd_argv(timed.layers_of(disk), working)
    assert found is not None
    assert hostile.ran(folder) == []
    assert list(working.iterdir()) == []
    return found


def labels(argv: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for argument in argv:
        if argument.startswith("--label="):
            key, _, value = argument.removeprefix("--label=").partition("=")
            assert key not in found
            found[key] = value
    return found


def carried(text: str) -> bool:
    """Tell whether an argument can hold a text at all."""
    return "\0" not in text and not re.search("[\ud800-\udfff]", text)


@pytest.mark.parametrize("release", RELEASES)
def test_labels_run_no_command_and_arrive_as_they_are_or_are_left_out_and_named(
    tmp_path: Path, release: str
) -> None:
    disk = machine(tmp_path, release)
    tags = {f"docker.v{number:02}": value for number, value in enumerate(VALUES)}
    booted = run(disk, tags)
    started = argv(disk, tmp_path)
    got = labels(started)
    expected = {**tags, **BENIGN}
    assert {key: got[key] for key in BENIGN} == BENIGN
    left_out = {key for key in expected if key not in got}
    assert all(f"label '{key}' is left out" in booted.log for key in left_out)
    assert {key: got[key] for key in got if key in expected} == {
        key: value for key, value in expected.items() if key not in left_out
    }
    if release == "v0.4.5":
        plain = {key for key, value in expected.items() if re.fullmatch("[ -~]*", value)}
        assert left_out == expected.keys() - plain
    else:
        assert left_out == {key for key, value in expected.items() if not carried(value)}
    rest = [one for one in started if not one.startswith("--label=docker.")]
    assert [one for one in rest if one in USERS or one.startswith("--label=user.")]
    assert not any("evil" in one for one in rest)


@pytest.mark.parametrize("release", ["v0.6.1", "v1.5.8"])
def test_keys_of_labels_run_no_command_and_hide_no_other(tmp_path: Path, release: str) -> None:
    disk = machine(tmp_path, release)
    tags = {f"docker.{key}": str(number) for number, key in enumerate(KEYS)}
    bare = {key: str(number) for number, key in enumerate(KEYS)}
    run(disk, {**tags, **bare}, "-t", "")
    started = argv(disk, tmp_path)
    got = labels(started)
    assert got.items() >= BENIGN.items()
    assert got["user.motto"] == "a  b"
    fits = {k: v for k, v in {**tags, **bare}.items() if carried(k) and "=" not in k}
    reserved = ("com.docker.a", "IO.DOCKER.b", "org.dockerproject.c")
    assert {k: got.get(k) for k in fits if k not in reserved} == {
        k: v for k, v in fits.items() if k not in reserved
    }
    assert not got.keys() & {*reserved, "=", "a", "a=b"}


def test_fifty_of_the_longest_tags_cost_no_short_one_and_start_one_bash(tmp_path: Path) -> None:
    disk = machine(tmp_path)
    tags = {f"docker.n{number:02}": "語" * 256 for number in range(48)}
    booted = run(disk, tags)
    got = labels(argv(disk, tmp_path))
    assert got.items() >= BENIGN.items()
    assert 20 < len(got) < 50
    assert "would be longer than 96 KiB" in booted.log


@pytest.mark.parametrize("value", VALUES)
def test_a_variable_is_exactly_its_tag_or_left_out_and_named(tmp_path: Path, value: str) -> None:
    disk = machine(tmp_path)
    booted = run(
        disk,
        {"app.x": value},
        *("-l", "app.x:MAPPED", "--env-prefix", "app.:APP_"),
        *("--set", "COMPOSED=<{tag:app.x}>", "--set", "TWICE={COMPOSED}"),
    )
    environment = timed.layers_of(disk).environment()
    assert environment["MINE"] == "1"
    assert environment["PATH"] == "/usr/bin"
    assert environment[STATUS_VARIABLE] == "complete"
    assert environment.items() >= METADATA.items()
    ascii_text = re.fullmatch(r"[\t\n\r -~]*", value) is not None
    # An address variable that ros would replace is one character in the model, so this sees it.
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
    before = timed.layers_of(disk).environment()
    run(disk, {f"app.{key}": "1" for key in KEYS}, "--env-prefix", "app.:APP_")
    environment = timed.layers_of(disk).environment()
    new = set(environment) - set(before)
    assert all(re.fullmatch("[A-Z_][A-Z0-9_]*", name) for name in new)
    assert {name: environment[name] for name in before} == before


STEERING = sorted(NEVER_FROM_TAGS | PROXY_NAMES | {STATUS_VARIABLE})


@pytest.mark.parametrize("name", [name for name in STEERING if name.isupper()])
def test_no_prefix_reaches_a_variable_that_steers_the_machine(tmp_path: Path, name: str) -> None:
    disk = machine(tmp_path)
    half = len(name) // 2
    prefix, rest = name[:half], name[half:].lower().replace("_", ".")
    before = timed.layers_of(disk).environment().get(name)
    booted = run(disk, {f"x.{rest}": "evil"}, "--env-prefix", f"x.:{prefix}")
    after = timed.layers_of(disk).environment().get(name)
    assert after == ("complete" if name == STATUS_VARIABLE else before)
    assert f"{name} is not for a prefix to set" in booted.log


@pytest.mark.parametrize("value", [*VALUES, "http://proxy.internal:3128", "[::1]:3128", "*.local"])
def test_a_proxy_from_a_tag_runs_no_command_at_login(tmp_path: Path, value: str) -> None:
    disk = machine(tmp_path)
    flags = [flag for name in sorted(PROXY_NAMES) for flag in ("-l", f"proxy:{name}")]
    run(disk, {"proxy": value}, *flags, "--set", "no_proxy={tag:proxy},10.0.0.0/8")
    environment = timed.layers_of(disk).environment()
    set_names = sorted(PROXY_NAMES & environment.keys())
    working = tmp_path / "login"
    working.mkdir()
    # As /etc/profile.d has them on RancherOS: $(…) and backquotes are live in both.
    profile = "".join(
        f'export {name}="{environment[name]}"\nexport {name}={environment[name]}\n'
        for name in set_names
    )
    done = subprocess.run(
        ["bash", "--norc", "-c", f'{profile}\nprintf %s "$http_proxy"'],
        cwd=working,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    assert list(working.iterdir()) == []
    if "://proxy" in value:
        assert set_names == sorted(PROXY_NAMES)
        assert done.stdout == value


PATHS = [
    "hostname",
    "rancher.sysctl.net.core.somaxconn",
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


@pytest.mark.parametrize("path", PATHS)
def test_a_config_path_takes_what_is_safe_there_and_changes_no_other_key(
    tmp_path: Path, path: str
) -> None:
    for number, value in enumerate((*VALUES, "10.0.0.1", "8080", "1.1.1.1,8.8.8.8")):
        folder = tmp_path / str(number)
        disk = machine(folder)
        keys = config_paths.keys(path)
        before = copy.deepcopy(timed.layers_of(disk).merged)
        booted = in_process.run(
            disk.root, GivenEc2(found({"x": value})), settings=settings(disk, "-l", f"x:{path}")
        )
        log_is_safe(booted.log)
        layers = timed.layers_of(disk)
        assert (layers.problems, layers.fatal) == ((), None)
        got = layers.get(keys)
        after = copy.deepcopy(layers.merged)
        for tree in (before, after):
            drop(tree, keys)
            drop(tree, ENVIRONMENT)
        pruned(after)
        assert after == before, value
        if path.startswith("rancher.docker."):
            runs_nothing(got, folder)


def pruned(tree: dict[str, Any]) -> None:
    """Take out maps that are there for a config path alone."""
    for key in [key for key, node in tree.items() if isinstance(node, dict)]:
        pruned(tree[key])
        if not tree[key]:
            del tree[key]


def runs_nothing(value: Any, folder: Path) -> None:
    """Check that a value below rancher.docker is one word of a shell, as it stands."""
    for text in value if isinstance(value, list) else [value]:
        if text is None:
            continue
        working = folder / "docker"
        working.mkdir(exist_ok=True)
        done = subprocess.run(
            ["bash", "-c", f"exec printf '%s\\0' dockerd --option {text}"],
            cwd=working,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.stdout.split("\0") == ["dockerd", "--option", text, ""]
        assert list(working.iterdir()) == []


@pytest.mark.parametrize(
    "path",
    [
        *("rancher.console", "rancher.docker.engine", "rancher.docker.extra_args"),
        *("rancher.docker.environment", "rancher.services.x", "rancher.services_include.x"),
        *("runcmd.x", "write_files.x", "ssh_authorized_keys.x", "rancher.environment.PATH"),
        *("rancher.sysctl.a;b", "rancher.sysctl.", "rancher.docker.log_opts.a b"),
        *("rancher.password", "rancher.docker.group", "rancher.docker.tls_args.x"),
    ],
)
def test_no_tag_reaches_any_other_config_path(tmp_path: Path, path: str) -> None:
    disk = machine(tmp_path)
    before = disk.snapshot()
    with FakeImds(SANE) as imds:
        ran = program.run(disk, "-l", f"x:{path}", imds=imds)
    assert ran.status == 2
    assert ran.line("error", "no tag may set that config path")
    assert disk.snapshot() == before


@pytest.mark.parametrize("command", [["apply"], ["plan"], ["show"], ["show", "--format=yaml"]])
def test_nothing_that_is_printed_reaches_the_terminal_or_makes_a_second_line(
    tmp_path: Path, command: list[str]
) -> None:
    """From outside, with values and names as the metadata service gives them."""
    disk = machine(tmp_path)
    values = [value for value in VALUES if carried(value)]
    tags = {f"docker.v{number:02}": value for number, value in enumerate(values)}
    role = {"iam/security-credentials": "no\x1b[2Ject\nec2-metadata: forged; exit 0"}
    with FakeImds(replace(SANE, tags=tags, extra=role)) as imds:
        ran = program.run(disk, *command, "--debug", "-l", "docker.v00:X", imds=imds)
    assert ran.status in (0, 4, 10)
    log_is_safe(ran.err)
    assert "\nec2-metadata: forged" not in ran.err
    assert all(line.isprintable() for line in ran.out.split("\n"))
    assert hostile.ran(tmp_path) == []


def test_a_tag_is_no_label_of_the_programs_own(tmp_path: Path) -> None:
    disk = machine(tmp_path)
    tags = {"ec2-metadata.status": "complete", "aws.instance-type": "forged"}
    flags = ("-t", "", "--status-label", "--metadata-labels", "region,instance-id")
    partial = found({**tags, "aws.region": "forged"})
    partial.variables_complete = False
    booted = in_process.run(disk.root, GivenEc2(partial), settings=settings(disk, *flags))
    got = labels(argv(disk, tmp_path))
    assert got["ec2-metadata.status"] == "partial"
    assert got["aws.region"] == METADATA["AWS_REGION"]
    assert "the label of that name is the program's own" in booted.log
