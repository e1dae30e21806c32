"""The bindings, each with the consumer of tests/smoke that replays cases through it, and how it is run.

A binding's artifact comes from dist/; what cannot be run says why, and is never counted as passed.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import runtimes

ROOT = Path(__file__).resolve().parents[2]
SMOKE = ROOT / "tests" / "smoke"
VECTORS = ROOT / "tests" / "vectors" / "attention.json"
TRIPLES = {
    ("Linux", "x86_64"): "x86_64-unknown-linux-gnu",
    ("Linux", "aarch64"): "aarch64-unknown-linux-gnu",
    ("Darwin", "x86_64"): "x86_64-apple-darwin",
    ("Darwin", "arm64"): "aarch64-apple-darwin",
    ("Windows", "AMD64"): "x86_64-pc-windows-msvc",
}
TRIPLE = TRIPLES.get((platform.system(), platform.machine()), "unknown")
_WASI = ("node", "--no-warnings", str(SMOKE / "wasi.mjs"))
_QEMU = ("qemu-aarch64", "-L", "/usr/aarch64-linux-gnu")


@dataclass(frozen=True)
class Binding:
    """A row of dist/, the consumer that replays cases through it, and what else it needs."""

    id: str
    title: str
    row: str
    consumer: str
    runner: tuple[str, ...] = ()
    """A launcher before the artifact, such as an emulator."""
    browser: str = ""
    runtime: str = ""
    """A runtime of requirements/runtimes in place of the Node.js on PATH."""
    way: str = ""
    """Which methods are called; empty: forward and forwardBatch."""
    native: bool = True
    """Whether its bits are those of every other native binding of this machine; keys in pieces are another order of sums."""

    @property
    def programs(self) -> tuple[str, ...]:
        """What has to be on PATH."""
        node = ("node",) if self.consumer.endswith("js") and not self.runtime else ()
        return (*node, *self.runner[:1], *((self.browser,) if self.browser else ()))

    def environment(self, record: Path) -> dict[str, str]:
        """What the consumer is told."""
        told = {"RVA_SMOKE_RECORD": str(record), "RVA_SMOKE_WAY": self.way}
        if self.runner:
            told["RVA_SMOKE_RUNNER"] = json.dumps(self.runner)
        if self.browser:
            told["RVA_SMOKE_BROWSER"] = self.browser
        return {**os.environ, **told}


def _wasm(level: str) -> tuple[Binding, ...]:
    return (
        Binding(f"wasm-{level}-node", f"WASM {level}, Node.js", f"wasm-nodejs-{level}", "wasm.mjs", native=False),
        *(
            Binding(
                f"wasm-{level}-{browser.removesuffix('-esr')}",
                f"WASM {level}, {browser.removesuffix('-esr').title()}",
                f"wasm-web-{level}",
                "browser.py",
                browser=browser,
                native=False,
            )
            for browser in ("chromium", "firefox-esr")
        ),
    )


def _runtime(name: str) -> tuple[Binding, ...]:
    title = name.replace("node-", "Node.js ").replace("deno", "Deno")
    home = "web" if name == "deno" else "nodejs"
    return (
        Binding(f"native-{name}", f"{title}, native", f"napi-{TRIPLE}", "node.cjs", runtime=name),
        Binding(
            f"wasm-{name}", f"{title}, WASM simd128", f"wasm-{home}-simd128", "wasm.mjs", runtime=name, native=False
        ),
    )


BINDINGS = (
    Binding("rust", "Rust", "native-crate", "crate.py"),
    Binding("node", "Node.js", f"napi-{TRIPLE}", "node.cjs"),
    Binding("node-async", "Node.js, async", f"napi-{TRIPLE}", "node.cjs", way="async"),
    Binding("node-cache", "Node.js, KeyValueCache", f"napi-{TRIPLE}", "node.cjs", way="cache"),
    Binding("node-state", "Node.js, AttentionState", f"napi-{TRIPLE}", "node.cjs", way="state", native=False),
    Binding("python", "Python", f"native-wheel-{TRIPLE}", "wheel.py"),
    Binding("python-cache", "Python, KeyValueCache", f"native-wheel-{TRIPLE}", "wheel.py", way="cache"),
    Binding("python-state", "Python, AttentionState", f"native-wheel-{TRIPLE}", "wheel.py", way="state", native=False),
    Binding("c", "C, shared and static", f"native-c-{TRIPLE}", "c.py"),
    Binding("cli", "Command line", f"cli-{TRIPLE}", "cli.py"),
    *(binding for level in ("baseline", "simd128", "relaxed-simd") for binding in _wasm(level)),
    Binding("wasm-pool", "WASM worker pool, Node.js", "wasm-js", "pool.py", way="async", native=False),
    *(binding for name in ("node-18", "node-20", "node-22", "node-24", "deno") for binding in _runtime(name)),
    Binding("wasi-cli-wasmtime", "WASI command, wasmtime", "wasm-wasip1-cli", "wasi_cli.py", native=False),
    Binding("wasi-cli-node", "WASI command, node:wasi", "wasm-wasip1-cli", "cli.py", runner=_WASI, native=False),
    Binding("wasi-reactor-wasmtime", "WASI reactor, wasmtime", "wasm-wasip1-reactor", "wasi_reactor.py", native=False),
    Binding("wasi-reactor-node", "WASI reactor, node:wasi", "wasm-wasip1-reactor", "reactor.mjs", native=False),
    Binding(
        "cli-aarch64", "Command line, AArch64 (qemu)", "cli-aarch64-unknown-linux-gnu", "cli.py", _QEMU, native=False
    ),
)


@dataclass(frozen=True)
class Outcome:
    """What a binding gave for each case, or why it was not run or gave nothing."""

    results: dict[str, Result]
    not_run: str = ""
    fault: str = ""


@dataclass(frozen=True)
class Result:
    """What a binding gave for one case; more than one array where the consumer runs it in several ways."""

    ok: bool
    got: tuple[tuple[float, ...], ...] = ()
    reason: str = ""


def run(binding: Binding, dist: Path, vectors: Path, timeout: float = 1800.0) -> Outcome:
    """Replay the cases of `vectors` through a binding."""
    folder = next((path for path in dist.glob(f"*/{binding.row}") if path.is_dir()), None)
    if folder is None:
        return Outcome({}, not_run=f"{binding.row} is not in dist/")
    lacking = [name for name in binding.programs if shutil.which(name) is None]
    if lacking:
        return Outcome({}, not_run=f"{lacking[0]} was not found")
    launcher = [sys.executable] if binding.consumer.endswith(".py") else ["node"]
    if binding.runtime:
        home = runtimes.provide()
        program = runtimes.program(home, binding.runtime) if isinstance(home, Path) else None
        if program is None:
            return Outcome(
                {}, not_run=home if isinstance(home, str) else f"npm has no {binding.runtime} for this system"
            )
        launcher = [str(program), *(["run", "--allow-all", "--quiet"] if binding.runtime == "deno" else [])]
    with tempfile.TemporaryDirectory(prefix="rva-conformance-") as name:
        record = Path(name) / "record.json"
        argv = [*launcher, str(SMOKE / binding.consumer), str(folder), str(vectors)]
        try:
            done = subprocess.run(
                argv, env=binding.environment(record), capture_output=True, text=True, check=False, timeout=timeout
            )
        except subprocess.TimeoutExpired:
            return Outcome({}, fault=f"no end within {timeout:.0f} s")
        said = done.stderr.strip().splitlines()[-1:] or ["without a word"]
        if not record.is_file():
            return Outcome({}, fault=f"no results, exit status {done.returncode}: {said[0]}")
        return Outcome(_gather(json.loads(record.read_text("utf-8"))))


def _gather(record: list[dict[str, Any]]) -> dict[str, Result]:
    results: dict[str, Result] = {}
    for entry in record:
        got = tuple(float(number) for number in entry.get("got", ()))
        before = results.get(entry["case"], Result(ok=True))
        results[entry["case"]] = Result(
            ok=before.ok and bool(entry["ok"]),
            got=(*before.got, *([got] if got else [])),
            reason=before.reason or entry.get("reason", ""),
        )
    return results
