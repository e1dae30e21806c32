"""Plans, results and tools as text: tables for people, Markdown for documents. Returns text, prints nothing."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence

from rva import naming
from rva.audited import Audit
from rva.model import Matrix, PackageManifest, Packed, Plan, Report, RowPlan, RowResult, Smoke, Target
from rva.verified import STANDINGS, Verification
from rva.verified import Cell as VerifiedCell

Cell = str
_STYLE = {
    "current": "green", "built": "green", "pass": "green", "found": "green",
    "build": "cyan", "unavailable": "yellow", "not-run": "yellow", "not": "yellow", "emulated": "cyan", "stand-in": "cyan", "loads": "cyan", "installs": "cyan", "missing": "yellow", "sound": "green", "failed": "red", "fail": "red",
}  # fmt: skip


def plan_table(plan: Plan, *, colour: bool, width: int) -> str:
    """What would be built, by which tool, from where, and what stands in the way."""
    rows = [(r.id, r.triple, r.build, r.tool, r.folder, r.status) for r in plan.rows]
    text = table(("row", "triple", "build", "tool", "from", "status"), rows, colour=colour, width=width)
    text += _grouped((r.status, r.reason, r.fix, r.id) for r in plan.rows if r.status == "unavailable")
    missing = sorted({name for r in plan.rows if r.status == "build" for name in r.missing})
    if missing:
        text += f"\nto be set up first, by this build or by `rva setup`: {', '.join(missing)}\n"
    return text + f"\n{_counts(r.status for r in plan.rows)}\n"


def build_table(report: Report, *, colour: bool, width: int) -> str:
    """One line a row: how it ended, how big it is, what its smoke test said."""
    smoke = {s.id: s for s in report.smoke}
    lines = [_result_line(row, smoke.get(row.id)) for row in report.rows]
    head = ("row", "build", "status", "files", "size", "time", "reference cases")
    text = table(head, lines, colour=colour, width=width)
    return text + _notes(report) + f"\n{_counts(r.status for r in report.rows)}; {report.seconds:.1f} s\n"


def package_table(made: PackageManifest, *, colour: bool, width: int) -> str:
    """One line a package, then what is lacking and why."""
    rows = [(p.file, p.kind, p.build, human(p.size), _change(p)) for p in made.packages if p.kind != "sbom"]
    text = table(("package", "kind", "build", "size", "against the last release"), rows, colour=colour, width=width)
    text += _grouped(("lacking", gap.reason, gap.fix, gap.package) for gap in made.gaps)
    lists = sum(p.kind == "sbom" for p in made.packages)
    text += f"\nlists of what is in them (CycloneDX, SPDX): {lists} in dist/packages/sbom\n" if lists else ""
    return text + f"\n{len(made.packages) - lists} packages in dist/packages, {len(made.gaps)} remarks\n"


def _change(packed: Packed) -> str:
    if not packed.last:
        return "not in it"
    change = packed.size - packed.last
    return f"{'-' if change < 0 else '+'}{human(abs(change))} ({100 * change / packed.last:+.1f} %)"


def verification_table(made: Verification, *, colour: bool, width: int) -> str:
    """One line a row, how it read, where it ran and what installed it; then every failure, and why the rest was not run."""
    rows = [(row, *_verified([cell for cell in made.cells if cell.row == row])) for row in made.rows]
    if "files" in made.checks:
        text = table(("row", "files", "run", "installed"), rows, colour=colour, width=width)
    else:  # a rehearsal looks at packages alone
        text = table(
            ("row", "installed"), [(row, installed) for row, _, _, installed in rows], colour=colour, width=width
        )
    for status in ("fail", "not-run"):
        cells = [cell for cell in made.cells if cell.status == status]
        text += _grouped((cell.word, cell.reason, "", f"{cell.row} ({cell.name})") for cell in cells)
    return text + f"\n{made.summary}\n"


def _verified(cells: Sequence[VerifiedCell]) -> tuple[Cell, Cell, Cell]:
    read = [cell.word for cell in cells if cell.check == "files"]
    ran = [
        f"{cell.word} {cell.name}"
        for cell in cells
        if cell.status != "not-run" and not cell.package and cell.check != "files"
    ]
    installed = [f"{cell.word} {cell.name}" for cell in cells if cell.package and cell.status != "not-run"]
    return ", ".join(read) or "not built", ", ".join(ran) or "not run", ", ".join(installed) or "no"


def audit_table(made: Audit, *, colour: bool, width: int) -> str:
    """One line a package, what it holds and the verdict; then every finding."""
    rows = [(p.label, human(p.size), str(p.files or ""), ", ".join(p.holds), p.word) for p in made.packages]
    text = table(("package", "size", "files", "holds", "verdict"), rows, colour=colour, width=width)
    for level in ("error", "warning"):
        found = [(level, f.message, "", p.label) for p in made.packages for f in p.findings if f.level == level]
        text += _grouped(found)
    return text + f"\n{len(made.packages)} packages, {made.errors} errors; {made.seconds:.1f} s\n"


def _result_line(row: RowResult, smoke: Smoke | None) -> tuple[Cell, ...]:
    size = human(row.size) if row.files else ""
    spent = f"{row.duration_s:.1f} s" if row.status == "built" else ""
    verdict = "" if smoke is None or row.build == "stand-in" else _verdict(smoke)
    return (row.id, row.build, row.status, str(row.files or ""), size, spent, verdict)


def _verdict(smoke: Smoke) -> str:
    if smoke.status == "pass":
        return f"pass {smoke.passed}" + (" (kept)" if smoke.cached else "")
    return f"{smoke.status}" + (f" {smoke.failed} failed" if smoke.failed else "")


def _notes(report: Report) -> str:
    rows = ((r.status, r.reason, r.fix, r.id) for r in report.rows if r.reason and r.status != "failed")
    smoke = ((f"reference cases {s.status}", s.reason, "", s.id) for s in report.smoke if s.reason)
    return _grouped((*rows, *smoke))


def _grouped(reasons: Iterable[tuple[str, str, str, str]]) -> str:
    """Each reason once, with the rows that it holds for."""
    found: dict[tuple[str, str, str], list[str]] = {}
    for status, reason, fix, row in reasons:
        found.setdefault((status, reason, fix), []).append(row)
    text = ""
    for (status, reason, fix), ids in found.items():
        text += f"\n{status}: {', '.join(ids)}\n  why: {reason}\n" + (f"  fix: {fix}\n" if fix else "")
    return text


def _counts(statuses: Iterable[str]) -> str:
    found: dict[str, int] = {}
    for status in statuses:
        found[status] = found.get(status, 0) + 1
    return ", ".join(f"{n} {status}" for status, n in found.items())


def table(head: Sequence[str], rows: Sequence[Sequence[Cell]], *, colour: bool, width: int) -> str:
    """A plain table; cells that name a status are coloured where colours are wanted."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    grid = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for title in head:
        grid.add_column(title, overflow="fold", no_wrap=False)
    for row in rows:
        grid.add_row(*[Text(cell, style=_STYLE.get(cell.split(" ")[0], "")) for cell in row])
    sink = io.StringIO()
    console = Console(file=sink, width=width, force_terminal=colour, no_color=not colour, highlight=False)
    console.print(grid)
    return "\n".join(line.rstrip() for line in sink.getvalue().splitlines()) + "\n"


