"""Who takes part: the core itself, and this library through each binding."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from versus.contenders import Contender, FromNpm, Ours, plain
from versus.model import Problem

WORKERS = Path(__file__).resolve().parent / "workers"
NATIVE = "core"
NPM, NPM_WASM = "@ruvector/attention", "@ruvector/attention-wasm"
INSIDE = "the core itself"
"""The way of a binding's worker that times the core in its process, over the arrays that its other ways read."""
JS_WAYS = ("flat", "own result", "resident keys", "resident keys, own result", "rows")
WASM_WAYS = (*JS_WAYS, "prepared, resident keys")
ADDON_WAYS = (*JS_WAYS, "prepared", "prepared, resident keys", INSIDE)
PYTHON_WAYS = (
    "arrays",
    "own result",
    "resident keys",
    "resident keys, own result",
    "prepared",
    "prepared, resident keys",
    INSIDE,
)


@dataclass(frozen=True)
class Binding:
    """This library through one binding, in a process of its own."""

    name: str
    argv: tuple[str, ...]
    offered: tuple[str, ...] = ("",)

    @property
    def process(self) -> str:
        """Its own."""
        return self.name

    def command(self) -> list[str]:
        """Its worker."""
        return list(self.argv)

    def ways(self, problem: Problem, threads: int) -> tuple[str, ...]:
        """All of them."""
        return self.offered

    def request(self, problem: Problem) -> dict[str, object]:
        """The problem as it is."""
        return plain(problem)


def core(driver: Path) -> Contender:
    """The crate, called from Rust."""
    return Ours(driver, NATIVE, NATIVE)


def library(driver: Path) -> Path:
    """The core for processes of others, which lies beside the driver."""
    stem = "ruvector_attention_inside"
    names = {"win32": f"{stem}.dll", "darwin": f"lib{stem}.dylib"}
    return driver.with_name(names.get(sys.platform, f"lib{stem}.so"))


def addon(node: Path, name: str, folder: Path, core: Path) -> Contender:
    """An addon of dist/ in Node.js, and the core itself."""
    return Binding(name, (str(node), str(WORKERS / "js.mjs"), str(folder), str(core)), ADDON_WAYS)


def javascript(node: Path, level: str, package: Path) -> Contender:
    """The WebAssembly package at a level of instructions, in Node.js."""
    argv = (str(node), str(WORKERS / "js.mjs"), str(package), level)
    return Binding(f"WASM {level}, Node.js", argv, WASM_WAYS)


def browser(python: Path, level: str, program: str, package: Path) -> Contender:
    """The WebAssembly package at a level of instructions, in a browser."""
    argv = (str(python), str(WORKERS / "browser_worker.py"), program, str(package), level)
    return Binding(f"WASM {level}, {program.title()}", argv, WASM_WAYS)


def python(interpreter: Path, core: Path) -> Contender:
    """The wheel, installed for this interpreter, and the core itself."""
    argv = (str(interpreter), str(WORKERS / "python_worker.py"), str(core))
    return Binding("Python", argv, PYTHON_WAYS)


def c(interpreter: Path, folder: Path) -> Contender:
    """The C library of dist/, called from C."""
    return Binding("C", (str(interpreter), str(WORKERS / "c_worker.py"), str(folder)))


def reactor(interpreter: Path, module: Path) -> Contender:
    """The WASI reactor in wasmtime."""
    return Binding("WASI, wasmtime", (str(interpreter), str(WORKERS / "reactor_worker.py"), str(module)))


@dataclass(frozen=True)
class Cli(Binding):
    """The command line, which draws its own numbers: its times count, and there is no result to judge."""

    def request(self, problem: Problem) -> dict[str, object]:
        """The sizes."""
        return {"dim": problem.row, "count": problem.keys}


def command_line(interpreter: Path, folder: Path) -> Contender:
    """The program of dist/, by its own benchmark."""
    program = folder / "ruvector-attention"
    return Cli("Command line", (str(interpreter), str(WORKERS / "cli_worker.py"), str(program)), ("benchmark",))


def peers(node: Path, modules: Path) -> list[Contender]:
    """The packages that were published before."""
    return [
        FromNpm(node, modules, NPM, ("DotProductAttention",), 0),
        FromNpm(node, modules, NPM_WASM, ("Float32Array rows",), 0),
    ]
