from __future__ import annotations

import io
import stat
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from plain_machine import PlainMachine
from rancheros_ec2_metadata import command_line
from rancheros_ec2_metadata.commands import install, uninstall
from rancheros_ec2_metadata.commands.invocation import Invocation, Process
from rancheros_ec2_metadata.deadline import Clock, Limit
from rancheros_ec2_metadata.errors import FilesError
from rancheros_ec2_metadata.hosts.files import Files
from rancheros_ec2_metadata.hosts.systemd import units
from rancheros_ec2_metadata.hosts.systemd.systemd_host import SystemdHost
from rancheros_ec2_metadata.log import Log
from rancheros_ec2_metadata.runtime import Target

USERS = '{"debug": true}'
WORDS = ("/usr/bin/python3", "-I", "-S", units.LIBRARY)
INSTALL = ("install", "-l", "a b:B", "-t", "docker.", "--deadline", "300")
MODULE = f"{units.LIBRARY}/rancheros_ec2_metadata/module.py"
SERVICE, FOLLOW, TIMER = (f"{units.FOLDER}/{name}" for name in units.UNITS)


class Systemd:
    """A machine, and what systemctl is told; it may refuse a word."""

    def __init__(self, root: Path) -> None:
        self.machine = PlainMachine(root, USERS)
        for folder in (units.FOLDER, "/usr/local/lib", "/usr/local/bin", "/var/lib"):
            self.machine.path(folder).mkdir(parents=True)
        self.program = root / "unpacked"
        (self.program / "rancheros_ec2_metadata").mkdir(parents=True)
        (self.program / "rancheros_ec2_metadata/module.py").write_text("A = 1\n")
        self.told: list[str] = []
        self.refuses = ""
        self.out = self.log = ""

    def systemctl(self, *words: str) -> None:
        if words[0] == self.refuses:
            raise FilesError(f"systemctl {words[0]}: no")
        there = [name for name in units.UNITS if self.read(f"{units.FOLDER}/{name}") is not None]
        self.told.append(f"{' '.join(words)} [{len(there)} units]")

    def read(self, path: str) -> str | None:
        return self.machine.read(path)

    def run(
        self,
        *arguments: str,
        program: tuple[Path | None, tuple[str, ...]] | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> int:
        """Run install or uninstall."""
        self.told = []
        called = command_line.parse(arguments, environ or {})
        out, log = io.StringIO(), io.StringIO()
        call = Invocation(
            called.given, called.settings, Process(environ or {}, out, io.StringIO()), Log(log)
        )
        limit = Limit.after(60, Clock())
        host = SystemdHost(self.machine.root, self.machine.docker, limit)
        target = Target(host, Files(host.locate, dry=called.given.dry_run), call.log)
        try:
            if called.command == "uninstall":
                return uninstall.uninstall(call, target, limit, self.systemctl)
            program = program or (self.program, WORDS)
            if called.given.dry_run:
                return install.print_units(call, program[1])
            return install.install(call, target, limit, self.systemctl, program)
        finally:
            self.out, self.log = out.getvalue(), log.getvalue()

    def tree(self) -> dict[str, tuple[int, int, bytes]]:
        return {
            str(file): (file.stat().st_ino, stat.S_IMODE(file.stat().st_mode), file.read_bytes())
            for file in sorted(self.machine.root.rglob("*"))
            if file.is_file()
        }


@pytest.fixture
def systemd(tmp_path: Path) -> Systemd:
    return Systemd(tmp_path)


def test_it_is_installed_enabled_and_started_without_waiting_and_done_again_writes_nothing(
    systemd: Systemd,
) -> None:
    assert systemd.run(*INSTALL) == 0
    told = [
        "daemon-reload [1 units]",
        "enable ec2-docker-labels.service [1 units]",
        "--no-block restart ec2-docker-labels.service [1 units]",
    ]
    assert systemd.told == told
    text = systemd.read(SERVICE) or ""
    assert (
        'ExecStart="/usr/bin/python3" "-I" "-S" "/usr/local/lib/ec2-docker-labels"'
        ' "apply" "--host=systemd" "--tag-prefix=docker." "--tag-variable=a b:B" "--deadline=300"\n'
        "TimeoutStartSec=310\n"
    ) in text
    assert systemd.read(MODULE) == "A = 1\n"
    library = systemd.machine.path(units.LIBRARY)
    # A boot compiles nothing, in a folder that it may not write to.
    assert [one.suffix for one in library.rglob("module*.pyc")] == [".pyc"]
    assert systemd.machine.path(SERVICE).stat().st_mode & 0o777 == 0o644
    assert "installed ec2-docker-labels.service; 'journalctl -u" in systemd.log
    before = systemd.tree()
    assert systemd.run(*INSTALL) == 0
    assert (systemd.told, systemd.tree()) == (told, before)
    (systemd.program / "rancheros_ec2_metadata/module.py").write_text("A = 2\n")
    assert systemd.run(*INSTALL) == 0
    assert systemd.read(MODULE) == "A = 2\n"
    assert [one.name for one in library.parent.iterdir()] == [library.name]


def test_follow_comes_changes_and_goes(systemd: Systemd) -> None:
    systemd.run("install", "--follow", "30")
    assert systemd.told[-2:] == [
        "enable ec2-docker-labels.service ec2-docker-labels-follow.timer [3 units]",
        "--no-block restart ec2-docker-labels.service ec2-docker-labels-follow.timer [3 units]",
    ]
    assert "OnActiveSec=30\n" in (systemd.read(TIMER) or "")
    systemd.run("install", "--follow", "60")
    assert "OnActiveSec=60\n" in (systemd.read(TIMER) or "")
    systemd.run("install")
    assert systemd.told[:2] == [
        "disable --now ec2-docker-labels-follow.timer [3 units]",
        "daemon-reload [1 units]",
    ]
    assert (systemd.read(TIMER), systemd.read(FOLLOW)) == (None, None)


def test_the_variables_of_a_run_are_in_the_unit_and_no_others(systemd: Systemd) -> None:
    environ = {
        "AWS_METADATA_LOAD": "false",
        "AWS_METADATA_SET": 'A=$b %c "d"',
        "AWS_ENDPOINT_URL_EC2": "http://x",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_METADATA_ROOT": "",
        "HOME": "/root",
    }
    systemd.run("install", "--follow", "30", environ=environ)
    for path in (SERVICE, FOLLOW):
        lines = (systemd.read(path) or "").splitlines()
        assert [line for line in lines if line.startswith("Environment=")] == [
            'Environment="AWS_ENDPOINT_URL_EC2=http://x"',
            'Environment="AWS_METADATA_LOAD=false"',
            'Environment="AWS_METADATA_SET=A=$b %%c \\"d\\""',
        ]


def test_a_dry_run_shows_the_units_and_changes_nothing(systemd: Systemd) -> None:
    before = systemd.tree()
    assert systemd.run("install", "--follow", "30", "--dry-run") == 0
    assert (systemd.tree(), systemd.told) == (before, [])
    assert [line for line in systemd.out.splitlines() if line.startswith("# /")] == [
        f"# {path}" for path in (SERVICE, FOLLOW, TIMER)
    ]
    systemd.run("install")
    systemd.machine.run({"docker.role": "web"})
    before = systemd.tree()
    assert systemd.run("uninstall", "--dry-run") == 10
    assert (systemd.tree(), systemd.told) == (before, [])
    assert systemd.out.startswith(
        f"remove {SERVICE}\nremove {units.LAUNCHER}\nremove {units.LIBRARY}"
    )


def test_uninstall_leaves_the_machine_as_it_was_and_may_be_done_again(systemd: Systemd) -> None:
    before = {path: row[1:] for path, row in systemd.tree().items()}
    everything = {*systemd.machine.root.rglob("*")}
    systemd.run("install", "--follow", "30")
    systemd.machine.run({"docker.role": "web"})
    assert systemd.run("uninstall") == 0
    assert systemd.told == [
        f"disable --now {' '.join(units.UNITS)} [3 units]",
        "daemon-reload [0 units]",
    ]
    assert {path: row[1:] for path, row in systemd.tree().items()} == before
    assert {*systemd.machine.root.rglob("*")} == everything
    assert systemd.run("uninstall") == 0
    assert "nothing to remove" in systemd.log


def test_what_goes_wrong_is_named_and_uninstall_can_be_tried_again(systemd: Systemd) -> None:
    systemd.refuses = "enable"
    with pytest.raises(FilesError, match="systemctl enable: no"):
        systemd.run("install")
    systemd.refuses = ""
    systemd.run("install")
    systemd.machine.run({"docker.role": "web"})
    text = systemd.machine.read() or ""
    systemd.machine.path("/etc/docker/daemon.json").write_text("{")
    assert systemd.run("uninstall") == 5
    assert systemd.read(SERVICE) is not None
    systemd.machine.path("/etc/docker/daemon.json").write_text(text)
    assert systemd.run("uninstall") == 0
    systemd.machine.path(SERVICE).mkdir()
    with pytest.raises(FilesError, match=f"{SERVICE} cannot be read: Is a directory; remove it"):
        systemd.run("install")


def test_the_launcher_starts_the_program_with_its_arguments_in_a_real_shell(
    systemd: Systemd,
) -> None:
    words = (sys.executable, "-c", "import sys; print(sys.argv[1:])", "it's $HOME \\ \"")
    assert systemd.run("install", program=(None, words)) == 0
    assert "keep this Python as it is" in systemd.log
    assert not systemd.machine.path(units.LIBRARY).exists()
    launcher = systemd.machine.path(units.LAUNCHER)
    done = subprocess.run([launcher, "a b", "*"], capture_output=True, text=True, check=True)
    assert done.stdout == f"{[words[-1], 'a b', '*']}\n"


def test_the_one_file_that_was_started_is_what_is_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pyz = tmp_path / "x.pyz"
    with zipfile.ZipFile(pyz, "w") as archive:
        archive.writestr("__main__.py", "")
    monkeypatch.setattr(sys, "argv", [str(pyz)])
    folder = Path(install.__file__).parents[2]
    assert install.find_program() == (folder, (sys.executable, "-I", "-S", units.LIBRARY))
    monkeypatch.setattr(sys, "argv", [str(tmp_path / "none")])
    assert install.find_program() == (
        None,
        (sys.executable, "-I", "-m", "rancheros_ec2_metadata"),
    )


def test_what_systemctl_says_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "systemctl"
    program.write_text('#!/bin/sh\necho "no: $*" >&2; [ $1 = good ]\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    install.run_systemctl("good")
    with pytest.raises(FilesError, match="systemctl enable x: no: enable x"):
        install.run_systemctl("enable", "x")
