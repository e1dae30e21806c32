"""The check of the snippets sees what it is there to see."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import snippets


@pytest.mark.parametrize(
    ("program", "printed", "good"),
    [
        ("print(1)", "1\n", True),
        ("print(1)", None, True),
        ("print(2)", "1\n", False),
        ("raise SystemExit(1)", None, False),
    ],
)
def test_a_program_has_to_end_well_and_print_what_the_page_says(
    tmp_path: Path, program: str, printed: str | None, good: bool
) -> None:
    done = snippets.run([sys.executable, "-c", program], tmp_path)
    assert (snippets.judge("x", done, printed) == []) is good


def test_blocks_are_found_by_language(tmp_path: Path) -> None:
    (tmp_path / "x.md").write_text("```js\na\n```\n```py\nb\n```\n```js\nc\n```\n")
    assert snippets.blocks(tmp_path / "x.md", "js") == ["a\n", "c\n"]
