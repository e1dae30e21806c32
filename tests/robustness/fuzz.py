"""Random calls, good and bad, of the installed Python package: `fuzz.py SECONDS SEED`.

Any error has to be an AttentionError, and results have to be finite; the process has to live to tell.
"""

from __future__ import annotations

import json
import random
import resource
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any

import numpy as np
import ruvector_attention as api
from faults import Raises

KEPT = 16
ODD: tuple[Any, ...] = (
    None, -1, 0, 1.5, 2**62, 2**80, float("nan"), "x", b"x", [], [[]], [[1.0], [1.0, 2.0]], {}, set(), object(), Raises(),
    np.float32(1), np.array(["a"]), np.array([1j]), np.zeros(0, np.float32), int, lambda: 1,
)  # fmt: skip


class Fuzz:
    """What is alive, and random calls of it."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.numbers = np.random.default_rng(seed)
        self.attentions: list[Any] = []
        self.states: list[Any] = []
        self.caches: list[Any] = []

    def chance(self, probability: float) -> bool:
        """True, so often."""
        return self.random.random() < probability

    def tensor(self, *shape: int) -> Any:
        """Numbers of this shape, mostly: sometimes another kind, another length, a NaN."""
        if self.chance(0.03):
            return self.random.choice(ODD)
        if self.chance(0.03):
            shape = (*shape[:-1], max(0, shape[-1] + self.random.choice((-1, 1))))
        array = (self.numbers.random(shape) - 0.5) * self.random.choice((0.05, 0.3, 0.3, 1, 100, 1e30))
        if self.chance(0.03) and array.size:
            array.ravel()[self.random.randrange(array.size)] = self.random.choice((np.nan, np.inf))
        kind = self.random.choice(("<f4", "<f4", "<f4", "<f4", "<f8", "<f2", ">f4", "list"))
        with np.errstate(over="ignore"):
            made = array.tolist() if kind == "list" else array.astype(kind)
        if kind != "list" and self.chance(0.1) and array.ndim > 1:
            made = np.asfortranarray(made)
        return made

    def count(self) -> Any:
        """A dimension."""
        return self.random.choice(ODD) if self.chance(0.05) else self.random.randint(1, 16)

    def options(self, keys: int) -> dict[str, Any]:
        """Options of a call."""
        given: dict[str, Any] = {}
        if self.chance(0.3):
            given["num_neighbors"] = self.random.choice(ODD) if self.chance(0.05) else self.random.randint(0, keys + 2)
        if self.chance(0.3):
            length = keys + (1 if self.chance(0.05) else 0)
            given["mask"] = self.random.choice(ODD) if self.chance(0.05) else self.numbers.random(length) < 0.7
        if self.chance(0.3):
            given["causal"] = True
        return given

    def keep(self, place: list[Any], made: Any) -> None:
        """Hold an object, in place of another where there are enough."""
        if len(place) >= KEPT:
            place.pop(self.random.randrange(KEPT))
        place.append(made)

    def make(self) -> None:
        """Make an attention."""
        curvature = self.random.choice(ODD) if self.chance(0.1) else self.random.uniform(0.1, 2)
        makers: tuple[Callable[[], Any], ...] = (
            lambda: api.ScaledDotProductAttention(self.count()),
            lambda: api.CrossAttention(self.count()),
            lambda: api.LinearAttention(self.count()),
            lambda: api.SelfAttention(self.count()),
            lambda: api.HyperbolicAttention(curvature),
            lambda: api.MultiHeadAttention(self.random.randint(1, 4), 4 * self.random.randint(1, 4)),
        )
        self.keep(self.attentions, self.random.choice(makers)())

    def forward(self) -> None:
        """One call of an attention."""
        attention = self.random.choice(self.attentions)
        dim = min(
            getattr(attention, "dim", None) or getattr(attention, "hidden_dim", None) or self.random.randint(1, 16), 64
        )
        keys, queries = self.random.randint(1, 40), self.random.randint(1, 5)
        width = dim if self.chance(0.5) else self.random.randint(1, 16)
        options = self.options(keys)
        if isinstance(attention, api.SelfAttention):
            return self.check(attention.forward(self.tensor(keys, dim), **options))
        memory = (
            (self.random.choice(self.caches),)
            if self.caches and self.chance(0.3)
            else (self.tensor(keys, dim), self.tensor(keys, width))
        )
        if self.chance(0.5):
            return self.check(attention.forward(self.tensor(dim), *memory, **options))
        if self.chance(0.1):
            for row in attention.forward_stream([self.tensor(dim)], *memory, **options):
                self.check(row)
            return None
        return self.check(attention.forward_batch(self.tensor(queries, dim), *memory, **options))

    def cache(self) -> None:
        """Make a cache, or put rows into one."""
        if not self.caches or self.chance(0.2):
            precision = self.random.choice(("f32", "f16", "bf16", "f8"))
            return self.keep(self.caches, api.KeyValueCache(self.count(), self.count(), precision=precision))
        cache, rows = self.random.choice(self.caches), self.random.randint(0, 20)
        if len(cache) > 200:
            return cache.clear() or None
        return cache.append(self.tensor(rows, min(cache.dim, 64)), self.tensor(rows, min(cache.value_dim, 64))) or None

    def state(self) -> None:
        """Make a state, or use one."""
        if not self.states or self.chance(0.2):
            attention = self.random.choice(self.attentions)
            if isinstance(attention, api.SelfAttention):
                return None
            dim = min(getattr(attention, "dim", None) or self.random.randint(1, 16), 64)
            return self.keep(self.states, attention.state(self.tensor(dim), self.random.randint(1, 16)))
        state, rows = self.random.choice(self.states), self.random.randint(1, 10)
        what = self.random.randrange(4)
        if what == 0:
            return (
                state.push(self.tensor(rows, self.random.randint(1, 16)), self.tensor(rows, self.random.randint(1, 16)))
                or None
            )
        if what == 1:
            return state.merge(self.random.choice(self.states)) or None
        if what == 2:
            return self.check(state.finish())
        data = bytearray(state.to_bytes())
        if self.chance(0.6):
            data[self.random.randrange(len(data))] ^= 1 << self.random.randrange(8)
        cut = len(data) if self.chance(0.8) else self.random.randrange(len(data))
        return self.keep(self.states, api.AttentionState.from_bytes(bytes(data[:cut])))

    def point(self) -> None:
        """A map or a distance of the ball."""
        dim = self.random.randint(1, 16)
        curvature = self.random.choice(ODD) if self.chance(0.1) else self.random.uniform(0.1, 2)
        name = self.random.choice(("to_poincare", "from_poincare", "project_to_ball", "poincare_distance"))
        if name == "poincare_distance":
            return self.check(api.poincare_distance(self.tensor(dim), self.tensor(dim), curvature))
        return self.check(getattr(api, name)(self.tensor(dim), curvature))

    def check(self, result: Any) -> None:
        """A result is finite, or the library is wrong."""
        assert np.isfinite(result).all(), f"a result that is not finite: {result}"

    def step(self) -> None:
        """One random call."""
        if not self.attentions:
            return self.make()
        return self.random.choice(
            (self.forward, self.forward, self.forward, self.forward, self.make, self.cache, self.state, self.point)
        )()


def main() -> int:
    """Call until the time is over."""
    seconds, seed = float(sys.argv[1]), int(sys.argv[2])
    fuzz = Fuzz(seed)
    end = time.monotonic() + seconds
    calls = ok = 0
    while time.monotonic() < end:
        calls += 1
        try:
            fuzz.step()
            ok += 1
        except api.AttentionError as error:
            if error.code == "internal":
                raise
        except BaseException:  # noqa: BLE001 - anything else is what is looked for, a panic too
            print(f"call {calls} of seed {seed}", file=sys.stderr)
            traceback.print_exc()
            return 1
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(
        json.dumps(
            {
                "backend": "python",
                "seed": seed,
                "seconds": seconds,
                "calls": calls,
                "ok": ok,
                "refused": calls - ok,
                "memory_mib": memory,
            }
        )
    )
    return 0 if 0 < ok < calls else 1


if __name__ == "__main__":
    raise SystemExit(main())
