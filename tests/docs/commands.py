"""The commands in the pages; those that are not run here are in docs/evidence."""

from __future__ import annotations

import re

from docs.pages import SHELLS, Page, pages

LISTS = Page("docs/evidence/commands-not-run.md")
# What begins so in a sentence is a command, if something follows.
PROGRAMS = ("aws", "docker", "docker-compose", "make", "pytest", "python", "ros", "system-docker")


def listed(title: str) -> dict[str, str]:
    """Return a list of the page: command to where or why."""
    table = LISTS.text.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    return dict(re.findall(r"^\| ((?:all of )?`.*`) \| (.*) \|$", table, re.MULTILINE))


ELSEWHERE = listed("Run by other tests")
NOT_RUN = {key.strip("`"): why for key, why in listed("Not run").items()}


def why_not(command: str) -> str | None:
    """Return why a command is not run here; None if it is to be."""
    return ELSEWHERE.get(f"`{command}`") or next(
        (why for start, why in NOT_RUN.items() if command.startswith(start)), None
    )


def commands(page: Page) -> list[str]:
    """Return the commands in a page's blocks."""
    if f"all of `{page.name}`" in ELSEWHERE:
        return []
    return [line for block in page.blocks if block.language in SHELLS for line in block.lines]


def in_sentences(page: Page) -> list[str]:
    """Return the commands in a page's sentences, but those that are only named by their start."""
    spans = (" ".join(span.split()) for span in re.findall(r"`([^`]+)`", page.prose))
    started = re.compile(rf"(sudo )?([A-Z_]+=\S+ )*({'|'.join(PROGRAMS)}) .")
    return [span for span in spans if started.match(span)]


def run_here(page: Page) -> list[str]:
    """Return the commands of a page that are run on a machine made of stand-ins."""
    return [
        line for line in commands(page) if not line.startswith("make ") and why_not(line) is None
    ]


def everything() -> list[str]:
    """Return the commands of all pages, in blocks and in sentences."""
    return [
        line
        for page in pages()
        if page.name != LISTS.name
        for line in (*commands(page), *in_sentences(page))
    ]
