"""This library as WebAssembly in wasmtime: `wasmtime_worker.py <module>`, lines of JSON in and out."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from guest import GROUP_NS, Guest, tensors, versions
from lines import answer_all, time_groups

KERNELS = ("scalar", "simd128", "relaxed-simd")
RESULT = 3


class Module:
    """The running module and the measurements in its memory."""

    def __init__(self, path: str) -> None:
        self._guest = Guest(path)
        self._tensor, self._run = (self._guest.function(name) for name in ("tensor", "run"))
        self._tasks: dict[str, tuple[int, int]] = {}

    def answer(self, ask: dict[str, Any]) -> dict[str, object]:
        """What a request asks for."""
        todo = ask["do"]
        if todo == "describe":
            return versions()
        if todo == "prepare":
            return self._prepare(ask)
        address, size = self._tasks[ask["id"]]
        if todo == "run":
            return {"ns": time_groups(lambda turns: self._turns(address, turns), ask["seconds"], ask["most"], GROUP_NS)}
        if todo == "result":
            Path(ask["path"]).write_bytes(self._guest.read(self._tensor(address, RESULT), size))
            return {}
        del self._tasks[ask["id"]]
        self._guest.function("release")(address)
        return {}

    def _prepare(self, ask: dict[str, Any]) -> dict[str, object]:
        data = tensors(ask)
        rows = [len(tensor) // 4 // ask["dim"] for tensor in data]
        sizes = (ask["dim"], ask["heads"], rows[0], rows[1], int(ask["causal"]), ask["neighbors"] or 0)
        address = self._guest.function("prepare")(*sizes)
        if address == 0:
            raise ValueError("the sizes were refused")
        for which, tensor in enumerate(data):
            self._guest.write(self._tensor(address, which), tensor)
        self._tasks[ask["id"]] = (address, len(data[0]))
        return {"with": KERNELS[self._guest.function("kernel")()]}

    def _turns(self, address: int, turns: int) -> None:
        if not self._run(address, turns):
            raise ValueError("the call failed")


if __name__ == "__main__":
    answer_all(Module(sys.argv[1]).answer)
