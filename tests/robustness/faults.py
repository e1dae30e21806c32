"""Calls the installed Python package with bad arguments: every argument of every function, every fault of its kind.

Each has to raise an AttentionError with a known code, and the process has to compute as before afterwards.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import ruvector_attention as api

DIM, KEYS = 4, 2
CODES = {
    "type", "length", "parameter", "non_finite", "overflow", "outside_ball", "all_masked", "no_visible_key", "unsupported",
    "too_large", "invalid_state", "state_mismatch",
}  # fmt: skip

Faults = Mapping[str, Callable[[], Any]]


@dataclass(frozen=True)
class Target:
    """A function with good arguments, and the faults of each."""

    name: str
    make: Callable[[], Callable[..., Any]]
    good: Mapping[str, Callable[[], Any]]
    faults: Mapping[str, Faults]


class Raises:
    """An object whose every conversion raises."""

    def _raise(self, *_: object) -> Any:
        raise RuntimeError("an exception of the caller")

    __array__ = __index__ = __float__ = __len__ = __iter__ = __getitem__ = __bool__ = _raise
    __dlpack__ = __dlpack_device__ = __buffer__ = _raise


def filled(*shape: int) -> Any:
    """A small tensor of these lengths."""
    return np.full(shape, 0.1, dtype=np.float32)


def changed(array: Any, value: float, place: int = 0) -> Any:
    """The same with one other number."""
    array.ravel()[place] = value
    return array


NOT_TENSORS: Faults = {
    "None": lambda: None,
    "a string": lambda: "0.1",
    "bytes": lambda: b"1234",
    "a dict": dict,
    "a set": lambda: {0.1},
    "a function": lambda: filled,
    "an object": object,
    "a type": lambda: int,
    "a generator": lambda: (x for x in (0.1, 0.2)),
    "an object that raises": Raises,
    "objects": lambda: np.array([object(), object()]),
    "strings": lambda: np.array(["a", "b"]),
    "complex numbers": lambda: np.array([1j, 2j]),
    "dates": lambda: np.array(["2020-01-01"], dtype="datetime64[D]"),
    "records": lambda: np.zeros(2, dtype=[("a", "f4")]),
}


def tensors(*shape: int) -> Faults:
    """Faults of a tensor of this shape."""
    most = shape[-1]
    numbers: Faults = {
        "a NaN": lambda: changed(filled(*shape), np.nan),
        "a NaN at the end": lambda: changed(filled(*shape), np.nan, -1),
        "infinity": lambda: changed(filled(*shape), np.inf),
        "a double beyond float32": lambda: changed(filled(*shape).astype(np.float64), 1e300),
        "a list with a NaN": lambda: changed(filled(*shape), np.nan).tolist(),
    }
    shapes: Faults = {
        "nothing": lambda: np.empty(0, dtype=np.float32),
        "an empty list": list,
        "no rows": lambda: np.empty((0, most), dtype=np.float32),
        "rows of nothing": lambda: np.empty((2, 0), dtype=np.float32),
        "one column too few": lambda: filled(*shape[:-1], most - 1),
        "one column too many": lambda: filled(*shape[:-1], most + 1),
        "one dimension too many": lambda: filled(1, 2, *shape),
        "a scalar": lambda: np.float32(0.1),
        "ragged lists": lambda: [[0.1, 0.2], [0.1]],
        "lists of strings": lambda: [["a", "b"]],
        "lists of None": lambda: [None, None],
    }
    return {**NOT_TENSORS, **numbers, **shapes}


def copied(*shape: int) -> Faults:
    """What `forward` converts and a prepared call could not read anew."""
    return {
        "doubles": lambda: filled(*shape).astype(np.float64),
        "a list of numbers": lambda: filled(*shape).tolist(),
        "every other number": lambda: filled(*shape[:-1], 2 * shape[-1])[..., ::2],
    }


# In a key it can mean a weight of zero, and then the result is finite: the cause is looked for only where it is not.
MINUS_INFINITY: Faults = {"minus infinity": lambda: changed(filled(KEYS, DIM), -np.inf, -1)}
OUTSIDE: Faults = {
    "a point on the boundary": lambda: np.eye(KEYS, DIM, dtype=np.float32),
    "a point outside the ball": lambda: np.full((KEYS, DIM), 0.9, dtype=np.float32),
}
POINT_OUTSIDE: Faults = {name: (lambda make=make: make()[0]) for name, make in OUTSIDE.items()}  # type: ignore[misc]

COUNTS: Faults = {
    "zero": lambda: 0,
    "minus one": lambda: -1,
    "a fraction": lambda: 1.5,
    "a NaN": lambda: float("nan"),
    "infinity": lambda: float("inf"),
    "beyond 64 bits": lambda: 2**80,
    "a string": lambda: "4",
    "bytes": lambda: b"4",
    "a list": lambda: [4],
    "an array": lambda: np.ones(2),
    "an object": object,
    "an object that raises": Raises,
    "a complex number": lambda: 1j,
}
HUGE: Faults = {"a huge number": lambda: 2**62}
CURVATURES: Faults = {
    "zero": lambda: 0.0,
    "minus zero": lambda: -0.0,
    "below zero": lambda: -1.0,
    "a NaN": lambda: float("nan"),
    "infinity": lambda: float("inf"),
    "minus infinity": lambda: float("-inf"),
    "None": lambda: None,
    "a string": lambda: "1",
    "a list": lambda: [1.0],
    "an array": lambda: np.ones(2),
    "an object": object,
    "an object that raises": Raises,
    "beyond a double": lambda: 10**400,
}


def _read_only() -> Any:
    array = filled(DIM)
    array.setflags(write=False)
    return array


OPTIONS: Mapping[str, Faults] = {
    "num_neighbors": COUNTS,
    "mask": {
        "too short": lambda: np.ones(KEYS - 1, dtype=bool),
        "too long": lambda: np.ones(KEYS + 1, dtype=bool),
        "no key": lambda: np.zeros(KEYS, dtype=bool),
        "no key in a list": lambda: [False] * KEYS,
        "floats": lambda: np.ones(KEYS, dtype=np.float32),
        "two dimensions": lambda: np.ones((1, KEYS), dtype=bool),
        "strings": lambda: ["yes", "no"],
        "a number": lambda: 1,
        "a string": lambda: "11",
        "an object that raises": Raises,
        "nothing": list,
    },
    "causal": {"a string": lambda: "yes", "an object that raises": Raises, "a list": lambda: [True]},
    "training": {"a string": lambda: "yes", "an object that raises": Raises},
    "seed": {name: COUNTS[name] for name in ("minus one", "a fraction", "a string", "beyond 64 bits", "an object")},
    "out": {
        "too short": lambda: filled(DIM - 1),
        "too long": lambda: filled(DIM + 1),
        "doubles": lambda: np.zeros(DIM),
        "a list": lambda: [0.0] * DIM,
        "read only": _read_only,
        "with gaps": lambda: filled(2 * DIM)[::2],
        "bytes": lambda: bytes(4 * DIM),
        "an object that raises": Raises,
    },
}

CLASSES: Mapping[str, tuple[Any, ...]] = {
    "ScaledDotProductAttention": (DIM,),
    "MultiHeadAttention": (2, DIM),
    "HyperbolicAttention": (1.0,),
    "LinearAttention": (DIM,),
    "CrossAttention": (DIM,),
}


def targets() -> list[Target]:
    """Everything that can be called."""
    found: list[Target] = []
    for name, parameters in CLASSES.items():
        found += _mechanism(name, parameters)
    for name in ("ScaledDotProductAttention", "LinearAttention", "CrossAttention", "SelfAttention"):
        made = getattr(api, name)
        found.append(
            Target(name, lambda made=made: made, {"dim": lambda: DIM}, {"dim": {**COUNTS, "None": lambda: None}})
        )  # type: ignore[misc]
    heads = {"num_heads": lambda: 2, "hidden_dim": lambda: DIM, "dropout": lambda: 0.0}
    wrong_dropout: Faults = {
        "one": lambda: 1.0, "below zero": lambda: -0.1, "a NaN": lambda: float("nan"), "infinity": lambda: float("inf"),
        "a string": lambda: "0.1", "an object that raises": Raises,
    }  # fmt: skip
    found.append(
        Target(
            "MultiHeadAttention",
            lambda: api.MultiHeadAttention,
            heads,
            {"num_heads": {**COUNTS, "no divisor": lambda: 3}, "hidden_dim": COUNTS, "dropout": wrong_dropout},
        )
    )
    found.append(
        Target(
            "HyperbolicAttention",
            lambda: api.HyperbolicAttention,
            {"curvature": lambda: 1.0},
            {"curvature": CURVATURES},
        )
    )
    found += _ball()
    found += _self()
    if hasattr(api, "KeyValueCache"):
        found += _cache()
    return found


def _mechanism(name: str, parameters: tuple[Any, ...]) -> list[Target]:
    def made() -> Any:
        return getattr(api, name)(*parameters)

    ball = name == "HyperbolicAttention"
    query = {**tensors(DIM), **(POINT_OUTSIDE if ball else {})}
    rows = {**tensors(KEYS, DIM), **(OUTSIDE if ball else {})}
    memory = {"keys": lambda: filled(KEYS, DIM), "values": lambda: filled(KEYS, DIM)}
    values = {**rows, **MINUS_INFINITY}
    if name != "MultiHeadAttention":  # whose heads share the width of the values
        values = _without(values, "one column too few", "one column too many")
    found = []
    for method, first, faults in (("forward", "query", query), ("forward_batch", "queries", rows)):
        shape = (DIM,) if first == "query" else (KEYS, DIM)
        good = {first: lambda shape=shape: filled(*shape), **memory}  # type: ignore[misc]

        def call(method: str = method) -> Any:
            return getattr(made(), method)

        found.append(Target(f"{name}.{method}", call, good, {first: faults, "keys": rows, "values": values}))
        options = {option: wrong for option, wrong in OPTIONS.items() if option != "out" or method == "forward"}
        found.append(Target(f"{name}.{method} options", call, good, options))
    one = {"query": lambda: filled(DIM), **memory}
    wrong: dict[str, Faults] = {
        "query": {**query, **copied(DIM)},
        "keys": {**rows, **copied(KEYS, DIM)},
        "values": {**values, **copied(KEYS, DIM)},
    }
    for which, faulty in (("", wrong), (" options", OPTIONS)):
        found.append(
            Target(f"{name}.prepare{which}", lambda: lambda **given: made().prepare(**given).run(), one, faulty)
        )
    if hasattr(made(), "state"):
        found += _state(name, made, query, rows, values)
    return found


def _state(name: str, made: Callable[[], Any], query: Faults, rows: Faults, values: Faults) -> list[Target]:
    def state() -> Any:
        return made().state(filled(DIM), DIM)

    memory = {"keys": lambda: filled(KEYS, DIM), "values": lambda: filled(KEYS, DIM)}
    merges: Faults = {
        **NOT_TENSORS,
        "another width": lambda: api.ScaledDotProductAttention(3).state(filled(3), 3),
        "another value width": lambda: made().state(filled(DIM), DIM * 2),
    }
    if name == "HyperbolicAttention":  # it has no dimension of its own
        query = _without(query, "one column too few", "one column too many")
    return [
        Target(f"{name}.state", lambda: made().state, {"queries": lambda: filled(DIM)}, {"queries": query}),
        Target(f"{name}.state push", lambda: state().push, memory, {"keys": rows, "values": values}),
        Target(f"{name}.state merge", lambda: state().merge, {"other": state}, {"other": merges}),
    ]


def _ball() -> list[Target]:
    point = {"x": lambda: filled(DIM)}
    pair = {**point, "y": lambda: filled(DIM)}
    any_length = _without(tensors(DIM), "one column too few", "one column too many")
    wrong = {**tensors(DIM), **POINT_OUTSIDE}
    found = [
        Target(
            "poincare_distance",
            lambda: api.poincare_distance,
            {**pair, "curvature": lambda: 1.0},
            {"x": wrong, "y": wrong, "curvature": CURVATURES},
        )
    ]
    for name in ("to_poincare", "from_poincare", "project_to_ball"):
        outside = POINT_OUTSIDE if name == "from_poincare" else {}
        found.append(
            Target(
                name,
                lambda name=name: getattr(api, name),  # type: ignore[misc]
                {**point, "curvature": lambda: 1.0},
                {"x": {**any_length, **outside}, "curvature": CURVATURES},
            )
        )
    return found


def _self() -> list[Target]:
    made = api.SelfAttention
    rows = _without(tensors(KEYS, DIM), "no rows")
    sequence = {"x": lambda: filled(KEYS, DIM)}
    return [
        Target("SelfAttention.forward", lambda: made(DIM).forward, sequence, {"x": rows}),
        Target(
            "SelfAttention.forward options", lambda: made(DIM).forward, sequence,
            {option: wrong for option, wrong in OPTIONS.items() if option != "out"},
        ),
    ]  # fmt: skip


def _cache() -> list[Target]:
    def full(dim: int) -> Any:
        cache = api.KeyValueCache(dim)
        cache.append(filled(KEYS, dim), filled(KEYS, dim))
        return cache

    # Numbers are looked at where they are used.
    rows = {k: v for k, v in tensors(KEYS, DIM).items() if "NaN" not in k and "infinity" not in k and "beyond" not in k}
    return [
        Target(
            "KeyValueCache", lambda: api.KeyValueCache, {"dim": lambda: DIM, "value_dim": lambda: DIM, "precision": lambda: "f32"},
            {"dim": COUNTS, "value_dim": COUNTS, "precision": {"another": lambda: "f8", "a number": lambda: 16, "an object": object}},
        ),
        Target(
            "KeyValueCache.append", lambda: api.KeyValueCache(DIM).append,
            {"keys": lambda: filled(KEYS, DIM), "values": lambda: filled(KEYS, DIM)}, {"keys": rows, "values": rows},
        ),
        Target(
            "forward over a cache", lambda: lambda keys: api.ScaledDotProductAttention(DIM).forward(filled(DIM), keys),
            {"keys": lambda: full(DIM)},
            {"keys": {"empty": lambda: api.KeyValueCache(DIM), "of another length": lambda: full(3), "alone": lambda: filled(KEYS, DIM)}},
        ),
        Target(
            "AttentionState.from_bytes", lambda: api.AttentionState.from_bytes,
            {"data": lambda: api.ScaledDotProductAttention(DIM).state(filled(DIM), DIM).to_bytes()},
            {"data": {
                "None": lambda: None, "a string": lambda: "abc", "a number": lambda: 5, "nothing": lambda: b"",
                "zeros": lambda: bytes(64), "noise": lambda: bytes(i * 37 % 256 for i in range(200)),
                "cut short": lambda: api.ScaledDotProductAttention(DIM).state(filled(DIM), DIM).to_bytes()[:-1],
                "an object that raises": Raises,
            }},
        ),
    ]  # fmt: skip


def _without(faults: Faults, *names: str) -> Faults:
    return {name: make for name, make in faults.items() if name not in names}


def outcome(call: Callable[..., Any], arguments: Mapping[str, Any]) -> str:
    """What came of a call, in words."""
    try:
        call(**arguments)
    except api.AttentionError as error:
        if getattr(error, "code", None) not in CODES:
            return f"code {getattr(error, 'code', None)}: {error}"
        return (
            "refused" if isinstance(getattr(error, "argument", None), str) and str(error) else "no argument or message"
        )
    except BaseException as error:  # noqa: BLE001 - anything else is what is looked for, a panic too
        return f"{type(error).__name__}: {error}"
    return "accepted"


def main() -> int:
    """Make every call, print what was not refused, and a summary in JSON."""
    count = 0
    wrong = []
    for target in targets():
        good = {name: make() for name, make in target.good.items()}
        fine = outcome(target.make(), good)
        if fine != "accepted":
            wrong.append(f"{target.name} with good arguments: {fine}")
        for argument, faults in target.faults.items():
            for fault, make in faults.items():
                count += 1
                said = outcome(target.make(), {**good, argument: make()})
                if said != "refused":
                    wrong.append(f"{target.name}, {argument}, {fault}: {said}")
    after = float(api.ScaledDotProductAttention(2).forward([1, 0], [[1, 0], [0, 1]], [[3], [3]])[0])
    if abs(after - 3) > 1e-6:
        wrong.append(f"a good call gives {after} afterwards")
    for line in wrong:
        print(line, file=sys.stderr)
    summary = {"backend": "python", "faults": count, "refused": count - len(wrong), "wrong": len(wrong)}
    print(json.dumps(summary))
    return 1 if wrong or count < 300 else 0


if __name__ == "__main__":
    raise SystemExit(main())
