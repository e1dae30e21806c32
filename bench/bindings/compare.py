"""Compares the bindings with the core that they call: `rva bench bindings` runs it, over the artifacts of dist/."""

from __future__ import annotations

import argparse
import contextlib
import datetime
import gzip
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[1:1] = [str(ROOT / "bench" / "core"), str(ROOT / "tests" / "smoke"), str(ROOT / "tests" / "conformance")]

import contenders  # noqa: E402 - what they import has just been made findable
import history  # noqa: E402
import page  # noqa: E402
import startup  # noqa: E402
import targets  # noqa: E402
import wheel  # noqa: E402
from packed import unpack  # noqa: E402
from versus import machine, measure, options  # noqa: E402
from versus.contenders import Contender  # noqa: E402
from versus.model import FULL, QUICK, Case, Entry, Problem, Result  # noqa: E402
from versus.tensors import Tensors  # noqa: E402

from bindings import TRIPLE  # noqa: E402

DIM = 128
SIZES = (100, 1000, 10_000)
# Whose workers time each call by itself.
SINGLE = (contenders.NATIVE, "C", contenders.NPM, contenders.NPM_WASM)
_GROUP_NS = 50_000
QUICK_STARTS = 3
HISTORY = "bindings-history.jsonl"
LEVELS = ("baseline", "simd128", "relaxed-simd")


def main() -> int:
    """Measure, write the results, say how the targets fared; 1 where a result of ours is wrong or absent."""
    asked = _options()
    started = time.monotonic()
    description = machine.describe()
    description["priority"] = 0 if asked.quick else -machine.hurry()
    os.environ["PYTHONPATH"] = str(ROOT / "bench" / "core" / "workers")
    limit = history.WORTH if asked.fail_above is None else asked.fail_above
    with tempfile.TemporaryDirectory(prefix="rva-bench-") as name:
        work = Path(name)
        found, absent = _contenders(asked, work)
        wanted = options.chosen(_cases(found, asked), asked.only)
        results, versions = _measured(wanted, found, work, quick=asked.quick)
        starts = _starts(asked, found)
        made: dict[str, Any] = {
            "name": "bindings",
            "command": asked.title,
            "effort": "quick" if asked.quick else "full",
            "date": datetime.date.today().isoformat(),
            "commit": asked.commit,
            "machine": description,
            "versions": versions,
            "absent": absent,
            **_data(results),
            "startup": startup.measure(starts, QUICK_STARTS if asked.quick else startup.ROUNDS),
            "sizes": _budgets(),
        }
        against, before = _before(asked, made)
        figures = history.figures(made)
        suspects = {change.name for change in history.regressions(before, figures, limit)}
        figures = history.lower(figures, _again(suspects, made, wanted, found, starts, work, quick=asked.quick))
    grown = history.changes(before, figures)
    judged = targets.evaluate(results, _sizes())
    description["load_at_the_end"] = machine.load()
    made |= {"targets": [asdict(t) for t in judged], "seconds": round(time.monotonic() - started, 1)}
    asked.output.mkdir(parents=True, exist_ok=True)
    text = page.page(made, results, judged) + "\n".join([*history.page(grown, against, limit), ""])
    (asked.output / "bindings.json").write_text(json.dumps(made, indent=1, ensure_ascii=False) + "\n", "utf-8")
    (asked.output / "bindings.md").write_text(text, "utf-8")
    for name, drawn in page.plots(results, SIZES).items():
        (asked.output / name).write_text(drawn, "utf-8")
    history.append(asked.output / HISTORY, made, figures)
    print(targets.summary(judged), flush=True)
    slower = [change for change in grown if change.beyond(limit)]
    for change in slower:
        print(f"{'fault' if asked.fail_above is not None else 'slower or larger'}: {change.told(against)}", flush=True)
    if grown and not slower:
        print(f"against {against}: nothing grew by more than {limit:g} % and noise", flush=True)
    faults = _faults(results)
    for fault in faults:
        print(f"fault: {fault}", flush=True)
    return 1 if faults or (slower and asked.fail_above is not None) else 0


