"""The check of the Node.js binding sees what it is there to see."""

from __future__ import annotations

import shutil
from pathlib import Path

import node
import pytest


@pytest.mark.skipif(shutil.which("node") is None, reason="node was not found")
@pytest.mark.parametrize(
    ("files", "good"),
    [
        ({"a.test.mjs": ""}, True),
        ({"a.test.mjs": "", "b.test.mjs": "throw new Error('x')"}, False),
        ({"a.test.mjs": "import test from 'node:test'; test('x', () => { throw new Error('x') })"}, False),
        ({"a.mjs": ""}, False),
    ],
)
def test_a_test_that_fails_fails_the_check(tmp_path: Path, files: dict[str, str], good: bool) -> None:
    (tmp_path / "tests").mkdir()
    for name, text in files.items():
        (tmp_path / "tests" / name).write_text(text)
    (tmp_path / "project").mkdir()
    assert (node.check(tmp_path / "project", tmp_path / "tests") == 0) is good