# What stands in a column of the matrix; every other recipe is for all platforms.
COLUMNS = {"napi": "Node.js addon", "cli": "command line", "c-library": "C library", "wheel": "Python wheel"}


def matrix_markdown(matrix: Matrix, made: Verification | None = None) -> str:
    """The platform matrix as the README shows it: one line a platform, one column a family; how each stands, if known."""

    def cell(target: Target) -> str:
        return f"{target.priority} {made.standing(target.id)}" if made else target.priority

    head = ["platform", "floor", *COLUMNS.values()]
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    floors = {t.triple: naming.floor(t.os, t.libc, t.floor) for t in matrix.targets}
    for triple, found in by_platform(matrix).items():
        cells = [cell(found[recipe]) if recipe in found else "" for recipe in COLUMNS]
        lines.append("| " + " | ".join([f"`{triple}`", floors[triple], *cells]) + " |")
    lines += ["", "| everywhere | row | |", "| --- | --- | --- |"]
    lines += [f"| {t.recipe} | `{t.id}` | {cell(t)} |" for t in matrix.targets if t.recipe not in COLUMNS]
    if made:
        words = {made.standing(t.id) for t in matrix.targets}
        lines += ["", *(f"- **{word}**: {text}" for word, text in STANDINGS.items() if word in words)]
        lines += [
            "",
            f"P0 to P2 are priorities. By `rva verify` of {made.date[:10]}, {made.machine}, commit {made.commit[:12]}.",
        ]
    return "\n".join(lines) + "\n"


def by_platform(matrix: Matrix) -> dict[str, dict[str, Target]]:
    """Triple -> recipe -> row, of what is made for one platform."""
    found: dict[str, dict[str, Target]] = {}
    for target in matrix.targets:
        if target.recipe in COLUMNS:
            found.setdefault(target.triple, {})[target.recipe] = target
    return found


def names_markdown(matrix: Matrix) -> str:
    """Every file that a release holds, row by row, with VERSION in the place of the version."""
    rows: dict[str, list[str]] = {}
    for t in matrix.targets:
        recipe = matrix.recipes[t.recipe]
        for name in naming.packages(t.recipe, recipe.package, recipe.binary, "VERSION", t.triple):
            rows.setdefault(name, []).append(f"`{t.id}`")
    lines = ["| file below dist/packages | from the row |", "| --- | --- |"]
    lines += [
        f"| `{name}` | {ids[0] if len(ids) == 1 else f'{ids[0]} and {len(ids) - 1} more'} |"
        for name, ids in rows.items()
    ]
    return "\n".join(lines) + "\n"


def human(size: int) -> str:
    """A size in bytes as a person reads it."""
    value, unit = float(size), "B"
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000 or unit == "GB":
            break
        value /= 1000
    return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"


def unavailable(rows: Sequence[RowPlan | RowResult]) -> list[str]:
    """The ids of the rows that cannot be built here."""
    return [r.id for r in rows if r.status == "unavailable"]