def _again(
    suspects: set[str], made: history.Run, wanted: Sequence[Case], found: Sequence[Contender],
    starts: Mapping[str, Sequence[str]], work: Path, *, quick: bool,
) -> dict[str, history.Figure]:  # fmt: skip
    """The figures that seem to have grown, measured once more in new processes: some are slow for their whole life."""
    cases = []
    for case in wanted:
        named = {e: history.named(made, case.id, e.contender, e.way) for e in case.entries}
        entries = [e for e in case.entries if named[e] in suspects]
        core = [e for e in case.entries if (e.contender, e.way) == (contenders.NATIVE, "") and e not in entries]
        cases += [Case(case.id, case.title, (*core, *entries))] if entries else []
    slow = {name: argv for name, argv in starts.items() if f"start-up: {name}, ms" in suspects}
    if not cases and not slow:
        return {}
    print("what seems to have grown is measured again", flush=True)
    results, _ = _measured(cases, found, work, quick=quick)
    return history.figures({**made, **_data(results), "startup": startup.measure(slow), "sizes": {}})


def _measured(
    wanted: Sequence[Case], found: Sequence[Contender], work: Path, *, quick: bool
) -> tuple[dict[str, list[Result]], dict[str, str]]:
    """The results of cases, turn by turn, and what the contenders say of themselves."""
    results: dict[str, list[Result]] = {}
    with contextlib.closing(measure.Pool(found, machine.cpus())) as pool:
        run = measure.Run(pool, Tensors(work), QUICK if quick else FULL)
        for case in wanted:
            begun = time.monotonic()
            results[case.id] = run.measure(case)
            for result in results[case.id]:
                if result.entry.contender in SINGLE:
                    result.ns = grouped(result.ns)
            print("\n".join(measure.told(case, results[case.id], time.monotonic() - begun)), flush=True)
        return results, measure.versions(pool, found)


def _data(results: Mapping[str, Sequence[Result]]) -> dict[str, object]:
    return {"cases": {id: [_as_json(r) for r in rs] for id, rs in results.items()}}


def _before(asked: argparse.Namespace, made: history.Run) -> tuple[str, dict[str, history.Figure]]:
    """What this run is held against: the run that was named, else the last ones here."""
    if asked.baseline:
        return asked.baseline.name, history.figures(json.loads(asked.baseline.read_text("utf-8")))
    count, before = history.earlier(asked.output / HISTORY, made)
    return f"the last {count} runs here", before


def _faults(results: Mapping[str, Sequence[Result]]) -> list[str]:
    """Results of ours that are wrong, or that there are none."""
    every = [r for rs in results.values() for r in rs]
    if not any(r.ok for r in every if r.entry.contender != contenders.NATIVE):
        return ["no binding was measured; `rva build` makes them"]
    return [f"{r.entry.label}: {r.reason}" for r in every if r.reason.startswith("wrong")]


def _starts(asked: argparse.Namespace, found: list[Contender]) -> dict[str, list[str]]:
    """What is started to see how long that takes."""
    rows = {"cli": _row(f"cli-{TRIPLE}"), "napi": _row(f"napi-{TRIPLE}"), "wasi": _row("wasm-wasip1-reactor")}
    rows |= {f"wasm-{level}": _row(f"wasm-web-{level}") for level in LEVELS}
    python = next((Path(c.command()[0]) for c in found if c.name == "Python"), None)
    return startup.commands(asked.wasm_node or Path("node"), rows, python, asked.wasm_python)


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


