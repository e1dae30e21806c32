"""Who takes part. A new contender is a class here and a worker that speaks its protocol."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from versus.model import Problem

WORKERS = Path(__file__).resolve().parents[1] / "workers"


class Contender(Protocol):
    """One that is measured."""

    @property
    def name(self) -> str:
        """As it stands in tables."""

    @property
    def process(self) -> str:
        """Contenders of one name here share a process, and its memory."""

    def command(self) -> list[str]:
        """What to start."""

    def ways(self, problem: Problem, threads: int) -> tuple[str, ...]:
        """Its ways of solving a problem, the fastest of which counts; none where it cannot."""

    def request(self, problem: Problem) -> dict[str, object]:
        """What it is told of a problem beyond the tensors."""


def plain(problem: Problem) -> dict[str, object]:
    """The problem as it is."""
    return {
        "mechanism": problem.mechanism,
        "element": problem.element,
        "dim": problem.row,
        "heads": problem.heads,
        "causal": problem.causal,
        "neighbors": problem.neighbors,
    }


def _is_plain(problem: Problem) -> bool:
    """Full or causal softmax attention in f32: what everybody has."""
    return (problem.mechanism, problem.neighbors, problem.element, problem.shared) == ("scaled", None, "f32", False)


@dataclass(frozen=True)
class Ours:
    """This library, with the kernel that it detects or with one by name."""

    driver: Path
    name: str = "ours"
    process: str = "driver"

    def command(self) -> list[str]:
        """The native driver."""
        return [str(self.driver)]

    def ways(self, problem: Problem, threads: int) -> tuple[str, ...]:
        """The detected kernel; cases ask for others by name."""
        return () if problem.shared else ("",)

    def request(self, problem: Problem) -> dict[str, object]:
        """The problem as it is."""
        return plain(problem)


@dataclass(frozen=True)
class Limit:
    """A roofline: the driver's loops that read the tensors once (`read`) or multiply and add (`multiply`)."""

    driver: Path
    name: str
    loops: tuple[str, ...]
    process: str = "driver"

    def command(self) -> list[str]:
        """The native driver."""
        return [str(self.driver)]

    def ways(self, problem: Problem, threads: int) -> tuple[str, ...]:
        """Every loop that the processor can run."""
        return self.loops

    def request(self, problem: Problem) -> dict[str, object]:
        """The loop's kind instead of a mechanism."""
        return {**plain(problem), "mechanism": self.name}


@dataclass(frozen=True)
class FromPython:
    """A package from Python's index, in the peers' environment."""

    python: Path
    name: str
    worker: str
    single: tuple[str, ...]
    many: tuple[str, ...]
    most_threads: int = 64
    shared: bool = False

    @property
    def process(self) -> str:
        """Its own."""
        return self.name

    def command(self) -> list[str]:
        """Its worker under the peers' interpreter."""
        return [str(self.python), str(WORKERS / self.worker)]

    def ways(self, problem: Problem, threads: int) -> tuple[str, ...]:
        """Those for one query or for many."""
        if threads > self.most_threads:
            return ()
        if self.shared:
            return self.single if problem.shared and problem.queries == 1 else ()
        if not _is_plain(problem):
            return ()
        return self.single if problem.queries == 1 else self.many

    def request(self, problem: Problem) -> dict[str, object]:
        """The problem as it is."""
        return plain(problem)


@dataclass(frozen=True)
class FromNpm:
    """A package from npm's registry, one query a call. It has no threads and no causal order."""

    node: Path
    modules: Path
    name: str
    methods: tuple[str, ...]
    most_work: int

    @property
    def process(self) -> str:
        """Its own."""
        return self.name

    def command(self) -> list[str]:
        """The worker for npm packages under Node.js."""
        return [str(self.node), str(WORKERS / "npm.mjs"), str(self.modules), self.name]

    def ways(self, problem: Problem, threads: int) -> tuple[str, ...]:
        """One thread; of many queries only what does not take it minutes."""
        too_much = problem.queries > 1 and problem.operations > self.most_work
        return () if threads > 1 or problem.causal or too_much or not _is_plain(problem) else self.methods

    def request(self, problem: Problem) -> dict[str, object]:
        """The problem as it is."""
        return plain(problem)


@dataclass(frozen=True)
class Wasm:
    """This library as WebAssembly, its tensors in the module's memory. It has no threads."""

    level: str
    runtime: str
    program: Path
    module: Path

    @property
    def name(self) -> str:
        """The level and what runs it."""
        return f"wasm {self.level}, {self.runtime}"

    @property
    def process(self) -> str:
        """Its own."""
        return self.name

    def command(self) -> list[str]:
        """The runtime's worker."""
        worker = "wasm.mjs" if self.runtime == "V8" else "wasmtime_worker.py"
        return [str(self.program), str(WORKERS / worker), str(self.module)]

    def ways(self, problem: Problem, threads: int) -> tuple[str, ...]:
        """One thread; many queries only where vectors make them bearable."""
        slow = self.level == "baseline" and problem.queries > 1
        return () if threads > 1 or problem.causal or slow or not _is_plain(problem) else ("",)

    def request(self, problem: Problem) -> dict[str, object]:
        """The problem as it is."""
        return plain(problem)


def wasm(modules: Path, python: Path, node: Path) -> list[Contender]:
    """Every level in V8, and the standard one in wasmtime."""
    levels = ("baseline", "simd128", "relaxed-simd")
    in_v8 = [Wasm(level, "V8", node, modules / f"{level}.wasm") for level in levels]
    return [*in_v8, Wasm("simd128", "wasmtime", python, modules / "simd128.wasm")]


def natives(driver: Path, reads: tuple[str, ...], multiplies: tuple[str, ...]) -> list[Contender]:
    """What needs no peer."""
    return [Ours(driver), Limit(driver, "read", reads), Limit(driver, "multiply", multiplies)]


def peers(python: Path, node: Path, modules: Path) -> list[Contender]:
    """What others publish."""
    return [
        FromPython(python, "NumPy", "numpy_worker.py", ("matmul",), ("matmul",)),
        FromPython(python, "PyTorch", "torch_worker.py", ("SDPA", "matmul"), ("SDPA", "matmul")),
        FromPython(
            python,
            "onnxruntime",
            "onnxruntime_worker.py",
            ("MatMul", "FusedMatMul", "MultiHeadAttention"),
            ("MatMul", "FusedMatMul", "MultiHeadAttention"),
        ),
        FromPython(
            python, "ruvector-attention (PyPI)", "ruvector_worker.py", ("attend",), (), most_threads=1, shared=True
        ),
        FromNpm(node, modules, "@ruvector/attention", ("DotProductAttention", "FlashAttention"), 10**9),
        FromNpm(node, modules, "@ruvector/attention-wasm", ("Float32Array rows", "number[] rows"), 0),
    ]
