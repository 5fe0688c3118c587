from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from docker_env_file import EnvFileError, read
from rancheros_ec2_metadata.errors import UsageError
from rancheros_ec2_metadata.plan import env_file

PATH = "/opt/ec2.env"
OURS = env_file.render_env_file({"A": "1"})


@given(
    st.dictionaries(
        st.from_regex(r"[A-Za-z_][A-Za-z0-9_]*", fullmatch=True),
        st.text() | st.text("\r\n\t \0#='\"\\$\ufeff\x85\u2028é").map(lambda text: f"{text}\r"),
    )
)
def test_docker_reads_every_value_that_is_held_and_no_other(variables: dict[str, str]) -> None:
    held = {n: v for n, v in variables.items() if env_file.explain_unholdable(n, v) is None}
    assert read(env_file.render_env_file(held)) == held
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
    assert (env_file.explain_unholdable("LONG", value) is None) == held
    if held:
        assert read(env_file.render_env_file({"LONG": value})) == {"LONG": value}
    else:
        with pytest.raises(EnvFileError):
            read(env_file.render_env_file({"LONG": value}))


@pytest.mark.parametrize("raw", [b"MINE=1\n" + OURS, OURS[1:], b"MINE=1\n", b"\n", b"#\n"])
def test_a_file_that_does_not_begin_with_our_line_is_not_ours(raw: bytes) -> None:
    assert OURS.startswith(
        b"# Written by rancheros-ec2-metadata, anew at every boot, for docker run --env-file.\n"
    )
    assert env_file.is_ours(OURS + b"MINE=1\n")
    assert env_file.is_ours(b"")
    assert not env_file.is_ours(raw)


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
        env_file.parse_path(text)


def test_any_other_path_is_taken_in_its_plain_form() -> None:
    assert env_file.parse_path("//opt/./x/../ec2.env") == PATH
