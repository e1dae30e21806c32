"""This library's Python package: `python_worker.py [<library of the core>]`, lines of JSON in and out."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable
from importlib.metadata import version
from weakref import WeakValueDictionary

import numpy as np
import ruvector_attention as api
import serve
from numpy.typing import NDArray

_GROUP_NS = 50_000
_MOST = 100_000
_ARRAYS: WeakValueDictionary[tuple[str, int, int], NDArray[np.float32]] = WeakValueDictionary()


class Inside:
    """The core itself, timed in this process over the same arrays: the library at argv[1] calls and keeps the time."""

    def __init__(self, query: NDArray[np.float32], keys: NDArray[np.float32], values: NDArray[np.float32]) -> None:
        self._time = ctypes.CDLL(sys.argv[1]).time_inside
        self._time.restype = ctypes.c_size_t
        self.out = np.empty(values.shape[1], dtype=np.float32)
        self._arrays = (query, keys, values, self.out)
        self._ns = np.empty(_MOST)

    def __call__(self) -> object:
        """One call."""
        self.time(0.0, 1)
        return self.out

    def time(self, seconds: float, most: int) -> list[int]:
        """Nanoseconds of a call, of groups of calls."""
        arrays = (*self._arrays, self._ns[:most])
        sizes = (ctypes.c_size_t * 5)(*(array.size for array in arrays))
        *tensors, ns = (ctypes.c_void_p(array.ctypes.data) for array in arrays)
        count = self._time(sizes, *tensors, ctypes.c_double(seconds), ns)
        if count == 0:
            raise ValueError("the core refused the call")
        return [int(x) for x in self._ns[:count]]


def shared(name: str, array: NDArray[np.float32]) -> NDArray[np.float32]:
    """The array of another way of the same problem: where memory lies is worth several percent."""
    return _ARRAYS.setdefault((name, *array.shape), array)


def prepare(ask: serve.Ask) -> serve.Task:
    """One query over flat arrays, or over a cache."""
    attention = api.ScaledDotProductAttention(ask.width)
    query, out = shared("query", ask.queries)[0], np.empty(ask.values.shape[1], dtype=np.float32)
    forward, keys, values = attention.forward, shared("keys", ask.keys), shared("values", ask.values)
    if "resident" in ask.way:
        cache = api.KeyValueCache(keys.shape[1], values.shape[1])
        cache.append(keys, values)
    if ask.way.startswith("prepared"):
        given = (cache,) if "resident" in ask.way else (keys, values)
        run = attention.prepare(query, *given).run
        return serve.Task(run, lambda: np.asarray(run()))
    ways: dict[str, Callable[[], object]] = {
        "arrays": lambda: forward(query, keys, values),
        "own result": lambda: forward(query, keys, values, out=out),
        "resident keys": lambda: forward(query, cache),
        "resident keys, own result": lambda: forward(query, cache, out=out),
    }
    call = Inside(query, keys, values) if ask.way == "the core itself" else ways[ask.way]
    return serve.Task(call, lambda: np.asarray(call()))


def run(call: Callable[[], object], seconds: float, most: int) -> list[int]:
    """Nanoseconds of a call, as the core itself tells or as Python counts."""
    return call.time(seconds, most) if isinstance(call, Inside) else _grouped(call, seconds, most)


_grouped = serve.grouped(_GROUP_NS)

if __name__ == "__main__":
    versions = {"ruvector-attention": version("ruvector-attention"), "numpy": np.__version__}
    serve.serve(prepare, lambda: versions, run)
