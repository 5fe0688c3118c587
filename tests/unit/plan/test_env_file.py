from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from docker_env_file import EnvFileError, read
from rancheros_ec2_metadata.errors import ExitStatus, UsageError
from rancheros_ec2_metadata.plan import env_file
from rancheros_ec2_metadata.plan.env_file import EnvFile, planned
from rancheros_ec2_metadata.rancheros.disk import FOLDER, Disk

PATH = "/opt/ec2.env"
OURS = env_file.render({"A": "1"})


@given(
    st.dictionaries(
        st.from_regex(r"[A-Za-z_][A-Za-z0-9_]*", fullmatch=True),
        st.text() | st.text("\r\n\t \0#='\"\\$\ufeff\x85\u2028é").map(lambda text: f"{text}\r"),
    )
)
def test_docker_reads_every_value_that_is_held_and_no_other(variables: dict[str, str]) -> None:
    held = {n: v for n, v in variables.items() if env_file.unholdable(n, v) is None}
    assert read(env_file.render(held)) == held
    for name in variables.keys() - held.keys():
        try:
            alone = read(f"{name}={variables[name]}\n".encode("utf-8", "surrogatepass"))
        except EnvFileError:
            continue
        # What Docker reads as something else, or what no process could be started with.
        assert alone != {name: variables[name]} or "\0" in variables[name]


@pytest.mark.parametrize(
    ("length", "held"), [(65536 - len("LONG=\n"), True), (65536 - len("LONG=\n") + 1, False)]
)
def test_a_line_is_held_that_is_as_long_as_docker_reads_and_no_longer_one(
    length: int, held: bool
) -> None:
    value = "é" * (length // 2) + "x" * (length % 2)
    assert (env_file.unholdable("LONG", value) is None) == held
    if held:
        assert read(env_file.render({"LONG": value})) == {"LONG": value}
    else:
        with pytest.raises(EnvFileError):
            read(env_file.render({"LONG": value}))


@pytest.mark.parametrize("value", ["\ud800", "a\nb", "a\r", "\0"])
def test_what_cannot_be_held_is_refused(value: str) -> None:
    assert env_file.unholdable("X", value)


@pytest.mark.parametrize(
    "change",
    [
        lambda raw: raw + b"MINE=1\n",
        lambda raw: raw.replace(b"A=1", b"A=2"),
        lambda raw: b"MINE=1\n" + raw,
        lambda raw: raw.removesuffix(b"\n"),
        lambda _: b"MINE=1\n",
        lambda _: b"\n",
    ],
)
def test_a_file_that_anybody_else_has_touched_is_not_ours(
    change: Callable[[bytes], bytes],
) -> None:
    assert env_file.is_ours(OURS)
    assert env_file.is_ours(b"")
    assert not env_file.is_ours(change(OURS))


def test_what_is_wanted_is_written_where_nothing_is_or_something_of_ours() -> None:
    for files in ({}, {PATH: b""}, {PATH: OURS}):
        result = planned(Disk(files), [PATH] if files else [], EnvFile(PATH, {"B": "2"}))
        assert result.written == {PATH: env_file.render({"B": "2"})}
        assert (result.gone, result.paths, result.notes) == ((), (PATH,), ())


def test_nothing_to_say_is_no_file() -> None:
    result = planned(Disk({PATH: OURS}), [PATH], EnvFile(PATH, {}))
    assert (result.gone, result.written) == ((PATH,), {})


@pytest.mark.parametrize(
    "disk", [Disk({PATH: b"MINE=1\n"}), Disk(unreadable={PATH: FOLDER})], ids=["file", "folder"]
)
def test_what_is_not_ours_is_neither_overwritten_nor_removed_and_named(disk: Disk) -> None:
    for former in ([], [PATH]):
        kept = planned(disk, former, EnvFile(PATH, {"B": "2"}))
        assert (kept.gone, kept.written, kept.paths) == ((), {}, ())
        assert [note.status for note in kept.notes] == [ExitStatus.FILES]
        assert PATH in kept.notes[0].text
    left = planned(disk, [PATH], None)
    assert (left.gone, left.written, left.paths) == ((), {}, ())
    assert [note.status for note in left.notes] == [ExitStatus.FILES]


def test_a_file_of_another_name_goes_and_is_known_until_it_has_gone() -> None:
    disk = Disk({"/old/env": OURS})
    first = planned(disk, ["/old/env"], EnvFile(PATH, {"A": "1"}))
    assert (first.gone, first.paths) == (("/old/env",), ("/old/env", PATH))
    gone = disk.with_files({"/old/env": None, PATH: OURS})
    assert planned(gone, first.paths, EnvFile(PATH, {"A": "1"})).paths == (PATH,)


@pytest.mark.parametrize(
    "text",
    [
        *("", "/", "relative", "/opt/", "/a\nb", "/var/lib/rancher/conf/docker"),
        "//var/lib/rancher/conf/../conf/cloud-config.yml",
        "/var/lib/rancher/conf/cloud-config.d/zz.yml",
        "/var/lib/rancher/conf/.ec2-metadata.json",
        "/etc/profile.d/ec2.sh",
        "/dev/kmsg",
    ],
)
def test_a_path_that_something_else_reads_is_wrong_usage(text: str) -> None:
    with pytest.raises(UsageError):
        env_file.path(text)


def test_any_other_path_is_taken_in_its_plain_form() -> None:
    assert env_file.path("//opt/./x/../ec2.env") == PATH
