"""Caches, states, streams, weights and the builder."""

from __future__ import annotations

import asyncio
import copy
import json
import pickle
import struct
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import ruvector_attention as api
from numpy.typing import NDArray

RNG = np.random.default_rng(7)
DIM = 8
KEYS, VALUES, QUERIES = (RNG.normal(size=(n, DIM)).astype(np.float32) / 4 for n in (60, 60, 5))
MECHANISMS: list[api.Attention] = [
    api.ScaledDotProductAttention(DIM),
    api.ScaledDotProductAttention(DIM, num_neighbors=3, threads=2, kernel="scalar"),
    api.CrossAttention(DIM, dropout=0.25),
    api.MultiHeadAttention(2, DIM),
    api.HyperbolicAttention(0.5, dim=DIM),
    api.LinearAttention(DIM),
    api.LinearAttention(DIM, random_features=32, seed=3),
]


@pytest.mark.parametrize("attention", MECHANISMS, ids=repr)
def test_an_attention_survives_pickling(attention: api.Attention) -> None:
    again = pickle.loads(pickle.dumps(attention))
    assert repr(again) == repr(attention) and type(again) is type(attention)
    assert (again.kind, again.dim) == (attention.kind, DIM)
    np.testing.assert_array_equal(
        again.forward_batch(QUERIES, KEYS, VALUES), attention.forward_batch(QUERIES, KEYS, VALUES)
    )
    assert repr(eval(repr(attention), vars(api))) == repr(attention)


@pytest.mark.parametrize("attention", MECHANISMS, ids=repr)
def test_a_cache_stands_for_keys_and_values(attention: api.Attention) -> None:
    cache = api.KeyValueCache(DIM)
    cache.reserve(60)
    cache.append(KEYS[:1], VALUES[0])
    cache.append(KEYS[1:].ravel(), VALUES[1:])
    assert (len(cache), cache.dim, cache.value_dim, cache.precision) == (60, DIM, DIM, "f32")
    assert cache.nbytes == KEYS.nbytes + VALUES.nbytes
    expected = attention.forward_batch(QUERIES, KEYS, VALUES)
    np.testing.assert_array_equal(attention.forward_batch(QUERIES, cache), expected)
    np.testing.assert_array_equal(attention.forward_batch(QUERIES.ravel(), cache), expected)
    np.testing.assert_array_equal(attention.forward(QUERIES[0], cache), attention.forward(QUERIES[0], KEYS, VALUES))
    np.testing.assert_array_equal(next(attention.forward_stream(QUERIES, cache)), attention.forward(QUERIES[0], cache))


@pytest.mark.parametrize("precision", ["f32", "f16", "bf16"])
def test_caches_keep_their_rows(precision: Any) -> None:
    cache = api.KeyValueCache(DIM, 1, precision=precision)
    cache.append(KEYS, VALUES[:, 0])
    again = pickle.loads(pickle.dumps(cache))
    assert repr(again) == repr(cache) and again.precision == precision
    keys, values = cache.to_arrays()
    assert keys.shape == (60, DIM) and values.shape == (60, 1)
    np.testing.assert_allclose(keys, KEYS, rtol={"f32": 0, "f16": 2**-11, "bf16": 2**-8}[precision])
    np.testing.assert_array_equal(again.to_arrays()[0], keys)
    cache.truncate(10)
    np.testing.assert_array_equal(cache.to_arrays()[1], values[:10])
    cache.clear()
    assert len(cache) == cache.nbytes == 0
    assert len(pickle.loads(pickle.dumps(cache))) == 0


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("attention", MECHANISMS, ids=repr)
def test_states_give_the_result_of_one_call(attention: api.Attention, causal: bool) -> None:
    expected = attention.forward_batch(QUERIES, KEYS, VALUES, causal=causal)
    shards = [attention.state(QUERIES, causal=causal) for _ in range(3)]
    for shard, (start, end) in zip(shards, [(0, 7), (7, 40), (40, 60)], strict=True):
        for at in range(start, end, 6):
            shard.push(KEYS[at : min(at + 6, end)], VALUES[at : min(at + 6, end)])
    first, second, third = shards
    first.merge(pickle.loads(pickle.dumps(second)))
    first.merge(api.AttentionState.from_bytes(bytearray(third.to_bytes())))
    assert (len(first), first.num_queries, first.dim, first.value_dim) == (60, 5, DIM, DIM)
    np.testing.assert_allclose(first.finish(), expected, rtol=2e-5, atol=2e-6)
    again = copy.deepcopy(first)
    again.push(KEYS, VALUES)
    assert (len(again), len(copy.copy(first))) == (120, 60)