def grouped(ns: list[int]) -> list[int]:
    """Times of single calls as means of groups that take about 50 µs, which is how the slower clocks have to measure."""
    if not ns:
        return ns
    size = max(1, round(_GROUP_NS / max(1, sorted(ns)[len(ns) // 2])))
    return [sum(ns[i : i + size]) // size for i in range(0, len(ns) - size + 1, size)] or [sum(ns) // len(ns)]


def _options() -> argparse.Namespace:
    parser = options.parser(__doc__, "bench/bindings/compare.py")
    parser.add_argument("--baseline", type=Path, metavar="FILE", help="the JSON of an earlier run")
    parser.add_argument("--fail-above", type=float, metavar="PCT", help="a figure that grew by more is a fault")
    return parser.parse_args()


def _row(name: str) -> Path | None:
    """The folder of a row in dist/, if it was built."""
    return next((path for path in (ROOT / "dist").glob(f"*/{name}") if path.is_dir()), None)


def _contenders(asked: argparse.Namespace, work: Path) -> tuple[list[Contender], dict[str, str]]:
    """Those that can take part, and why others cannot."""
    found: list[Contender] = [contenders.core(asked.driver)]
    absent: dict[str, str] = {}

    def add(name: str, row: str, make: Callable[[Path], Contender], program: str = "") -> None:
        folder = _row(row)
        if folder is None:
            absent[name] = f"{row} is not in dist/; `rva build --target {row}` makes it"
        elif program and shutil.which(program) is None:
            absent[name] = f"{program} was not found"
        else:
            try:
                found.append(make(folder))
            except (SystemExit, OSError, StopIteration, subprocess.TimeoutExpired) as error:
                absent[name] = f"it cannot be set up: {error}"

    here, node = Path(sys.executable), asked.wasm_node or Path(shutil.which("node") or "node")
    core = contenders.library(asked.driver)
    add("Node.js", f"napi-{TRIPLE}", lambda folder: contenders.addon(node, "Node.js", folder, core))
    add("Python", f"native-wheel-{TRIPLE}", lambda folder: contenders.python(_installed(folder, work), core))
    add("Command line", f"cli-{TRIPLE}", lambda folder: contenders.command_line(here, folder))
    add("C", f"native-c-{TRIPLE}", lambda folder: contenders.c(here, folder))
    for level in LEVELS:
        add(
            f"WASM {level}, Node.js", f"wasm-web-{level}",
            lambda _, level=level: contenders.javascript(node, level, _wasm_package(work)),  # type: ignore[misc]
        )  # fmt: skip
    for level in LEVELS[:2]:
        add(
            f"WASM {level}, Chromium", f"wasm-web-{level}",
            lambda _, level=level: contenders.browser(here, level, "chromium", _wasm_package(work)), "chromium",  # type: ignore[misc]
        )  # fmt: skip
    if asked.wasm_python:
        add(
            "WASI, wasmtime", "wasm-wasip1-reactor",
            lambda folder: contenders.reactor(asked.wasm_python, next(folder.glob("*.wasm"))),
        )  # fmt: skip
    if asked.peers_modules:
        found += contenders.peers(asked.node, asked.peers_modules)
    for name, reason in absent.items():
        print(f"not run: {name}: {reason}", flush=True)
    return found, absent


@cache
def _wasm_package(work: Path) -> Path:
    """The npm package, unpacked once."""
    rows = {level: row for level in LEVELS if (row := _row(f"wasm-web-{level}"))}
    modules = {level: next(row.glob("*.wasm")) for level, row in rows.items()}
    return unpack(ROOT / "dist" / "packages" / "npm", modules, work / "wasm")


def _installed(folder: Path, work: Path) -> Path:
    """An interpreter with the wheel and the pinned NumPy."""
    return wheel.install(next(folder.glob("*.whl")), work / "venv")


def _cases(found: list[Contender], asked: argparse.Namespace) -> list[Case]:
    """The sizes of the promise, one query each, and one so small that only the call itself is left."""
    cases = []
    for keys in SIZES[:2] if asked.quick else SIZES:
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
        "noise": history.noise(result.ns),
        "error": result.error,
    }


if __name__ == "__main__":
    sys.exit(main())
