"""Documents keep their promises: a guide a platform with the same four parts, a comparison whose cells cite, links that lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

GUIDES = ("javascript", "browser", "wasi", "rust", "python", "c", "command-line", "server")
PARTS = ("## Quick start", "## Advanced", "## Performance", "## Troubleshooting")
# A link, a command, or a file in backticks.
CITES = re.compile(r"\]\([^)]+\)|`[^`]+`")


def parts_missing(text: str) -> list[str]:
    """The parts of a guide that a page lacks."""
    return [part for part in PARTS if not re.search(rf"^{part}", text, re.MULTILINE)]


def uncited(text: str) -> list[str]:
    """The cells of a page's tables that cite nothing; the first column names, an empty cell says nothing."""
    rows = [line.strip("| \n").split(" | ") for line in text.splitlines() if line.startswith("| ")]
    bodies = [row for row in rows if not set("".join(row)) <= set("- |") and row[0] not in ("tool", "question")]
    return [cell for row in bodies for cell in row[1:] if cell.strip(" |") and not CITES.search(cell)]


def dead_links(path: Path) -> list[str]:
    """Links of a page to files that are not there; what the site makes itself, its own build checks."""
    text = re.sub(r"^```.*?^```$", "", path.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)
    links = [link for link in re.findall(r"\]\(([^)#\s]+)", text) if not re.match(r"[a-z]+:", link)]
    return [
        link
        for link in links
        if not re.match(r"(\.\./)?(reference|api)/|c\.md$", link) and not (path.parent / link).exists()
    ]


@pytest.mark.parametrize("name", GUIDES)
def test_a_guide_has_its_four_parts(root: Path, name: str) -> None:
    assert parts_missing((root / "docs" / f"{name}.md").read_text("utf-8")) == []


def test_a_part_that_is_missing_is_seen() -> None:
    assert parts_missing("## Quick start\n## Advanced patterns\n## Performance\n") == ["## Troubleshooting"]


def test_every_cell_of_the_comparison_cites(root: Path) -> None:
    text = (root / "docs" / "comparison.md").read_text("utf-8")
    assert text.count("\n| ") > 15 and uncited(text) == []
    assert uncited("| tool | makes |\n| --- | --- |\n| x | much |\n| y | [z](a) | `b` |\n") == ["much"]


def test_links_lead_to_files(root: Path, tmp_path: Path) -> None:
    pages = [*root.glob("*.md"), *(root / "docs").rglob("*.md")]
    assert len(pages) > 25
    assert {p.name: dead for p in pages if (dead := dead_links(p))} == {}
    (tmp_path / "x.md").write_text("[a](https://b) [c](d.md) [e](x.md)")
    assert dead_links(tmp_path / "x.md") == ["d.md"]


def test_the_readme_is_short(root: Path) -> None:
    text = (root / "README.md").read_text("utf-8")
    own = re.sub(r"<!-- begin generated.*?<!-- end generated[^>]*>", "", text, flags=re.DOTALL)
    assert own.count("\n") < 80
    for file in re.findall(r'(?:src|srcset)="([^"]+)"', text):
        assert (root / file).is_file(), file
