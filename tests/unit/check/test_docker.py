from __future__ import annotations

import base64
import gzip

import pytest

from unit.check.judging import GOOD, changed, found, judged, with_docker

LABELS = b'{"labels": ["a=b"]}'


@pytest.mark.parametrize("release", ["v0.7.0", "v1.5.8", "v2.0.5"])
def test_args_that_a_release_does_not_read_are_found(release: str) -> None:
    text = with_docker("args: [daemon, --debug]")
    assert found(text, release) == [("args", "args: [daemon, --debug]")]


def test_args_that_leave_out_daemon_are_found_where_they_are_read() -> None:
    assert found(with_docker("args: [daemon, --debug]"), "v0.6.1") == []
    (finding,) = judged(with_docker("args: [--debug]"), "v0.6.1")
    assert "begins without daemon" in finding.reason


@pytest.mark.parametrize(
    "item",
    [
        "--label='a.b=c",
        "--debug; reboot",
        "--debug # a comment",
        "--label=motto=hello world",
        "--label={a=b,c=d}",
        "(a)",
    ],
)
def test_an_argument_that_the_shell_reads_otherwise_is_found(item: str) -> None:
    quoted = item.replace("'", "''")
    text = with_docker(f"extra_args:\n- --debug\n- '{quoted}'")
    assert found(text) == [("docker-arguments", f"- '{quoted}'")]


@pytest.mark.parametrize(
    "item",
    ["--label=a.b=1 --debug", "--log-opt max-size=25m", '--label="a.b=x y"', "--label a.b=1"],
)
def test_an_argument_that_arrives_as_it_is_meant_is_not_found(item: str) -> None:
    assert found(with_docker(f"extra_args: ['{item}']")) == []


def test_before_v0_6_there_is_no_shell() -> None:
    assert found(with_docker("extra_args: ['--label=a.b=(x; y', \"it's\"]"), "v0.5.0") == []


def test_no_argument_is_shown_whole() -> None:
    text = with_docker("extra_args: ['--password=hidden; x', 'hidden; x', '-p hidden (']")
    assert len(judged(text)) == 3
    assert not any("hidden" in finding.reason for finding in judged(text))


@pytest.mark.parametrize("item", ["--label=z.z=$AWS_REGION", "--x=${DB_HOST}"])
def test_a_variable_of_ours_in_dockers_arguments_is_found(item: str) -> None:
    assert found(with_docker(f"extra_args:\n- '{item}'")) == [("docker-variable", f"- '{item}'")]


def test_other_variables_there_are_not_found() -> None:
    docker = "extra_args: ['--a=$HOSTNAME', '--b=$AWS_REGION']\nenvironment: [AWS_REGION=x]"
    assert found(with_docker(docker)) == []


def test_an_item_of_dockers_environment_without_a_value_is_found() -> None:
    text = with_docker("environment:\n- A=b\n- HTTP_PROXY")
    assert found(text) == [("docker-environment", "- HTTP_PROXY")]


def packed(content: bytes, encoding: str) -> str:
    for step in reversed(encoding.split("+")):
        content = gzip.compress(content) if step == "gzip" else base64.b64encode(content)
    return content.decode()


def written(content: str, encoding: str = "", path: str = "/etc/docker/daemon.json") -> str:
    entry = f"- path: {path}\n  content: '{content}'\n"
    return f"{GOOD}write_files:\n- path: /a\n" + entry + f"  encoding: '{encoding}'\n"


LINE = "- path: /etc/docker/daemon.json"


@pytest.mark.parametrize("encoding", ["b64", "base64"])
def test_a_daemon_json_with_labels_is_found(encoding: str) -> None:
    assert found(written(LABELS.decode())) == [("daemon-json", LINE)]
    assert found(written(base64.b64encode(LABELS).decode(), encoding)) == [("daemon-json", LINE)]
    zipped = base64.b64encode(gzip.compress(LABELS)).decode()
    assert found(written(zipped, f"gz+{encoding}")) == [("daemon-json", LINE)]


def test_it_is_found_where_the_configuration_names_it() -> None:
    text = with_docker("config_file: /my.json") + "write_files:\n- path: /my.json\n"
    text += f"  content: '{LABELS.decode()}'\n"
    assert found(text) == [("daemon-json", "- path: /my.json")]


@pytest.mark.parametrize(
    ("content", "encoding", "said"),
    [("{", "", "is no JSON"), ("A", "b64", "cannot be decoded"), ("AAAA", "gz+b64", "decoded")],
)
def test_a_broken_daemon_json_is_found(content: str, encoding: str, said: str) -> None:
    (finding,) = judged(written(content, encoding))
    assert (finding.rule, said in finding.reason) == ("daemon-json", True)


@pytest.mark.parametrize("content", ['{"debug": true}', "[]"])
def test_another_daemon_json_is_not_found(content: str) -> None:
    assert found(written(content)) == []


def test_the_last_entry_counts() -> None:
    text = written(LABELS.decode()) + "- path: /etc/docker/daemon.json\n  content: '{}'\n"
    assert found(text) == []


def test_a_label_in_docker_opts_that_a_tag_may_set_is_found() -> None:
    path = "/var/lib/rancher/conf/docker"
    content = 'DOCKER_OPTS="--label docker.role=x --label other=y"'
    assert found(written(content, path=path)) == [("docker-opts", f"- path: {path}")]
    assert found(written(content.replace("docker.role", "role"), path=path)) == []


def test_a_runcmd_that_sets_dockers_arguments_is_found() -> None:
    text = f"{GOOD}runcmd:\n- [touch, /a]\n- [ros, config, set, rancher.docker.tls, 'true']\n"
    assert [rule for rule, _ in found(text)] == ["runcmd"]
    assert judged(text)[0].line == len(text.splitlines())
    assert found(f"{GOOD}runcmd:\n- echo\n") == []


@pytest.mark.parametrize(
    ("path", "count"), [("/etc/rc.local", 1), ("/opt/rancher/bin/start.sh", 1), ("/root/x.sh", 0)]
)
def test_a_script_that_does_is_found_where_it_is_run(path: str, count: int) -> None:
    text = written("ros config set rancher.docker.tls true", path=path)
    assert found(text) == [("runcmd", f"- path: {path}")] * count


def test_a_script_that_cannot_be_decoded_mentions_nothing() -> None:
    assert found(written("A", "b64", path="/etc/rc.local")) == []


@pytest.mark.parametrize(
    ("setting", "count"),
    [
        ("rancher.docker.extra_args=[--debug]", 1),
        ("rancher.environment.DB_HOST=x rancher.environment.MINE=y", 1),
        ("rancher.debug=true rancher.docker.tls=true", 0),
    ],
)
def test_an_extra_command_line_that_is_stronger_is_found(setting: str, count: int) -> None:
    line = f"EXTRA_CMDLINE: {setting}"
    text = f"{GOOD}{line}\n"
    assert found(text) == [("extra-cmdline", line)] * count
    assert not any("MINE" in finding.reason for finding in judged(text))
    assert found(text, "v0.7.0") == []


def test_the_tool_of_2016_is_found_beside_ours() -> None:
    text = f"{GOOD}  services_include:\n    amazon-metadata: true\n    other: true\n"
    assert found(text) == [("amazon-metadata", "amazon-metadata: true")]
    assert found(changed("metadata: true", "metadata: false", text)) == []


def test_of_a_file_that_is_dropped_docker_gets_nothing() -> None:
    text = written("A", "b64") + "hostname: [wrong]\n"
    assert [rule for rule, _ in found(text)] == ["wrong-type"]
