from __future__ import annotations

import io
import os
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from faulty_imds import FaultyImds
from machine import MachineDisk
from rancheros_ec2_metadata import PROGRAMS, __version__
from rancheros_ec2_metadata.cli import main
from rancheros_ec2_metadata.command_line import COMMANDS
from rancheros_ec2_metadata.commands import show
from rancheros_ec2_metadata.commands.invocation import Process
from rancheros_ec2_metadata.errors import DeadlineError, ExitStatus, FilesError, UsageError
from rancheros_ec2_metadata.hosts.rancheros import paths
from rancheros_ec2_metadata.options import OPTIONS

LABEL = "--label=docker.role=web"
SECRET = "AQAE-a-token"


class Said:
    """What a command printed and returned, run in this process."""

    def __init__(self, *arguments: str, **environ: str) -> None:
        out, err = io.StringIO(), io.StringIO()
        self.deadlines: list[float] = []
        self.status = main(arguments, Process(environ, out, err, self.deadlines.append))
        self.out, self.err = out.getvalue(), err.getvalue()


@pytest.fixture
def ec2(disk: MachineDisk, imds: FaultyImds) -> Callable[..., Said]:
    """Run a command on the disk, with the metadata service."""
    endpoint = {"AWS_EC2_METADATA_SERVICE_ENDPOINT": imds.url}

    def said(*arguments: str, **environ: str) -> Said:
        asks = not {"show", "status", "--nonsense"} & set(arguments)
        ros = ("--ros", str(disk.ros())) if asks else ()
        return Said(*arguments, "--root", str(disk.root), *ros, **endpoint, **environ)

    return said


def helped(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert Said(*arguments).status == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    return printed.out


def test_the_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    text = helped(capsys, "--help")
    assert [name for name in COMMANDS if f"\n    {name}" not in text] == []
    assert helped(capsys, "--version") == f"rancheros-ec2-metadata {__version__}\n"


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_a_command_has_its_flags_and_examples_and_exit_statuses_in_words(
    capsys: pytest.CaptureFixture[str], command: str
) -> None:
    text = helped(capsys, command, "--help")
    for arguments, what in COMMANDS[command].examples.items():
        joined = text.replace(" \\\n    ", " ")
        assert f"  rancheros-ec2-metadata {arguments}\n      {what}\n" in joined
    statuses = re.findall(r"^ +(\d+)  [a-zE]", text.partition("exit status:\n")[2], re.MULTILINE)
    assert statuses == [f"{one:d}" for one in ExitStatus if one in COMMANDS[command].statuses]
    for option in OPTIONS:
        assert (f"[{option.variable}]" in text) is (command in option.commands)
        assert all((f"  {flag}" in text) or (f", {flag}" in text) for flag in option.flags) is (
            command in option.commands
        )
    assert max(map(len, text.splitlines())) <= 80


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("/usr/local/bin/ec2-docker-labels", "ec2-docker-labels"),
        ("./ec2-docker-labels-1.0.0.pyz", "ec2-docker-labels"),
        ("rancheros-ec2-metadata", "rancheros-ec2-metadata"),
        ("/app", "rancheros-ec2-metadata"),
    ],
)
def test_it_names_itself_as_it_was_called(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    ec2: Callable[..., Said],
    file: str,
    name: str,
) -> None:
    monkeypatch.setattr("sys.argv", [file])
    (other,) = set(PROGRAMS) - {name}
    text = helped(capsys, "--version") + helped(capsys, "--help") + helped(capsys, "show", "--help")
    text += ec2().err + ec2("clean").err + ec2("--nonsense").err
    for said in (
        f"{name} {__version__}\n",
        f"usage: {name} [",
        f"usage: {name} show [",
        f"  {name} show\n",
    ):
        assert said in text
    assert text.count(f"ec2-metadata: status: started; {name} {__version__}, ") == 2
    assert text.count(f"ec2-metadata: status: started; {name} {__version__}, clean\n") == 1
    assert f"see {name} --help" in text
    assert other not in text


