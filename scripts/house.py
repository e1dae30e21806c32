"""The house that rva is: its parts and floors, read from the imports, and a drawing of them.

    python scripts/house.py            writes docs/assets/house-light.svg and house-dark.svg

tests/toolkit/test_house.py holds the code to what is said here, and the drawing to the code.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parents[1]
# Work is done in stages, each a function from the last one's result; composers alone put them together.
STAGES = {
    "matrix",
    "plan",
    "run",
    "smoke",
    "checks",
    "bench",
    "dist",
    "toolchain",
    "packages",
    "verify",
    "audit",
    "release",
    "report",
}
COMPOSERS = {
    "cli",
    "commands",
    "console",
    "workflow",
    "packaging",
    "verification",
    "provenance",
    "rehearsal",
    "merging",
    "releasing",
    "edge",
    "__main__",
}
# What a stage takes, and the stage; the last thing is where all of it ends.
FLOW = (
    ("platforms.toml", "matrix"),
    ("Matrix", "plan"),
    ("Plan", "run"),
    ("rows, kept", "dist"),
    ("dist/", "verify"),
    ("verdicts", "packages"),
    ("packages", "release"),
    ("registries", ""),
)
THEMES = {
    "light": {"ground": "#ffffff", "text": "#1b1f24", "faint": "#57606a", "stages": "#1a7f37", "composers": "#0550ae",
              "rest": "#eef1f4", "line": "#8c959f"},
    "dark": {"ground": "#0d1117", "text": "#e6edf3", "faint": "#9198a1", "stages": "#1a7f37", "composers": "#1f6feb",
             "rest": "#262c36", "line": "#6e7681"},
}  # fmt: skip
_WIDTH, _MARGIN, _ROW, _CHIP = 860, 24, 34, 26
_FLOORS_FROM = 168
_USES = "→"


def parts_imported(source: str) -> set[str]:
    """The parts of rva (modules and packages at its top) that a file imports."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.module == "rva":
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("rva."):
            found.add((node.module or "").split(".")[1])
        elif isinstance(node, ast.Import):
            found |= {a.name.split(".")[1] for a in node.names if a.name.startswith("rva.")}
    return found


def part(path: str) -> str:
    """The part that a file below toolkit/rva belongs to."""
    return path.split("/")[0].removesuffix(".py")


def sources(root: Path) -> dict[str, str]:
    """Every Python file of the tool, by its path below toolkit/rva."""
    folder = root / "toolkit" / "rva"
    return {p.relative_to(folder).as_posix(): p.read_text("utf-8") for p in sorted(folder.rglob("*.py"))}


def floors(files: Mapping[str, str]) -> list[list[str]]:
    """The parts from the ground up: each stands one above the highest that it imports. A circle is a ValueError."""
    uses: dict[str, set[str]] = {}
    for path, source in files.items():
        uses.setdefault(part(path), set()).update(parts_imported(source))
    uses = {name: {other for other in found if other in uses and other != name} for name, found in uses.items()}
    uses.pop("__init__", None)
    found: list[list[str]] = []
    placed: set[str] = {"__init__"}
    while left := sorted(uses.keys() - placed):
        floor = [name for name in left if uses[name] <= placed]
        if not floor:
            raise ValueError(f"these import each other in a circle: {', '.join(left)}")
        found.append(floor)
        placed.update(floor)
    return found


def draw(found: Sequence[Sequence[str]], theme: str) -> str:
    """The flow of work, and the floors below it, as the text of an SVG file."""
    colours = THEMES[theme]
    svg = ElementTree.Element("svg", {"xmlns": "http://www.w3.org/2000/svg", "role": "img", "aria-labelledby": "t"})
    ElementTree.SubElement(
        svg, "title", {"id": "t"}
    ).text = "How rva is built: the flow of work, and its parts by floors"
    ground = _box(svg, 0, 0, _WIDTH, 0, colours["ground"])
    _flow(svg, colours)
    y = _floors(svg, found, colours)
    height = str(y + 12)
    ground.set("height", height)
    svg.attrib |= {
        "viewBox": f"0 0 {_WIDTH} {height}",
        "width": str(_WIDTH),
        "height": height,
        "font-family": "system-ui, -apple-system, Segoe UI, Helvetica, Arial, sans-serif",
        "font-size": "13",
    }
    ElementTree.indent(svg)
    return ElementTree.tostring(svg, encoding="unicode") + "\n"


