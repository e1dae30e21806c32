"""What `rva bench bindings` promises is judged by numbers: met, missed and not run are told apart."""

from __future__ import annotations

import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import compare
import history
import pytest
import startup
import targets
from contenders import INSIDE, NATIVE, NPM
from packed import unpack
from versus import machine, measure
from versus.model import QUICK, Case, Entry, Problem, Result
from versus.tensors import Tensors

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


def test_a_binding_is_compared_with_the_core_over_its_own_arrays() -> None:
    elsewhere, inside = result(NATIVE, "", 900), result("Node.js", INSIDE, 960)
    found = judged(elsewhere, inside, result("Node.js", "flat", 1000), result("Node.js", "prepared", 990))
    assert found["Node.js, 1000 keys: share of the core"].measured.startswith("96.0%")
    assert found["Node.js [prepared], 1000 keys: share of the core"].met
    fixed = judged(elsewhere, inside, result("Node.js", "flat", 1761), case="fixed")["Node.js: fixed cost of a call"]
    assert fixed.met is False and fixed.measured == "801 ns"


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


def run_of(core: float, node: float, start: float = 30.0, size: int = 1000, noise: float = 0.0) -> dict[str, Any]:
    """A run as its JSON file has it."""
    results = [
        {"contender": NATIVE, "way": "", "median_ns": core, "noise": 0.0},
        {"contender": "Node.js", "way": "flat", "median_ns": node, "noise": noise},
        {"contender": "C", "way": "", "reason": "not run: no compiler"},
    ]
    about = {"date": "2026-11-24", "commit": "0" * 40, "command": "rva bench bindings", "seconds": 1.0}
    return {
        **about,
        "effort": "full",
        "machine": {"processor": "x", "scheduling": "shared"},
        "cases": {"flat-1000": results},
        "startup": {"Node.js alone": {"ms": start, "noise": 0.0}},
        "sizes": {"a.node": {"bytes": size, "budget": 2000}},
    }


NODE = "flat-1000: Node.js [flat], times the core's"


@pytest.mark.parametrize(
    ("now", "slower"),
    [
        (run_of(1000, 1100), []),
        (run_of(1000, 1215), [NODE]),
        (run_of(1120, 1232), ["flat-1000: core on x, ns"]),
        # The whole machine was slower: the core's own figure tells, and no binding is blamed.
        (run_of(2000, 2200), ["flat-1000: core on x, ns"]),
        # What this run is off by itself is no regression; more than that is.
        (run_of(1000, 1215, noise=0.06), []),
        (run_of(1000, 1250, noise=0.06), [NODE]),
        (run_of(1000, 1100, start=34), ["start-up: Node.js alone, ms"]),
        (run_of(1000, 1100, size=1101), ["size: a.node, bytes"]),
    ],
)
def test_a_regression_of_ten_percent_is_seen(now: dict[str, Any], slower: list[str]) -> None:
    before, after = history.figures(run_of(1000, 1100)), history.figures(now)
    assert [change.name for change in history.regressions(before, after, 10)] == slower
    text = "\n".join(history.page(history.changes(before, after), "it", 10))
    assert ("**slower or larger**" in text) == bool(slower)


def test_a_run_is_held_against_the_last_ones_of_its_place(tmp_path: Path) -> None:
    path = tmp_path / "h.jsonl"
    assert history.earlier(path, run_of(1, 1)) == (0, {})
    elsewhere = {**run_of(1000, 9000), "effort": "quick"}
    for run in (run_of(1000, 5000), *(run_of(1000, node) for node in (1100, 1120, 1110, 1130, 1090)), elsewhere):
        history.append(path, run, history.figures(run))
    assert len(path.read_text("utf-8").splitlines()) == 7, "a line a run"
    count, before = history.earlier(path, run_of(1000, 1))
    assert (count, before[NODE]) == (5, history.Figure(1.11, pytest.approx(0.0135, abs=0.0001)))
    assert history.regressions(before, history.figures(run_of(1000, 1150)), history.WORTH) == []
    [change] = history.regressions(before, history.figures(run_of(1000, 1221)), history.WORTH)
    assert change.told("the last 5 runs") == f"{NODE}: 1.11 in the last 5 runs, 1.221 now (+10.0 %, noise 2.7 %)"


def test_of_what_was_measured_again_the_lower_counts() -> None:
    first = {"a": history.Figure(2.0), "b": history.Figure(1.0)}
    again = {"a": history.Figure(1.5, 0.1), "b": history.Figure(3.0), "c": history.Figure(1.0)}
    assert history.lower(first, again) == {"a": history.Figure(1.5, 0.1), "b": history.Figure(1.0)}


