from __future__ import annotations

import pytest

from rancheros_ec2_metadata.ec2.instance import VARIABLES
from unit.check.judging import (
    GOOD,
    SERVICE_FILE,
    changed,
    found,
    judged,
    with_environment,
    with_service,
)

COMMAND = 'command: [-m, -l, "example.db.host:DB_HOST"]'


@pytest.mark.parametrize(
    ("definition", "line"),
    [
        ("environment:\n- A=${AWS_LOCAL_IPV4}:80", "- A=${AWS_LOCAL_IPV4}:80"),
        ("environment:\n- A=$AWS_LOCAL_IPV4:80", "- A=$AWS_LOCAL_IPV4:80"),
        ("environment:\n  A: x${ANY}", "A: x${ANY}"),
        ("image: ${REGISTRY_DOMAIN}/web:1", "image: ${REGISTRY_DOMAIN}/web:1"),
        ("command: --zone ${AWS_AVAILABILITY_ZONE}", "command: --zone ${AWS_AVAILABILITY_ZONE}"),
        ("volumes:\n- /a/${DB_HOST}:/a", "- /a/${DB_HOST}:/a"),
        ("labels:\n  a: ${DB_HOST}", "a: ${DB_HOST}"),
        ("command: [sh, /run, '${A}']", "command: [sh, /run, '${A}']"),
    ],
)
def test_a_variable_in_a_text_is_found(definition: str, line: str) -> None:
    (finding,) = judged(with_service(definition))
    assert found(with_service(definition)) == [("interpolation", line)]
    assert "RancherOS replaces no variables in a cloud-config" in finding.reason


def test_a_variable_in_another_variable_is_found() -> None:
    assert found(with_environment("A: 'http://${DB_HOST}/'")) == [
        ("interpolation", "A: 'http://${DB_HOST}/'")
    ]


@pytest.mark.parametrize(
    "definition",
    [
        "command: sh -c 'echo ${A}'",
        "entrypoint: [/bin/bash, -ec]\ncommand: ['echo ${A}']\nenvironment: [A=1]",
        "environment: [PASSWORD=pa$word, 'PRICE=5$']",
        "environment: ['ADDRESS=$private_ipv4:80']",
        "command: [--regex, 'a$']",
    ],
)
def test_what_nobody_was_to_replace_is_not_found(definition: str) -> None:
    assert found(with_service(definition)) == []


def test_a_command_that_cannot_be_split_is_not_taken_for_a_shells() -> None:
    rules = [rule for rule, _ in found(with_service("command: sh -c '${A}"))]
    assert "interpolation" in rules


def test_files_that_are_written_may_hold_anything() -> None:
    assert found(f"{GOOD}write_files:\n- path: /a\n  content: ${{A}}\n") == []


def test_the_mend_composes_a_value_of_ours() -> None:
    (finding,) = judged(with_service("environment:\n- SWARM=${AWS_LOCAL_IPV4}:2375"))
    assert "--set 'SWARM=…{AWS_LOCAL_IPV4}…'" in finding.mend
    (finding,) = judged(with_service("environment:\n  SWARM: ${AWS_LOCAL_IPV4}:2375"))
    assert "--set 'SWARM=…{AWS_LOCAL_IPV4}…'" in finding.mend
    (finding,) = judged(with_service("environment:\n- A=${UNKNOWN}"))
    assert "--set" not in finding.mend


def in_service_file(definition: str) -> str:
    return SERVICE_FILE + "web:\n" + "".join(f"  {line}\n" for line in definition.splitlines())


def test_in_a_service_file_a_variable_of_ours_is_replaced_too_early() -> None:
    text = in_service_file("image: ${REGISTRY_DOMAIN}/web:1\nenvironment:\n- A=${DB_HOST}")
    assert found(text) == [("interpolation", "- A=${DB_HOST}")]
    assert "before this program has run" in judged(text)[0].reason


def test_in_a_service_file_a_dollar_without_a_variable_is_found() -> None:
    text = in_service_file("command: echo 5$")
    assert found(text) == [("interpolation", "command: echo 5$")]
    assert "does not load the file" in judged(text)[0].reason
    assert found(in_service_file("command: echo 5$$ $${DB_HOST} $$DB_HOST")) == []


@pytest.mark.parametrize(
    ("name", "said"), [("AWS_*", f"stands for {len(VARIABLES)} variables"), ("*", "variables")]
)
def test_a_star_that_stands_for_several_is_found(name: str, said: str) -> None:
    text = with_service(f"environment:\n- '{name}'")
    (finding,) = judged(text)
    assert (finding.rule, text.splitlines()[finding.line - 1].strip()) == (
        "wildcard",
        f"- '{name}'",
    )
    assert said in finding.reason


