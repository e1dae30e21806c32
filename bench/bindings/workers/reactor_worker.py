"""This library's WASI reactor in wasmtime: `reactor_worker.py MODULE`, lines of JSON in and out. Tensors stay in its memory."""

from __future__ import annotations

import ctypes
import json
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import wasmtime

_GROUP_NS = 500_000
# Calls `rvattn_forward` so many times: a call from Python costs more than the call itself.
_LOOP = """
(module
  (import "reactor" "rvattn_forward" (func $forward (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
  (func (export "loop") (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (param $turns i32) (result i32)
    (local $status i32)
    (loop $again
      (local.set $status (i32.or (local.get $status) (call $forward
        (local.get 0) (local.get 1) (local.get 2) (local.get 3) (local.get 4) (local.get 5) (local.get 6) (local.get 7)
        (local.get 8) (local.get 9) (local.get 10))))
      (br_if $again (local.tee $turns (i32.sub (local.get $turns) (i32.const 1)))))
    (local.get $status)))
"""


class Reactor:
    """The running module and the measurements in its memory."""

    def __init__(self, path: str) -> None:
        engine = wasmtime.Engine()
        linker = wasmtime.Linker(engine)
        linker.define_wasi()
        self._store = wasmtime.Store(engine)
        self._store.set_wasi(wasmtime.WasiConfig())
        module = wasmtime.Module.from_file(engine, path)
        self._exports = linker.instantiate(self._store, module).exports(self._store)
        self._call("_initialize")
        forward = self._exports["rvattn_forward"]
        loop = wasmtime.Instance(self._store, wasmtime.Module(engine, _LOOP), [forward]).exports(self._store)["loop"]
        assert isinstance(loop, wasmtime.Func)
        self._loop = loop
        self._tasks: dict[str, tuple[tuple[int, ...], int, int]] = {}

    def answer(self, ask: dict[str, Any]) -> dict[str, object]:
        """What a request asks for."""
        todo = ask["do"]
        if todo == "describe":
            return {"versions": {"wasmtime": version("wasmtime")}}
        if todo == "prepare":
            return self._prepare(ask)
        if todo == "drop":
            # The blocks live as long as this process.
            self._tasks.pop(ask["id"], None)
            return {}
        words, out, size = self._tasks[ask["id"]]
        if todo == "run":
            return {"ns": self._run(words, ask["seconds"], ask["most"])}
        Path(ask["path"]).write_bytes(ctypes.string_at(self._place(out), size))
        return {}

    def _call(self, name: str, *words: int) -> int:
        function = self._exports[name]
        assert isinstance(function, wasmtime.Func)
        result = function(self._store, *words)
        return int(result) & 0xFFFF_FFFF if isinstance(result, int) else 0

    def _place(self, address: int) -> int:
        memory = self._exports["memory"]
        assert isinstance(memory, wasmtime.Memory)
        return ctypes.addressof(memory.data_ptr(self._store).contents) + address

    def _block(self, data: bytes, align: int = 64) -> int:
        address = self._call("rvattn_alloc", len(data) + align)
        if address == 0:
            raise MemoryError("rvattn_alloc")
        address += -address % align
        ctypes.memmove(self._place(address), data, len(data))
        return address

    def _prepare(self, ask: dict[str, Any]) -> dict[str, object]:
        if (ask["threads"], ask["element"], ask["mechanism"]) != (1, "f32", "scaled"):
            raise ValueError("not offered here")
        dim = ask["dim"]
        data = [Path(ask[name]).read_bytes() for name in ("queries", "keys", "values")]
        q, k, v = (self._block(tensor) for tensor in data)
        size = len(data[2]) // (len(data[1]) // (4 * dim))
        out, handle = self._block(bytes(size)), self._block(bytes(4))
        if self._call("rvattn_scaled_dot_product_new", dim, handle) != 0:
            raise ValueError("the dimension was refused")
        attention = ctypes.c_uint32.from_address(self._place(handle)).value
        lengths = [len(tensor) // 4 for tensor in data]
        words = (attention, q, lengths[0], dim, k, lengths[1], v, lengths[2], 0, out, size // 4)
        self._tasks[ask["id"]] = (words, out, size)
        return {"with": "C interface"}

    def _run(self, words: tuple[int, ...], seconds: float, most: int) -> list[int]:
        clock = time.perf_counter_ns
        end = clock() + int(seconds * 1e9)
        times: list[int] = []
        group = 1
        while not times or (len(times) < most and clock() < end):
            start = clock()
            if self._loop(self._store, *words, group) != 0:
                raise ValueError("the call failed")
            spent = (clock() - start) // group
            times.append(spent)
            group = 1 if most == 1 else max(1, _GROUP_NS // max(spent, 1))
        return times


def main() -> None:
    """Answer requests until standard input ends."""
    reactor = Reactor(sys.argv[1])
    for line in sys.stdin:
        try:
            answer = reactor.answer(json.loads(line))
        except Exception as error:  # noqa: BLE001 - told to the harness, which goes on with the others
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


main()
