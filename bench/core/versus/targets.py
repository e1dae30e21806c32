"""What must hold, each computed from the run: met, missed or not measured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from versus import cases
from versus.model import Result

# Relative to the largest value.
MOST_ERROR = 2e-6
# Two runs of the same code differ by this much on a machine with other work.
NOISE = 0.05
# Below this much work, waking a second thread is not worth it.
SMALL_NS = 200_000


@dataclass(frozen=True)
class Target:
    """One line of the table; ``met`` is None where something was not measured."""

    what: str
    where: str
    wanted: str
    measured: str
    met: bool | None


class Found:
    """The results of a run, looked up by what they are of."""

    def __init__(self, results: Mapping[str, Sequence[Result]]) -> None:
        self.results = results

    def of(
        self, case: str, contender: str, threads: int = 1, way: str | None = None, **problem: object
    ) -> list[Result]:
        """The sound results of a contender in a case; of its ways all, or the one named."""
        wanted = {"causal": False, "neighbors": None, "mechanism": "scaled", "element": "f32", **problem}
        return [
            r
            for r in self.results.get(case, ())
            if r.ok
            and (r.entry.contender, r.entry.threads) == (contender, threads)
            and (way is None or r.entry.way == way)
            and all(getattr(r.entry.problem, name) == value for name, value in wanted.items())
        ]

    def median(
        self, case: str, contender: str, threads: int = 1, way: str | None = None, **problem: object
    ) -> float | None:
        """Of its fastest way."""
        return min((r.median for r in self.of(case, contender, threads, way, **problem)), default=None)

    def best(
        self, case: str, contender: str, threads: int = 1, way: str | None = None, **problem: object
    ) -> float | None:
        """Of its fastest way."""
        return min((r.best for r in self.of(case, contender, threads, way, **problem)), default=None)

    def ours(self, case: str, threads: int = 1, **problem: object) -> float | None:
        """Median of this library with the kernel that it detects."""
        return self.median(case, "ours", threads, "", **problem)

    def rate(self, case: str, threads: int = 1) -> float | None:
        """Operations a nanosecond of the fastest multiplying loop, in the median."""
        return max((r.operations / r.median for r in self.of(case, "multiply", threads)), default=None)


def evaluate(results: Mapping[str, Sequence[Result]]) -> list[Target]:
    """Every target, in the order of the table."""
    found = Found(results)
    return [
        *_roofline(found),
        *_peers_single(found),
        *_threads_single(found),
        *_many(found),
        *_top(found),
        *_half(found),
        *_hyperbolic(found),
        *_linear(found),
        *_wasm(found),
        *_exact(found),
    ]


def at_least(what: str, where: str, wanted: float, ratio: float | None, unit: str = "×") -> Target:
    """A ratio that must not be lower."""
    return _compare(what, where, f"≥ {_show(wanted, unit)}", ratio, unit, None if ratio is None else ratio >= wanted)


def at_most(what: str, where: str, wanted: float, ratio: float | None, unit: str = "×") -> Target:
    """A ratio that must not be higher."""
    return _compare(what, where, f"≤ {_show(wanted, unit)}", ratio, unit, None if ratio is None else ratio <= wanted)


def _compare(what: str, where: str, wanted: str, ratio: float | None, unit: str, met: bool | None) -> Target:
    return Target(what, where, wanted, "not measured" if ratio is None else _show(ratio, unit), met)


def _show(ratio: float, unit: str) -> str:
    return (
        f"{100 * ratio:.1f}".removesuffix(".0") + " %"
        if unit == "%"
        else f"{ratio:.2f} ×"
        if ratio < 20
        else f"{ratio:.0f} ×"
    )


def divided(a: float | None, b: float | None) -> float | None:
    """The ratio where both are known."""
    return None if a is None or b is None else a / b


def _singles() -> Iterator[tuple[str, str, int, int]]:
    for d, n in cases.SINGLE:
        yield f"single-{d}x{n}", f"{d}×{n}", d, n


def _roofline(found: Found) -> Iterator[Target]:
    for case, where, d, n in _singles():
        ours = found.best(case, "ours", way="")
        yield at_least(
            "one query, best against the read roofline", where, 0.88, divided(found.best(case, "read"), ours), "%"
        )
        wanted = 0.75 if (d, n) == (64, 1_000) else 0.80
        share = divided(found.median(case, "read"), found.ours(case))
        yield at_least("one query, median against the read roofline", where, wanted, share, "%")


def _peers_single(found: Found) -> Iterator[Target]:
    for case, where, d, n in _singles():
        small = d <= 128 and n == 1_000
        wanted = {
            "NumPy": 2.2 if small else 1.25,
            "PyTorch": 1.9,
            "onnxruntime": 2.5,
            "@ruvector/attention": 50 if small else 7,
        }
        for peer, ratio in wanted.items():
            yield at_least(
                f"one query, against {peer}", where, ratio, divided(found.median(case, peer), found.ours(case))
            )


def _threads_single(found: Found) -> Iterator[Target]:
    for case, where, _, _ in _singles():
        one, two = found.ours(case), found.ours(case, 2)
        if one is not None and one < SMALL_NS:
            yield at_least("one query, two threads, little work (5 % for noise)", where, 1 - NOISE, divided(one, two))
        else:
            yield at_least("one query, two threads", where, 1.7, divided(one, two))


def _many(found: Found) -> Iterator[Target]:
    for heads, length, d in cases.MANY:
        case, where = f"many-{heads}x{length}x{d}", f"{heads} × {length} × {d}"
        for threads in cases.THREADS:
            at = f"{where}, {threads} thread{'s' * (threads > 1)}"
            rivals = [t for peer in ("PyTorch", "onnxruntime") if (t := found.median(case, peer, threads)) is not None]
            fastest = min(rivals) if len(rivals) == 2 else None
            ours = found.ours(case, threads)
            yield at_least(
                "many queries, against the faster of PyTorch and onnxruntime", at, 1.05, divided(fastest, ours)
            )
            sound = found.of(case, "ours", threads, "")
            rate = sound[0].entry.problem.operations / sound[0].median if sound else None
            yield at_least(
                "many queries, share of the FMA peak", at, 0.80, divided(rate, found.rate(case, threads)), "%"
            )
            causal = found.ours(case, threads, causal=True)
            yield at_most("causal, of the full time", at, 0.6, divided(causal, ours), "%")
        yield at_least("many queries, two threads", where, 1.8, divided(found.ours(case), found.ours(case, 2)))


def _top(found: Found) -> Iterator[Target]:
    d, n, k = cases.TOP
    case = f"top-{d}x{n}"
    part = divided(found.ours(case, neighbors=k), found.ours(case))
    yield at_most("top-k, of the full time", f"{k} of {n}, d = {d}", 0.65, part, "%")


def _half(found: Found) -> Iterator[Target]:
    for sizes, wanted, place in (
        (cases.HALF_IN_CACHE, 1.2, "in cache"),
        (cases.HALF_BEYOND, 1.8, "beyond the last cache"),
    ):
        for d, n in sizes:
            case = f"half-{d}x{n}"
            gain = divided(found.ours(case), found.ours(case, element="f16"))
            yield at_least(f"f16 against f32, {place}", f"{d}×{n}", wanted, gain)


def _hyperbolic(found: Found) -> Iterator[Target]:
    for d, n in cases.SINGLE:
        case = f"hyperbolic-{d}x{n}"
        part = divided(found.ours(case, mechanism="hyperbolic"), found.ours(case))
        yield at_most("hyperbolic, of scaled dot-product's time", f"{d}×{n}", 1.5, part)


def _linear(found: Found) -> Iterator[Target]:
    each = [
        (t / n if (t := found.ours("linear", mechanism="linear", keys=n)) is not None else None) for n in cases.LINEAR
    ]
    known = [t for t in each if t is not None]
    spread = max(known) / min(known) - 1 if len(known) == len(each) else None
    yield at_most("linear, spread of the time a key", "10³ to 10⁶ keys", 0.10, spread, "%")


def _wasm(found: Found) -> Iterator[Target]:
    where_memory_binds = f"single-{cases.SINGLE[4][0]}x{cases.SINGLE[4][1]}"
    sizes = [(case, where) for case, where, _, _ in _singles()]
    sizes += [(f"many-{h}x{n}x{d}", f"{h} × {n} × {d}") for h, n, d in cases.MANY[:1]]
    for case, where in sizes:

        def share(contender: str, kernel: str, case: str = case) -> float | None:
            return divided(found.median(case, "ours", 1, kernel), found.median(case, contender))

        if case == where_memory_binds:
            for level in ("simd128", "relaxed-simd"):
                part = divided(found.ours(case), found.median(case, f"wasm {level}, V8"))
                yield at_least(f"WASM {level} in V8 of native, where memory binds", where, 0.80, part, "%")
            continue
        yield at_least("WASM simd128 in V8 of SSE2", where, 0.95, share("wasm simd128, V8", "sse2"), "%")
        yield at_least("WASM simd128 in V8 of AVX2", where, 0.40, share("wasm simd128, V8", "avx2"), "%")
        yield at_least("WASM relaxed-simd in V8 of AVX2", where, 0.50, share("wasm relaxed-simd, V8", "avx2"), "%")
        yield at_least("WASM simd128 in wasmtime of SSE2", where, 0.75, share("wasm simd128, wasmtime", "sse2"), "%")


def _exact(found: Found) -> Iterator[Target]:
    ours = [r for rs in found.results.values() for r in rs if r.entry.contender.split()[0] in ("ours", "wasm")]
    errors = [r.error for r in ours if r.error is not None]
    lost = [r for r in ours if r.error is None]
    worst = max(errors, default=None) if not lost else None
    met = None if worst is None else worst <= MOST_ERROR
    shown = "not measured" if worst is None else f"{worst:.1e}"
    yield Target(
        "largest error against float64", f"{len(errors)} results, every kernel", f"≤ {MOST_ERROR:.0e}", shown, met
    )
    pairs = same = 0
    for results in found.results.values():
        digests = {
            (r.entry.problem, r.entry.threads): r.digest
            for r in results
            if r.entry.contender == "ours" and not r.entry.way
        }
        for (problem, threads), digest in digests.items():
            if threads == 1 and (other := digests.get((problem, 2))):
                pairs += 1
                same += other == digest
    shown, met = (f"{same} of {pairs}", same == pairs) if pairs else ("not measured", None)
    yield Target("same bits with one thread and with two", "every size measured with both", "all", shown, met)
