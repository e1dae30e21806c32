"""The checks of the JavaScript side see what they are there to see."""

from __future__ import annotations

import shutil
from pathlib import Path

import js
import pytest

needs_node = pytest.mark.skipif(shutil.which("node") is None, reason="node was not found")


def test_snippets_say_what_they_print() -> None:
    page = '```js\nconsole.log(1); // 1\nconsole.log("a", f(2)); // a | b\nf(); // no claim\n```\n```html\n<p>\n```\n'
    [(text, lines)] = js.snippets(page)
    assert lines == ["1", "a", "b"] and text.startswith("console.log(1)")


@needs_node
@pytest.mark.parametrize(
    ("program", "lines", "good"),
    [
        ("console.log(1)", ["1"], True),
        ("console.log(1)", ["2"], False),
        ("console.log(1)", ["1", "2"], False),
        ("console.log(1); console.log(2)", ["1"], False),
        ("console.log(12)", ["1"], False),
        ("console.log(1); process.exitCode = 1", ["1"], False),
        ("throw new Error('x')", [], False),
    ],
)
def test_an_example_has_to_print_its_lines(tmp_path: Path, program: str, lines: list[str], good: bool) -> None:
    (tmp_path / "program.mjs").write_text(program)
    assert js._prints(tmp_path, tmp_path / "program.mjs", lines) is good