def test_without_a_word_or_with_a_flag_first_the_command_is_apply(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert helped(capsys, "-m", "--help") == helped(capsys, "apply", "--help")


@pytest.mark.parametrize("arguments", [("-l", "no target"), ("aply",), ("plan", "--dry-run")])
def test_what_is_wrong_is_named_and_nothing_is_touched_or_asked(
    disk: MachineDisk, imds: FaultyImds, arguments: tuple[str, ...]
) -> None:
    before = disk.snapshot()
    said = Said(*arguments, AWS_METADATA_ROOT=str(disk.root))
    assert (said.status, said.out) == (2, "")
    first, last = said.err.splitlines()
    assert first.startswith("ec2-metadata: error: ")
    assert arguments[-1] in first
    command = "plan " if arguments[0] == "plan" else ""
    assert last.endswith(f"touched; see rancheros-ec2-metadata {command}--help; exit 2")
    assert (disk.snapshot(), imds.requests) == (before, [])


def test_only_what_a_boot_waits_for_tells_its_supervisor_the_deadline(
    ec2: Callable[..., Said],
) -> None:
    assert ec2("--deadline", "7").deadlines == [7]
    assert ec2("apply", AWS_METADATA_DEADLINE="9").deadlines == [9]
    assert ec2("clean", "--deadline", "7").deadlines == [7]
    assert ec2("plan", "--deadline", "7").deadlines == []
    assert ec2("--deadline", "7", "--nonsense").deadlines == []


def test_a_hostile_argument_cannot_forge_a_line_of_the_log() -> None:
    said = Said("-l", "x\nec2-metadata: exit 0\x1b[2J")
    assert said.status == 2
    assert len(said.err.splitlines()) == 2
    assert "\x1b" not in said.err


def test_show_prints_a_table_of_all_tags_mapped_or_not(ec2: Callable[..., Said]) -> None:
    said = ec2("show", AWS_METADATA_LOAD="false", AWS_METADATA_TAG_PREFIXES="none.")
    assert said.status == 0
    assert "  'docker.role'  'web'  (IMDS, tags/instance/docker.role)" in said.out.splitlines()
    assert "  'other'        'x'  (IMDS, tags/instance/other)" in said.out.splitlines()
    assert "AWS_INSTANCE_ID" in said.out


def test_show_says_what_it_could_not_learn(ec2: Callable[..., Said], imds: FaultyImds) -> None:
    imds.instance = replace(imds.instance, tags_in_metadata=False)
    said = ec2("show")
    assert said.status == ExitStatus.INCOMPLETE
    assert "ec2:DescribeTags" in said.err
    assert "AWS_INSTANCE_ID" in said.out


def test_clean_takes_back_what_a_run_wrote(ec2: Callable[..., Said], disk: MachineDisk) -> None:
    disk.cloud_config("rancher: {docker: {extra_args: [--mine]}}  # by hand\n")
    before = {name: raw for name, (_, raw) in disk.snapshot().items()}
    assert ec2("apply").status == 0
    written = disk.snapshot()
    dry = ec2("clean", "--dry-run")
    assert dry.status == ExitStatus.WOULD_CHANGE
    assert disk.snapshot() == written
    assert f"-rancher.docker.extra_args: '{LABEL}'" in dry.out.splitlines()
    for words in (f"would change {paths.CLOUD_CONFIG}", f"would remove {paths.STATE}"):
        assert words in dry.err
    said = ec2("clean")
    assert (said.status, said.out) == (0, "")
    assert {name: raw for name, (_, raw) in disk.snapshot().items()} == before
    assert not disk.path(paths.STATE).exists()
    assert ec2("clean").err.endswith("nothing to remove; exit 0\n")


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo])
def test_clean_names_a_state_that_is_no_file(
    ec2: Callable[..., Said], disk: MachineDisk, make: Callable[[Path], None]
) -> None:
    assert ec2("apply").status == 0
    disk.path(paths.STATE).unlink()
    make(disk.path(paths.STATE))
    said = ec2("clean")
    assert said.status == ExitStatus.FILES
    assert f"error: {paths.STATE} cannot be read: " in said.err
    assert f"removed {paths.DROP_IN}; exit 5\n" in said.err
    assert not disk.path(paths.DROP_IN).exists()


@pytest.mark.parametrize(
    ("raised", "status"),
    [
        (UsageError("x"), 2),
        (FilesError("x"), 5),
        (DeadlineError("x"), 7),
        (KeyboardInterrupt(), 130),
        (ZeroDivisionError(), 1),
        (RecursionError(), 1),
    ],
)
def test_each_class_of_failure_is_a_status(
    ec2: Callable[..., Said],
    monkeypatch: pytest.MonkeyPatch,
    raised: BaseException,
    status: int,
) -> None:
    def failing(*_: object) -> int:
        raise raised

    monkeypatch.setattr(show, "run", failing)
    assert ec2("show").status == status


@pytest.mark.parametrize("debug", [True, False])
def test_a_bug_is_one_line_and_with_debug_a_traceback_that_quotes_nothing(
    ec2: Callable[..., Said], monkeypatch: pytest.MonkeyPatch, debug: bool
) -> None:
    def broken(*_: object) -> int:
        raise KeyError(SECRET)

    monkeypatch.setattr(show, "run", broken)
    said = ec2("show", *(["--debug"] if debug else []))
    assert said.status == ExitStatus.BUG
    assert "this is a bug of rancheros-ec2-metadata" in said.err
    assert "KeyError; please report it" in said.err
    assert ("test_cli.py" in said.err) is debug
    assert SECRET not in said.err
    assert said.err.endswith("exit 1\n")
    assert (len(said.err.splitlines()) == 2) is not debug


@pytest.mark.parametrize("command", ["apply", "plan", "show"])
def test_debug_logs_each_request(ec2: Callable[..., Said], imds: FaultyImds, command: str) -> None:
    said = ec2(command, AWS_METADATA_DEBUG="true")
    logged = re.findall(r"debug: (\w+) 'http://[^/]+([^']+)': (\d+)", said.err)
    assert sorted(logged) == sorted((m, p, str(status)) for m, p, status in imds.requests)
    assert "debug" not in ec2(command).err


@pytest.mark.parametrize("command", ["apply", "plan", "show", "status", "clean"])
def test_a_variable_that_nobody_reads_is_named(ec2: Callable[..., Said], command: str) -> None:
    said = ec2(command, AWS_METADATA_TAGPREFIXES="x", AWS_METADATA_TAGS="auto")
    assert "warning: unknown variable AWS_METADATA_TAGPREFIXES: ignored" in said.err
    assert "AWS_METADATA_TAGS " not in said.err
