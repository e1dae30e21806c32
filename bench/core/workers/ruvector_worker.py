"""ruvector-attention of Python's index: one query over candidates that are keys and values at once."""

from __future__ import annotations

from importlib.metadata import version

import numpy as np
from numpy.typing import NDArray
from ruvector_attention import attend
from serve import Ask, Task, serve


def prepare(ask: Ask) -> Task:
    """One call of its one function."""
    last: list[NDArray[np.float32]] = []

    def call() -> None:
        last[:] = [attend(ask.queries[0], ask.keys).blended]

    return Task(call, lambda: last[0].reshape(1, -1))


if __name__ == "__main__":
    serve(prepare, lambda: {"ruvector-attention": version("ruvector-attention"), "ruvector": version("ruvector")})
