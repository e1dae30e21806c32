"""Compares the bindings with the core that they call: `rva bench bindings` runs it, over the artifacts of dist/."""

from __future__ import annotations

import argparse
import contextlib
import datetime
import fnmatch
import gzip
import json
import os
import shutil
import sys
import tempfile
import time
import tomllib
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[1:1] = [str(ROOT / "bench" / "core"), str(ROOT / "tests" / "smoke"), str(ROOT / "tests" / "conformance")]

import contenders  # noqa: E402 - what they import has just been made findable
import history  # noqa: E402
import startup  # noqa: E402
import targets  # noqa: E402
import wheel  # noqa: E402
from versus import machine, measure, plot  # noqa: E402
from versus.contenders import Contender  # noqa: E402
from versus.model import FULL, QUICK, Case, Entry, Problem, Result  # noqa: E402
from versus.tensors import Tensors  # noqa: E402

from bindings import TRIPLE  # noqa: E402

DIM = 128
SIZES = (100, 1000, 10_000)
# Whose workers time each call by itself.
SINGLE = (contenders.NATIVE, "C", contenders.NPM, contenders.NPM_WASM)
_GROUP_NS = 50_000
LEVELS = ("baseline", "simd128", "relaxed-simd")


def main() -> int:
    """Measure, write the results, say how the targets fared; 1 where a result of ours is wrong."""
    options = _options()
    started = time.monotonic()
    description = machine.describe()
    description["priority"] = 0 if options.quick else -machine.hurry()
    os.environ["PYTHONPATH"] = str(ROOT / "bench" / "core" / "workers")
    with tempfile.TemporaryDirectory(prefix="rva-bench-") as name, contextlib.ExitStack() as stack:
        work = Path(name)
        found, absent = _contenders(options, work)
        pool = measure.Pool(found, machine.cpus())
        stack.callback(pool.close)
        wanted = [c for c in _cases(found, options) if any(fnmatch.fnmatchcase(c.id, p) for p in options.only or ["*"])]
        run = measure.Run(pool, Tensors(work), QUICK if options.quick else FULL)
        results: dict[str, list[Result]] = {}
        for case in wanted:
            results[case.id] = run.measure(case)
            for result in results[case.id]:
                if result.entry.contender in SINGLE:
                    result.ns = grouped(result.ns)
            print(f"{case.id}: {len(case.entries)} entries", flush=True)
            for result in results[case.id]:
                if result.reason:
                    print(f"  {result.entry.label}: {result.reason}", flush=True)
        versions = _versions(pool, found)
        starts = startup.measure(_starts(options, found), 3 if options.quick else startup.ROUNDS)
    description["load_at_the_end"] = machine.load()
    judged = targets.evaluate(results, _sizes())
    made = {
        "name": "bindings",
        "command": options.title,
        "date": datetime.date.today().isoformat(),
        "commit": options.commit,
        "machine": description,
        "versions": versions,
        "absent": absent,
        "seconds": round(time.monotonic() - started, 1),
        "cases": {id: [_as_json(r) for r in rs] for id, rs in results.items()},
        "targets": [asdict(t) for t in judged],
        "startup": starts,
        "sizes": _budgets(),
    }
    before = json.loads(options.baseline.read_text("utf-8")) if options.baseline else None
    limit = options.fail_above
    slower = history.regressions(before, made, limit) if before and limit is not None else []
    options.output.mkdir(parents=True, exist_ok=True)
    (options.output / "bindings.json").write_text(json.dumps(made, indent=1, ensure_ascii=False) + "\n", "utf-8")
    (options.output / "bindings.md").write_text(_page(made, results, judged), "utf-8")
    with (options.output / "bindings.md").open("a", encoding="utf-8") as report:
        report.write(
            "\n".join([*_extras(made), *(history.page(history.changes(before, made), limit) if before else [])]) + "\n"
        )
    for theme in plot.THEMES:
        (options.output / f"bindings-{theme}.svg").write_text(plot.draw(_chart(results), theme), "utf-8")
    history.append(options.output / "bindings-history.jsonl", made)
    print(targets.summary(judged), flush=True)
    wrong = [r for rs in results.values() for r in rs if r.reason.startswith("wrong")]
    for result in wrong:
        print(f"fault: {result.entry.label}: {result.reason}", flush=True)
    if not any(r.ok for rs in results.values() for r in rs if r.entry.contender != contenders.NATIVE):
        print("fault: no binding was measured; `rva build` makes them", flush=True)
        return 1
    for change in slower:
        print(
            f"fault: {change.name}: {change.before:.4g} before, {change.now:.4g} now ({change.percent:+.1f} %)",
            flush=True,
        )
    return 1 if wrong or slower else 0


def _starts(options: argparse.Namespace, found: list[Contender]) -> dict[str, list[str]]:
    """What is started to see how long that takes."""
    rows = {"cli": _row(f"cli-{TRIPLE}"), "napi": _row(f"napi-{TRIPLE}"), "wasi": _row("wasm-wasip1-reactor")}
    rows |= {f"wasm-{level}": _row(f"wasm-web-{level}") for level in LEVELS}
    python = next((Path(c.command()[0]) for c in found if c.name == "Python"), None)
    return startup.commands(options.wasm_node or Path("node"), rows, python, options.wasm_python)


