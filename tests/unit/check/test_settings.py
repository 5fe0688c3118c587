from __future__ import annotations

import pytest

from unit.check.judging import GOOD, changed, found, judged, with_environment

COMMAND = 'command: [-m, -l, "example.db.host:DB_HOST"]'


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("-m -l no-target", "'no-target'"),
        ("-l example.db:PATH", "PATH steers the system"),
        ("-l a:rancher.console", "'rancher.console'"),
        ("--set A={", "'{'"),
        ("--nonsense", "--nonsense"),
        ("-h", "-h"),
        ("--version", "--version"),
        ("apply --deadline soon", "'soon'"),
        ("-m --metadat", "--metadat"),
        ("plan -m", "the command plan"),
        ("demo", "it sets no label"),
        ("check", "the command check"),
    ],
)
def test_a_command_that_the_program_does_not_take_is_found(command: str, said: str) -> None:
    (finding,) = judged(changed(COMMAND, f'command: "{command}"'))
    assert finding.rule == "command"
    assert said in finding.reason


def test_a_command_that_cannot_be_split_is_not_judged_as_one() -> None:
    assert [rule for rule, _ in found(changed(COMMAND, "command: it's"))] == ["wrong-type"]


@pytest.mark.parametrize("command", ["", "-m", "apply -t ''", "clean --legacy", "-l a:b:C"])
def test_a_command_that_it_takes_is_not_found(command: str) -> None:
    assert found(changed(COMMAND, f'command: "{command}"')) == []
    assert found(changed(f"      {COMMAND}\n", "")) == []


def test_of_a_list_the_line_of_the_wrong_word_is_named() -> None:
    text = changed(COMMAND, "command:\n      - -m\n      - -l\n      - example")
    assert found(text) == [("command", "- example")]


@pytest.mark.parametrize("item", ["-l example.db.host:DB_HOST", "--require-tag docker.role"])
def test_two_words_in_one_item_are_found(item: str) -> None:
    text = changed(COMMAND, f"command:\n      - -m\n      - {item}")
    assert found(text) == [("command", f"- {item}")]


def test_a_value_with_a_space_is_one_item() -> None:
    assert found(changed(COMMAND, 'command: [--set, "A=-l b", -t, "my docker. "]')) == [
        ("swarm-constraint", 'command: [--set, "A=-l b", -t, "my docker. "]')
    ]


def named(*names: str) -> str:
    items = "".join(f"        - {name}\n" for name in names)
    return GOOD + "      environment:\n" + items


def test_a_variable_that_no_service_names_is_found() -> None:
    text = with_environment("AWS_METADATA_DEBUG: 'true'")
    (finding,) = judged(text)
    assert "no service of this program names AWS_METADATA_DEBUG" in finding.reason
    assert found(with_environment("AWS_METADATA_DEBUG: 'true'", named("AWS_METADATA_DEBUG"))) == []
    # By a star too; one variable has no order.
    assert found(with_environment("AWS_METADATA_DEBUG: 'true'", named("AWS_METADATA_*"))) == []


def test_a_star_names_what_begins_so_alone() -> None:
    text = with_environment("AWS_METADATA_DEBUG: 'true'", named("AWS_METADATA_T*", "'*'"))
    assert "setting" not in [rule for rule, _ in found(text)]
    text = with_environment("AWS_METADATA_DEBUG: 'true'", named("AWS_METADATA_T*"))
    assert found(text) == [("setting", "AWS_METADATA_DEBUG: 'true'")]


def test_a_variable_may_be_for_one_service_alone() -> None:
    text = with_environment(
        "ec2-metadata/AWS_METADATA_DEADLINE: 'soon'", named("AWS_METADATA_DEADLINE")
    )
    assert found(text) == [("setting", "ec2-metadata/AWS_METADATA_DEADLINE: 'soon'")]


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("AWS_METADATA_TAG_VARIABLES", "a:B;c", "mapping 'c'"),
        ("AWS_METADATA_LOAD", "perhaps", "neither true nor false"),
        ("AWS_ENDPOINT_URL_EC2", "ec2", "not an http:// or https:// address"),
    ],
)
def test_a_variable_with_a_wrong_value_is_found(name: str, value: str, said: str) -> None:
    text = with_environment(f"{name}: '{value}'", named(name))
    (finding,) = judged(text)
    assert (finding.rule, text.splitlines()[finding.line - 1].strip()) == (
        "setting",
        f"{name}: '{value}'",
    )
    assert said in finding.reason
    assert found(named(f"{name}={value}")) == [("setting", f"- {name}={value}")]


def test_without_the_service_variables_are_judged_all_the_same() -> None:
    text = "#cloud-config\nrancher: {environment: {AWS_METADATA_DEADLINE: 'soon'}}\n"
    assert [rule for rule, _ in found(text)] == ["setting"]


def test_a_name_that_the_program_does_not_know_is_found_with_the_one_that_is_meant() -> None:
    for text in (with_environment("AWS_METADATA_TAG_PREFIX: a."), named("AWS_METADATA_TAG_PREFIX")):
        (finding,) = judged(text)
        assert (finding.rule, finding.mend) == ("setting", "write AWS_METADATA_TAG_PREFIXES")
