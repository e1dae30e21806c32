"""Every sentence that the modules which inspect, verify and audit can say is one that a test of theirs waits for.

A test that waits for a sentence fails where nothing provokes it, so it is enough that the words stand in a test: three
words in a row (or two, where they are all there is) that no other sentence has, or a string that the sentence alone fits.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

FOLDERS = ("inspect", "verify", "audit")
Parts = tuple[str, ...]


def strings(tree: ast.AST) -> Iterator[Parts]:
    """Each string of some code, as its parts around what is filled in; docstrings and an error's advice left out."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            continue
        if isinstance(node, ast.keyword) and node.arg == "fix":
            continue
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield (node.value,)
        elif isinstance(node, ast.JoinedStr):
            pieces = [p.value if isinstance(p, ast.Constant) else None for p in node.values]
            yield tuple("\0" if piece is None else str(piece) for piece in pieces)
            for piece in node.values:
                yield from strings(piece) if isinstance(piece, ast.FormattedValue) else ()
        else:
            yield from strings(node)


def of_folder(folder: Path) -> set[Parts]:
    return {parts for path in folder.glob("*.py") for parts in strings(ast.parse(path.read_text("utf-8")))}


def is_sentence(parts: Parts) -> bool:
    return any(re.search(r"[A-Za-z]+ [a-z]+", part) for part in parts)


def runs(parts: Parts) -> Iterator[str]:
    """Three words in a row, or the two that a part has."""
    for words in (part.split() for part in parts):
        yield from (" ".join(words[at : at + 3]) for at in range(max(len(words) - 2, len(words) > 1)))


def unprovoked(said: set[Parts], waited: set[Parts]) -> list[str]:
    """Sentences that no test waits for."""
    wholes = {"".join(parts) for parts in waited}
    text = "\n".join(wholes)
    forms = {
        parts: re.compile("".join(".+" if p == "\0" else re.escape(p) for p in parts), re.DOTALL) for parts in said
    }
    owned = {parts for parts in said if "".join(parts) in wholes}
    for whole in wholes - {"".join(parts) for parts in owned}:
        fitting = [parts for parts, form in forms.items() if form.fullmatch(whole)]
        owned |= set(fitting) if len(fitting) == 1 else set()
    for parts in said - owned:
        others = "\n".join("".join(other) for other in said if other != parts)
        owned |= {parts} if any(run in text and run not in others for run in runs(parts)) else set()
    return sorted("".join(parts).replace("\0", "{}") for parts in said - owned)


def test_every_sentence_has_a_test_that_waits_for_it(root: Path) -> None:
    said = {parts for name in FOLDERS for parts in of_folder(root / "toolkit" / "rva" / name) if is_sentence(parts)}
    waited = {parts for name in FOLDERS for parts in of_folder(root / "tests" / "toolkit" / name)}
    assert len(said) > 150
    assert unprovoked(said, waited) == []


def test_a_new_sentence_is_missed() -> None:
    code = 'def f(x):\n    """Not said."""\n    yield f"{x} is too wide for its bed"\n    yield "does not sleep"\n    yield f"does not {x}"\n'
    said = {parts for parts in strings(ast.parse(code)) if is_sentence(parts)}
    assert unprovoked(said, {("it is too wide",), ("does not sleep",)}) == ["does not {}"]
    assert unprovoked(said, {("does not eat",)}) == ["does not sleep", "{} is too wide for its bed"]
