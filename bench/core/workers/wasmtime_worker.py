"""This library as WebAssembly in wasmtime: `wasmtime_worker.py <module>`, lines of JSON in and out."""

from __future__ import annotations

import sys
from typing import Any

from guest import Guest, Task, serve, tensors

KERNELS = ("scalar", "simd128", "relaxed-simd")
RESULT = 3


class Module:
    """The running module, which keeps the measurements itself."""

    def __init__(self, path: str) -> None:
        self._guest = Guest(path)
        names = ("prepare", "tensor", "run", "release", "kernel")
        self._make, self._tensor, self._run, self._release, self._kernel = map(self._guest.function, names)

    def prepare(self, ask: dict[str, Any]) -> Task:
        """A measurement in the module's memory."""
        data = tensors(ask)
        rows = [len(tensor) // 4 // ask["dim"] for tensor in data]
        sizes = (ask["dim"], ask["heads"], rows[0], rows[1], int(ask["causal"]), ask["neighbors"] or 0)
        address = self._make(*sizes)
        if address == 0:
            raise ValueError("the sizes were refused")
        for which, tensor in enumerate(data):
            self._guest.write(self._tensor(address, which), tensor)

        def call(turns: int) -> None:
            if not self._run(address, turns):
                raise ValueError("the call failed")

        def result() -> bytes:
            return self._guest.read(self._tensor(address, RESULT), len(data[0]))

        return Task(KERNELS[self._kernel()], call, result, lambda: self._release(address))


if __name__ == "__main__":
    serve(Module(sys.argv[1]).prepare)
