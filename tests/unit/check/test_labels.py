from __future__ import annotations

import pytest

from unit.check.judging import changed, found, judged, with_docker

COMMAND = 'command: [-m, -l, "example.db.host:DB_HOST"]'


def prefix(text: str) -> str:
    return changed(COMMAND, f"command:\n      - -t\n      - '{text}'")


@pytest.mark.parametrize("text", ["com.docker.", "IO.Docker.x", "team=", "a=b"])
def test_a_prefix_whose_tags_are_never_labels_is_found(text: str) -> None:
    assert found(prefix(text)) == [("label-prefix", f"- '{text}'")]


@pytest.mark.parametrize("text", ["1docker.", "team/", "aws:", "my team."])
def test_a_prefix_that_no_constraint_can_name_is_found(text: str) -> None:
    assert found(prefix(text)) == [("swarm-constraint", f"- '{text}'")]


@pytest.mark.parametrize("text", ["", "docker.", "a", "_x-", "com."])
def test_other_prefixes_are_not_found(text: str) -> None:
    assert found(prefix(text)) == []


@pytest.mark.parametrize(
    ("items", "line"),
    [
        ("- --debug\n- --label=com.docker.x=1", "- --label=com.docker.x=1"),
        ("- --label\n- ORG.dockerproject.x=1", "- ORG.dockerproject.x=1"),
        ("- --label=role", "- --label=role"),
        ("- --label=a.b=1\n- --debug\n- --label=a.b=2", "- --label=a.b=2"),
    ],
)
@pytest.mark.parametrize("release", ["v0.5.0", "v1.5.8"])
def test_labels_that_stop_docker_are_found(items: str, line: str, release: str) -> None:
    assert found(with_docker(f"extra_args:\n{items}"), release) == [("docker-labels", line)]


def test_labels_within_an_item_are_found_where_a_shell_reads_it() -> None:
    text = with_docker("extra_args:\n- --debug --label a.b=1 --label a.b=2")
    assert [rule for rule, _ in found(text)] == ["docker-labels"]
    assert found(text, "v0.5.0") == []


def test_a_label_may_be_there_twice_with_one_value() -> None:
    assert found(with_docker("extra_args: [--label=a.b=1, --label=a.b=1]")) == []


@pytest.mark.parametrize("key", ["1a", "a", "team/role", "a b"])
def test_a_label_that_no_constraint_can_name_is_found(key: str) -> None:
    text = with_docker(f"""extra_args:\n- "--label='{key}=x'" """)
    assert found(text) == [("swarm-constraint", f"""- "--label='{key}=x'\"""")]


def test_a_key_that_only_the_shell_knows_is_not_judged() -> None:
    assert found(with_docker('extra_args: ["--label=$(hostname)=x"]')) == []


def test_no_value_of_a_label_is_shown() -> None:
    text = with_docker("extra_args: [--label=1a=hidden, --label=com.docker.x=hidden]")
    assert len(judged(text)) == 2
    assert not any("hidden" in finding.reason + finding.mend for finding in judged(text))
