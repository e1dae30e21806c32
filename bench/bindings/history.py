"""Runs one after another, and what became slower between them beyond what one run differs from the next."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contenders import NATIVE

Run = Mapping[str, Any]
# The clock of a browser and the start of a process are coarser than the difference that is looked for.
SMALL_NS = 200.0
# How many of the runs before are looked at, and how many percent more than their median are worth a word:
# few enough that 10 % more are seen in spite of what a run is off by.
RUNS, WORTH = 5, 7.0
_PARTS = 8


@dataclass(frozen=True)
class Figure:
    """Something that may grow: its value, and the share of it by which the same code gives another value."""

    value: float
    noise: float = 0.0


Figures = Mapping[str, Figure]


@dataclass(frozen=True)
class Change:
    """One figure before and now."""

    name: str
    before: Figure
    now: Figure

    @property
    def percent(self) -> float:
        """Growth; what grows is slower or larger."""
        return 100 * (self.now.value / self.before.value - 1)

    @property
    def noise(self) -> float:
        """How many percent of growth say nothing."""
        return 100 * 2 * max(self.before.noise, self.now.noise)

    def told(self, against: str) -> str:
        """The change in a line."""
        values = f"{self.before.value:.4g} in {against}, {self.now.value:.4g} now"
        return f"{self.name}: {values} ({self.percent:+.1f} %, noise {self.noise:.1f} %)"

    def beyond(self, limit: float) -> bool:
        """Whether it grew by more than so many percent, and by more than noise."""
        return self.percent > max(limit, self.noise)


def noise(ns: Sequence[int]) -> float:
    """How far the medians of a run's parts lie apart: half the distance of their quartiles, as a share."""
    size = len(ns) // _PARTS
    if size == 0:
        return 0.0
    medians = [statistics.median(ns[i * size : (i + 1) * size]) for i in range(_PARTS)]
    low, middle, high = statistics.quantiles(medians, n=4)
    return round((high - low) / 2 / middle, 4) if middle else 0.0


def figures(run: Run) -> dict[str, Figure]:
    """Everything that may grow: times as multiples of the core's in the same run, start-up times, sizes."""
    found = dict(_times(run))
    found |= {f"start-up: {name}, ms": Figure(s["ms"], s["noise"]) for name, s in run.get("startup", {}).items()}
    return found | {f"size: {name}, bytes": Figure(size["bytes"]) for name, size in run.get("sizes", {}).items()}


def _times(run: Run) -> Iterator[tuple[str, Figure]]:
    for case, results in run["cases"].items():
        timed = {(r["contender"], r["way"]): r for r in results if "median_ns" in r}
        core = timed.get((NATIVE, ""))
        for (contender, way), result in timed.items():
            median, own = result["median_ns"], result.get("noise", 0.0)
            name = named(run, case, contender, way)
            if result is core:
                yield name, Figure(median, own)
            elif core and median >= SMALL_NS:
                apart = (own**2 + core.get("noise", 0.0) ** 2) ** 0.5
                yield name, Figure(median / core["median_ns"], apart)


def named(run: Run, case: str, contender: str, way: str) -> str:
    """What a time is called. The core's own are multiples of nothing: they count as they are, on the same processor."""
    if (contender, way) == (NATIVE, ""):
        return f"{case}: {contender} on {run['machine']['processor']}, ns"
    return f"{case}: {contender} [{way}], times the core's"


def lower(first: Figures, again: Figures) -> dict[str, Figure]:
    """The first figures, with the lower of two where something was measured again: what slows a run is not in the code."""
    return {name: min(figure, again.get(name, figure), key=lambda f: f.value) for name, figure in first.items()}


def changes(before: Figures, now: Figures) -> list[Change]:
    """Every figure that both have, the one that grew most first."""
    found = [Change(name, before[name], figure) for name, figure in now.items() if name in before]
    return sorted(found, key=lambda change: -change.percent)


def regressions(before: Figures, now: Figures, limit: float) -> list[Change]:
    """The figures that grew by more than so many percent, noise left out."""
    return [change for change in changes(before, now) if change.beyond(limit)]


def append(path: Path, run: Run, found: Figures) -> None:
    """Add a run and its figures to a history: one line of JSON each."""
    kept = {key: run[key] for key in ("date", "commit", "command", "seconds")}
    values = {name: round(figure.value, 4) for name, figure in found.items()}
    apart = {name: round(figure.noise, 4) for name, figure in found.items() if figure.noise}
    line = json.dumps({**kept, **_place(run), "figures": values, "noise": apart})
    with path.open("a", encoding="utf-8") as file:
        file.write(line + "\n")


def earlier(path: Path, run: Run) -> tuple[int, dict[str, Figure]]:
    """The last runs of a history on this processor, scheduled as this one: how many, and the median of each figure."""
    lines = path.read_text("utf-8").splitlines() if path.is_file() else []
    place = _place(run).items()
    runs = [found for line in lines if place <= (found := json.loads(line)).items()][-RUNS:]
    names = dict.fromkeys(name for found in runs for name in found["figures"])
    return len(runs), {name: _middle(name, runs) for name in names}


def _place(run: Run) -> dict[str, Any]:
    """Runs are compared within one such place."""
    about = run["machine"]
    return {"processor": about["processor"], "scheduling": about["scheduling"], "effort": run["effort"]}


def _middle(name: str, runs: Sequence[Run]) -> Figure:
    values = [run["figures"][name] for run in runs if name in run["figures"]]
    apart = [run.get("noise", {}).get(name, 0.0) for run in runs if name in run["figures"]]
    middle = statistics.median(values)
    # One and a half times the middle distance is about a standard deviation, whatever a single run was disturbed by.
    spread = 1.5 * statistics.median(abs(value - middle) for value in values) / middle
    return Figure(middle, max(statistics.median(apart), spread))


def page(found: Sequence[Change], against: str, limit: float, most: int = 10) -> list[str]:
    """The largest changes as a section of the report."""
    lines = [
        "",
        f"## Against {against}",
        "",
        "| | before | now | change | noise | |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for change in found[:most]:
        word = "**slower or larger**" if change.beyond(limit) else ""
        figures = f"{change.before.value:.4g} | {change.now.value:.4g} | {change.percent:+.1f} % | {change.noise:.1f} %"
        lines.append(f"| {change.name} | {figures} | {word} |")
    return lines if found else []
