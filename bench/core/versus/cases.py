"""What is measured: sizes, and who takes part in each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from versus.contenders import Contender
from versus.model import Case, Entry, Problem

SINGLE = ((64, 1_000), (128, 1_000), (128, 10_000), (768, 1_000), (768, 10_000), (1_536, 1_000))
MANY = ((8, 512, 64), (8, 1_024, 128), (1, 4_096, 64))
TOP = (768, 10_000, 100)
LINEAR = (1_000, 10_000, 100_000, 1_000_000)
HALF_IN_CACHE = ((128, 1_000), (768, 1_000))
# 307 MB as f32 and 154 MB as f16: beyond any last cache.
HALF_BEYOND = ((768, 50_000),)
THREADS = (1, 2)


def build(
    contenders: Sequence[Contender], kernels: Sequence[str], threads: Sequence[int], *, quick: bool
) -> list[Case]:
    """Every case, with the contenders that can take part; the quick form has the small sizes only."""
    singles = SINGLE[:2] if quick else SINGLE
    many = ((2, 256, 64),) if quick else MANY
    linear = LINEAR[:2] if quick else LINEAR
    half = HALF_IN_CACHE[:1] if quick else (*HALF_IN_CACHE, *HALF_BEYOND)
    top = (128, 1_000, 100) if quick else TOP
    return [
        *(_single(contenders, kernels, threads, d, n) for d, n in singles),
        *(_many(contenders, kernels, threads, *sizes) for sizes in many),
        _top(*top),
        *(_hyperbolic(d, n) for d, n in singles),
        _linear(linear),
        *(_half(d, n) for d, n in half),
        _accuracy(kernels, quick=quick),
    ]


def _everybody(contenders: Iterable[Contender], problem: Problem, threads: int, without: str = "") -> list[Entry]:
    return [
        Entry(contender.name, problem, threads, way)
        for contender in contenders
        if contender.name != without
        for way in contender.ways(problem, threads)
    ]


def _kernels(kernels: Iterable[str], problem: Problem) -> list[Entry]:
    return [Entry("ours", problem, 1, kernel) for kernel in kernels]


def _single(contenders: Sequence[Contender], kernels: Sequence[str], threads: Sequence[int], d: int, n: int) -> Case:
    problem = Problem(dim=d, keys=n)
    entries = [e for t in threads for e in _everybody(contenders, problem, t, without="multiply")]
    shared = _everybody(contenders, replace(problem, shared=True), 1, without="multiply")
    entries += [e for e in shared if e.contender != "read"]
    return Case(f"single-{d}x{n}", f"One query, d = {d}, n = {n}", (*entries, *_kernels(kernels, problem)))


def _many(
    contenders: Sequence[Contender], kernels: Sequence[str], threads: Sequence[int], heads: int, length: int, d: int
) -> Case:
    problem = Problem(dim=d, keys=length, queries=length, heads=heads)
    causal = replace(problem, causal=True)
    entries = [e for t in threads for e in _everybody(contenders, problem, t, without="read")]
    entries += [
        e for t in threads for e in _everybody(contenders, causal, t, without="read") if e.contender != "multiply"
    ]
    name = f"{heads} head{'s' * (heads > 1)}"
    return Case(
        f"many-{heads}x{length}x{d}",
        f"Many queries, {name}, L = {length}, d = {d} a head",
        (*entries, *_kernels(kernels, problem)),
    )


def _top(d: int, n: int, k: int) -> Case:
    problem = Problem(dim=d, keys=n)
    entries = (Entry("ours", problem), Entry("ours", replace(problem, neighbors=k)))
    return Case(f"top-{d}x{n}", f"The {k} best of {n} keys, d = {d}", entries)


def _hyperbolic(d: int, n: int) -> Case:
    problem = Problem(dim=d, keys=n)
    entries = (Entry("ours", problem), Entry("ours", replace(problem, mechanism="hyperbolic")))
    return Case(f"hyperbolic-{d}x{n}", f"Hyperbolic, one query, d = {d}, n = {n}", entries)


def _linear(lengths: Iterable[int]) -> Case:
    entries = tuple(Entry("ours", Problem(dim=64, keys=n, mechanism="linear")) for n in lengths)
    return Case("linear", "Linear attention, one query, d = 64", entries)


def _half(d: int, n: int) -> Case:
    problem = Problem(dim=d, keys=n)
    entries = tuple(Entry("ours", replace(problem, element=element)) for element in ("f32", "f16", "bf16"))
    return Case(f"half-{d}x{n}", f"Keys and values of 16 bits, one query, d = {d}, n = {n}", entries)


def _accuracy(kernels: Iterable[str], *, quick: bool) -> Case:
    problems = [Problem(dim=d, keys=n) for d, n in ((1, 1), (7, 3), (64, 1_000), (131, 257), (768, 1_000))]
    problems += [Problem(dim=d, keys=n, mechanism="hyperbolic") for d, n in ((7, 3), (64, 1_000))]
    problems += [Problem(dim=d, keys=n, mechanism="linear") for d, n in ((7, 3), (64, 1_000))]
    problems += [Problem(dim=64, keys=1_000, neighbors=10), Problem(dim=64, keys=70, queries=70, heads=2, causal=True)]
    if not quick:
        problems += [Problem(dim=d, keys=n) for d, n in SINGLE]
        problems += [Problem(dim=64, keys=512, queries=512, heads=8), Problem(dim=1_536, keys=10_000)]
    entries = tuple(Entry("ours", p, 1, kernel) for p in problems for kernel in kernels)
    return Case("accuracy", "Every kernel against float64", entries, timed=False)
