"""A verification for other readers than a terminal: Markdown for a CI summary, JUnit for its readers, one HTML page for people."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

from rva import render
from rva.errors import UsageError
from rva.verified import Cell, Verification


def text(made: Verification, path: Path, templates: Path) -> str:
    """The report that a file's name asks for."""
    if path.suffix == ".html":
        return html(made, templates)
    if path.suffix == ".md":
        return markdown(made)
    if path.suffix == ".xml":
        return junit(made)
    raise UsageError(f"{path.name}: no report has this extension", fix="use .html, .md or .xml; --json prints JSON")


def markdown(made: Verification) -> str:
    """Rows by checks, for a CI summary."""
    lines = [
        f"# Verification of {made.version}",
        "",
        f"{made.summary}. {made.machine}, {made.date}, {made.commit[:12]}.",
        "",
    ]
    lines += ["| row | " + " | ".join(made.checks) + " |", "| --- |" + " --- |" * len(made.checks)]
    grid = _grid(made)
    for row in made.rows:
        cells = [grid.get((row, check), ()) for check in made.checks]
        lines.append(f"| `{row}` | " + " | ".join(", ".join(cell.word for cell in found) for found in cells) + " |")
    for cell in _of(made, "fail"):
        lines += ["", f"**{cell.row}, {cell.name}**: {cell.reason}"]
    return "\n".join(lines) + "\n"


def junit(made: Verification) -> str:
    """A test suite a check, a test case a row."""
    suites = ElementTree.Element("testsuites", name="rva verify", time=f"{made.seconds:.1f}")
    for check in made.checks:
        cells = [cell for cell in made.cells if cell.check == check]
        suite = ElementTree.SubElement(
            suites, "testsuite", name=check, tests=str(len(cells)),
            failures=str(sum(c.status == "fail" for c in cells)), skipped=str(sum(c.status == "not-run" for c in cells)),
        )  # fmt: skip
        for cell in cells:
            more = [word for word in (cell.package, cell.lane, "stand-in" if cell.stand_in else "") if word]
            name = f"{cell.row} ({', '.join(more)})" if more else cell.row
            case = ElementTree.SubElement(suite, "testcase", classname=check, name=name, time=str(cell.duration_s))
            if cell.status == "fail":
                ElementTree.SubElement(case, "failure", message=cell.reason)
            elif cell.status == "not-run":
                ElementTree.SubElement(case, "skipped", message=cell.reason)
            else:
                ElementTree.SubElement(case, "system-out").text = cell.evidence
    ElementTree.indent(suites)
    return ElementTree.tostring(suites, encoding="unicode", xml_declaration=True) + "\n"


def html(made: Verification, templates: Path) -> str:
    """One self-contained page."""
    grid = _grid(made)
    cells = {row: [grid.get((row, check), ()) for check in made.checks] for row in made.rows}
    values = {"made": made, "cells": cells, "summary": made.summary}
    return render.render(templates, "verify/report.html.j2", values)


def _grid(made: Verification) -> dict[tuple[str, str], tuple[Cell, ...]]:
    found: dict[tuple[str, str], tuple[Cell, ...]] = {}
    for cell in made.cells:
        found[cell.row, cell.check] = (*found.get((cell.row, cell.check), ()), cell)
    return found


def _of(made: Verification, status: str) -> list[Cell]:
    return [cell for cell in made.cells if cell.status == status]
