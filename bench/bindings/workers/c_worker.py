"""This library's C interface, called from C: `c_worker.py FOLDER`, lines of JSON in and out.

CC (a JSON list, or one word) is the compiler.
"""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import serve

_MOST = 200_000


def library(folder: Path) -> ctypes.CDLL:
    """calls.c, compiled against the shared library of a folder of dist/."""
    given = os.environ.get("CC", "cc")
    compiler = json.loads(given) if given.startswith("[") else [given]
    out = Path(tempfile.mkdtemp(prefix="rva-bench-c-")) / "calls.so"
    source = str(Path(__file__).with_name("calls.c"))
    linked = [f"-I{folder}", f"-L{folder}", "-lruvector_attention", f"-Wl,-rpath,{folder}"]
    subprocess.run([*compiler, "-O2", "-shared", "-fPIC", source, *linked, "-o", str(out)], check=True)
    loaded = ctypes.CDLL(str(out))
    loaded.time_calls.restype = ctypes.c_int64
    return loaded


class Calls:
    """One problem; `run` times calls in C, a single call gives the result."""

    def __init__(self, calls: ctypes.CDLL, ask: serve.Ask) -> None:
        self._calls, self._ask = calls, ask
        self.out = np.empty(ask.values.shape[1], dtype=np.float32)
        self._ns = np.empty(_MOST, dtype=np.int64)

    def __call__(self) -> object:
        """One call."""
        return self.time(0.0, 1)

    def time(self, seconds: float, most: int) -> list[int]:
        """Nanoseconds of each call."""
        tensors = (self._ask.queries, self._ask.keys, self._ask.values, self.out)
        pointers = [ctypes.c_void_p(tensor.ctypes.data) for tensor in tensors]
        sizes = [ctypes.c_size_t(n) for n in (self._ask.width, len(self._ask.keys))]
        limits = [ctypes.c_int64(int(seconds * 1e9)), ctypes.c_int64(min(most, _MOST))]
        count = self._calls.time_calls(*sizes, *pointers, *limits, ctypes.c_void_p(self._ns.ctypes.data))
        if count < 1:
            raise ValueError("the call failed")
        return [int(ns) for ns in self._ns[:count]]


def run(call: Callable[[], object], seconds: float, most: int) -> list[int]:
    """As the calls themselves tell."""
    assert isinstance(call, Calls)
    return call.time(seconds, most)


def main() -> None:
    """Answer requests until standard input ends."""
    calls = library(Path(sys.argv[1]))

    def prepare(ask: serve.Ask) -> serve.Task:
        task = Calls(calls, ask)
        return serve.Task(task, lambda: task.out)

    serve.serve(prepare, lambda: {}, run)


if __name__ == "__main__":
    main()
