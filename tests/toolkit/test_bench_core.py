"""The comparing harness: statistics, turns, wrong and crashing contenders, targets, plots."""

from __future__ import annotations

import itertools
import json
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from versus import cases, contenders, measure, oracle, plot, report, targets, worker
from versus.contenders import FromNpm, FromPython, Limit, Ours
from versus.model import Case, Effort, Entry, Problem, Result
from versus.tensors import Tensors, draw, encode, read

EFFORT = Effort(turn_s=0.0, rounds=4, budget_s=1.0)
SMALL = Problem(dim=4, keys=6)


# Statistics


def test_median_and_best() -> None:
    assert Result(Entry("a", SMALL), [5, 1, 9]).median == 5
    assert Result(Entry("a", SMALL), [5, 1, 9, 7]).median == 6
    assert Result(Entry("a", SMALL), [5, 1, 9]).best == 1


def test_operations_and_bytes() -> None:
    assert SMALL.operations == 4 * 6 * 4
    assert SMALL.bytes_read == 2 * 6 * 4 * 4 and replace(SMALL, element="f16").bytes_read == 2 * 6 * 4 * 2
    causal = Problem(dim=4, keys=6, queries=3, heads=2, causal=True)
    assert causal.operations == 4 * (4 + 5 + 6) * 8


# Turns


def live(*names: str) -> list[Any]:
    return [measure._Live(name, Result(Entry(name, SMALL))) for name in names]


def test_each_round_begins_with_another_contender() -> None:
    orders = ["".join(one.id for one in measure.turn_order(live("a", "b", "c"), number)) for number in range(4)]
    assert orders == ["abc", "bca", "cab", "abc"]
    assert list(measure.turn_order([], 3)) == []


@pytest.mark.parametrize("quota", [1, 2, 3, 7, 24])
def test_a_slow_contender_has_fewer_turns_evenly(quota: int) -> None:
    turns = [number for number in range(24) if measure.has_turn(quota, number, 24)]
    assert len(turns) == quota
    gaps = {b - a for a, b in itertools.pairwise(turns)}
    assert not gaps or max(gaps) - min(gaps) <= 1


# Contenders, sound and broken


@dataclass
class Fake:
    """A worker in this process: ``fault`` names what it does wrong."""

    name: str
    diary: list[str]
    fault: str = ""

    def __post_init__(self) -> None:
        self.problems: dict[str, Mapping[str, object]] = {}

    def ask(self, request: Mapping[str, object], timeout: float = 1.0) -> dict[str, object]:
        todo, key = str(request["do"]), str(request.get("id"))
        if self.fault == todo:
            raise worker.WorkerGone("the process ended with status -11: no word")
        if self.fault == f"refuse {todo}":
            raise worker.WorkerError("no such way")
        if todo == "prepare":
            self.problems[key] = request
            return {"with": "fake"}
        if todo == "run":
            self.diary.append(self.name)
            return {"ns": [100, 200]}
        if todo == "result":
            self._result(self.problems[key], Path(str(request["path"])))
        return {}

    def _result(self, ask: Mapping[str, object], path: Path) -> None:
        q, k, v = (read(Path(str(ask[name])), "f32") for name in ("queries", "keys", "values"))
        d = SMALL.dim
        result = oracle.solve(SMALL, q.reshape(-1, d), k.reshape(-1, d), v.reshape(-1, d)).astype("<f4")
        if self.fault == "wrong":
            result *= np.float32(1.01)
        if self.fault == "short":
            result = result[:, :-1]
        if self.fault == "nan":
            result[0, 0] = np.nan
        result.tofile(path)

    def pause(self) -> None:
        self.diary.append(f"{self.name} stands")

    def resume(self) -> None:
        self.diary.append(f"{self.name} goes")

    def close(self) -> None:
        self.diary.append(f"{self.name} ends")


class FakePool(measure.Pool):
    """Starts fakes, one a contender."""

    def __init__(self, faults: dict[str, str]) -> None:
        super().__init__([FromPython(Path(), name, "", ("w",), ("w",)) for name in faults], [0])
        self.faults, self.diary = faults, []

    def start(self, contender: Any, threads: int) -> Fake:
        return Fake(contender.name, self.diary, self.faults[contender.name])


