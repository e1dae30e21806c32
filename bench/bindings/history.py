"""Runs one after another, and what became slower between two of them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contenders import NATIVE

Run = Mapping[str, Any]
# The clock of a browser and the start of a process are coarser than the difference that is looked for.
SMALL_NS = 200.0


@dataclass(frozen=True)
class Change:
    """One figure in two runs: what it is, before, now, and by how many percent it grew."""

    name: str
    before: float
    now: float

    @property
    def percent(self) -> float:
        """Growth; what grows is slower or larger."""
        return 100 * (self.now / self.before - 1)


def figures(run: Run) -> Iterator[tuple[str, float]]:
    """Everything that may grow: times as multiples of the core's in the same run, start-up times, sizes.

    The core's own times are multiples of nothing; they count as they are, and only on the same processor.
    """
    for case, results in run["cases"].items():
        medians = {(r["contender"], r["way"]): r["median_ns"] for r in results if "median_ns" in r}
        core = medians.get((NATIVE, ""))
        for (contender, way), median in medians.items():
            if (contender, way) == (NATIVE, ""):
                yield f"{case}: {contender} on {run['machine']['processor']}, ns", median
            elif core and median >= SMALL_NS:
                yield f"{case}: {contender} [{way}], times the core's", median / core
    yield from ((f"start-up: {name}, ms", ms) for name, ms in run.get("startup", {}).items())
    yield from ((f"size: {name}, bytes", size["bytes"]) for name, size in run.get("sizes", {}).items())


def changes(before: Run, now: Run) -> list[Change]:
    """Every figure that both runs have, the one that grew most first."""
    old = dict(figures(before))
    found = [Change(name, old[name], value) for name, value in figures(now) if name in old]
    return sorted(found, key=lambda change: -change.percent)


def regressions(before: Run, now: Run, limit: float) -> list[Change]:
    """The figures that grew by more than so many percent."""
    return [change for change in changes(before, now) if change.percent > limit]


def append(path: Path, run: Run) -> None:
    """Add a run to a history: one line of JSON each."""
    kept = {key: run[key] for key in ("date", "commit", "command", "seconds")}
    line = json.dumps({**kept, "processor": run["machine"]["processor"], "figures": dict(figures(run))})
    with path.open("a", encoding="utf-8") as file:
        file.write(line + "\n")


def page(found: list[Change], limit: float | None, most: int = 10) -> list[str]:
    """The largest changes as a section of the report."""
    lines = ["", "## Against the baseline", "", "| | before | now | change |", "| --- | --- | --- | --- |"]
    for change in found[:most]:
        word = " **slower or larger than allowed**" if limit is not None and change.percent > limit else ""
        lines.append(f"| {change.name} | {change.before:.4g} | {change.now:.4g} | {change.percent:+.1f} %{word} |")
    return lines if found else []