def _flow(svg: ElementTree.Element, colours: Mapping[str, str]) -> None:
    _text(svg, _MARGIN, 30, "What happens to a row", colours["text"], {"font-size": "15", "font-weight": "600"})
    step = (_WIDTH - 2 * _MARGIN) / len(FLOW)
    wide = step - 16
    for i, (thing, stage) in enumerate(FLOW):
        x = _MARGIN + i * step
        _box(svg, x, 46, wide, 30, colours["rest"])
        _text(svg, x + wide / 2, 66, thing, colours["text"], {"text-anchor": "middle", "font-size": "11.5"})
        if stage:
            points = f"{x + wide + 3:.1f},57 {x + wide + 13:.1f},61 {x + wide + 3:.1f},65"
            ElementTree.SubElement(svg, "polygon", {"points": points, "fill": colours["line"]})
            _chip(svg, x + wide + 8 - _wide(stage) / 2, 84, stage, colours["stages"], "#ffffff")


def _floors(svg: ElementTree.Element, found: Sequence[Sequence[str]], colours: Mapping[str, str]) -> int:
    y = _FLOORS_FROM
    _text(
        svg,
        _MARGIN,
        y - 22,
        "Its parts, by what they import",
        colours["text"],
        {"font-size": "15", "font-weight": "600"},
    )
    _text(
        svg, _WIDTH - _MARGIN, y - 22, "each imports from lower floors only", colours["faint"], {"text-anchor": "end"}
    )
    for floor in _rows(found):
        x = float(_MARGIN)
        for name in floor:
            if name == _USES:
                _text(svg, x, y + 17, name, colours["faint"], {})
                x += 16
                continue
            if x + _wide(name) > _WIDTH - _MARGIN:
                x, y = float(_MARGIN), y + _CHIP + 4
            kind = "stages" if name in STAGES else "composers" if name in COMPOSERS else "rest"
            _chip(svg, x, y, name, colours[kind], colours["text"] if kind == "rest" else "#ffffff")
            x += _wide(name) + 6
        y += _ROW
        edge = {"x1": str(_MARGIN), "x2": str(_WIDTH - _MARGIN), "y1": str(y - 4), "y2": str(y - 4)}
        ElementTree.SubElement(svg, "line", {**edge, "stroke": colours["line"], "stroke-opacity": "0.5"})
    x = float(_MARGIN)
    for kind, words in (
        ("composers", "puts stages together, prints, exits"),
        ("stages", "a stage"),
        ("rest", "what stages use"),
    ):
        _box(svg, x, y + 8, 14, 14, colours[kind])
        _text(svg, x + 20, y + 20, words, colours["faint"], {})
        x += 44 + 6.6 * len(words)
    return y + 26


def _rows(found: Sequence[Sequence[str]]) -> list[list[str]]:
    """From the top: a line a floor; floors of one part each share one, and a sign between them."""
    rows: list[list[str]] = []
    for floor in reversed(found):
        if rows and len(floor) == 1 and (len(rows[-1]) == 1 or _USES in rows[-1]):
            rows[-1] += [_USES, *floor]
        else:
            rows.append(list(floor))
    return rows


def _wide(name: str) -> float:
    return 7.4 * len(name) + 18


def _chip(svg: ElementTree.Element, x: float, y: float, name: str, fill: str, text: str) -> None:
    _box(svg, x, y, _wide(name), _CHIP, fill)
    style = {
        "text-anchor": "middle",
        "font-family": "ui-monospace, SFMono-Regular, Menlo, monospace",
        "font-size": "12",
    }
    _text(svg, x + _wide(name) / 2, y + 17, name, text, style)


def _box(svg: ElementTree.Element, x: float, y: float, width: float, height: float, fill: str) -> ElementTree.Element:
    size = {"x": f"{x:.1f}", "y": f"{y:.1f}", "width": f"{width:.1f}", "height": f"{height:.1f}"}
    return ElementTree.SubElement(svg, "rect", {**size, "rx": "6", "fill": fill})


def _text(svg: ElementTree.Element, x: float, y: float, text: str, fill: str, style: Mapping[str, str]) -> None:
    ElementTree.SubElement(svg, "text", {"x": f"{x:.1f}", "y": f"{y:.1f}", "fill": fill, **style}).text = text


def drawings(root: Path) -> dict[str, str]:
    """File name below docs/assets -> its text."""
    found = floors(sources(root))
    return {f"house-{theme}.svg": draw(found, theme) for theme in THEMES}


if __name__ == "__main__":
    for name, text in drawings(ROOT).items():
        (ROOT / "docs" / "assets" / name).write_text(text, "utf-8")
