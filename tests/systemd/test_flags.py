"""Flags of Docker's unit, and words of ours: what a real systemd makes of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from rancheros_ec2_metadata.hosts.systemd.units import quote_word
from systemd import debian_tree, installed
from systemd.installed import SERVICE, add_drop_in

pytestmark = pytest.mark.systemd_host

WEB = {"docker.role": "web"}
DOCKERD = "/usr/sbin/dockerd -H fd:// --containerd=/run/containerd/containerd.sock"
RESET = "[Service]\nExecStart=\nExecStart="

WORDS = (
    *("", " ", "a b", "\t", "a\nb", "\\", "\\n", "a\\", '"', "'", "'a\" b'", ";", "a ; b", "#"),
    *("$", "$$", "$HOME", "${HOME}", "%", "%n", "%%h", "100%", "`id`", "$(id)", "*", "~", "|", "&"),
    *(
        "-x",
        "@",
        "!",
        "+",
        ":",
        "café",
        "日本",
        "\u2028",
        "\x7f",
        "\x01",
        "a=b",
        "{}",
        "\U0001f433",
    ),
)


def test_every_word_of_a_command_and_every_value_of_a_variable_is_exact(
    tree: Path, tmp_path: Path
) -> None:
    # systemd sets no variable with another control character than these two.
    allowed = {number: word for number, word in enumerate(WORDS) if word not in ("\x01", "\x7f")}
    holds = {f"V{number}": word for number, word in allowed.items()}
    lines = "".join(
        f"Environment={quote_word(f'{name}={value}', is_command=False)}\n"
        for name, value in holds.items()
    )
    command = " ".join(map(quote_word, ("/usr/bin/printf", "%s\\0", *WORDS)))
    with installed.made(tree) as machine:
        units = machine.root / "etc/systemd/system"
        (units / "words.service").write_text(
            f"[Service]\nType=oneshot\nStandardOutput=file:/run/words\nExecStart={command}\n"
        )
        (units / "values.service").write_text(
            "[Service]\nType=oneshot\nStandardOutput=file:/run/values\n"
            f"{lines}ExecStart=/usr/bin/env --null\n"
        )
        machine.boot()
        machine.run("systemctl", "start", "words.service", "values.service")
        words = machine.run("cat", "/run/words").split("\0")
        assert tuple(words[:-1]) == WORDS
        seen = dict(one.split("=", 1) for one in machine.run("cat", "/run/values").split("\0")[:-1])
        assert {name: seen.get(name) for name in holds} == holds
        machine.power_off()


def test_a_label_among_the_flags_of_docker_is_refused_by_name_and_docker_starts(
    tree: Path, tmp_path: Path
) -> None:
    with installed.labelled(tree, tmp_path, WEB) as (machine, _):
        defaults = machine.root / "etc/default/docker"
        former = defaults.read_text() if defaults.exists() else ""
        (machine.root / "etc/docker/other.json").write_text("{}")
        for text, drop_in, named in (
            (f"{former}\nDOCKER_OPTS='--label mine=1'\n", "", "/etc/default/docker has --label"),
            (
                former,
                f"{RESET}{DOCKERD} --label=mine=1\n",
                "ExecStart of docker.service has --label",
            ),
            (
                former,
                f"{RESET}{DOCKERD} --config-file /etc/docker/other.json\n",
                "ExecStart of docker.service has --config-file",
            ),
        ):
            defaults.write_text(text)
            add_drop_in(machine, "docker.service", drop_in)
            machine.reboot()
            mine = {} if "config-file" in named else {"mine": "1"}
            assert machine.labels() == mine, named
            assert machine.property(SERVICE, "ExecMainStatus") == "5"
            assert f"no label is set: {named}" in machine.journal("--boot", f"--unit={SERVICE}")
        defaults.write_text(former)
        add_drop_in(machine, "docker.service", "")
        machine.reboot()
        assert machine.labels() == WEB


@pytest.mark.skipif(debian_tree.SUITE == "bookworm", reason="dockerd 20.10 has no --validate")
def test_dockerd_is_asked_within_the_sandbox_of_the_unit(tree: Path, tmp_path: Path) -> None:
    with installed.labelled(tree, tmp_path, WEB) as (machine, imds):
        daemon_json = machine.root / "etc/docker/daemon.json"
        daemon_json.write_text('{"no-such-key": 1}')
        imds.show({"tags": {**WEB, "docker.zone": "a"}})
        assert machine.attempt("systemctl", "restart", SERVICE).returncode == 1
        assert machine.property(SERVICE, "ExecMainStatus") == "5"
        said = "no label is set: dockerd does not take /etc/docker/daemon.json as it is"
        assert said in machine.journal(f"--unit={SERVICE}")
        assert daemon_json.read_text() == '{"no-such-key": 1}'
