"""A WebAssembly module in wasmtime: its functions, places in its memory, and the tensors of a request."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import wasmtime
from lines import answer_all, time_groups

# A call through the Python package costs 90 µs, which is not WebAssembly's: calls are timed in groups of a hundred times that.
GROUP_NS = 10_000_000


class Guest:
    """A running module."""

    def __init__(self, path: str) -> None:
        self._engine = wasmtime.Engine()
        self._store = wasmtime.Store(self._engine)
        self._store.set_wasi(wasmtime.WasiConfig())
        linker = wasmtime.Linker(self._engine)
        linker.define_wasi()
        module = wasmtime.Module.from_file(self._engine, path)
        self._exports = linker.instantiate(self._store, module).exports(self._store)

    def function(self, name: str) -> Callable[..., int]:
        """An export as a function of words, with an unsigned result; 0 where it has none."""
        return self._unsigned(self._exported(name))

    def beside(self, text: str, needed: str, name: str) -> Callable[..., int]:
        """The function of another module in the same store, which imports one function of this one."""
        other = wasmtime.Instance(self._store, wasmtime.Module(self._engine, text), [self._exported(needed)])
        found = other.exports(self._store)[name]
        assert isinstance(found, wasmtime.Func)
        return self._unsigned(found)

    def place(self, address: int) -> int:
        """Where an address of the module lies in this process, until its memory grows."""
        memory = self._exports["memory"]
        assert isinstance(memory, wasmtime.Memory)
        return ctypes.addressof(memory.data_ptr(self._store).contents) + address

    def write(self, address: int, data: bytes) -> None:
        """Put bytes into its memory."""
        ctypes.memmove(self.place(address), data, len(data))

    def read(self, address: int, size: int) -> bytes:
        """Bytes of its memory."""
        return ctypes.string_at(self.place(address), size)

    def _exported(self, name: str) -> wasmtime.Func:
        found = self._exports[name]
        assert isinstance(found, wasmtime.Func)
        return found

    def _unsigned(self, function: wasmtime.Func) -> Callable[..., int]:
        def call(*words: int) -> int:
            result = function(self._store, *words)
            return int(result) & 0xFFFF_FFFF if isinstance(result, int) else 0

        return call


@dataclass(frozen=True)
class Task:
    """A prepared measurement: what computes it, so many calls of it, its result, and what ends it."""

    used: str
    call: Callable[[int], object]
    result: Callable[[], bytes]
    drop: Callable[[], object]


def serve(prepare: Callable[[dict[str, Any]], Task]) -> None:
    """Answer requests until standard input ends."""
    tasks: dict[str, Task] = {}

    def answer(ask: dict[str, Any]) -> dict[str, object]:
        todo = ask["do"]
        if todo == "describe":
            return {"versions": {"wasmtime": version("wasmtime")}}
        if todo == "prepare":
            tasks[ask["id"]] = prepare(ask)
            return {"with": tasks[ask["id"]].used}
        if todo == "drop":
            tasks.pop(ask["id"]).drop()
            return {}
        task = tasks[ask["id"]]
        if todo == "run":
            return {"ns": time_groups(task.call, ask["seconds"], ask["most"], GROUP_NS)}
        Path(ask["path"]).write_bytes(task.result())
        return {}

    answer_all(answer)


def tensors(ask: dict[str, Any]) -> list[bytes]:
    """Queries, keys and values of a request that WebAssembly can serve."""
    if (ask["threads"], ask["element"], ask["mechanism"]) != (1, "f32", "scaled"):
        raise ValueError("not offered here")
    return [Path(ask[name]).read_bytes() for name in ("queries", "keys", "values")]