def test_a_state_merges_with_itself_and_takes_masks() -> None:
    attention = api.HyperbolicAttention(1.0)
    state = attention.state([0.1, 0.2], 2)
    state.push([[0.1, 0.2], [0.3, 0.4]], [[0.5, 0.0], [0.0, 0.5]], mask=[True, False])
    before = state.finish()
    state.merge(state)
    np.testing.assert_allclose(state.finish(), before, rtol=1e-6)
    assert len(state) == 4


def test_states_merge_both_ways_at_once() -> None:
    attention = api.ScaledDotProductAttention(DIM)
    one, two = attention.state(QUERIES), attention.state(QUERIES)
    for state in (one, two):
        state.push(KEYS, VALUES)
    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(a.merge, b) for a, b in [(one, two), (two, one)] * 5]:
            done.result(timeout=30)
    assert np.isfinite(one.finish()).all() and np.isfinite(two.finish()).all()


def test_a_cache_grows_while_others_read_it() -> None:
    attention, cache = api.ScaledDotProductAttention(64), api.KeyValueCache(64, 1)
    row, failures = np.ones(64, dtype=np.float32), []
    cache.append(np.ones((2000, 64)), np.ones(2000))

    def read() -> None:
        for _ in range(30):
            if abs(attention.forward(row, cache)[0] - 1) > 1e-6:
                failures.append("a half-written row was read")

    threads = [threading.Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    for _ in range(200):
        cache.append(row, [1.0])
    for thread in threads:
        thread.join()
    assert len(cache) == 2200 and not failures


def test_streams_are_lazy_and_pass_errors_on() -> None:
    attention, taken = api.ScaledDotProductAttention(DIM), []

    def queries() -> Any:
        for query in QUERIES:
            taken.append(query)
            yield query
        raise KeyError("the source is dry")

    stream = attention.forward_stream(queries(), KEYS, VALUES, num_neighbors=2)
    assert taken == []
    np.testing.assert_array_equal(next(stream), attention.forward(QUERIES[0], KEYS, VALUES, num_neighbors=2))
    assert len(taken) == 1
    with pytest.raises(KeyError, match="dry"):
        list(stream)
    with pytest.raises(api.AttentionError, match="query: length 2"):
        next(attention.forward_stream([[1, 2]], KEYS, VALUES))


def test_calls_suit_asyncio() -> None:
    attention = api.ScaledDotProductAttention(DIM)

    async def both() -> list[NDArray[np.float32]]:
        calls = [asyncio.to_thread(attention.forward, query, KEYS, VALUES) for query in QUERIES]
        return list(await asyncio.gather(*calls))

    np.testing.assert_array_equal(asyncio.run(both())[2], attention.forward(QUERIES[2], KEYS, VALUES))


def matrices(seed: int) -> tuple[list[NDArray[np.float32]], list[NDArray[np.float32]]]:
    rng = np.random.default_rng(seed)
    return (
        [rng.normal(scale=0.3, size=(DIM, DIM)).astype(np.float32) for _ in range(4)],
        [rng.normal(size=DIM).astype(np.float32) for _ in range(4)],
    )


def reference(heads: int, w: list[NDArray[np.float32]], b: list[NDArray[np.float32]]) -> NDArray[np.float64]:
    q, k, v = (x @ w[i].T.astype(float) + b[i] for i, x in enumerate((QUERIES, KEYS, VALUES)))
    size, parts = DIM // heads, []
    for h in range(heads):
        cut = slice(h * size, (h + 1) * size)
        scores = q[:, cut] @ k[:, cut].T / size**0.5
        weights = np.exp(scores - scores.max(axis=1, keepdims=True))
        parts.append(weights / weights.sum(axis=1, keepdims=True) @ v[:, cut])
    joined: NDArray[np.float64] = np.concatenate(parts, axis=1) @ w[3].T.astype(float) + b[3]
    return joined


def safetensors(tensors: dict[str, NDArray[np.float32]]) -> bytes:
    header, data = {}, b""
    for name, tensor in tensors.items():
        start = len(data)
        data += tensor.tobytes()
        header[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": [start, len(data)]}
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def test_weights_project(tmp_path: Path) -> None:
    w, b = matrices(1)
    names = ["q_proj", "k_proj", "v_proj", "out_proj"]
    tensors = {f"layer.{name}.weight": w[i] for i, name in enumerate(names)}
    tensors |= {f"layer.{name}.bias": b[i] for i, name in enumerate(names)}
    path = tmp_path / "weights.safetensors"
    path.write_bytes(safetensors(tensors))
    joined = safetensors(
        {"in_proj_weight": np.concatenate(w[:3]), "in_proj_bias": np.concatenate(b[:3])}
        | {"out_proj.weight": w[3], "out_proj.bias": b[3]}
    )
    made = [
        api.MultiHeadWeights(DIM, *w, b_q=b[0], b_k=b[1], b_v=b[2], b_o=b[3]),
        api.MultiHeadWeights.from_safetensors(path, "layer."),
        api.MultiHeadWeights.from_safetensors(str(path), prefix="layer."),
        api.MultiHeadWeights.from_safetensors(joined),
    ]
    for weights in made:
        attention = api.MultiHeadAttention(2, DIM, weights=weights)
        assert weights.hidden_dim == DIM
        np.testing.assert_allclose(
            attention.forward_batch(QUERIES, KEYS, VALUES), reference(2, w, b), rtol=1e-4, atol=1e-5
        )
    one = api.MultiHeadWeights(DIM, *(x.ravel() for x in w), b_o=b[3])
    attention = api.MultiHeadAttention(4, DIM, weights=one)
    zero = np.zeros(DIM, dtype=np.float32)
    np.testing.assert_allclose(
        attention.forward_batch(QUERIES, KEYS, VALUES), reference(4, w, [zero] * 3 + [b[3]]), rtol=1e-4, atol=1e-5
    )
    with pytest.raises(TypeError, match="pickle"):
        pickle.dumps(attention)


def test_faulty_weights_are_named(tmp_path: Path) -> None:
    w, _ = matrices(2)
    faults: list[tuple[Callable[[], object], str, str]] = [
        (lambda: api.MultiHeadWeights(DIM, w[0][:4], w[1], w[2], w[3]), "length", "w_q"),
        (lambda: api.MultiHeadWeights(DIM, w[0], w[1], w[2], w[3].ravel()[1:]), "length", "w_o"),
        (lambda: api.MultiHeadWeights(DIM, *w, b_k=[1.0]), "length", "b_k"),
        (lambda: api.MultiHeadWeights(DIM, w[0], w[1] * np.nan, w[2], w[3]), "non_finite", "w_k"),
        (lambda: api.MultiHeadWeights.from_safetensors(b"no such thing"), "invalid_weights", "source"),
        (lambda: api.MultiHeadWeights.from_safetensors(3), "type", "source"),  # type: ignore[arg-type]
        (lambda: api.MultiHeadAttention(1, 4, weights=api.MultiHeadWeights(DIM, *w)), "parameter", "weights"),
        (lambda: api.MultiHeadAttention(1, 4, weights=w), "type", "weights"),  # type: ignore[arg-type]
    ]
    for call, code, argument in faults:
        with pytest.raises(api.AttentionError) as caught:
            call()
        assert (caught.value.code, caught.value.argument) == (code, argument)
    with pytest.raises(FileNotFoundError):
        api.MultiHeadWeights.from_safetensors(tmp_path / "absent")


def test_training_drops_weights_by_its_seed() -> None:
    attention = api.ScaledDotProductAttention(DIM, dropout=0.5)
    plain = attention.forward(QUERIES[0], KEYS, VALUES)
    first = attention.forward(QUERIES[0], KEYS, VALUES, training=True, seed=1)
    np.testing.assert_array_equal(first, attention.forward(QUERIES[0], KEYS, VALUES, training=True, seed=1))
    assert not np.array_equal(first, plain)
    assert not np.array_equal(first, attention.forward(QUERIES[0], KEYS, VALUES, training=True, seed=2))
    np.testing.assert_array_equal(plain, attention.forward(QUERIES[0], KEYS, VALUES, training=False, seed=1))


def test_threads_change_no_bit() -> None:
    keys = RNG.normal(size=(3000, DIM)).astype(np.float32)
    results = [
        api.ScaledDotProductAttention(DIM, threads=n).forward_batch(keys[:200], keys, keys).tobytes() for n in (1, 2, 5)
    ]
    assert results[0] == results[1] == results[2]


def test_projection_is_opt_in() -> None:
    outside = [3.0, 4.0]
    with pytest.raises(api.AttentionError, match="outside the ball"):
        api.HyperbolicAttention(1.0).forward([0.0, 0.0], outside, outside)
    inside = api.HyperbolicAttention(1.0, project=True).forward([0.0, 0.0], outside, outside)
    assert 0.9 < np.linalg.norm(inside) < 1


def test_the_builder_makes_every_type() -> None:
    made = [
        api.AttentionBuilder().attention_type(name).hidden_dim(DIM).build()
        for name in ("scaled-dot-product", "multi-head", "hyperbolic", "linear", "cross-attention", "self-attention")
    ]
    assert [one.kind for one in made] == api.features()
    assert [one.dim for one in made] == [DIM] * 6
    assert repr(made[1]) == "MultiHeadAttention(num_heads=8, hidden_dim=8)"
    assert {one.value for one in api.AttentionType} == {*api.features(), "auto"}
    builder = api.AttentionBuilder().attention_type(api.AttentionType.AUTO, num_heads=4).hidden_dim(DIM)
    assert builder.resolve() == "multi-head"
    built = builder.dropout(0.5).use_simd(False).num_threads(2).build()
    assert repr(built) == "MultiHeadAttention(num_heads=4, hidden_dim=8, dropout=0.5, threads=2, kernel='scalar')"
    assert built.kernel == "scalar"
    assert repr(pickle.loads(pickle.dumps(built))) == repr(built)
    ball = api.AttentionBuilder().attention_type("hyperbolic", curvature=0.5, num_neighbors=2).hidden_dim(DIM).build()
    assert repr(ball) == "HyperbolicAttention(curvature=0.5, dim=8, num_neighbors=2)"
    with pytest.raises(api.AttentionError, match="Attention type not specified"):
        api.AttentionBuilder().build()
    wrong: list[tuple[str, dict[str, Any]]] = [
        ("sideways", {}),
        ("linear", {"curvature": 1.0}),
        ("linear", {"num_neighbors": 1}),
    ]
    for name, options in wrong:
        with pytest.raises(api.AttentionError):
            api.AttentionBuilder().attention_type(name, **options).build()


def test_names_and_versions() -> None:
    assert api.version() == api.__version__
    assert api.kernels()[-1] == "scalar"
    assert api.ScaledDotProductAttention(1).kernel in api.kernels()
    assert set(api.__all__) == {name for name in dir(api) if not name.startswith("_")} | {"__version__"}


def test_errors_cross_processes() -> None:
    with pytest.raises(api.AttentionError) as caught:
        api.ScaledDotProductAttention(0)
    again = pickle.loads(pickle.dumps(caught.value))
    assert (str(again), again.code, again.argument) == (str(caught.value), "parameter", "dim")


BAD: list[tuple[str, str, Any]] = [
    ("parameter", "precision", lambda: api.KeyValueCache(2, precision="f8")),  # type: ignore[arg-type]
    ("type", "precision", lambda: api.KeyValueCache(2, precision=16)),  # type: ignore[arg-type]
    ("parameter", "dim", lambda: api.KeyValueCache(0)),
    ("parameter", "value_dim", lambda: api.KeyValueCache(1, 0)),
    ("length", "keys", lambda: api.KeyValueCache(2).append([1], [1, 2])),
    ("length", "values", lambda: api.KeyValueCache(2).append([1, 2], [1])),
    ("length", "keys", lambda: api.KeyValueCache(2).append([[1]], [[1, 2]])),
    ("parameter", "keys", lambda: api.KeyValueCache(1, precision="f16").append([1e6], [1])),
    ("too_large", "rows", lambda: api.KeyValueCache(2).reserve(2**62)),
    ("type", "rows", lambda: api.KeyValueCache(2).truncate(-1)),
    ("length", "keys", lambda: MECHANISMS[0].forward(QUERIES[0], api.KeyValueCache(DIM))),
    ("length", "query", lambda: MECHANISMS[0].forward(QUERIES[0], api.KeyValueCache(2))),
    ("type", "keys", lambda: MECHANISMS[0].forward(QUERIES[0], api.KeyValueCache(DIM), VALUES)),
    ("type", "values", lambda: MECHANISMS[0].forward(QUERIES[0], KEYS)),
    ("length", "keys", lambda: MECHANISMS[0].state(QUERIES).finish()),
    ("length", "values", lambda: MECHANISMS[0].state(QUERIES).push(KEYS, VALUES[:3])),
    ("length", "mask", lambda: MECHANISMS[0].state(QUERIES).push(KEYS, VALUES, mask=[True])),
    ("type", "other", lambda: MECHANISMS[0].state(QUERIES).merge(3)),  # type: ignore[arg-type]
    ("state_mismatch", "other", lambda: MECHANISMS[0].state(QUERIES).merge(MECHANISMS[0].state(KEYS))),
    ("invalid_state", "data", lambda: api.AttentionState.from_bytes(b"")),
    ("type", "data", lambda: api.AttentionState.from_bytes("text")),  # type: ignore[arg-type]
    ("parameter", "value_dim", lambda: MECHANISMS[0].state(QUERIES, 0)),
    ("length", "queries", lambda: MECHANISMS[0].state(QUERIES[:, :3])),
    ("length", "queries", lambda: MECHANISMS[0].forward_batch(QUERIES[:, :3], KEYS, VALUES)),
    ("type", "queries", lambda: api.HyperbolicAttention(1).forward_batch([0.1], [0.1], [0.1])),
    ("type", "queries", lambda: MECHANISMS[0].forward_stream(3, KEYS, VALUES)),  # type: ignore[arg-type]
    ("type", "sequences", lambda: api.SelfAttention(2).forward_batch(3)),  # type: ignore[arg-type]
    ("type", "seed", lambda: MECHANISMS[0].forward(QUERIES[0], KEYS, VALUES, training=True)),
    ("type", "causal", lambda: MECHANISMS[0].forward(QUERIES[0], KEYS, VALUES, causal=1)),  # type: ignore[arg-type]
    ("type", "num_neighbors", lambda: MECHANISMS[0].forward(QUERIES[0], KEYS, VALUES, num_neighbors=True)),
    ("type", "num_neighbors", lambda: MECHANISMS[0].forward(QUERIES[0], KEYS, VALUES, num_neighbors=1.0)),  # type: ignore[arg-type]
    ("unsupported", "num_neighbors", lambda: MECHANISMS[5].forward(QUERIES[0], KEYS, VALUES, num_neighbors=1)),
    ("no_visible_key", "causal", lambda: MECHANISMS[0].forward_batch(QUERIES, KEYS[:2], VALUES[:2], causal=True)),
    ("type", "mask", lambda: MECHANISMS[0].forward(QUERIES[0], KEYS, VALUES, mask=np.ones(60))),  # type: ignore[arg-type]
    ("type", "mask", lambda: MECHANISMS[0].forward(QUERIES[0], KEYS, VALUES, mask=[[True]])),  # type: ignore[list-item]
    ("parameter", "kernel", lambda: api.LinearAttention(1, kernel="abacus")),
    ("type", "kernel", lambda: api.LinearAttention(1, kernel=3)),  # type: ignore[arg-type]
    ("parameter", "threads", lambda: api.LinearAttention(1, threads=0)),
    ("parameter", "num_neighbors", lambda: api.CrossAttention(1, num_neighbors=0)),
    ("parameter", "dropout", lambda: api.CrossAttention(1, dropout=1.0)),
    ("type", "dropout", lambda: api.CrossAttention(1, dropout="half")),  # type: ignore[arg-type]
    ("parameter", "random_features", lambda: api.LinearAttention(1, random_features=0)),
    ("type", "random_features", lambda: api.LinearAttention(1, seed=1)),
    ("overflow", "result", lambda: api.from_poincare([3.1e38], 1e-77)),
]


@pytest.mark.parametrize(("code", "argument", "call"), BAD, ids=lambda value: value if isinstance(value, str) else "")
def test_bad_arguments_are_refused(code: str, argument: str, call: Any) -> None:
    with pytest.raises(api.AttentionError) as caught:
        call()
    assert (caught.value.code, caught.value.argument) == (code, argument)
    assert str(caught.value).startswith(f"{argument}:")
