"""The committed files that are made from platforms.toml, and whether they are up to date."""

from __future__ import annotations

import re
from pathlib import Path

from rva import files, pipelines, report
from rva.errors import CheckFailed
from rva.model import Matrix, schema, to_json

_NAMES = "docs/artifact-names.md"


def wanted(root: Path, matrix: Matrix) -> dict[str, str]:
    """Path -> the text that the file should have now."""
    texts = {
        "platforms.schema.json": to_json(schema()),
        "README.md": _filled(root / "README.md", "platform matrix", report.matrix_markdown(matrix)),
    }
    # A project may do without a page on names.
    if (root / _NAMES).is_file():
        texts[_NAMES] = _filled(root / _NAMES, "names", report.names_markdown(matrix))
    if (root / ".github").is_dir():
        texts |= pipelines.texts(root, matrix)
    return texts


def check(root: Path, matrix: Matrix) -> list[str]:
    """The generated files whose text is not what it should be."""
    return [name for name, text in wanted(root, matrix).items() if _read(root / name) != text]


def write(root: Path, matrix: Matrix) -> list[str]:
    """Bring the generated files up to date; returns those that changed."""
    texts = wanted(root, matrix)
    stale = check(root, matrix)
    for name in stale:
        files.write(root / name, texts[name])
    return stale


def _filled(path: Path, what: str, table: str) -> str:
    """The text of a document with a table in its place."""
    begin, end = f"<!-- begin generated: {what} -->\n", f"<!-- end generated: {what} -->\n"
    text = _read(path)
    pattern = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.DOTALL)
    if len(pattern.findall(text)) != 1:
        raise CheckFailed(f"{path} has no place for the {what}", fix=f"add the lines {begin.strip()} and {end.strip()}")
    return pattern.sub(lambda _: f"{begin}\n{table}\n{end}", text)


def _read(path: Path) -> str:
    return path.read_text("utf-8") if path.is_file() else ""