def test_only_what_seems_to_have_grown_is_measured_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    entries = tuple(Entry(name, PROBLEM, way=way) for name, way in ((NATIVE, ""), ("Node.js", "flat"), ("C", "")))
    cases = [Case("flat-1000", "", entries), Case("fixed", "", entries)]
    asked: list[Case] = []

    def measured(wanted: list[Case], *_: object, **__: object) -> tuple[dict[str, list[Result]], dict[str, str]]:
        asked.extend(wanted)
        return {c.id: [Result(e, ns=[1000]) for e in c.entries] for c in wanted}, {}

    monkeypatch.setattr(compare, "_measured", measured)
    run = run_of(1000, 1100)
    assert compare._again(set(), run, cases, [], {}, tmp_path, quick=True) == {} and asked == []
    again = compare._again({NODE, "size: a.node, bytes"}, run, cases, [], {}, tmp_path, quick=True)
    assert [(c.id, [e.contender for e in c.entries]) for c in asked] == [("flat-1000", [NATIVE, "Node.js"])]
    assert again[NODE] == history.Figure(1.0)


def test_noise_is_how_far_parts_of_a_run_lie_apart() -> None:
    assert history.noise([100] * 80) == 0 == history.noise([100] * 3)
    assert history.noise([100, 110] * 2 + [100] * 76) == 0, "a few slow calls are not the part's middle"
    assert 0.04 < history.noise(([100] * 10 + [110] * 10) * 4) < 0.06


SPIN = """
import sys, time
from lines import answer_all, time_groups
tasks = {}
def spin(turns):
    end = time.perf_counter_ns() + turns * int(sys.argv[1])
    while time.perf_counter_ns() < end: pass
def answer(ask):
    if ask["do"] == "run":
        return {"ns": time_groups(spin, ask["seconds"], ask["most"], 0)}
    return {}
answer_all(answer)
"""


@dataclass(frozen=True)
class Spins:
    """A process whose call takes so many nanoseconds."""

    name: str
    ns: int

    @property
    def process(self) -> str:
        return self.name

    def command(self) -> list[str]:
        return [sys.executable, "-c", SPIN, str(self.ns)]

    def ways(self, problem: Problem, threads: int) -> tuple[str, ...]:
        return ("flat",)

    def request(self, problem: Problem) -> dict[str, object]:
        return {}


@pytest.mark.process
def test_a_made_regression_is_measured_and_noise_is_not(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Real processes, turn by turn: the same again three times, then one that takes 10 % more."""
    monkeypatch.setenv("PYTHONPATH", str(root / "bench" / "core" / "workers"))
    path = tmp_path / "h.jsonl"
    found = []
    for ns in (200_000, 200_000, 200_000, 220_000):
        pool = measure.Pool([Spins(NATIVE, 100_000), Spins("Node.js", ns)], machine.cpus())
        try:
            entries = (Entry(NATIVE, PROBLEM), Entry("Node.js", PROBLEM, way="flat"))
            results = measure.Run(pool, Tensors(tmp_path), QUICK).measure(Case("flat-1000", "", entries))
        finally:
            pool.close()
        assert all(r.ok for r in results), [r.reason for r in results]
        run = {**run_of(1, 1), "cases": {"flat-1000": [compare._as_json(r) for r in results]}}
        _, before = history.earlier(path, run)
        found.append([c.name for c in history.regressions(before, history.figures(run), history.WORTH)])
        history.append(path, run, history.figures(run))
    assert found == [[], [], [], [NODE]]


@pytest.mark.process
def test_starts_are_measured_in_turns_and_failures_left_out() -> None:
    found = startup.measure({"good": [sys.executable, "-c", "0"], "bad": [sys.executable, "-c", "1/0"]}, rounds=2)
    assert list(found) == ["good"] and found["good"]["ms"] > 0


def test_what_is_measured_of_webassembly_is_the_package_of_this_build(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="there are 0; `rva package` makes it"):
        unpack(tmp_path, {}, tmp_path / "into")
    module = tmp_path / "package" / "wasm" / "simd128.wasm"
    module.parent.mkdir(parents=True)
    module.write_bytes(b"one build")
    with tarfile.open(tmp_path / "ruvector-attention-wasm-1.0.0.tgz", "w:gz") as archive:
        archive.add(module.parents[1], "package")
    assert (unpack(tmp_path, {"simd128": module}, tmp_path / "into") / "wasm" / "simd128.wasm").is_file()
    module.write_bytes(b"another")
    with pytest.raises(OSError, match="is of another build than"):
        unpack(tmp_path, {"simd128": module}, tmp_path / "again")