def run(tmp_path: Path, **faults: str) -> tuple[dict[str, Result], list[str]]:
    pool = FakePool(faults)
    case = Case("c", "C", tuple(Entry(name, SMALL, 1, "w") for name in faults))
    results = measure.Run(pool, Tensors(tmp_path), EFFORT).measure(case)
    assert list(tmp_path.glob("[qkv]-*")) == [], "tensors are removed after their case"
    return {r.entry.contender: r for r in results}, pool.diary


def test_turns_are_interleaved_and_only_one_contender_is_awake(tmp_path: Path) -> None:
    results, diary = run(tmp_path, a="", b="", c="")
    turns = [word for word in diary if word in "abc"][6:]
    assert turns == list("abcbcacababc")
    assert all(r.ok and len(r.ns) == 8 and r.error is not None and r.error < 1e-6 for r in results.values())
    awake: set[str] = set()
    for word in diary:
        name, _, does = word.partition(" ")
        if does == "goes":
            assert not awake
            awake.add(name)
        elif does == "stands":
            awake.remove(name)


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("wrong", "wrong result: off by 0.01"),
        ("nan", "wrong result: off by nan"),
        ("short", "wrong result: 3 numbers where 4 belong"),
        ("refuse prepare", "not run: no such way"),
        ("prepare", "not run: the process ended with status -11"),
        ("run", "not run: the process ended with status -11"),
        ("result", "not run: the process ended with status -11"),
    ],
)
def test_a_broken_contender_is_reported_and_the_others_go_on(tmp_path: Path, fault: str, reason: str) -> None:
    results, _ = run(tmp_path, sound="", broken=fault)
    assert results["broken"].reason.startswith(reason) and not results["broken"].ok
    assert results["sound"].ok and len(results["sound"].ns) == 8
    found = targets.Found({"c": list(results.values())})
    assert found.median("c", "broken") is None and found.median("c", "sound") == 150


@pytest.mark.process
def test_a_process_that_dies_or_babbles_is_gone(tmp_path: Path) -> None:
    def start(code: str) -> worker.Worker:
        return worker.Worker([sys.executable, "-c", code], {}, measure_cpus())

    dead = start("import sys; sys.stdin.readline(); sys.exit('a word of farewell')")
    with pytest.raises(worker.WorkerGone, match=r"status 1: a word of farewell"):
        dead.ask({"do": "run"})
    dead.close()
    babbler = start("import sys; sys.stdin.readline(); print('hello', flush=True); sys.stdin.read()")
    with pytest.raises(worker.WorkerGone, match="no JSON"):
        babbler.ask({"do": "run"})
    hanging = start("import sys; sys.stdin.read()")
    with pytest.raises(worker.WorkerGone, match="no answer within 0 s"):
        hanging.ask({"do": "run"}, timeout=0.1)
    hanging.close()
    good = start('import sys\nfor line in sys.stdin: print(\'{"error": "no"}\', flush=True)')
    good.pause()
    good.resume()
    with pytest.raises(worker.WorkerError, match="no"):
        good.ask({"do": "run"})
    good.close()


@pytest.mark.process
@pytest.mark.parametrize(("cpus", "looks"), [(1, 0), (2, 4)])
def test_a_pool_that_still_spins_is_waited_for(monkeypatch: pytest.MonkeyPatch, cpus: int, looks: int) -> None:
    """Stopped as it spins, it would go on beside the process's next task and take a thread's processor from it."""
    used = iter([0.0, 0.01, 0.02, 0.02])
    monkeypatch.setattr(worker.Worker, "_cpu_s", lambda _: next(used))
    spinner = worker.Worker([sys.executable, "-c", "import sys; sys.stdin.read()"], {}, measure_cpus() * cpus)
    spinner.pause()
    spinner.close()
    assert 4 - len(list(used)) == looks


@pytest.mark.process
@pytest.mark.skipif(not hasattr(time, "pthread_getcpuclockid"), reason="this system has no clocks of processes")
def test_the_processor_time_of_a_worker_is_known() -> None:
    busy = worker.Worker([sys.executable, "-c", "while True: pass"], {}, measure_cpus())
    deadline = time.monotonic() + 30
    while busy._cpu_s() < 0.02 and time.monotonic() < deadline:
        time.sleep(0.01)
    used = busy._cpu_s()
    busy._process.kill()
    busy.close()
    assert used >= 0.02


def measure_cpus() -> list[int]:
    from versus import machine

    return machine.cpus()[-1:]


