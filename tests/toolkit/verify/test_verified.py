"""What a cell, a row and a whole verification are called."""

from __future__ import annotations

import pytest
from rva.audited import Audit, Audited, Finding
from rva.verified import STANDINGS, Cell, Verification

READ, STOOD = Cell("a", "files", "pass"), Cell("a", "files", "pass", stand_in=True)
RAN = Cell("a", "direct", "pass", how="run")
EMULATED = Cell("a", "qemu", "pass", how="emulated")
LOADED = Cell("a", "musl", "pass", how="loads")
INSTALLED = Cell("a", "npm", "pass", how="installs")
WINE = Cell("a", "wine", "pass", how="emulated", stand_in=True)
NOT_RUN = Cell("a", "direct", "not-run")
FAILED = Cell("a", "files", "fail")


@pytest.mark.parametrize(
    ("cell", "word"),
    [
        (READ, "pass"), (STOOD, "stand-in"), (RAN, "pass"), (EMULATED, "emulated"), (LOADED, "loads"), (WINE, "stand-in"),
        (INSTALLED, "installs"), (Cell("a", "zip", "pass", how="installs", stand_in=True), "installs"),
        (NOT_RUN, "not run"), (FAILED, "fail"), (Cell("a", "x", "fail", how="emulated", stand_in=True), "fail"),
    ],
)  # fmt: skip
def test_a_cell_in_a_word(cell: Cell, word: str) -> None:
    assert cell.word == word


def test_a_check_with_its_lane() -> None:
    assert Cell("a", "npm", "pass", lane="node-18").name == "npm node-18"
    assert Cell("a", "npm", "pass").name == "npm"


@pytest.mark.parametrize(
    ("cells", "standing"),
    [
        ((), "absent"),
        ((NOT_RUN,), "absent"),
        ((Cell("other", "direct", "pass", how="run"),), "absent"),
        ((READ,), "read"),
        ((READ, NOT_RUN), "read"),
        ((READ, INSTALLED), "read"),
        ((STOOD,), "stand-in read"),
        ((STOOD, WINE), "stand-in"),
        ((STOOD, Cell("a", "zip", "pass", how="installs", stand_in=True)), "stand-in read"),  # nothing of it ran
        ((READ, LOADED), "loads"),
        ((READ, LOADED, EMULATED), "emulated"),
        ((READ, EMULATED, RAN), "runs"),
        ((READ, WINE, STOOD), "stand-in"),
        ((READ, RAN, FAILED), "fails"),
        ((RAN, Cell("other", "files", "fail")), "runs"),
    ],
)
def test_how_a_row_stands(cells: tuple[Cell, ...], standing: str) -> None:
    """By the best that is known of it; a failure outweighs everything."""
    assert Verification("1", "", "", "", ("a",), (), cells).standing("a") == standing
    assert standing in STANDINGS


def test_an_audit_is_counted() -> None:
    error, warning = Finding("error", "x", "y"), Finding("warning", "x", "y")
    many = Audited("thing", "1.0", "npm", findings=(error, warning, error))
    one = Audited("thing", "", "file", findings=(warning,))
    assert (many.label, many.word, one.label, one.word) == ("thing@1.0", "2 errors, 1 warning", "thing", "1 warning")
    assert Audited("thing", "1.0", "npm", findings=(error,)).word == "1 error"
    assert Audited("thing", "1.0", "npm").word == "sound"
    assert Audit((many, one, many)).errors == 4
