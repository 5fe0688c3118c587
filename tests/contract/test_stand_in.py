"""What other tests rely on in the stand-in for ``ros`` that the recorded answers do not show."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import pytest
import yaml

from ros_stand_in import RELEASES
from ros_stand_in.answers import answer
from ros_stand_in.in_effect import (
    UnreadableError,
    docker_arguments,
    dockerd_argv,
    environment,
    in_effect,
)
from ros_stand_in.loading import CONF, Disk, read_command_line, series_of
from ros_stand_in.os_config import os_config
from ros_stand_in.root_folder import machine, metadata, read_disk, reserialised
from ros_stand_in.yaml_reading import UnusableError, read_map
from ros_stand_in.yaml_scalars import plain, text_of
from ros_stand_in.yaml_writing import write_document

CLOUD_CONFIG = f"{CONF}/cloud-config.yml".lstrip("/")


def disk(**files: str) -> Disk:
    return Disk({f"cloud-config.d/{name}.yml": text.encode() for name, text in files.items()})


def test_the_system_writes_cloud_config_anew(tmp_path: Path) -> None:
    text = "# mine\nrancher:\n  docker: {extra_args: [--host=$private_ipv4, 0123]}\n"
    machine(tmp_path, "v1.5.8", {"cloud-config.yml": text})
    reserialised(tmp_path, {"rancher": {"docker": {"tls": True}, "console": "x"}})
    file = tmp_path / CLOUD_CONFIG
    assert file.read_text() == (
        "rancher:\n  console: x\n  docker:\n    extra_args:\n    - --host=$private_ipv4\n    - 83\n"
        "    tls: true\n"
    )
    assert stat.S_IMODE(file.stat().st_mode) == 0o620
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_the_system_makes_cloud_config_where_there_is_none(tmp_path: Path) -> None:
    machine(tmp_path, "v1.5.8", {"cloud-config.d/boot.yml": "{}"})
    reserialised(tmp_path, {"rancher": {"ssh": {"keys": {"rsa": "a\nb\n"}}, "x": [[1]]}})
    read = yaml.safe_load((tmp_path / CLOUD_CONFIG).read_text())
    assert read == {"rancher": {"ssh": {"keys": {"rsa": "a\nb\n"}}, "x": [[1]]}}


@pytest.mark.parametrize("absolute", [True, False])
def test_conf_may_be_a_link_into_memory(tmp_path: Path, absolute: bool) -> None:
    memory = tmp_path / "dev/shm/conf"
    machine(tmp_path, "v1.5.8", {})
    (memory / "cloud-config.d").mkdir(parents=True)
    boot = memory / "cloud-config.d/boot.yml"
    boot.write_text("rancher: {environment: {A: '$private_ipv4'}}")
    (memory / "metadata").write_text(metadata({"$private_ipv4": "10.0.0.1"}))
    (memory / "cloud-config.d/folder").mkdir()
    (memory / "cloud-config.d/link").symlink_to("boot.yml" if absolute else "nowhere")
    conf = tmp_path / CONF.lstrip("/")
    conf.rmdir() if conf.exists() else conf.parent.mkdir(parents=True, exist_ok=True)
    conf.symlink_to("/dev/shm/conf" if absolute else "../../../dev/shm/conf")
    assert environment(tmp_path, "v1.5.8")["A"] == "10.0.0.1"
    reserialised(tmp_path, {"rancher": {"environment": {"A": "b"}}})
    assert (memory / "cloud-config.yml").exists()
    assert environment(tmp_path, "v1.5.8")["A"] == "b"


def test_a_folder_where_a_file_should_be_is_left_out(tmp_path: Path) -> None:
    machine(tmp_path, "v1.5.8", {"cloud-config.d/a": "rancher: {environment: {A: a}}"})
    (tmp_path / CLOUD_CONFIG).mkdir()
    found = answer(read_disk(tmp_path), "v1.5.8", ["config", "get", "rancher.environment"])
    assert "A: a\n" in found.stdout
    assert "Failed to read config file" in found.stderr


def test_variables_of_a_service_change_places_from_call_to_call() -> None:
    boot = disk(boot="rancher: {services: {a: {environment: {A: 1, B: b}}}}")
    ask = ["config", "get", "rancher.services.a.environment"]
    answers = {answer(boot, "v1.5.8", ask).stdout for _ in range(200)}
    assert answers == {"- A=1\n- B=b\n\n", "- B=b\n- A=1\n\n"}


@pytest.mark.parametrize(
    ("release", "status", "items"),
    [("v0.4.5", 0, ["--debug"]), ("v0.9.2", 0, []), ("v1.0.4", 255, None), ("v1.5.8", 255, None)],
)
def test_a_wrongly_typed_command_line_costs_everything_or_nothing(
    release: str, status: int, items: list[str] | None, tmp_path: Path
) -> None:
    machine(
        tmp_path,
        release,
        {"cloud-config.yml": "rancher: {docker: {extra_args: [--debug]}}"},
        "rancher.docker.tls=maybe",
    )
    ask = ["config", "get", "rancher.docker.extra_args"]
    assert answer(read_disk(tmp_path), release, ask).status == status
    if items is None:
        with pytest.raises(UnreadableError):
            in_effect(tmp_path, release)
        assert dockerd_argv(tmp_path, release, tmp_path) is None
    else:
        assert docker_arguments(tmp_path, release) == items


def test_a_service_without_anything_ends_every_call() -> None:
    found = answer(disk(boot="rancher: {services: {a: }}"), "v1.5.8", ["config", "get", "hostname"])
    assert (found.status, found.stdout) == (2, "")


@pytest.mark.parametrize(
    ("text", "release", "tree"),
    [
        ("rancher.a.b=1 x=2 rancher.c", "v1.5.8", {"rancher": {"a": {"b": 1}, "c": True}}),
        ("rancher.a=1 rancher.a.b=2 cc.h=x", "v1.5.8", {"rancher": {"a": 1}, "h": "x"}),
        ("rancher.a=[--x, --y=a:b?]", "v1.5.8", {"rancher": {"a": ["--x", "--y=a:b?"]}}),
        ("rancher.a=[--x, --y]", "v1.0.4", {"rancher": {"a": "[--x,"}}),
        ('rancher.a=\\"1\\" cc.b=x', "v0.6.1", {"rancher": {"a": "1"}}),
        ("rancher.a=a:b", "v0.4.5", {"rancher": {"a": "a:b"}}),
        ("rancher.a=", "v1.5.8", {"rancher": {"a": ""}}),
    ],
)
def test_a_command_line_is_read(text: str, release: str, tree: dict[str, Any]) -> None:
    assert read_command_line(text, series_of(release)) == tree


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("08", "8"),
        ("-0x10", "-16"),
        ("--5", "5"),
        ("1_000", "1000"),
        ("9223372036854775808", "9.223372036854776e+18"),
        ("0.0001", "0.0001"),
        ("1e-7", "1e-07"),
        (".inf", "+.inf"),
        ("+nan", ".nan"),
        ("2001-1-2", "2001-01-02T00:00:00Z"),
        ("2001-13-01 1:02:03.5 -1", "2002-01-01T01:02:03.005-01:00"),
        ("2001-99", "2001-99"),
        ("1:30", "1:30"),
        ("9" * 401, "9" * 401),
        ("Off", "false"),
    ],
)
def test_a_plain_scalar_becomes_the_text_that_ros_makes_of_it(text: str, value: str) -> None:
    assert text_of(plain(text)) == value


@pytest.mark.parametrize(
    "text",
    [
        "a: [b:c]",
        "{a: b?c}",
        "a: *b",
        "- a",
        "a",
        "%YAML 1.2\n---\na: b",
        "a: \U0001f600",
        b"\xff".decode("latin-1"),
        "",
    ],
)
def test_a_text_that_ros_does_not_take(text: str) -> None:
    with pytest.raises(UnusableError):
        read_map(text)


@pytest.mark.parametrize(
    "tree",
    [
        {"a": " lead", "b": "x: y", 1: None, "1": [[], {}, [["a"], {"b": "c"}]]},
        {"long": "word " * 120 + "end", "double": "tab\t" + "word " * 120, "2001-01-01": 1.5},
        {"lines": "a\n  b\n\n", "space": " \na", "blank": "a \nb", True: "yes", "q": "it's: so"},
    ],
)
def test_what_is_written_is_read_as_it_was(tree: Any) -> None:
    assert read_map(write_document(tree)) == tree


@pytest.mark.parametrize("release", ["v0.4.5", "v1.5.8"])
def test_merging_keeps_what_is_there(release: str, tmp_path: Path) -> None:
    machine(tmp_path, release, {"cloud-config.yml": "rancher: {environment: {A: a}}"})
    found = answer(
        read_disk(tmp_path), release, ["config", "merge"], b"rancher: {environment: {B: b}}"
    )
    assert found.written["cloud-config.yml"] == b"rancher:\n  environment:\n    A: a\n    B: b\n"


@pytest.mark.parametrize(
    ("service", "field", "value"),
    [
        ("{command: 'a \"b c\" # d'}", "command", ["a", "b c"]),
        ("{command: [a, b]}", "command", ["a", "b"]),
        ('{command: "it\'s"}', "command", None),
        ("{command: }", "command", None),
        ("{dns: a}", "dns", ["a"]),
        ("{dns: [a]}", "dns", ["a"]),
        ("{dns: 1}", "dns", None),
        ("{environment: {A: 1}}", "environment", ["A=1"]),
        ("{environment: [A]}", "environment", ["A"]),
        ("{environment: A}", "environment", None),
        ("{environment: {A: 1.5}}", "environment", None),
        ("{labels: {a: b}}", "labels", {"a": "b"}),
        ("{labels: [a=b, c]}", "labels", {"a": "b", "c": ""}),
        ("{labels: a}", "labels", None),
        ("{labels: {1: b}}", "labels", None),
        ("{labels: {a: 2001-01-01}}", "labels", None),
        ("{image: 2001-1-1}", "image", "2001-01-01T00:00:00Z"),
        ("{links: {a: b}}", "links", ["a:b"]),
        (
            "{ulimits: {a: 1, b: {soft: 1, hard: 2}}}",
            "ulimits",
            {"a": 1, "b": {"hard": 2, "soft": 1}},
        ),
        ("{ulimits: {a: b}}", "ulimits", None),
        ("{ulimits: a}", "ulimits", None),
        ("{Image: a}", "image", "a"),
        ("{mem_limit: 0x10}", "mem_limit", 16),
        ("{mem_limit: 1g}", "mem_limit", None),
        ("{log_opt: {a: 1}}", "log_opt", {"a": "1"}),
        ("{log_opt: a}", "log_opt", None),
        ("{log_opt: [a]}", "log_opt", None),
        ("{ports: {a: b}}", "ports", None),
        ("{image: [a]}", "image", None),
        ("{image: {a: b}}", "image", None),
        ("[a]", "image", None),
        ("a", "image", None),
    ],
)
def test_a_service_is_taken_or_its_file_is_lost(service: str, field: str, value: Any) -> None:
    services = in_effect(disk(boot=f"rancher: {{services: {{a: {service}}}}}"), "v1.5.8")["rancher"]
    found = services["services"].get("a")
    assert (found and found[field]) == value
    if found:
        assert found["container_name"] == "a"


@pytest.mark.parametrize(
    ("release", "flags"),
    [
        ("v0.4.5", {"args": ["-D"]}),
        ("v0.6.1", {"args": ["--a", "-D"]}),
        ("v1.5.8", {"debug": True, "graph": "/x"}),
    ],
)
def test_debug_sets_other_flags(release: str, flags: dict[str, Any]) -> None:
    args = "[-D]" if release == "v0.4.5" else "[--a]"
    boot = disk(boot=f"rancher: {{debug: true, docker: {{args: {args}, graph: /x}}}}")
    assert flags.items() <= in_effect(boot, release)["rancher"]["docker"].items()
    assert in_effect(boot, release)["rancher"]["log"] is (release != "v0.4.5")


@pytest.mark.parametrize("release", ["v0.4.5", "v1.5.8"])
def test_the_metadata_give_a_host_name_and_keys(release: str) -> None:
    text = b"sshpublickeys: {b: kb, a: ka}\nhostname: h\nprivateipv6: [32, 1]\npublicipv4: 1\n"
    files = {"metadata": text, "cloud-config.yml": b"ssh_authorized_keys: [mine]\n"}
    found = in_effect(Disk(files), release)
    assert (found["hostname"], found["ssh_authorized_keys"]) == ("h", ["mine", "ka", "kb"])


@pytest.mark.parametrize(
    ("octets", "text"),
    [
        ("[32, 1, 13, 184, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]", "2001:db8::1"),
        ("[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 10, 0, 0, 1]", "10.0.0.1"),
        ("[1]", "?01"),
    ],
)
def test_an_address_is_written_as_go_does(octets: str, text: str) -> None:
    boot = b'rancher: {environment: {A: "$public_ipv6 \\$public_ipv6"}}'
    files = {"metadata": f"publicipv6: {octets}".encode(), "cloud-config.yml": boot}
    assert environment(Disk(files), "v1.5.8") == {"A": f"{text} $public_ipv6"}


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["config", "set", "rancher.docker.tls", "maybe"], 1),
        (["config", "set", "rancher.docker.extra_args", "--label"], 0),
        (["config", "set", "hostname.below", "x"], 0),
        (["config", "get", "rancher"], 0),
    ],
)
def test_what_cannot_be_set_is_not(arguments: list[str], status: int) -> None:
    boot = Disk({"cloud-config.yml": b"hostname: h\n"})
    found = answer(boot, "v1.5.8", arguments)
    assert found.status == status
    assert found.written in ({}, {"cloud-config.yml": b"hostname: h\n"})


@pytest.mark.parametrize("release", RELEASES)
def test_an_export_of_everything_has_the_keys_only_if_asked(release: str) -> None:
    text = b"rancher: {ssh: {keys: {rsa: secret}}, environment: {A: b}}"
    whole = Disk({"cloud-config.yml": text}, os_config(release), cmdline="rancher.environment.C=d")
    public = answer(whole, release, ["config", "export", "-f"]).stdout
    private = answer(whole, release, ["config", "export", "-f", "-p"]).stdout
    assert "A: b" in public
    assert ("secret" in public) is (release == "v0.4.5")
    assert "secret" in private
    assert ("C: d" in public) is (release not in ("v0.6.1", "v0.7.1"))


def test_a_bomb_of_aliases_does_not_go_off() -> None:
    bomb = "x0: &x0 [a]\n" + "".join(
        f"x{n + 1}: &x{n + 1} [{', '.join([f'*x{n}'] * 9)}]\n" for n in range(40)
    )
    for release in RELEASES:
        assert environment(disk(boot=bomb + "rancher: {environment: {A: b}}"), release) == {
            "A": "b"
        }
