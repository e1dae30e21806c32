"""The reference cases and the verdict on them, shared by the consumers written in Python."""

from __future__ import annotations

import json
import math
import os
import shlex
import struct
import sys
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# One number of each kind in the binary form, which c.c, crate.rs and the WASI reactor's host read.
KINDS = (
    "scaled_dot_product",
    "cross",
    "self",
    "multi_head",
    "hyperbolic",
    "linear",
    "poincare_distance",
    "to_poincare",
    "from_poincare",
)
# kind, m, n, d, dv, heads, neighbors (-1: all), causal, mask length; then curvature as f64.
HEADER = struct.Struct("<9id")
TOLERANCE = 2e-5

Rows = list[list[float]]


@dataclass(frozen=True)
class Case:
    """One reference case; `query`, `keys` and `values` are rows, a point is one row."""

    kind: str
    name: str
    query: Rows
    keys: Rows
    values: Rows
    mask: list[bool] | None
    neighbors: int | None
    causal: bool
    num_heads: int
    curvature: float
    expected: list[float]

    @property
    def label(self) -> str:
        return f"{self.kind}/{self.name}"

    @property
    def is_point(self) -> bool:
        return self.kind.endswith("poincare") or self.kind == "poincare_distance"


def flat(rows: Rows) -> list[float]:
    return [number for row in rows for number in row]


def floats(rows: Rows) -> bytes:
    """Little-endian float32, row-major."""
    data = array("f", flat(rows))
    if sys.byteorder == "big":
        data.byteswap()
    return data.tobytes()


def read_floats(data: bytes) -> tuple[float, ...]:
    """The float32 numbers of little-endian bytes."""
    return struct.unpack(f"<{len(data) // 4}f", data)


def _case(raw: dict[str, Any]) -> Case:
    output = raw["output"]
    query = raw["query"] if "query" in raw else [raw["x"]]
    keys = [raw["y"]] if "y" in raw else raw.get("keys", query)
    return Case(
        kind=raw["kind"],
        name=raw["name"],
        query=query,
        keys=keys,
        values=raw.get("values", query),
        mask=raw.get("mask"),
        neighbors=raw.get("neighbors"),
        causal=raw.get("causal", False),
        num_heads=raw.get("num_heads", 1),
        curvature=raw.get("curvature", 0.0),
        expected=flat(output) if isinstance(output[0], list) else output,
    )


def load(vectors: Path) -> list[Case]:
    return [_case(raw) for raw in json.loads(vectors.read_text(encoding="utf-8"))["cases"]]


def agrees(got: Sequence[float], expected: Sequence[float]) -> bool:
    """|got - expected| <= 2e-5 + 2e-5 |expected| for every element, and nothing missing."""
    return len(got) == len(expected) and all(
        math.isfinite(got[i]) and abs(got[i] - e) <= TOLERANCE + TOLERANCE * abs(e) for i, e in enumerate(expected)
    )


def replay(cases: Sequence[Case], compute: Callable[[Case], Sequence[float]]) -> int:
    """Run every case, print the verdict as one JSON line, return the exit code."""

    def outcome(case: Case) -> Sequence[float] | str:
        try:
            return compute(case)
        except Exception as error:  # noqa: BLE001 - the artifact may fail in any way; each is a failed case
            print(f"{case.label}: {error}", file=sys.stderr)
            return str(error) or type(error).__name__

    return judge(cases, [outcome(case) for case in cases])


def judge(cases: Sequence[Case], results: Sequence[Sequence[float] | str]) -> int:
    """Print the verdict on results, where a text says why there is none; return the exit code.

    RVA_SMOKE_RECORD names a file that gets every result, for those who compare bindings.
    """
    given = iter(results)
    record = []
    for case in cases:
        got = next(given, "no result")
        good = not isinstance(got, str) and agrees(got, case.expected)
        outcome = {"reason": got} if isinstance(got, str) else {"got": list(got)}
        record.append({"case": case.label, "ok": good, **outcome})
    path = os.environ.get("RVA_SMOKE_RECORD")
    if path:
        Path(path).write_text(json.dumps(record), encoding="utf-8")
    failures = [entry["case"] for entry in record if not entry["ok"]]
    passed = len(record) - len(failures)
    verdict = {"passed": passed, "failed": len(failures), "cases": len(record), "failures": failures[:5]}
    print(json.dumps(verdict), flush=True)
    return 0 if passed == len(record) > 0 else 1


def pack(case: Case) -> bytes:
    """The binary form of one case."""
    mask = bytes(case.mask or ())
    header = HEADER.pack(
        KINDS.index(case.kind),
        len(case.query),
        len(case.keys),
        len(case.query[0]),
        len(case.values[0]),
        case.num_heads,
        -1 if case.neighbors is None else case.neighbors,
        case.causal,
        len(mask),
        case.curvature,
    )
    return header + floats(case.query) + floats(case.keys) + floats(case.values) + mask


def unpack(data: bytes) -> list[Sequence[float] | str]:
    """The results that a binary consumer wrote: for each case a count (negative: failed) and f64s."""
    results: list[Sequence[float] | str] = []
    at = 0
    while at < len(data):
        (count,) = struct.unpack_from("<i", data, at)
        at += 4
        results.append("failed" if count < 0 else struct.unpack_from(f"<{count}d", data, at))
        at += 8 * max(count, 0)
    return results


def command(variable: str, default: Sequence[str]) -> list[str]:
    """A command from the environment: a JSON list, or words as a shell would split them."""
    text = os.environ.get(variable, "").strip()
    if not text:
        return list(default)
    return [str(word) for word in json.loads(text)] if text.startswith("[") else shlex.split(text)


def only(folder: Path, *patterns: str) -> Path:
    """The one file under `folder` that matches; anything else is an error that says what was there."""
    found = sorted({path for pattern in patterns for path in folder.rglob(pattern) if path.is_file()})
    if len(found) != 1:
        names = ", ".join(str(path.relative_to(folder)) for path in found) or "none"
        raise SystemExit(f"{folder}: expected one file like {' or '.join(patterns)}, found {names}")
    return found[0]


def arguments(argv: Sequence[str]) -> tuple[Path, Path]:
    if len(argv) != 3:
        raise SystemExit(f"usage: {Path(argv[0]).name} ARTIFACT_DIR VECTORS_JSON")
    return Path(argv[1]).resolve(), Path(argv[2]).resolve()
