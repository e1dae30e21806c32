"""How long it takes until a first result is possible: a process is started, the library loaded, and nothing computed."""

from __future__ import annotations

import statistics
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

ROUNDS = 9
_WASM = (
    "const fs = require('node:fs');"
    "WebAssembly.compile(fs.readFileSync(process.argv[1])).then((module) => WebAssembly.Module.exports(module).length || process.exit(1));"
)
_WASI = (
    "import sys, wasmtime; e = wasmtime.Engine(); l = wasmtime.Linker(e); l.define_wasi(); s = wasmtime.Store(e);"
    "s.set_wasi(wasmtime.WasiConfig()); l.instantiate(s, wasmtime.Module.from_file(e, sys.argv[1]))"
)


def commands(
    node: Path, rows: Mapping[str, Path | None], python: Path | None, wasmtime: Path | None
) -> dict[str, list[str]]:
    """Name -> a command that loads; the bare interpreters stand beside what they load."""
    found: dict[str, list[str]] = {"Node.js alone": [str(node), "-e", "0"]}

    def add(name: str, row: str, pattern: str, *before: str, after: Sequence[str] = ()) -> None:
        folder = rows.get(row)
        file = next(folder.rglob(pattern), None) if folder else None
        if file is not None:
            found[name] = [*before, str(file), *after]

    add("command line, --version", "cli", "ruvector-attention", after=["--version"])
    add("Node.js with the addon", "napi", "*.node", str(node), "-e", "require(process.argv[1])")
    for level in ("baseline", "simd128"):
        add(f"Node.js compiling WASM {level}", f"wasm-{level}", "*_bg.wasm", str(node), "-e", _WASM)
    if python is not None:
        found["Python alone"] = [str(python), "-c", "0"]
        found["Python with NumPy"] = [str(python), "-c", "import numpy"]
        found["Python with the wheel"] = [str(python), "-c", "import ruvector_attention"]
    if wasmtime is not None:
        add("Python with wasmtime, WASI reactor", "wasi", "*.wasm", str(wasmtime), "-c", _WASI)
    return found


def measure(found: Mapping[str, Sequence[str]], rounds: int = ROUNDS) -> dict[str, dict[str, float]]:
    """Milliseconds of each command, in turns: the median, and how far quartiles lie from it; one that fails is left out."""
    spent: dict[str, list[float]] = {name: [] for name in found}
    for _ in range(rounds):
        for name, argv in found.items():
            started = time.perf_counter()
            done = subprocess.run(argv, capture_output=True, check=False)
            if done.returncode == 0:
                spent[name].append(1000 * (time.perf_counter() - started))
    return {name: _summed(times) for name, times in spent.items() if len(times) == rounds}


def _summed(times: Sequence[float]) -> dict[str, float]:
    low, middle, high = statistics.quantiles(times, n=4)
    return {"ms": round(middle, 1), "noise": round((high - low) / 2 / middle, 4)}
