"""Calls whose arguments are read once: they see what the arrays and the cache hold when they run."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import numpy as np
import pytest
import ruvector_attention as api

RNG = np.random.default_rng(11)
DIM = 8


def tensors() -> list[Any]:
    return [RNG.normal(size=shape).astype(np.float32) / 4 for shape in (DIM, (30, DIM), (30, 5))]


MECHANISMS: list[api.Attention] = [
    api.ScaledDotProductAttention(DIM),
    api.MultiHeadAttention(1, DIM),
    api.HyperbolicAttention(0.5),
    api.LinearAttention(DIM),
    api.CrossAttention(DIM, dropout=0.25),
]


@pytest.mark.parametrize("attention", MECHANISMS, ids=repr)
def test_each_run_reads_the_arrays_anew(attention: api.Attention) -> None:
    query, keys, values = tensors()
    call = attention.prepare(query, keys, values)
    for _ in range(3):
        assert call.run() is call.out
        np.testing.assert_array_equal(call.out, attention.forward(query, keys, values))
        query[:] = RNG.normal(size=DIM) / 4
        keys[0] += np.float32(0.1)


def test_a_cache_is_read_as_it_is_when_the_call_runs() -> None:
    query, keys, values = tensors()
    attention, cache = api.LinearAttention(DIM), api.KeyValueCache(DIM, 5, precision="f16")
    call = attention.prepare(query, cache)
    assert call.out.shape == (5,)
    with pytest.raises(api.AttentionError) as told:
        call.run()
    assert told.value.argument == "keys"
    for _ in range(2):
        cache.append(keys, values)
        np.testing.assert_array_equal(call.run(), attention.forward(query, cache))


def test_options_and_the_callers_array() -> None:
    query, keys, values = tensors()
    attention, out, mask = api.CrossAttention(DIM, dropout=0.5), np.empty(5, dtype=np.float32), np.ones(30, dtype=bool)
    mask[3:9] = False
    options: dict[str, Any] = {"num_neighbors": 4, "training": True, "seed": 5}
    expected = attention.forward(query, keys, values, mask=mask, **options)
    call = attention.prepare(query, keys.ravel(), values.ravel(), mask=mask, out=out, **options)
    mask[:] = False
    assert call.run() is out
    np.testing.assert_array_equal(out, expected)


def test_what_each_run_could_not_read_is_refused() -> None:
    query, keys, values = tensors()
    attention = api.ScaledDotProductAttention(DIM)
    for argument, given in {
        "query": (query.astype(np.float64), keys, values),
        "keys": (query, keys[::2], values[:15]),
        "values": (query, keys, values.tolist()),
    }.items():
        with pytest.raises(api.AttentionError) as told:
            attention.prepare(*given)
        assert (told.value.code, told.value.argument) == ("type", argument)
    half = attention.prepare(query, keys.astype(np.float16), values.astype(np.float16))
    np.testing.assert_allclose(half.run(), attention.forward(query, keys, values), atol=2e-3)


def test_a_run_refuses_what_became_wrong() -> None:
    query, keys, values = tensors()
    out = np.empty(5, dtype=np.float32)
    call = api.ScaledDotProductAttention(DIM).prepare(query, keys, values, out=out)
    call.run()
    out.setflags(write=False)
    with pytest.raises(api.AttentionError, match="read-only"):
        call.run()
    out.setflags(write=True)
    keys[1, 2] = np.nan
    with pytest.raises(api.AttentionError) as told:
        call.run()
    assert (told.value.code, told.value.argument) == ("non_finite", "keys")
    keys[1, 2] = 0
    # The array's memory moves, and is shorter, under the call.
    values.resize((2, 5), refcheck=False)
    with pytest.raises(api.AttentionError) as told:
        call.run()
    assert told.value.argument == "values"


def test_a_call_keeps_what_it_reads_and_lets_it_go() -> None:
    query, keys, values = tensors()
    attention = api.ScaledDotProductAttention(DIM)
    expected = attention.forward(query, keys, values)
    seen = [weakref.ref(keys), weakref.ref(values)]
    call = attention.prepare(query, keys, values)
    del keys, values, attention
    gc.collect()
    np.testing.assert_array_equal(call.run(), expected)
    del call
    gc.collect()
    assert [ref() for ref in seen] == [None, None]


def test_self_attention_prepares_nothing() -> None:
    assert not hasattr(api.SelfAttention(DIM), "prepare")
    with pytest.raises(TypeError):
        api.PreparedCall()
