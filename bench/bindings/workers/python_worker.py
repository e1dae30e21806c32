"""This library's Python package: lines of JSON in and out."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version

import numpy as np
import ruvector_attention as api
import serve

_GROUP_NS = 50_000


def prepare(ask: serve.Ask) -> serve.Task:
    """One query over flat arrays, or over a cache."""
    attention = api.ScaledDotProductAttention(ask.width)
    query, out = ask.queries[0], np.empty(ask.values.shape[1], dtype=np.float32)
    forward, keys, values = attention.forward, ask.keys, ask.values
    if ask.way.startswith("resident"):
        cache = api.KeyValueCache(keys.shape[1], values.shape[1])
        cache.append(keys, values)
    ways: dict[str, Callable[[], object]] = {
        "arrays": lambda: forward(query, keys, values),
        "own result": lambda: forward(query, keys, values, out=out),
        "resident keys": lambda: forward(query, cache),
        "resident keys, own result": lambda: forward(query, cache, out=out),
    }
    call = ways[ask.way]
    return serve.Task(call, lambda: np.asarray(call()))


if __name__ == "__main__":
    versions = {"ruvector-attention": version("ruvector-attention"), "numpy": np.__version__}
    serve.serve(prepare, lambda: versions, serve.grouped(_GROUP_NS))