@pytest.mark.process
def test_the_python_protocol_end_to_end(tmp_path: Path, root: Path) -> None:
    """NumPy's worker gives the reference's numbers, for one query, many heads and causal order."""
    python = FromPython(Path(sys.executable), "NumPy", "numpy_worker.py", ("matmul",), ("matmul",))
    problems = [
        SMALL,
        Problem(dim=5, keys=9, queries=7, heads=3),
        Problem(dim=5, keys=9, queries=7, heads=3, causal=True),
    ]
    pool = measure.Pool([python], measure_cpus())
    case = Case("c", "C", tuple(Entry("NumPy", p, 1, "matmul") for p in problems))
    results = measure.Run(pool, Tensors(tmp_path), EFFORT).measure(case)
    pool.close()
    assert [r.reason for r in results] == ["", "", ""]
    assert all(r.error is not None and r.error < 1e-6 and r.best > 0 for r in results)


# Inputs and references


def test_tensors_are_seeded_and_points_lie_in_the_ball() -> None:
    assert np.array_equal(draw("k", 5, 8, ball=False), draw("k", 5, 8, ball=False))
    assert not np.array_equal(draw("k", 5, 8, ball=False), draw("v", 5, 8, ball=False))
    norms = np.linalg.norm(draw("k", 500, 8, ball=True), axis=1)
    assert 0.4 < norms.mean() < 0.6 and norms.max() < 1


@pytest.mark.parametrize(("element", "bits"), [("f16", 11), ("bf16", 8)])
def test_half_precision_files_round_to_the_nearest(tmp_path: Path, element: str, bits: int) -> None:
    numbers = draw("k", 50, 8, ball=False)
    (tmp_path / "x").write_bytes(encode(numbers, element))
    back = read(tmp_path / "x", element).reshape(numbers.shape)
    assert np.abs(back - numbers).max() / np.abs(numbers).max() <= 2.0**-bits
    (tmp_path / "y").write_bytes(encode(back, element))
    assert np.array_equal(read(tmp_path / "y", element), back.ravel())


def naive(problem: Problem, q: Any, k: Any, v: Any, query: int, head: int) -> Any:
    cut = slice(head * problem.dim, (head + 1) * problem.dim)
    seen = [j for j in range(len(k)) if not problem.causal or j <= query + len(k) - len(q)]
    scores = [float(np.dot(q[query, cut].astype(float), k[j, cut].astype(float))) / problem.dim**0.5 for j in seen]
    if problem.neighbors:
        ranked = sorted(range(len(seen)), key=lambda i: -scores[i])[: problem.neighbors]
        seen, scores = [seen[i] for i in ranked], [scores[i] for i in ranked]
    weights = np.exp(np.array(scores))
    return sum(w * v[j, cut].astype(float) for w, j in zip(weights, seen, strict=True)) / weights.sum()


@pytest.mark.parametrize(
    "problem",
    [
        Problem(dim=3, keys=7, queries=2, heads=2),
        Problem(dim=3, keys=7, queries=4, heads=2, causal=True),
        Problem(dim=3, keys=7, queries=2, neighbors=3),
    ],
)
def test_the_reference_is_the_formula(problem: Problem) -> None:
    q, k, v = (draw(r, n, problem.row, ball=False) for r, n in (("q", problem.queries), ("k", 7), ("v", 7)))
    solved = oracle.solve(problem, q, k, v)
    for query in range(problem.queries):
        for head in range(problem.heads):
            part = solved[query, head * 3 : head * 3 + 3]
            assert np.allclose(part, naive(problem, q, k, v, query, head), rtol=1e-12)


def test_references_in_known_places() -> None:
    ball = Problem(dim=2, keys=1, mechanism="hyperbolic")
    point = np.array([[0.3, -0.4]], np.float32)
    assert np.allclose(oracle.solve(ball, point / 2, point, point), point, rtol=1e-6)
    linear = Problem(dim=1, keys=2, mechanism="linear")
    # The features of 0 and 1 are 1 and 2: the second value counts twice.
    keys, values = np.array([[0], [1]], np.float32), np.array([[0], [3]], np.float32)
    assert oracle.solve(linear, keys[:1], keys, values).item() == pytest.approx(2)


# Who takes part in what


