"""What `rva bench bindings` promises is judged by numbers: met, missed and not run are told apart."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import history
import pytest
import startup
import targets
from contenders import NATIVE, NPM
from versus.model import Entry, Problem, Result

PROBLEM = Problem(dim=128, keys=1000)


def result(contender: str, way: str, ns: int, reason: str = "") -> Result:
    return Result(Entry(contender, PROBLEM, way=way), ns=[ns] if not reason else [], reason=reason)


def judged(*results: Result, case: str = "flat-1000", sizes: dict[str, int] | None = None) -> dict[str, targets.Target]:
    return {t.name: t for t in targets.evaluate({case: results}, sizes or {})}


def test_a_share_is_met_or_missed() -> None:
    name = "Node.js, 1000 keys: share of the core"
    fast = judged(result(NATIVE, "", 950), result("Node.js", "flat", 1000))[name]
    slow = judged(result(NATIVE, "", 949), result("Node.js", "flat", 1000))[name]
    assert (fast.met, slow.met) == (True, False)
    assert "MISSED" in targets.summary([slow]) and "1 MISSED" in targets.summary([slow])


def test_webassembly_is_compared_with_its_own_width() -> None:
    core, narrow = result(NATIVE, "", 500), result(NATIVE, targets.NARROW, 1000)
    found = judged(core, narrow, result("WASM simd128, Node.js", "resident keys", 1600))
    target = found["WASM simd128, Node.js, 1000 keys: share of the core at 128 bits (sse2)"]
    assert target.met and target.measured.startswith("62.5% (31.2% of the core's")


def test_what_was_not_run_is_neither() -> None:
    failed = result("Node.js", "flat", 1, reason="not run: no addon")
    for target in judged(result(NATIVE, "", 1000), failed).values():
        assert target.met is None and target.measured == "not run"


def test_the_fixed_cost_is_beyond_the_cores_own() -> None:
    name = "Node.js: fixed cost of a call"
    assert judged(result(NATIVE, "", 100), result("Node.js", "flat", 900), case="fixed")[name].met
    assert judged(result(NATIVE, "", 100), result("Node.js", "flat", 901), case="fixed")[name].met is False


def test_ratios_and_sizes() -> None:
    found = judged(
        result(NPM, "DotProductAttention", 5000),
        result("Node.js", "flat", 100),
        result("Node.js", "rows", 2501),
        sizes={"a": 45_000, "b": 45_001},
    )
    assert found[f"Node.js [flat] against {NPM}, 1000 keys"].met
    assert found[f"Node.js [rows] against {NPM}, 1000 keys"].met is False
    assert found["a: module, gzipped"].met and found["b: module, gzipped"].met is False


def run_of(core: float, node: float, start: float = 30.0, size: int = 1000) -> dict[str, Any]:
    """A run as its JSON file has it."""
    results = [
        {"contender": NATIVE, "way": "", "median_ns": core},
        {"contender": "Node.js", "way": "flat", "median_ns": node},
        {"contender": "C", "way": "", "reason": "not run: no compiler"},
    ]
    about = {"date": "2026-11-24", "commit": "0" * 40, "command": "rva bench bindings", "seconds": 1.0}
    return {
        **about,
        "machine": {"processor": "x"},
        "cases": {"flat-1000": results},
        "startup": {"Node.js alone": start},
        "sizes": {"a.node": {"bytes": size, "budget": 2000}},
    }


@pytest.mark.parametrize(
    ("now", "slower"),
    [
        (run_of(1000, 1100), []),
        (run_of(1000, 1215), ["flat-1000: Node.js [flat], times the core's"]),
        (run_of(1120, 1232), ["flat-1000: core on x, ns"]),
        # The whole machine was slower: the core's own figure tells, and no binding is blamed.
        (run_of(2000, 2200), ["flat-1000: core on x, ns"]),
        (run_of(1000, 1100, start=34), ["start-up: Node.js alone, ms"]),
        (run_of(1000, 1100, size=1101), ["size: a.node, bytes"]),
    ],
)
def test_a_regression_of_ten_percent_is_seen(now: dict[str, Any], slower: list[str]) -> None:
    found = history.regressions(run_of(1000, 1100), now, 10)
    assert [change.name for change in found] == slower
    assert ("slower or larger" in "\n".join(history.page(history.changes(run_of(1000, 1100), now), 10))) == bool(slower)


def test_a_history_grows_by_a_line_a_run(tmp_path: Path) -> None:
    for node in (1100, 1300):
        history.append(tmp_path / "h.jsonl", run_of(1000, node))
    lines = [json.loads(line) for line in (tmp_path / "h.jsonl").read_text("utf-8").splitlines()]
    assert [line["figures"]["flat-1000: Node.js [flat], times the core's"] for line in lines] == [1.1, 1.3]


@pytest.mark.process
def test_starts_are_measured_in_turns_and_failures_left_out() -> None:
    found = startup.measure({"good": [sys.executable, "-c", "0"], "bad": [sys.executable, "-c", "1/0"]}, rounds=2)
    assert list(found) == ["good"] and found["good"] > 0
