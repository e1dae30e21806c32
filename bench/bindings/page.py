"""The report of a comparison of bindings: tables, and a plot for light and dark pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import contenders
import targets
from versus import plot
from versus.model import Result

Results = Mapping[str, Sequence[Result]]
_WORDS = {True: "met", False: "**missed**", None: "not run"}


def page(made: Mapping[str, Any], results: Results, judged: Sequence[targets.Target]) -> str:
    """All of it but what is said of earlier runs."""
    return (
        "\n".join([*_head(made), *_bounds(judged), *_pictures(), *_sizes(made), *_startup(made), *_times(results)])
        + "\n"
    )


def _head(made: Mapping[str, Any]) -> list[str]:
    about = made["machine"]
    absent = [f"- not run: {name}: {reason}" for name, reason in made["absent"].items()]
    return [
        "# Measured: bindings",
        "",
        f"`{made['command']}`, {made['date']}, commit {str(made['commit'])[:12]}, {made['seconds']} s. "
        f"{about['processor']}, {about['processors']} processors, {about['memory_gib']} GiB, {about['system']}; "
        f"load before {about['load']}, after {about['load_at_the_end']}; scheduling {about['scheduling']}, "
        f"priority {about['priority']}.",
        "",
        "Versions: " + ", ".join(f"{name} {version}" for name, version in made["versions"].items()) + ".",
        "",
        "One query, one thread, float32, turn by turn in one run. Each binding has its own process and its own copy of the same",
        "numbers; a share is the core's median divided by the binding's. Times are means of groups of calls of about 50 µs;",
        "in wasmtime 10 ms, in Chromium 1 ms. For Node.js and Python the core is that in the binding's process over the very",
        "arrays that its calls read: where memory lies is worth some percent.",
        *(["", *absent] if absent else []),
    ]


def _bounds(judged: Sequence[targets.Target]) -> list[str]:
    rows = [f"| {t.name} | {t.wanted} | {t.measured} | {_WORDS[t.met]} |" for t in judged]
    return ["", "| bound | wanted | measured | |", "| --- | --- | --- | --- |", *rows]


def _pictures() -> list[str]:
    light, dark = (f"bindings-{theme}.svg" for theme in ("light", "dark"))
    source = f'<source media="(prefers-color-scheme: dark)" srcset="{dark}">'
    return ["", f'<picture>{source}<img alt="Shares of the core" src="{light}"></picture>']


def _sizes(made: Mapping[str, Any]) -> list[str]:
    sizes = sorted(made["sizes"].items(), key=lambda item: -item[1]["bytes"] / item[1]["budget"])
    rows = [f"| `{name}` | {s['bytes']} | {s['bytes'] / s['budget']:.0%} |" for name, s in sizes]
    about = "Files of `dist/` with a budget in `platforms.toml`, the largest share first."
    return ["", "## Sizes", "", about, "", "| file | bytes | of the budget |", "| --- | --- | --- |", *rows]


def _startup(made: Mapping[str, Any]) -> list[str]:
    rows = [f"| {name} | {s['ms']:.1f} |" for name, s in made["startup"].items()]
    about = "A process is started and the library loaded; median, in turns."
    return ["", "## Start-up", "", about, "", "| | ms |", "| --- | --- |", *rows]


def _times(results: Results) -> list[str]:
    lines = []
    for id, found in results.items():
        lines += ["", f"## {id}", "", "| | way | median | best | share of the core | calls |"]
        lines += [
            "| --- | --- | --- | --- | --- | --- |",
            *(_row(result, targets.own_core(found, result.entry.contender)) for result in found),
        ]
    return lines


def _row(result: Result, core: Result | None) -> str:
    start = f"| {result.entry.contender} | {result.entry.way} |"
    if not result.ok:
        return f"{start} {result.reason} | | | |"
    share = f"{core.median / result.median:.1%}" if core else ""
    return f"{start} {_time(result.median)} | {_time(result.best)} | {share} | {len(result.ns)} |"


def _time(ns: float) -> str:
    return f"{ns:.0f} ns" if ns < 10_000 else f"{ns / 1000:.1f} µs" if ns < 10_000_000 else f"{ns / 1e6:.1f} ms"


def plots(results: Results, sizes: Sequence[int]) -> dict[str, str]:
    """File name -> text: each binding's best way as a share of the core, for each number of keys."""
    cases = {f"{keys} keys": results.get(f"flat-{keys}", []) for keys in sizes}
    entries = [r.entry.contender for found in cases.values() for r in found]
    names = [name for name in dict.fromkeys(entries) if name != contenders.NATIVE]
    groups = [(name, [_share(found, name) for found in cases.values()]) for name in names]
    chart = plot.Chart("One query, each binding's best way", "% of the core's speed", list(cases), groups, 120.0)
    return {f"bindings-{theme}.svg": plot.draw(chart, theme) for theme in plot.THEMES}


def _share(found: Sequence[Result], name: str) -> float | None:
    ours = [r.median for r in found if r.entry.contender == name and r.ok and r.entry.way != contenders.INSIDE]
    core = targets.own_core(found, name)
    return 100 * core.median / min(ours) if ours and core else None