def _budgets() -> dict[str, dict[str, int]]:
    """Every file of dist/ that has a budget in platforms.toml: its size, and how much it may have."""
    table = tomllib.loads((ROOT / "platforms.toml").read_text("utf-8"))
    recipe = {row["id"]: row["recipe"] for row in table["rows"]}
    path = ROOT / "dist" / "manifest.json"
    artifacts = json.loads(path.read_text("utf-8"))["artifacts"] if path.is_file() else []
    found = {}
    for artifact in artifacts:
        budget = table["recipes"].get(recipe.get(artifact["id"], ""), {}).get("budget", {}).get(artifact["kind"])
        if budget and artifact["build"] != "stand-in":
            found[artifact["path"]] = {"bytes": artifact["size"], "budget": budget}
    return found


def _extras(made: dict[str, Any]) -> list[str]:
    """Start-up times and sizes as sections of the report."""
    lines = [
        "",
        "## Start-up",
        "",
        "A process is started and the library loaded; median, in turns.",
        "",
        "| | ms |",
        "| --- | --- |",
    ]
    lines += [f"| {name} | {ms:.1f} |" for name, ms in made["startup"].items()]
    lines += ["", "## Sizes", "", "Files of `dist/` with a budget in `platforms.toml`, the largest share first.", ""]
    lines += ["| file | bytes | of the budget |", "| --- | --- | --- |"]
    sizes = sorted(made["sizes"].items(), key=lambda item: -item[1]["bytes"] / item[1]["budget"])
    lines += [f"| `{name}` | {s['bytes']} | {s['bytes'] / s['budget']:.0%} |" for name, s in sizes]
    lines += [
        "",
        "![Shares of the core](bindings-light.svg#only-light)",
        "![Shares of the core](bindings-dark.svg#only-dark)",
    ]
    return lines


def _chart(results: dict[str, list[Result]]) -> plot.Chart:
    """Each contender's best way as a share of the core, for each number of keys."""
    cases = {f"{keys} keys": results.get(f"flat-{keys}", []) for keys in SIZES}
    names = list(
        dict.fromkeys(r.entry.contender for rs in cases.values() for r in rs if r.entry.contender != contenders.NATIVE)
    )

    def share(found: list[Result], name: str) -> float | None:
        ours = [r.median for r in found if r.entry.contender == name and r.ok]
        core = targets.find(found, contenders.NATIVE)
        return 100 * core.median / min(ours) if ours and core else None

    groups = [(name, [share(found, name) for found in cases.values()]) for name in names]
    return plot.Chart("One query, each binding's best way", "% of the core's speed", list(cases), groups, 110.0)


