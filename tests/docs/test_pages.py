"""What the pages say of the program, and of each other, is so."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import pytest

from docs import boots
from docs.definitions import from_page
from docs.pages import ROOT, Page, pages
from rancheros_ec2_metadata.ec2.instance import GROUP, VARIABLES
from rancheros_ec2_metadata.options import OPTIONS
from rancheros_ec2_metadata.settings import GROUP_TAG, STATUS_VARIABLE

REFERENCE = Page("docs/reference.md")
README = Page("README.md")
# Flags of others that are named in a sentence.
OTHERS_FLAGS = {
    *("--constraint", "--data-root", "--label", "--volumes-from"),
    *("--config-file", "--json", "--no-block", "--validate"),
}

each_page = pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)


def spans(page: Page) -> list[str]:
    """Return what is set as code in a page's sentences."""
    return re.findall(r"`([^`\n]+)`", page.prose)


@each_page
def test_every_link_within_the_repository_leads_somewhere(page: Page) -> None:
    broken = []
    for link in re.findall(r"\]\((?!https?:)([^)\s]+)\)", page.prose):
        path, _, anchor = link.partition("#")
        target = (ROOT / page.name).parent / path if path else ROOT / page.name
        known = target.exists() and (
            not anchor or anchor in Page(str(target.resolve().relative_to(ROOT))).anchors
        )
        if not known:
            broken.append(link)
    assert broken == []


def test_every_page_is_reached_from_the_readme() -> None:
    reached, new = set(), {README.name}
    while new:
        name = new.pop()
        reached.add(name)
        for link in re.findall(r"\]\((?!https?:)([^)#\s]+\.md)[^)]*\)", Page(name).prose):
            found = str(((ROOT / name).parent / link).resolve().relative_to(ROOT))
            if found not in reached and (ROOT / found).exists():
                new.add(found)
    assert {page.name for page in pages()} <= reached


@each_page
def test_a_flag_that_is_named_is_in_the_reference(page: Page) -> None:
    known = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", REFERENCE.text)) | OTHERS_FLAGS
    named = {found[0] for span in spans(page) if (found := re.match(r"--[a-z][a-z-]*", span))}
    assert named - known == set()


@each_page
def test_a_variable_of_ours_that_is_named_is_one(page: Page) -> None:
    known = {option.variable for option in OPTIONS}
    assert set(re.findall(r"\bAWS_METADATA_[A-Z_]*[A-Z]", page.text)) - known == set()


def test_the_tags_of_the_readme_become_what_it_says(tmp_path: Path) -> None:
    said = dict(re.findall(r"^\| `(.+?)` \| (.+) \|$", README.table("tag | becomes"), re.MULTILINE))
    assert said
    tags = dict(row.split("=", 1) for row in said)
    with boots.machine(tmp_path, from_page(README.name).text, tags) as machine:
        machine.boot()
        labels, variables = machine.docker_labels(), machine.variables()
    for tag, becomes in said.items():
        key, value = tag.split("=", 1)
        kind, name = re.findall(r"^the (label|variable) `([^`]+)`", becomes)[0]
        if kind == "label":
            assert name == tag
            assert labels[key] == value
        else:
            assert variables[name] == value


def test_the_reference_has_a_row_for_each_variable_with_where_it_is_from() -> None:
    table = REFERENCE.table("variable | source | with `--instance` |")
    cells = re.findall(r"^\| `(\w+)` \| (.+?) \| (.+) \|$", table, re.MULTILINE)
    rows = {name: (source, described) for name, source, described in cells}
    assert rows.keys() == {*VARIABLES, STATUS_VARIABLE}
    for name, variable in VARIABLES.items():
        source, described = rows[name]
        assert f"`{variable.field or variable.path or GROUP_TAG}`" in source
        if variable.described is None:
            assert described.startswith("not told")
        elif variable.path != "services/partition" and name != GROUP:
            assert variable.described in described


def test_each_line_of_the_log_that_is_explained_is_one_that_the_program_writes() -> None:
    package = ROOT / "rancheros_ec2_metadata"
    files = [*package.glob("*.py"), *package.glob("commands/*.py"), *package.glob("hosts/*.py")]
    files += package.glob("hosts/systemd/*.py")
    written = "\n".join(
        node.value
        for file in files
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    )
    table = Page("docs/plain-hosts.md").table("the line says |")
    cells = re.findall(r"^\| (`.+?) \| ", table, re.MULTILINE)
    lines = [line for cell in cells for line in re.findall(r"`([^`]+)`", cell)]
    assert lines
    parts = {line: [part.strip(" :") for part in line.split("…")] for line in lines}
    assert [line for line in lines if not all(part in written for part in parts[line])] == []


def test_the_file_that_is_shown_is_the_one_that_is_written(tmp_path: Path) -> None:
    (shown,) = (block for block in Page("docs/how-it-works.md").blocks if block.language == "json")
    user_data = from_page(README.name).text + "  docker:\n    extra_args: [--debug]\n"
    tags = {
        "docker.environment": "production",
        "docker.role": "web",
        "example.db.host": "db.internal",
    }
    with boots.machine(tmp_path, user_data, tags) as machine:
        machine.boot()
        written = machine.disk.drop_in()["rancher"]
    said = json.loads(shown.text)["rancher"]
    assert said["docker"] == written["docker"]
    assert said["environment"].items() <= written["environment"].items()
