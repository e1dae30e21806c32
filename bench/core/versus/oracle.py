"""The reference: every mechanism in float64, straight from its formula."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from versus.model import Problem

Array = NDArray[np.float64]
# Queries at a time, so that the scores of long sequences fit in memory.
_BLOCK = 256


def solve(
    problem: Problem, queries: NDArray[np.float32], keys: NDArray[np.float32], values: NDArray[np.float32]
) -> Array:
    """Results in rows of all heads, one a query."""
    q, k, v = (x.astype(np.float64) for x in (queries, keys, values))
    if problem.mechanism == "linear":
        return _linear(q, k, v)
    heads = [
        _head(
            problem,
            *(
                np.ascontiguousarray(x[:, h * x.shape[1] // problem.heads : (h + 1) * x.shape[1] // problem.heads])
                for x in (q, k, v)
            ),
        )
        for h in range(problem.heads)
    ]
    return np.concatenate(heads, axis=1)


def error(result: NDArray[np.float32], reference: Array) -> float:
    """The largest deviation, relative to the largest value."""
    if result.size != reference.size:
        raise ValueError(f"{result.size} numbers where {reference.size} belong")
    difference = np.abs(result.astype(np.float64).reshape(reference.shape) - reference).max()
    return float(difference / np.abs(reference).max())


def _head(problem: Problem, q: Array, k: Array, v: Array) -> Array:
    blocks = [
        _weighted(problem, _weights(problem, _scores(problem, q[i : i + _BLOCK], k), i, len(q)), v)
        for i in range(0, len(q), _BLOCK)
    ]
    return np.concatenate(blocks)


def _scores(problem: Problem, q: Array, k: Array) -> Array:
    if problem.mechanism == "hyperbolic":
        # Minus the distance in the unit ball: 2 asinh(|x − y| / √((1 − |x|²)(1 − |y|²))).
        squared = np.stack([np.square(k - one).sum(axis=1) for one in q])
        gaps = np.outer(1 - np.square(q).sum(axis=1), 1 - np.square(k).sum(axis=1))
        scores: Array = -2 * np.arcsinh(np.sqrt(squared / gaps))
        return scores
    products: Array = q @ k.T / np.sqrt(problem.dim)
    return products


def _weights(problem: Problem, scores: Array, first: int, queries: int) -> Array:
    count, keys = scores.shape
    if problem.causal:
        seen = np.arange(first, first + count)[:, None] + keys - queries
        scores = np.where(np.arange(keys)[None, :] <= seen, scores, -np.inf)
    if problem.neighbors is not None and problem.neighbors < keys:
        order = np.argsort(-scores, axis=1, kind="stable")[:, problem.neighbors :]
        np.put_along_axis(scores, order, -np.inf, axis=1)
    weights = np.exp(scores - scores.max(axis=1, keepdims=True))
    normal: Array = weights / weights.sum(axis=1, keepdims=True)
    return normal


def _weighted(problem: Problem, weights: Array, v: Array) -> Array:
    if problem.mechanism != "hyperbolic":
        return weights @ v
    # Gyromidpoint: half of Σ w λ v / Σ w (λ − 1), with λ = 2 / (1 − |v|²).
    factors = 2 / (1 - np.square(v).sum(axis=1))
    point = (weights * factors) @ v / (weights @ (factors - 1))[:, None]
    halved: Array = point / (1 + np.sqrt(1 - np.square(point).sum(axis=1, keepdims=True)))
    return halved


def _linear(q: Array, k: Array, v: Array) -> Array:
    def feature(x: Array) -> Array:
        return np.where(x > 0, x + 1, np.exp(np.minimum(x, 0)))

    phi = feature(k)
    result: Array = feature(q) @ (phi.T @ v) / (feature(q) @ phi.sum(axis=0))[:, None]
    return result
