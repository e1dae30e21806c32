"""The committed files that are made from platforms.toml, and whether they are up to date."""

from __future__ import annotations

import re
from pathlib import Path

from rva import files, report
from rva.errors import CheckFailed
from rva.model import Matrix, schema, to_json

_BEGIN = "<!-- begin generated: platform matrix -->\n"
_END = "<!-- end generated: platform matrix -->\n"


def wanted(root: Path, matrix: Matrix) -> dict[str, str]:
    """Path -> the text that the file should have now."""
    return {"platforms.schema.json": to_json(schema()), "README.md": _readme(root / "README.md", matrix)}


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


def _readme(path: Path, matrix: Matrix) -> str:
    text = _read(path)
    block = _BEGIN + "\n" + report.matrix_markdown(matrix) + "\n" + _END
    pattern = re.compile(re.escape(_BEGIN) + ".*?" + re.escape(_END), re.DOTALL)
    if len(pattern.findall(text)) != 1:
        raise CheckFailed(
            f"{path} has no place for the platform matrix", fix=f"add the lines {_BEGIN.strip()} and {_END.strip()}"
        )
    return pattern.sub(lambda _: block, text)


def _read(path: Path) -> str:
    return path.read_text("utf-8") if path.is_file() else ""
