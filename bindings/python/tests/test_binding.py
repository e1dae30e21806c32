"""The installed package: shapes, conversions and refusals. The numbers are the smoke test's business."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import numpy as np
import pytest
import ruvector_attention as api

EYE = np.eye(2, dtype=np.float32)
SDP = api.ScaledDotProductAttention(2)


def test_shapes_follow_the_input() -> None:
    values = np.arange(6, dtype=np.float32).reshape(2, 3)
    assert SDP.forward(EYE[0], EYE, values).shape == (3,)
    batch = SDP.forward_batch(EYE, EYE, values)
    assert batch.shape == (2, 3) and batch.dtype == np.float32
    np.testing.assert_array_equal(batch, SDP.forward_batch(EYE.ravel(), EYE.ravel(), values.ravel()))
    np.testing.assert_array_equal(batch[1], SDP.forward(EYE[1], EYE, values))


def test_other_numbers_and_layouts_are_converted() -> None:
    keys = np.arange(8, dtype=np.float64).reshape(4, 2)
    expected = SDP.forward_batch(keys.astype(np.float32), EYE, EYE)
    np.testing.assert_array_equal(expected, SDP.forward_batch(keys.tolist(), EYE, EYE))
    np.testing.assert_array_equal(expected, SDP.forward_batch(np.asfortranarray(keys), EYE, EYE))
    np.testing.assert_array_equal(expected[::2], SDP.forward_batch(keys[::2], EYE, EYE))


def test_options() -> None:
    values = np.array([10, 20], dtype=np.float32)
    assert SDP.forward(EYE[0], EYE, values, num_neighbors=1)[0] == 10
    assert SDP.forward(EYE[0], EYE, values, mask=[False, True])[0] == 20
    assert SDP.forward(EYE[0], EYE, values, mask=np.array([False, True]))[0] == 20
    assert SDP.forward_batch(EYE, EYE, values, causal=True)[0, 0] == 10


def test_getters_and_types() -> None:
    heads = api.MultiHeadAttention(2, 6, dropout=0.1)
    assert (heads.num_heads, heads.hidden_dim, heads.head_dim) == (2, 6, 3)
    assert api.HyperbolicAttention(0.5).curvature == 0.5
    assert SDP.dim == 2
    made: list[api.Attention | api.SelfAttention] = [SDP, heads, api.HyperbolicAttention(1)]
    made += [api.LinearAttention(1), api.CrossAttention(1), api.SelfAttention(1)]
    assert [one.kind for one in made] == api.features()


def test_self_attention_works_on_each_sequence() -> None:
    attention = api.SelfAttention(2)
    first, second = attention.forward_batch([EYE, EYE[:1]], causal=True)
    np.testing.assert_array_equal(first, attention.forward(EYE, causal=True))
    np.testing.assert_array_equal(second, EYE[:1])


def test_points_go_to_the_ball_and_back() -> None:
    x = np.array([0.3, -0.4], dtype=np.float32)
    np.testing.assert_allclose(api.from_poincare(api.to_poincare(x, 2.0), 2.0), x, atol=1e-5)
    assert np.linalg.norm(api.project_to_ball([3, 4], 2.0)) < 2**-0.5
    ball = api.HyperbolicAttention(2.0)
    assert ball.poincare_distance(x, x) == 0 == api.poincare_distance(x, x, 2.0)


REFUSED: list[tuple[str, str, Callable[[], object]]] = [
    ("length", "query", lambda: SDP.forward([1], EYE, EYE)),
    ("type", "query", lambda: SDP.forward(EYE, EYE, EYE)),
    ("type", "keys", lambda: SDP.forward(EYE[0], np.zeros((1, 2, 2)), EYE)),
    ("length", "keys", lambda: SDP.forward(EYE[0], np.eye(4), EYE)),
    ("length", "values", lambda: SDP.forward(EYE[0], EYE, np.eye(4))),
    ("type", "values", lambda: SDP.forward(EYE[0], EYE, ["a", "b"])),
    ("non_finite", "query", lambda: SDP.forward([np.nan, 0], EYE, EYE)),
    ("parameter", "num_neighbors", lambda: SDP.forward(EYE[0], EYE, EYE, num_neighbors=0)),
    ("type", "num_neighbors", lambda: SDP.forward(EYE[0], EYE, EYE, num_neighbors=-1)),
    ("all_masked", "mask", lambda: SDP.forward(EYE[0], EYE, EYE, mask=[False, False])),
    ("length", "mask", lambda: SDP.forward(EYE[0], EYE, EYE, mask=[True])),
    ("type", "dim", lambda: api.LinearAttention(-1)),
    ("parameter", "dim", lambda: api.LinearAttention(0)),
    ("parameter", "curvature", lambda: api.HyperbolicAttention(0)),
    ("outside_ball", "x", lambda: api.from_poincare([2, 0], 1.0)),
    ("length", "x", lambda: api.SelfAttention(2).forward(np.eye(3))),
]


@pytest.mark.parametrize(
    ("code", "argument", "call"), REFUSED, ids=lambda value: value if isinstance(value, str) else ""
)
def test_bad_input_is_refused(code: str, argument: str, call: Callable[[], object]) -> None:
    with pytest.raises(api.AttentionError) as caught:
        call()
    assert (caught.value.code, caught.value.argument) == (code, argument)
    assert isinstance(caught.value, ValueError)


def test_other_threads_run_meanwhile() -> None:
    """The interpreter is free while the core computes: another thread runs in the middle of the call."""
    attention, keys = api.ScaledDotProductAttention(64, threads=1), np.ones((20_000, 64), dtype=np.float32)
    stop, moments = threading.Event(), []

    def watch() -> None:
        while not stop.wait(0.001):
            moments.append(time.perf_counter())

    thread = threading.Thread(target=watch)
    thread.start()
    started = time.perf_counter()
    attention.forward_batch(keys[:1000], keys, keys)
    ended = time.perf_counter()
    stop.set()
    thread.join()
    margin = (ended - started) / 10
    assert any(started + margin < moment < ended - margin for moment in moments)
