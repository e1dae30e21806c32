"""This library's WASI reactor in wasmtime: `reactor_worker.py MODULE`, lines of JSON in and out. Tensors stay in its memory."""

from __future__ import annotations

import sys
from typing import Any

from guest import Guest, Task, serve, tensors

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
    """The running module; what is measured lies in blocks of its memory, which live as long as this process."""

    def __init__(self, path: str) -> None:
        self._guest = Guest(path)
        self._guest.function("_initialize")()
        self._loop = self._guest.beside(_LOOP, "rvattn_forward", "loop")

    def prepare(self, ask: dict[str, Any]) -> Task:
        """A call's arguments, in the module's memory."""
        data, dim = tensors(ask), ask["dim"]
        q, k, v = (self._block(tensor) for tensor in data)
        size = len(data[2]) // (len(data[1]) // (4 * dim))
        out, handle = self._block(bytes(size)), self._block(bytes(4))
        if self._guest.function("rvattn_scaled_dot_product_new")(dim, handle) != 0:
            raise ValueError("the dimension was refused")
        attention = int.from_bytes(self._guest.read(handle, 4), "little")
        lengths = [len(tensor) // 4 for tensor in data]
        words = (attention, q, lengths[0], dim, k, lengths[1], v, lengths[2], 0, out, size // 4)

        def call(turns: int) -> None:
            if self._loop(*words, turns) != 0:
                raise ValueError("the call failed")

        return Task("C interface", call, lambda: self._guest.read(out, size), lambda: None)

    def _block(self, data: bytes, align: int = 64) -> int:
        address = self._guest.function("rvattn_alloc")(len(data) + align)
        if address == 0:
            raise MemoryError("rvattn_alloc")
        address += -address % align
        self._guest.write(address, data)
        return address


if __name__ == "__main__":
    serve(Reactor(sys.argv[1]).prepare)
