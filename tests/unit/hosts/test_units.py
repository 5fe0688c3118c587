from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rancheros_ec2_metadata.errors import UsageError
from rancheros_ec2_metadata.hosts.systemd import units

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
_ESCAPES = {"\\": "\\", '"': '"', "'": "'", "n": "\n", "t": "\t", "s": " "}


def read_words(line: str) -> Iterator[str]:
    """Yield the words that systemd makes of the value of ExecStart=, without other specifiers
    than %% and without variables (systemd.syntax(7), "Quoting"; systemd.unit(5), "Specifiers";
    systemd.service(5), "Command lines")."""
    at = 0
    while at < len(line):
        if line[at] in " \t":
            at += 1
            continue
        word, quote = b"", ""
        while at < len(line) and (quote or line[at] not in " \t"):
            one = line[at]
            if one == "\\":
                if line[at + 1] == "x":
                    word += bytes.fromhex(line[at + 2 : at + 4])
                    at += 4
                else:
                    word += _ESCAPES[line[at + 1]].encode()
                    at += 2
                continue
            if one == quote:
                quote = ""
                assert line[at + 1 : at + 2] in ("", " ")
            elif not quote and one in "\"'":
                quote = one
            else:
                word += one.encode()
            at += 1
        assert not quote
        text = word.decode()
        assert re.fullmatch(r"(?:[^%$]|%%|\$\$)*", text), "a specifier or a variable"
        yield text.replace("%%", "%").replace("$$", "$")


@given(st.lists(TEXT, min_size=1))
@example(["", " ", ";", "\\", '"', "'", "%n", "$HOME", "${x}", "\n", "\u00a0", "\ufffe", "@-+!:|#"])
def test_each_word_is_one_word_for_systemd_as_it_is(words: list[str]) -> None:
    line = " ".join(map(units.quote_word, words))
    assert line.isprintable()
    assert not line.endswith("\\")
    assert list(read_words(line)) == words


def test_a_word_that_no_unit_can_hold_is_refused_and_named() -> None:
    with pytest.raises(UsageError, match="cannot be in a unit: it is not text"):
        units.render_units(["x", "\ud800"], {}, 120, None)


def value(text: str, key: str) -> list[str]:
    return [line.partition("=")[2] for line in text.splitlines() if line.partition("=")[0] == key]


def test_the_run_before_docker_waits_for_no_later_target_and_ends_by_itself() -> None:
    (text,) = units.render_units(["/usr/bin/x", "apply"], {}, 300.5, None).values()
    assert value(text, "Before") == ["docker.service"]
    assert value(text, "After") == value(text, "Wants") == ["network-online.target"]
    assert value(text, "WantedBy") == ["docker.service multi-user.target"]
    assert value(text, "TimeoutStartSec") == ["311"]
    assert value(text, "SuccessExitStatus") == ["3 4 6"]
    # With it systemd would not run it again before a restart of Docker.
    assert value(text, "RemainAfterExit") == []


def test_the_run_of_the_timer_holds_up_no_reload_of_docker() -> None:
    texts = units.render_units(["/usr/bin/x", "apply", "--deadline=300"], {}, 300, 45)
    _, follow, timer = texts.values()
    assert value(follow, "Before") == value(follow, "WantedBy") == []
    assert value(follow, "ExecStart") == ['"/usr/bin/x" "apply" "--deadline=300" --deadline=30']
    assert value(follow, "TimeoutStartSec") == ["40"]
    assert value(timer, "OnActiveSec") == value(timer, "OnUnitInactiveSec") == ["45"]
    assert value(timer, "Unit") == ["ec2-docker-labels-follow.service"]


@pytest.mark.real_parts
def test_systemd_takes_the_units_and_their_exposure_is_low(tmp_path: Path) -> None:
    texts = units.render_units(
        ["/bin/true", "apply", "-t", "a %b $c\n'\""], {"A": '$x %y "z"'}, 120, 30
    )
    for path, text in texts.items():
        (tmp_path / Path(path).name).write_text(text)
    (tmp_path / "docker.service").write_text("[Service]\nExecStart=/bin/true\n")
    services = [str(tmp_path / name) for name in (units.SERVICE, units.FOLLOW)]
    for command in (
        ["verify", *services, str(tmp_path / units.TIMER)],
        ["security", "--offline=true", "--threshold=30", "--no-pager", services[0]],
        ["security", "--offline=true", "--threshold=30", "--no-pager", services[1]],
    ):
        done = subprocess.run(
            ["systemd-analyze", *command], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout
        assert done.stderr == ""
