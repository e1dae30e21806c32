"""Replays the reference cases through the WASI reactor's C interface, under PyPI's wasmtime.

The host has no pointers of its own into the module: it asks for memory with rvattn_alloc, writes, calls, reads.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import cases
import wasmtime
from cases import Case

# rvattn_options on wasm32: mask, mask_len, neighbors, has_neighbors, causal, training, padded to 8 bytes, seed.
OPTIONS = struct.Struct("<IIIBBBxQ")


class Reactor:
    """The module's exports, with integers for pointers."""

    def __init__(self, path: Path) -> None:
        engine = wasmtime.Engine()
        linker = wasmtime.Linker(engine)
        linker.define_wasi()
        self._store = wasmtime.Store(engine)
        self._store.set_wasi(wasmtime.WasiConfig())
        self._exports = linker.instantiate(self._store, wasmtime.Module.from_file(engine, str(path))).exports(
            self._store
        )
        self.call("_initialize")

    def call(self, name: str, *arguments: int | float) -> int:
        function = self._exports[name]
        assert isinstance(function, wasmtime.Func), name
        return int(function(self._store, *arguments) or 0)

    def checked(self, name: str, *arguments: int | float) -> None:
        status = self.call(name, *arguments)
        if status != 0:
            raise RuntimeError(f"{name}: status {status}: {self.text(self.call('rvattn_last_error_message'))}")

    def read(self, address: int, size: int) -> bytes:
        return bytes(self._memory().read(self._store, address, address + size))

    def text(self, address: int) -> str:
        return self.read(address, 1000).split(b"\0")[0].decode()

    @contextmanager
    def block(self, size: int, data: bytes = b"") -> Iterator[int]:
        """Memory of the module, holding `data`, for as long as the context lasts."""
        address = self.call("rvattn_alloc", size)
        if address == 0:
            raise RuntimeError(f"rvattn_alloc({size}) failed")
        self._memory().write(self._store, data, address)
        try:
            yield address
        finally:
            self.call("rvattn_dealloc", address, size)

    def _memory(self) -> wasmtime.Memory:
        memory = self._exports["memory"]
        assert isinstance(memory, wasmtime.Memory)
        return memory


@contextmanager
def attention(reactor: Reactor, case: Case) -> Iterator[int]:
    dim = len(case.query[0])
    make: tuple[str, tuple[int | float, ...]] = {
        "scaled_dot_product": ("scaled_dot_product", (dim,)),
        "cross": ("cross", (dim,)),
        "self": ("self", (dim,)),
        "linear": ("linear", (dim,)),
        "multi_head": ("multi_head", (case.num_heads, dim, 0.0)),
        "hyperbolic": ("hyperbolic", (case.curvature,)),
    }[case.kind]
    with reactor.block(4) as out:
        reactor.checked(f"rvattn_{make[0]}_new", *make[1], out)
        (handle,) = struct.unpack("<I", reactor.read(out, 4))
    try:
        yield handle
    finally:
        reactor.call("rvattn_attention_free", handle)


def attend(reactor: Reactor, case: Case) -> Sequence[float]:
    query, keys, values = (cases.floats(rows) for rows in (case.query, case.keys, case.values))
    mask = bytes(case.mask or ())
    size = 4 * len(case.query) * len(case.values[0])
    block = reactor.block
    with (
        attention(reactor, case) as handle,
        block(len(query), query) as q,
        block(len(keys), keys) as k,
        block(len(values), values) as v,
        block(len(mask) + 1, mask) as m,
        block(size) as out,
    ):
        given = OPTIONS.pack(
            m if mask else 0, len(mask), case.neighbors or 0, case.neighbors is not None, case.causal, False, 0
        )
        with block(len(given), given) as options:
            tensors = (q, len(query) // 4, len(case.query[0]), k, len(keys) // 4, v, len(values) // 4)
            reactor.checked("rvattn_forward", handle, *tensors, options, out, size // 4)
        return cases.read_floats(reactor.read(out, size))


def point(reactor: Reactor, case: Case) -> Sequence[float]:
    x, y = cases.floats(case.query), cases.floats(case.keys)
    dim = len(x) // 4
    with reactor.block(len(x), x) as a, reactor.block(len(y), y) as b, reactor.block(max(8, len(x))) as out:
        if case.kind == "poincare_distance":
            reactor.checked("rvattn_poincare_distance", a, dim, b, dim, case.curvature, out)
            return struct.unpack("<d", reactor.read(out, 8))
        reactor.checked(f"rvattn_{case.kind}", a, dim, case.curvature, out, dim)
        return cases.read_floats(reactor.read(out, len(x)))


def main(argv: list[str]) -> int:
    folder, vectors = cases.arguments(argv)
    reactor = Reactor(cases.only(folder, "*.wasm"))
    print(f"version {reactor.text(reactor.call('rvattn_version'))}", file=sys.stderr)
    return cases.replay(cases.load(vectors), lambda case: (point if case.is_point else attend)(reactor, case))


if __name__ == "__main__":
    raise SystemExit(main(sys.argv))