def test_contenders_take_part_where_they_can() -> None:
    driver = Path("driver")
    torch = FromPython(driver, "PyTorch", "w.py", ("SDPA",), ("SDPA", "matmul"))
    index = FromPython(driver, "PyPI", "w.py", ("attend",), (), most_threads=1, shared=True)
    npm = FromNpm(driver, driver, "npm", ("compute",), 10**6)
    everyone = [Ours(driver), Limit(driver, "read", ("r1", "r2")), Limit(driver, "multiply", ("m",)), torch, index, npm]
    everyone += contenders.wasm(driver, driver, driver)
    made = {case.id: case for case in cases.build(everyone, ("avx2",), (1, 2), quick=False)}

    def who(case: str) -> set[tuple[str, int, str]]:
        return {(e.contender, e.threads, e.way) for e in made[case].entries}

    single = {("ours", 1, ""), ("ours", 2, ""), ("ours", 1, "avx2"), ("PyTorch", 1, "SDPA"), ("PyTorch", 2, "SDPA")}
    loops = {("read", t, w) for t in (1, 2) for w in ("r1", "r2")}
    levels = ("simd128, V8", "relaxed-simd, V8", "simd128, wasmtime")
    modules = {(f"wasm {name}", 1, "") for name in levels}
    peers = {("PyPI", 1, "attend"), ("npm", 1, "compute")}
    assert who("single-64x1000") == single | loops | peers | modules | {("wasm baseline, V8", 1, "")}
    many = {(e.contender, e.threads, e.problem.causal) for e in made["many-8x512x64"].entries}
    assert {one for one in many if "wasm" in one[0]} == {(name, 1, False) for name, _, _ in modules}
    assert {("multiply", 1, False), ("multiply", 2, False), ("PyTorch", 2, True), ("ours", 2, True)} <= many
    assert not any(name in ("npm", "PyPI", "read") for name, _, _ in many)


# Targets, computed from results


def timed(contender: str, ns: int, threads: int = 1, way: str = "", **rest: Any) -> Result:
    return Result(Entry(contender, Problem(**{"dim": 64, "keys": 1_000, **rest}), threads, way), [ns] * 3, error=1e-7)


def row(found: list[targets.Target], what: str, where: str) -> targets.Target:
    (one,) = [t for t in found if t.what.startswith(what) and t.where == where]
    return one


def test_targets_are_met_missed_or_not_measured() -> None:
    results = [timed("ours", 100), timed("read", 70, way="slow"), timed("read", 60, way="fast")]
    results += [timed("NumPy", 230), timed("PyTorch", 180)]
    made = targets.evaluate({"single-64x1000": results})
    # The fastest loop is the roofline: 60 of 100, not 70.
    best = row(made, "one query, best", "64×1000")
    assert (best.measured, best.met) == ("60 %", False)
    assert row(made, "one query, against NumPy", "64×1000").met is True
    assert row(made, "one query, against PyTorch", "64×1000").met is False
    missing = row(made, "one query, against onnxruntime", "64×1000")
    assert (missing.measured, missing.met) == ("not measured", None)
    assert row(made, "one query, against NumPy", "128×1000").met is None


