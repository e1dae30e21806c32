"""The same random inputs through every binding: the same bits in all that are native, the same within 2e-6 elsewhere.

    python tests/conformance/same_bits.py [--cases N] [--seed N] [--only BINDING] [--browsers]

The artifacts are those of dist/. Exit status 1 where a number differs, or a binding that should have run gave nothing.
"""

from __future__ import annotations

import argparse
import json
import math
import struct
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import random_cases

from bindings import BINDINGS, ROOT, Binding, Outcome, Result, run

# Instruction sets differ in the width and the order of their sums.
TOLERANCE = 2e-6
REFERENCE = "rust"


def main() -> int:
    """Make the inputs, run, compare, print a line a binding."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=180)
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--only", action="append", default=[], metavar="BINDING")
    parser.add_argument("--browsers", action="store_true", help="also run in browsers and in other runtimes")
    parser.add_argument("--dist", type=Path, default=ROOT / "dist")
    options = parser.parse_args()
    chosen = [b for b in BINDINGS if _wanted(b, options.only, everything=options.browsers)]
    with tempfile.TemporaryDirectory(prefix="rva-same-bits-") as name:
        vectors = Path(name) / "vectors.json"
        vectors.write_text(json.dumps({"cases": random_cases.cases(options.seed, options.cases)}), "utf-8")
        outcomes = {binding: run(binding, options.dist, vectors) for binding in chosen}
    reference = next(o for b, o in outcomes.items() if b.id == REFERENCE)
    if not reference.results:
        raise SystemExit(f"the crate gave nothing: {reference.not_run or reference.fault}")
    wrong = 0
    for binding, outcome in outcomes.items():
        said, failed = verdict(binding, outcome, reference)
        wrong += failed
        print(f"{binding.title}: {said}", flush=True)
    refused = sum(not result.got for result in reference.results.values())
    print(
        json.dumps(
            {
                "seed": options.seed,
                "cases": options.cases,
                "refused": refused,
                "bindings": len(outcomes),
                "wrong": wrong,
            }
        )
    )
    return 1 if wrong or refused > options.cases // 10 else 0


def _wanted(binding: Binding, only: Sequence[str], *, everything: bool) -> bool:
    if binding.id == REFERENCE:
        return True
    if only:
        return binding.id in only
    return everything or not (binding.browser or binding.runtime)


def verdict(binding: Binding, outcome: Outcome, reference: Outcome) -> tuple[str, int]:
    """What the comparison of a binding with the crate says, and how many cases differ."""
    if outcome.not_run:
        return f"not run: {outcome.not_run}", 0
    if outcome.fault:
        return f"FAILED: {outcome.fault}", 1
    if not outcome.results:
        return "FAILED: no case", 1
    differ = [name for name, got in outcome.results.items() if not same(got, reference.results[name], binding.native)]
    worst = max((distance(got, reference.results[name]) for name, got in outcome.results.items()), default=0.0)
    kind = "the same bits" if binding.native else f"within {TOLERANCE}, the largest difference {worst:.1g}"
    said = f"{len(outcome.results) - len(differ)} cases {kind}"
    return f"{said}; {len(differ)} DIFFER: {', '.join(differ[:5])}" if differ else said, len(differ)


def same(got: Result, wanted: Result, bits: bool) -> bool:
    """Whether every array of a result is that of the reference; both may be refusals."""
    if not got.got or not wanted.got:
        return not got.got and not wanted.got
    return all(_equal(array, wanted.got[0], bits) for array in got.got)


def _equal(got: Sequence[float], wanted: Sequence[float], bits: bool) -> bool:
    if len(got) != len(wanted):
        return False
    if bits:
        return struct.pack(f"<{len(got)}d", *got) == struct.pack(f"<{len(wanted)}d", *wanted)
    return all(_difference(g, w) <= TOLERANCE for g, w in zip(got, wanted, strict=True))


def distance(got: Result, wanted: Result) -> float:
    """The largest difference of two results, relative to numbers above 1; 0 where one has none."""
    if not got.got or not wanted.got:
        return 0.0
    return max(_difference(g, w) for array in got.got for g, w in zip(array, wanted.got[0], strict=False))


def _difference(got: float, wanted: float) -> float:
    difference = abs(got - wanted) / max(1.0, abs(wanted))
    return difference if math.isfinite(difference) else math.inf


if __name__ == "__main__":
    sys.exit(main())