def test_a_star_in_our_own_service_counts_too() -> None:
    text = GOOD + "      environment: ['AWS_*']\n"
    assert [rule for rule, _ in found(text)] == ["wildcard"]


def test_a_star_that_stands_for_one_is_not_found() -> None:
    assert found(with_service("environment: ['DB_*']")) == []
    without = changed(COMMAND, "command: -l a:DB_HOST")
    without = with_environment("AWS_METADATA_LOAD: 'false'", without).replace(
        "      net: host", "      environment: [AWS_METADATA_LOAD]\n      net: host"
    )
    assert found(without) == []


def test_variables_of_the_service_alone_come_first() -> None:
    text = with_environment("web/A_1: x\nA_2: x\nA_3: x", with_service("environment: ['A_*', A_1]"))
    assert found(text) == []


def test_a_star_over_what_tags_make_is_found() -> None:
    text = changed(COMMAND, 'command: --env-prefix "example.:APP_"')
    web = "    web:\n      environment:\n      - 'APP_*'\n"
    assert found(text + web) == [("wildcard", "- 'APP_*'")]
    for name in ("APP_D*", "A*"):
        assert found(text + web.replace("APP_*", name)) == [("wildcard", f"- '{name}'")]
    for name in ("APX_*", "APX", "APP"):
        assert found(text + web.replace("APP_*", name)) == [("unset-variable", f"- '{name}'")]


def test_an_empty_value_in_a_map_is_looked_up_too() -> None:
    assert found(with_service("environment:\n  DB_HSOT: ''\n  DB_HOST: ''")) == [
        ("unset-variable", "DB_HSOT: ''")
    ]


@pytest.mark.parametrize("item", ["DB_HSOT", "DB_HSOT=", "'DB_H_*'"])
def test_a_variable_that_nothing_sets_is_found(item: str) -> None:
    text = with_service(f"environment:\n- {item}")
    assert found(text) == [("unset-variable", f"- {item}")]


def test_credentials_are_said_to_be_asked_for() -> None:
    (finding,) = judged(with_service("environment: [AWS_SECRET_ACCESS_KEY]"))
    assert "AWS's SDKs ask the metadata service" in finding.mend


@pytest.mark.parametrize(
    "name",
    ["DB_HOST", "AWS_REGION", "EC2_METADATA_STATUS", "HTTP_PROXY", "VERSION", "DB_HOST=x"],
)
def test_a_variable_that_something_sets_is_not_found(name: str) -> None:
    assert found(with_service(f"environment: [{name}]")) == []


def test_variables_of_the_file_of_templates_and_of_prefixes_are_set() -> None:
    command = 'command: --env-prefix "example.:APP_" --set "BOTH={AWS_REGION}{tag:x}"'
    text = changed(COMMAND, command) + "    web:\n      environment: [MINE, BOTH, APP_DB_HOST]\n"
    assert found(with_environment("MINE: x", text)) == []


def test_without_our_service_nothing_is_known_of_the_variables() -> None:
    text = "#cloud-config\nrancher: {services: {web: {environment: [ANY, 'ANY_*']}}}\n"
    assert found(text) == []
    broken = changed(COMMAND, "command: --nonsense") + "    web: {environment: [ANY]}\n"
    assert [rule for rule, _ in found(broken)] == ["command"]


SYSTEM = "labels:\n  io.rancher.os.scope: system\n"


def test_a_service_in_system_docker_that_does_not_wait_is_found() -> None:
    text = with_service(f"{SYSTEM}environment:\n- AWS_REGION\n- VERSION\n- 'DB_*'\n- 'HTTP_*'")
    assert found(text) == [("too-early", "- AWS_REGION"), ("too-early", "- 'DB_*'")]
    assert judged(text)[0].mend == "set io.rancher.os.after: ec2-metadata"


@pytest.mark.parametrize("after", ["ec2-metadata", "console", "docker", "ntp, console", "other"])
def test_a_service_that_waits_is_not_found(after: str) -> None:
    text = with_service(f"{SYSTEM}  io.rancher.os.after: {after}\nenvironment: [AWS_REGION]")
    text += "    other: {labels: {io.rancher.os.after: docker}}\n"
    assert found(text) == []


def test_before_docker_alone_the_console_is_no_help() -> None:
    text = with_service(f"{SYSTEM}  io.rancher.os.after: console\nenvironment: [AWS_REGION]")
    assert found(text.replace("before: console", "before: docker")) == [
        ("too-early", "environment: [AWS_REGION]")
    ]


def test_a_variable_of_the_file_is_there_from_the_start() -> None:
    text = with_service(f"{SYSTEM}environment: [MINE]")
    assert found(with_environment("MINE: x", text)) == []