def test_many_queries_are_held_against_the_faster_rival_and_the_peak() -> None:
    shape = {"dim": 64, "keys": 512, "queries": 512, "heads": 8}
    operations = Problem(**shape).operations
    peak = replace_result(timed("multiply", 1_000, **shape), operations=operations // 1_000)
    results = [timed("ours", 1_250_000, **shape), peak]
    results += [timed("PyTorch", 1_400_000, **shape), timed("onnxruntime", 1_280_000, **shape)]
    results += [timed("ours", 800_000, causal=True, **shape)]
    made = targets.evaluate({"many-8x512x64": results})
    at = "8 × 512 × 64, 1 thread"
    assert row(made, "many queries, against the faster", at).measured == "1.02 ×"
    assert row(made, "many queries, share of the FMA peak", at).measured == "80 %"
    causal = row(made, "causal", at)
    assert (causal.measured, causal.met) == ("64 %", False)
    # One rival alone is not the faster of two.
    assert row(targets.evaluate({"many-8x512x64": results[:3]}), "many queries, against the faster", at).met is None


def replace_result(result: Result, **changes: Any) -> Result:
    return replace(result, **changes)


def test_bits_and_errors_are_judged() -> None:
    one, two = timed("ours", 1), timed("ours", 1, threads=2)
    results = [replace(one, digest="a"), replace(two, digest="a")]
    made = targets.evaluate({"single-64x1000": results})
    assert row(made, "same bits", "every size measured with both").met is True
    assert row(made, "largest error", "2 results, every kernel").met is True
    made = targets.evaluate({"single-64x1000": [replace(one, digest="a"), replace(two, digest="b", error=3e-6)]})
    assert row(made, "same bits", "every size measured with both").met is False
    assert row(made, "largest error", "2 results, every kernel").met is False


def test_linear_grows_with_the_keys() -> None:
    def spread(last: int) -> targets.Target:
        times = [100, 1_000, 10_000, last]
        results = [timed("ours", t, mechanism="linear", keys=n) for t, n in zip(times, cases.LINEAR, strict=True)]
        return row(targets.evaluate({"linear": results}), "linear", "10³ to 10⁶ keys")

    assert spread(105_000).met is True
    assert (spread(120_000).measured, spread(120_000).met) == ("20 %", False)


# The page and the plots


def made_report() -> report.Report:
    case = Case("single-64x1000", "One query", ())
    results = {case.id: [timed("ours", 100), timed("read", 80, way="loop"), timed("NumPy", 320)]}
    results[case.id].append(Result(Entry("PyTorch", Problem(dim=64, keys=1_000)), reason="not run: it crashed"))
    return report.Report(
        "core", "rva bench core", "2026-01-01", "abc", {"processor": "P", "caches": ["L1 1K"]}, {"numpy": "2"}, 1.0,
        [case], results, targets.evaluate(results),
    )  # fmt: skip


def test_the_page_says_what_was_missed_and_what_was_not_run() -> None:
    page = report.page(made_report())
    assert "| one query, best against the read roofline | 64×1000 | ≥ 88 % | 80 % | **missed** |" in page
    assert "not run: it crashed" in page
    assert "Machine: P;" in page and "`rva bench core`" in page
    data = json.loads(json.dumps(report.as_json(made_report())))
    assert data["machine"]["processor"] == "P"
    assert data["cases"][0]["results"][0]["median_ns"] == 100


def test_plots_are_whole_in_both_themes() -> None:
    made = report.plots(made_report())
    assert set(made) == {"core-single-light.svg", "core-single-dark.svg"}
    assert plot.THEMES["light"]["text"] in made["core-single-light.svg"]
    assert plot.THEMES["dark"]["text"] in made["core-single-dark.svg"]
    for text in made.values():
        ElementTree.fromstring(text)


def test_bars_are_as_long_as_their_values() -> None:
    chart = plot.Chart("T <&>", "%", ("a", "b"), [("g", (50.0, None)), ("h", (25.0, 100.0))], 100)
    svg = ElementTree.fromstring(plot.draw(chart, "light"))
    space = "{http://www.w3.org/2000/svg}"
    bars = [r for r in svg.iter(f"{space}rect") if r.get("x") == f"{chart.left:.1f}"]
    assert [float(b.get("width", 0)) / plot._BARS for b in bars] == [0.5, 0.25, 1.0]
    assert [b.get("fill") for b in bars] == [plot.COLOURS[0], plot.COLOURS[0], plot.COLOURS[1]]
    words = [t.text for t in svg.iter(f"{space}text")]
    assert "T <&> (%)" in words and "g" in words and "100" in words


def test_webassembly_is_drawn_against_the_same_width() -> None:
    case = Case("single-64x1000", "One query", ())
    results = {case.id: [timed("ours", 90, way="sse2"), timed("wasm simd128, V8", 100)]}
    made = replace(made_report(), results=results)
    svg = ElementTree.fromstring(report.plots(made)["core-wasm-light.svg"])
    words = [t.text for t in svg.iter("{http://www.w3.org/2000/svg}text")]
    assert "90" in words and "wasm simd128, V8" in words


def test_lines_of_several_lengths_say_which() -> None:
    case = Case("linear", "Linear", ())
    results = {case.id: [timed("ours", n, mechanism="linear", keys=n) for n in (10, 100)]}
    page = report.page(replace(made_report(), cases=[case], results=results))
    assert "| ours (linear, n = 10) |" in page and "| ours (linear, n = 100) |" in page
    assert "n = 1000" not in report.page(made_report()).split("## Times")[1]
