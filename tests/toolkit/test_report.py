"""Tables, notes and the README's matrix: text that people read."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from rva import generated, report
from rva.errors import CheckFailed
from rva.model import Family, Matrix, Plan, Report, RowPlan, RowResult, Smoke


def plan_row(row: str, status: str = "build", **more: object) -> RowPlan:
    family: Family = "cli"
    return RowPlan(
        row, family, "cli", "x86_64-apple-darwin", "cross", status, "cargo", "bindings/cli", "l", (), (), (), **more
    )  # type: ignore[arg-type]


def result(row: str, status: str, **more: object) -> RowResult:
    return RowResult(row, "cli", "t", "native", status, **more)  # type: ignore[arg-type]


def test_a_plan_as_a_table() -> None:
    rows = (
        plan_row("one", "current"),
        plan_row("two", "unavailable", reason="no SDK", fix="get it"),
        plan_row("three", "unavailable", reason="no SDK", fix="get it"),
        plan_row("four", "build", missing=("zig", "maturin")),
    )
    text = report.plan_table(Plan("1.0.0", "release", rows), colour=False, width=200)
    for row in rows:
        assert re.search(rf"^{row.id} .*{row.status}$", text, re.MULTILINE)
    assert text.count("no SDK") == 1  # a reason is said once, with all its rows
    assert "unavailable: two, three\n  why: no SDK\n  fix: get it\n" in text
    assert "rva setup`: maturin, zig\n" in text
    assert text.endswith("1 current, 2 unavailable, 1 build\n")


def test_a_build_as_a_table() -> None:
    rows = (
        result("one", "built", duration_s=1.26, files=2, size=1_500_000),
        result("two", "current", files=1, size=900),
        result("three", "unavailable", reason="no SDK", fix="get it"),
        result("four", "failed", reason="it broke"),
        result("five", "not-run", reason="an earlier row failed"),
    )
    smoke = (
        Smoke("one", "pass", 77),
        Smoke("two", "pass", 77, cached=True),
        Smoke("five", "fail", 70, 7, reason="7 failed"),
    )
    text = report.build_table(Report("1.0.0", rows, smoke, 12.5), colour=False, width=200)
    assert re.search(r"^one +native +built +2 +1\.5 MB +1\.3 s +pass 77$", text, re.MULTILINE)
    assert re.search(r"^two +native +current +1 +900 B +pass 77 \(kept\)$", text, re.MULTILINE)
    assert re.search(r"^five +native +not-run +fail 7 failed$", text, re.MULTILINE)
    assert "it broke" not in text  # the log has said it
    assert "reference cases fail: five\n  why: 7 failed\n" in text
    assert text.endswith("1 built, 1 current, 1 unavailable, 1 failed, 1 not-run; 12.5 s\n")


def test_a_stand_in_has_no_verdict_of_its_row() -> None:
    row = RowResult("one", "cli", "t", "stand-in", "built")
    text = report.build_table(Report("1", (row,), (Smoke("one", "pass", 5),), 1.0), colour=False, width=100)
    assert "pass" not in text


def test_colour_only_where_it_is_wanted() -> None:
    rows = (plan_row("one", "current"),)
    plain = report.plan_table(Plan("1", "release", rows), colour=False, width=100)
    bright = report.plan_table(Plan("1", "release", rows), colour=True, width=100)
    assert "\x1b" not in plain and "\x1b[" in bright
    assert re.sub(r"\x1b\[[0-9;]*m", "", bright).replace(" ", "") == plain.replace(" ", "")


@pytest.mark.parametrize("width", [20, 40, 80, 300])
def test_no_line_is_wider_than_asked(width: int) -> None:
    rows = [("a" * 30, "b" * 30), ("[bold]not markup[/bold]", ":smile:")]
    text = report.table(("one", "two"), rows, colour=False, width=width)
    assert max(len(line) for line in text.splitlines()) <= width
    assert ":smile:" in text.replace("\n", "") or width < 40


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (1_499_000, "1.5 MB"),
        (2_000_000_000, "2.0 GB"),
        (5 * 10**12, "5000.0 GB"),
    ],
)
def test_sizes(size: int, text: str) -> None:
    assert report.human(size) == text


def test_the_matrix_as_markdown(table: Matrix) -> None:
    text = report.matrix_markdown(table)
    assert "| `x86_64-unknown-linux-gnu` | glibc 2.17 | P0 | P0 | P0 | P0 |" in text
    assert "| `x86_64-apple-darwin` | macOS 10.12 |" in text
    for row in table.targets:
        assert f"`{row.id}`" in text or f"`{row.triple}`" in text
    assert len({line.count("|") for line in text.split("\n\n")[0].splitlines()}) == 1


def test_generated_files_are_checked_and_written(project: Path, table: Matrix) -> None:
    root = project
    with pytest.raises(CheckFailed, match="has no place for the platform matrix"):
        generated.check(root, table)
    begin, end = "<!-- begin generated: platform matrix -->\n", "<!-- end generated: platform matrix -->\n"
    (root / "README.md").write_text(f"# x\n{begin}old\n{end}rest\n")
    assert sorted(generated.check(root, table)) == ["README.md", "platforms.schema.json"]
    assert sorted(generated.write(root, table)) == ["README.md", "platforms.schema.json"]
    assert generated.check(root, table) == [] == generated.write(root, table)
    (root / "docs").mkdir()
    (root / "docs" / "artifact-names.md").write_text("<!-- begin generated: names -->\n<!-- end generated: names -->\n")
    assert generated.write(root, table) == ["docs/artifact-names.md"]
    text = (root / "README.md").read_text()
    assert text.startswith(f"# x\n{begin}") and text.endswith(f"{end}rest\n") and "old" not in text


def test_the_projects_generated_files_are_up_to_date(root: Path, table: Matrix) -> None:
    assert generated.check(root, table) == [], "run ./rva docs"
    assert "docs/artifact-names.md" in generated.wanted(root, table)
