"""The run as data, as a page and as plots."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

from versus import cases
from versus.model import Case, Result
from versus.plot import THEMES, Chart, draw
from versus.targets import Found, Target, divided

_METHOD = """\
Contenders take turns of 15 ms in one run, one at a time, on the same numbers. Each is called from its own language, a call
timed at a time, with its data and its result in memory that it keeps; one that waits is stopped, after the threads of its pool
have come to rest. Contenders with one thread are bound to one processor. Of a contender's ways the one with the best median
counts; its first result was held against float64 before. Ratios are of medians. The read roofline of a size is the
fastest loop that reads the same keys and values once, in the same process as this library (best against best, median against
median); the peak is the fastest loop of multiply-adds on registers, whose counterpart are 4·m·n·d operations of an attention,
in causal order those of the pairs that are seen. Repeat on a machine with other work by `chrt -r 1`, which makes the run
real-time where the system permits it.
""".splitlines()

PEERS = ("NumPy", "PyTorch", "onnxruntime", "@ruvector/attention")


@dataclass(frozen=True)
class Report:
    """Everything that one run gave."""

    name: str
    command: str
    date: str
    commit: str
    machine: Mapping[str, object]
    versions: Mapping[str, str]
    seconds: float
    cases: Sequence[Case]
    results: Mapping[str, Sequence[Result]]
    targets: Sequence[Target]


def as_json(report: Report) -> dict[str, object]:
    """All of it, the times summed up."""
    return {
        "name": report.name,
        "command": report.command,
        "date": report.date,
        "commit": report.commit,
        "machine": dict(report.machine),
        "versions": dict(report.versions),
        "seconds": report.seconds,
        "targets": [asdict(t) for t in report.targets],
        "cases": [
            {"id": case.id, "title": case.title, "results": [_result(r) for r in report.results[case.id]]}
            for case in report.cases
        ],
    }


def _result(result: Result) -> dict[str, object]:
    entry = result.entry
    timed = bool(result.ns)
    return {
        "contender": entry.contender,
        "way": entry.way,
        "threads": entry.threads,
        "problem": asdict(entry.problem),
        "used": result.used,
        "calls": len(result.ns),
        "min_ns": result.best if timed else None,
        "median_ns": result.median if timed else None,
        "operations": result.operations or entry.problem.operations,
        "error": result.error,
        "digest": result.digest,
        "reason": result.reason,
    }


def plots(report: Report) -> dict[str, str]:
    """File name -> text, for each plot and theme."""
    charts = {
        "single": _single_chart(report),
        "many": _many_chart(report),
        "kernels": _kernel_chart(report),
        "wasm": _wasm_chart(report),
    }
    return {
        f"{report.name}-{name}-{theme}.svg": draw(chart, theme)
        for name, chart in charts.items()
        if any(v is not None for _, values in chart.groups for v in values)
        for theme in THEMES
    }


def _single_chart(report: Report) -> Chart:
    found, series = Found(report.results), ("ours", *PEERS)
    groups = []
    for case in report.cases:
        if case.id.startswith("single-"):
            roof = found.median(case.id, "read")
            times = [found.ours(case.id), *(found.median(case.id, peer) for peer in PEERS)]
            groups.append((case.id.removeprefix("single-"), [_percent(divided(roof, t)) for t in times]))
    return Chart("One query, one thread: share of the read roofline, median", "%", series, groups, 100)


def _many_chart(report: Report) -> Chart:
    found, series = Found(report.results), ("ours", *PEERS)
    groups = []
    for case in report.cases:
        for threads in cases.THREADS:
            if not case.id.startswith("many-") or not (rate := found.rate(case.id, threads)):
                continue
            operations = case.entries[0].problem.operations
            times = [found.ours(case.id, threads), *(found.median(case.id, peer, threads) for peer in PEERS)]
            shares = [None if t is None else 100 * operations / t / rate for t in times]
            groups.append((f"{case.id.removeprefix('many-')}, {threads} thr.", shares))
    return Chart("Many queries: share of the multiply-add peak, median", "%", series, groups, 100)


def _kernel_chart(report: Report) -> Chart:
    found = Found(report.results)
    kernels = list(
        dict.fromkeys(
            r.entry.way for rs in report.results.values() for r in rs if r.entry.contender == "ours" and r.entry.way
        )
    )
    groups = []
    for case in report.cases:
        if case.id.startswith("many-"):
            operations = case.entries[0].problem.operations
            times = [found.median(case.id, "ours", 1, kernel) for kernel in kernels]
            groups.append((case.id.removeprefix("many-"), [None if t is None else operations / t for t in times]))
    full = max((v for _, values in groups for v in values if v is not None), default=1.0)
    return Chart("Many queries, one thread: instruction sets", "GFLOP/s", kernels, groups, 20 * (full // 20 + 1))


def _wasm_chart(report: Report) -> Chart:
    found = Found(report.results)
    entries = [r.entry.contender for rs in report.results.values() for r in rs]
    modules = list(dict.fromkeys(name for name in entries if name.startswith("wasm ")))
    groups = []
    for case in report.cases:
        native = found.median(case.id, "ours", 1, "sse2")
        shares = [_percent(divided(native, found.median(case.id, module))) for module in modules]
        if any(share is not None for share in shares):
            groups.append((case.id, shares))
    full = max((v for _, values in groups for v in values if v is not None), default=1.0)
    return Chart("WebAssembly: speed against SSE2 natively, median", "%", modules, groups, 25 * (full // 25 + 1))


def _percent(ratio: float | None) -> float | None:
    return None if ratio is None else 100 * ratio


def page(report: Report) -> str:
    """The page for the docs."""
    return "\n".join([*_head(report), *_pictures(report), *_target_table(report), *_case_tables(report), ""])


def summary(targets: Sequence[Target]) -> str:
    """How many targets were met."""
    met, missed, unknown = (sum(t.met is m for t in targets) for m in (True, False, None))
    return f"{met} targets met, {missed} missed, {unknown} not measured"


def _head(report: Report) -> Iterator[str]:
    machine = report.machine
    caches = machine.get("caches")
    shown = ", ".join(str(c) for c in caches) if isinstance(caches, list) else ""
    yield "# Measured: the core"
    yield ""
    yield "<!-- Written by the command below; not edited by hand. -->"
    yield ""
    yield f"`{report.command}`, {report.date}, commit {report.commit or 'unknown'}, {report.seconds:.0f} s."
    yield ""
    yield f"Machine: {machine.get('processor')}; {machine.get('processors')} processors; {shown}; {machine.get('memory_gib')} GiB, huge pages: {machine.get('huge_pages')}; {machine.get('system')}; load at the start {machine.get('load')}, at the end {machine.get('load_at_the_end')}; scheduling {machine.get('scheduling')}, priority {machine.get('priority')}."
    yield ""
    yield "Versions: " + ", ".join(f"{name} {version}" for name, version in report.versions.items()) + "."
    yield ""
    yield from _METHOD
    yield ""


def _pictures(report: Report) -> Iterator[str]:
    titles = {"single": "One query", "many": "Many queries", "kernels": "Instruction sets", "wasm": "WebAssembly"}
    made = plots(report)
    for name, title in titles.items():
        light, dark = (f"{report.name}-{name}-{theme}.svg" for theme in ("light", "dark"))
        if light in made:
            yield f'<picture><source media="(prefers-color-scheme: dark)" srcset="{dark}"><img alt="{title}" src="{light}"></picture>'
            yield ""


def _target_table(report: Report) -> Iterator[str]:
    yield "## Targets"
    yield ""
    yield summary(report.targets) + "."
    yield ""
    yield "| target | where | wanted | measured | |"
    yield "| --- | --- | --- | --- | --- |"
    words = {True: "met", False: "**missed**", None: "not measured"}
    for t in report.targets:
        yield f"| {t.what} | {t.where} | {t.wanted} | {t.measured} | {words[t.met]} |"
    yield ""


def _case_tables(report: Report) -> Iterator[str]:
    yield "## Times"
    yield ""
    yield "Microseconds a call. Share: of the read roofline for one query, of the multiply-add peak for many, on as many threads."
    yield "Error: the largest deviation from float64, relative to the largest value."
    found = Found(report.results)
    for case in report.cases:
        if not case.timed:
            continue
        yield from ("", f"### {case.title}", "")
        yield "| who | way | threads | best | median | of ours | share, best | share, median | error |"
        yield "| --- | --- | --- | --- | --- | --- | --- | --- | --- |"
        for result in sorted(report.results[case.id], key=_order):
            yield _row(result, found, case.id)


def _order(result: Result) -> tuple[bool, int, str, float]:
    return (not result.ok, result.entry.threads, result.entry.problem.suffix, result.median if result.ok else 0.0)


def _row(result: Result, found: Found, case: str) -> str:
    entry = result.entry
    words = [entry.problem.suffix] if entry.problem.suffix else []
    if len({r.entry.problem.keys for r in found.results[case]}) > 1:
        words.append(f"n = {entry.problem.keys}")
    who = entry.contender + (f" ({', '.join(words)})" if words else "")
    start = f"| {who} | {entry.way or result.used} | {entry.threads} |"
    if not result.ok:
        return f"{start} {result.reason or 'no call'} | | | | | |"
    base = found.ours(case, entry.threads, causal=entry.problem.causal)
    ratio = divided(result.median, base)
    best, median = _shares(result, found, case)
    error = "" if result.error is None else f"{result.error:.1e}"
    times = f"{result.best / 1e3:.1f} | {result.median / 1e3:.1f}"
    return f"{start} {times} | {'' if ratio is None else f'{ratio:.2f}'} | {_cell(best)} | {_cell(median)} | {error} |"


def _shares(result: Result, found: Found, case: str) -> tuple[float | None, float | None]:
    threads, problem = result.entry.threads, result.entry.problem
    if case.startswith("single-") and not problem.shared:
        best = divided(found.best(case, "read", threads), result.best)
        return best, divided(found.median(case, "read", threads), result.median)
    rate = found.rate(case, threads)
    if rate and result.entry.contender != "multiply":
        return problem.operations / result.best / rate, problem.operations / result.median / rate
    return None, None


def _cell(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.1f} %"
