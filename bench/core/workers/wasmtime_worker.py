"""This library as WebAssembly in wasmtime: `wasmtime_worker.py <module>`, lines of JSON in and out."""

from __future__ import annotations

import ctypes
import json
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import wasmtime

KERNELS = ("scalar", "simd128", "relaxed-simd")
# A call through the Python package costs some microseconds, so calls shorter than this are timed in groups.
_GROUP_NS = 500_000


class Module:
    """The running module and the measurements in its memory."""

    def __init__(self, path: str) -> None:
        self._store = wasmtime.Store(wasmtime.Engine())
        module = wasmtime.Module.from_file(self._store.engine, path)
        self._exports = wasmtime.Instance(self._store, module, []).exports(self._store)
        self._tasks: dict[str, tuple[int, int]] = {}

    def answer(self, ask: dict[str, Any]) -> dict[str, object]:
        """What a request asks for."""
        todo = ask["do"]
        if todo == "describe":
            return {"versions": {"wasmtime": version("wasmtime")}}
        if todo == "prepare":
            return self._prepare(ask)
        address, size = self._tasks[ask["id"]]
        if todo == "run":
            return {"ns": self._run(address, ask["seconds"], ask["most"])}
        if todo == "result":
            Path(ask["path"]).write_bytes(ctypes.string_at(self._place(address, 3), size))
            return {}
        del self._tasks[ask["id"]]
        self._call("release", address)
        return {}

    def _call(self, name: str, *words: int) -> int:
        function = self._exports[name]
        assert isinstance(function, wasmtime.Func)
        result = function(self._store, *words)
        return int(result) if isinstance(result, int) else 0

    def _place(self, address: int, which: int) -> int:
        memory = self._exports["memory"]
        assert isinstance(memory, wasmtime.Memory)
        start = ctypes.addressof(memory.data_ptr(self._store).contents)
        return start + (self._call("tensor", address, which) & 0xFFFF_FFFF)

    def _prepare(self, ask: dict[str, Any]) -> dict[str, object]:
        if (ask["threads"], ask["element"], ask["mechanism"]) != (1, "f32", "scaled"):
            raise ValueError("not offered here")
        tensors = [Path(ask[name]).read_bytes() for name in ("queries", "keys", "values")]
        rows = [len(tensor) // 4 // ask["dim"] for tensor in tensors]
        address = self._call(
            "prepare", ask["dim"], ask["heads"], rows[0], rows[1], int(ask["causal"]), ask["neighbors"] or 0
        )
        if address == 0:
            raise ValueError("the sizes were refused")
        for which, tensor in enumerate(tensors):
            ctypes.memmove(self._place(address, which), tensor, len(tensor))
        self._tasks[ask["id"]] = (address, len(tensors[0]))
        return {"with": KERNELS[self._call("kernel")]}

    def _run(self, address: int, seconds: float, most: int) -> list[int]:
        clock = time.perf_counter_ns
        end = clock() + int(seconds * 1e9)
        times: list[int] = []
        group = 1
        while not times or (len(times) < most and clock() < end):
            start = clock()
            if not self._call("run", address, group):
                raise ValueError("the call failed")
            spent = (clock() - start) // group
            times.append(spent)
            group = min(most, max(1, _GROUP_NS // max(spent, 1)))
        return times


def main() -> None:
    """Answer requests until standard input ends."""
    module = Module(sys.argv[1])
    for line in sys.stdin:
        try:
            answer = module.answer(json.loads(line))
        except Exception as error:  # noqa: BLE001 - told to the harness, which goes on with the others
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


main()