def grouped(ns: list[int]) -> list[int]:
    """Times of single calls as means of groups that take about 50 µs, which is how the slower clocks have to measure."""
    if not ns:
        return ns
    size = max(1, round(_GROUP_NS / max(1, sorted(ns)[len(ns) // 2])))
    return [sum(ns[i : i + size]) // size for i in range(0, len(ns) - size + 1, size)] or [sum(ns) // len(ns)]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--driver", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--peers-modules", type=Path)
    parser.add_argument("--node", type=Path)
    parser.add_argument("--wasm-python", type=Path, help="an interpreter that has wasmtime")
    parser.add_argument("--wasm-node", type=Path)
    parser.add_argument("--only", action="append", metavar="CASE")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--title", default="python bench/bindings/compare.py")
    parser.add_argument("--commit", default="")
    parser.add_argument("--baseline", type=Path, metavar="FILE", help="the JSON of an earlier run")
    parser.add_argument("--fail-above", type=float, metavar="PCT", help="a figure that grew by more is a fault")
    return parser.parse_args()


def _row(name: str) -> Path | None:
    """The folder of a row in dist/, if it was built."""
    return next((path for path in (ROOT / "dist").glob(f"*/{name}") if path.is_dir()), None)


def _contenders(options: argparse.Namespace, work: Path) -> tuple[list[Contender], dict[str, str]]:
    """Those that can take part, and why others cannot."""
    found: list[Contender] = [contenders.core(options.driver)]
    absent: dict[str, str] = {}

    def add(name: str, row: str, make: Callable[[Path], Contender], program: str = "") -> None:
        folder = _row(row)
        if folder is None:
            absent[name] = f"{row} is not in dist/; `rva build --target {row}` makes it"
        elif program and shutil.which(program) is None:
            absent[name] = f"{program} was not found"
        else:
            found.append(make(folder))

    here, node = Path(sys.executable), options.wasm_node or Path(shutil.which("node") or "node")
    add("Node.js", f"napi-{TRIPLE}", lambda folder: contenders.javascript(node, "Node.js", folder))
    add("Python", f"native-wheel-{TRIPLE}", lambda folder: contenders.python(_installed(folder, work)))
    add("Command line", f"cli-{TRIPLE}", lambda folder: contenders.command_line(here, folder))
    add("C", f"native-c-{TRIPLE}", lambda folder: contenders.c(here, folder))
    for level in LEVELS:
        in_node = f"WASM {level}, Node.js"
        add(in_node, f"wasm-web-{level}", lambda folder, name=in_node: contenders.javascript(node, name, folder))  # type: ignore[misc]
    add(
        "WASM simd128, Chromium", "wasm-web-simd128",
        lambda folder: contenders.browser(here, "WASM simd128, Chromium", "chromium", folder), "chromium",
    )  # fmt: skip
    if options.wasm_python:
        add(
            "WASI, wasmtime", "wasm-wasip1-reactor",
            lambda folder: contenders.reactor(options.wasm_python, next(folder.glob("*.wasm"))),
        )  # fmt: skip
    if options.peers_modules:
        found += contenders.peers(options.node, options.peers_modules)
    for name, reason in absent.items():
        print(f"not run: {name}: {reason}", flush=True)
    return found, absent


def _installed(folder: Path, work: Path) -> Path:
    """An interpreter with the wheel and the pinned NumPy."""
    return wheel.install(next(folder.glob("*.whl")), work / "venv")


def _cases(found: list[Contender], options: argparse.Namespace) -> list[Case]:
    """The sizes of the promise, one query each, and one so small that only the call itself is left."""
    cases = []
    for keys in SIZES[:2] if options.quick else SIZES:
        problem = Problem(dim=DIM, keys=keys)
        cases.append(Case(f"flat-{keys}", f"{keys} keys of {DIM}", _entries(found, problem)))
    small = Problem(dim=1, keys=1)
    cases.append(Case("fixed", "one key of one number", _entries(found, small)))
    return cases


def _entries(found: list[Contender], problem: Problem) -> tuple[Entry, ...]:
    entries = []
    for contender in found:
        ways: tuple[str, ...] = contender.ways(problem, 1)
        if contender.name == contenders.NATIVE:
            ways = ("", targets.NARROW) if TRIPLE.startswith("x86_64") else ("",)
        entries += [Entry(contender.name, problem, way=way) for way in ways]
    return tuple(entries)


def _versions(pool: measure.Pool, found: list[Contender]) -> dict[str, str]:
    versions: dict[str, str] = {}
    for contender in found:
        said = measure.describe(pool, contender).get("versions")
        if isinstance(said, dict):
            versions |= {str(k): str(v) for k, v in said.items()}
    return versions


def _sizes() -> dict[str, int]:
    """The length of each WebAssembly module, gzipped as a server would."""
    sizes = {}
    for level in LEVELS:
        folder = _row(f"wasm-web-{level}")
        for module in sorted(folder.rglob("*.wasm")) if folder else ():
            sizes[f"{folder.name if folder else ''} {module.name}"] = len(gzip.compress(module.read_bytes(), 9))
    return sizes


def _as_json(result: Result) -> dict[str, object]:
    said: dict[str, object] = {"contender": result.entry.contender, "way": result.entry.way}
    if not result.ok:
        return {**said, "reason": result.reason or "no times"}
    return {
        **said,
        "used": result.used,
        "calls": len(result.ns),
        "median_ns": result.median,
        "best_ns": result.best,
        "error": result.error,
    }


def _page(made: dict[str, object], results: dict[str, list[Result]], judged: list[targets.Target]) -> str:
    words = {True: "met", False: "**missed**", None: "not run"}
    about = made["machine"]
    assert isinstance(about, dict)
    lines = [
        "# Measured: bindings",
        "",
        f"`{made['command']}`, {made['date']}, commit {str(made['commit'])[:12]}, {made['seconds']} s. "
        f"{about['processor']}, {about['processors']} processors, {about['memory_gib']} GiB, {about['system']}; "
        f"load before {about['load']}, after {about['load_at_the_end']}.",
        "",
        "One query, one thread, float32, turn by turn in one run. Each binding has its own process and its own copy of the same",
        "numbers; a share is the core's median divided by the binding's. Times are means of groups of calls of about 50 µs.",
        "",
        "| bound | wanted | measured | |",
        "| --- | --- | --- | --- |",
        *(f"| {t.name} | {t.wanted} | {t.measured} | {words[t.met]} |" for t in judged),
    ]
    for id, found in results.items():
        core = targets.find(found, contenders.NATIVE)
        lines += [
            "",
            f"## {id}",
            "",
            "| | way | median | best | share of the core | calls |",
            "| --- | --- | --- | --- | --- | --- |",
        ]
        for result in found:
            entry = result.entry
            if not result.ok:
                lines.append(f"| {entry.contender} | {entry.way} | {result.reason} | | | |")
                continue
            share = f"{core.median / result.median:.1%}" if core else ""
            times = f"{_time(result.median)} | {_time(result.best)}"
            lines.append(f"| {entry.contender} | {entry.way} | {times} | {share} | {len(result.ns)} |")
    return "\n".join(lines) + "\n"


def _time(ns: float) -> str:
    return f"{ns:.0f} ns" if ns < 10_000 else f"{ns / 1000:.1f} µs" if ns < 10_000_000 else f"{ns / 1e6:.1f} ms"


if __name__ == "__main__":
    sys.exit(main())
