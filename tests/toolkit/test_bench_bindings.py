"""What `rva bench bindings` promises is judged by numbers: met, missed and not run are told apart."""

from __future__ import annotations

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
