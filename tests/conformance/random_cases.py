"""Seeded random inputs in the form of the reference cases: many shapes, every mechanism, every option that all bindings have."""

from __future__ import annotations

import math
import random
import struct
from typing import Any

KINDS = (
    "scaled_dot_product", "cross", "self", "multi_head", "hyperbolic", "linear", "poincare_distance", "to_poincare", "from_poincare",
)  # fmt: skip
# Around the widths of vectors and the lengths at which kernels change their way.
LENGTHS = (1, 2, 3, 5, 7, 8, 9, 15, 16, 17, 31, 33, 64, 65, 127, 128, 130, 255, 256, 300)
DIMS = (1, 2, 3, 4, 7, 8, 9, 15, 16, 17, 31, 32, 33, 64, 65, 96, 128)


def single(number: float) -> float:
    """Rounded to float32, so that every reader of the decimals gets the same number."""
    return float(struct.unpack("<f", struct.pack("<f", number))[0])


def cases(seed: int, count: int) -> list[dict[str, Any]]:
    """So many cases; the same ones for the same seed. Their outputs are left to the bindings."""
    source = random.Random(seed)
    return [_case(source, KINDS[i % len(KINDS)], i) for i in range(count)]


def _case(source: random.Random, kind: str, index: int) -> dict[str, Any]:
    if "poincare" in kind:
        return _point(source, kind, index)
    dim, n = source.choice(DIMS), source.choice(LENGTHS)
    many = source.random() < 0.5
    m = n if kind == "self" else source.choice((2, 3, 8, 17)) if many else 1
    case: dict[str, Any] = {"kind": kind, "name": f"random_{index}", "output": [0.0]}
    if kind == "multi_head":
        case["num_heads"] = heads = source.choice((1, 2, 3, 4, 8))
        dim = heads * source.choice((1, 2, 4, 7, 16))
    width = dim if kind in ("hyperbolic", "multi_head", "self") else source.choice(DIMS)
    curvature = single(source.uniform(0.1, 2.0))
    if kind == "hyperbolic":
        case["curvature"] = curvature
    spread = source.choice((0.01, 1.0, 1.0, 8.0))

    def rows(count: int, length: int) -> list[list[float]]:
        if kind == "hyperbolic":
            return [_in_ball(source, length, curvature) for _ in range(count)]
        return [[single(source.gauss(0.0, spread)) for _ in range(length)] for _ in range(count)]

    case["query"] = rows(m, dim)
    if kind != "self":
        case["keys"], case["values"] = rows(n, dim), rows(n, width)
    _options(source, case, kind, m, n)
    return case


def _options(source: random.Random, case: dict[str, Any], kind: str, m: int, n: int) -> None:
    if source.random() < 0.3 and m <= n:
        case["causal"] = True
    elif source.random() < 0.3:
        mask = [source.random() < 0.7 for _ in range(n)]
        mask[source.randrange(n)] = True
        case["mask"] = mask
    if kind != "linear" and source.random() < 0.3:
        case["neighbors"] = source.randint(1, n + 2)


def _point(source: random.Random, kind: str, index: int) -> dict[str, Any]:
    dim, curvature = source.choice(DIMS), single(source.uniform(0.1, 2.0))
    case = {"kind": kind, "name": f"random_{index}", "output": [0.0], "curvature": curvature}
    case["x"] = _in_ball(source, dim, curvature)
    if kind == "to_poincare":
        case["x"] = [single(source.gauss(0.0, 1.0)) for _ in range(dim)]
    if kind == "poincare_distance":
        case["y"] = _in_ball(source, dim, curvature)
    return case


def _in_ball(source: random.Random, length: int, curvature: float) -> list[float]:
    direction = [source.gauss(0.0, 1.0) for _ in range(length)]
    norm = math.sqrt(sum(x * x for x in direction)) or 1.0
    radius = source.uniform(0.0, 0.97) / math.sqrt(curvature)
    return [single(x / norm * radius) for x in direction]
