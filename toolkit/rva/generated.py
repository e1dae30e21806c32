"""The committed files that are made from platforms.toml, and whether they are up to date."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from rva import files, pipelines, render, report, resources
from rva.errors import CheckFailed
from rva.model import Matrix, schema, to_json
from rva.verified import Verification

_NAMES = "docs/artifact-names.md"
_VERIFIED = "docs/measured/verification.json"
_MATRIX = "platform matrix"


def wanted(root: Path, matrix: Matrix) -> dict[str, str]:
    """Path -> the text that the file should have now."""
    texts = {
        "platforms.schema.json": to_json(schema()),
        "README.md": _filled(root / "README.md", _MATRIX, report.matrix_markdown(matrix, _verified(root))),
        **_pictures(root, matrix),
    }
    # A project may do without a page on names.
    if (root / _NAMES).is_file():
        texts[_NAMES] = _filled(root / _NAMES, "names", report.names_markdown(matrix))
    if (root / ".github").is_dir():
        texts |= pipelines.texts(root, matrix)
    return texts


def _verified(root: Path) -> Verification | None:
    """The verification that the project keeps, if it does: what `rva verify --json` printed."""
    path = root / _VERIFIED
    return msgspec.json.decode(path.read_bytes(), type=Verification) if path.is_file() else None


def _pictures(root: Path, matrix: Matrix) -> dict[str, str]:
    """The matrix as a picture, one for each colour scheme."""
    made = _verified(root)
    if made is None:
        return {}
    platforms = {
        triple: [
            (found[recipe].id, made.standing(found[recipe].id)) if recipe in found else ("", "")
            for recipe in report.COLUMNS
        ]
        for triple, found in report.by_platform(matrix).items()
    }
    rest = [(t.id, made.standing(t.id)) for t in matrix.targets if t.recipe not in report.COLUMNS]
    values = {"made": made, "columns": list(report.COLUMNS.values()), "platforms": platforms, "rest": rest}
    return {
        f"docs/assets/matrix-{scheme}.svg": render.render(
            resources.templates(), "verify/matrix.svg.j2", {**values, "scheme": scheme}
        )
        for scheme in ("light", "dark")
    }


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


def schema_markdown() -> str:
    """The reference of platforms.toml: every table, key, kind and default, as its schema has them."""
    tables: Mapping[str, Any] = schema()["$defs"]
    lines = [
        "# platforms.toml",
        "",
        "Every key of the one table, generated from its schema. Unknown keys are errors.",
        "",
    ]
    for name, table in tables.items():
        text = " ".join(table.get("description", "").split()).replace("``", "`")
        lines += [f"## {name}", "", text, "", "| key | what it holds | default |", "| --- | --- | --- |"]
        required = table.get("required", [])
        for key, value in table["properties"].items():
            default = (
                "required" if key in required else f"`{json.dumps(value['default'])}`" if "default" in value else ""
            )
            lines.append(f"| `{key}` | {_kind(value)} | {default} |")
        lines.append("")
    return "\n".join(lines)


def _kind(value: Mapping[str, Any]) -> str:
    """What a value of the schema may be, in words."""
    if "$ref" in value:
        name = value["$ref"].rsplit("/", 1)[1]
        return f"[{name}](#{name.lower()})"
    if "enum" in value:
        return "one of " + ", ".join(f"`{word}`" for word in value["enum"])
    if "anyOf" in value:
        return " or ".join(_kind(one) for one in value["anyOf"])
    if value.get("type") == "array":
        return f"a list of: {_kind(value['items'])}"
    if value.get("type") == "object":
        keys = value.get("propertyNames", {})
        said = f" by {_kind(keys)}" if keys else ""
        return f"a table{said} of: {_kind(value['additionalProperties'])}"
    return str(
        value.get("description") or {"null": "nothing", "boolean": "true or false"}.get(value["type"], value["type"])
    )


def _filled(path: Path, what: str, table: str) -> str:
    """The text of a document with a table in its place."""
    begin, end = _marks(what)
    text = _read(path)
    pattern = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.DOTALL)
    if len(pattern.findall(text)) != 1:
        raise CheckFailed(f"{path} has no place for the {what}", fix=f"add the lines {begin.strip()} and {end.strip()}")
    return pattern.sub(lambda _: f"{begin}\n{table}\n{end}", text)


def _marks(what: str) -> tuple[str, str]:
    return f"<!-- begin generated: {what} -->\n", f"<!-- end generated: {what} -->\n"


# The lines of README.md between which the table of platforms stands.
BEGIN, END = _marks(_MATRIX)


def _read(path: Path) -> str:
    return path.read_text("utf-8") if path.is_file() else ""
