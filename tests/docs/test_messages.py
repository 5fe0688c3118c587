"""docs/messages.md has each warning and error that the program can log, and no other."""

from __future__ import annotations

import re

from docs.messages import messages
from docs.pages import Page

ROWS = re.findall(r"^\| `(.+?)` \| .+ \| .+ \|$", Page("docs/messages.md").text, re.MULTILINE)


def test_each_message_of_the_program_is_on_the_page_and_each_on_the_page_is_the_programs() -> None:
    written = messages()
    assert len(written) > 100
    assert sorted(written - set(ROWS)) == []
    assert sorted(set(ROWS) - written) == []


def test_the_rows_are_in_the_order_of_the_alphabet() -> None:
    def words(row: str) -> str:
        return re.sub(r"[^a-z0-9 ]", "", row.lower()).strip()

    assert sorted(ROWS, key=words) == ROWS
