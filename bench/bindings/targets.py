"""What was promised, and whether it was kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from contenders import INSIDE, NATIVE, NPM, NPM_WASM
from versus.model import Result

NARROW = "sse2"
"""The core's kernel of 128 bits, which is WebAssembly's width."""
WASM_LIMIT = 45_000

Results = Mapping[str, Sequence[Result]]


@dataclass(frozen=True)
class Target:
    """A bound and what was measured."""

    name: str
    wanted: str
    measured: str
    met: bool | None
    """None: there is nothing to judge by."""


def find(results: Sequence[Result], contender: str, way: str = "") -> Result | None:
    """A result whose times count."""
    return next((r for r in results if (r.entry.contender, r.entry.way) == (contender, way) and r.ok), None)


def own_core(results: Sequence[Result], contender: str) -> Result | None:
    """The core over the very arrays of a contender, in its process; else in the core's own, over a copy."""
    return find(results, contender, INSIDE) or find(results, NATIVE)


def best(results: Sequence[Result], contender: str, *ways: str) -> Result | None:
    """The fastest of these ways."""
    found = [r for way in ways if (r := find(results, contender, way))]
    return min(found, key=lambda r: r.median, default=None)


# name, contender, ways, kernel it is compared with, least share by number of keys
SHARES = (
    ("Node.js", "Node.js", ("flat",), "", {100: 0.85, 1000: 0.95, 10_000: 0.95}),
    ("Node.js [prepared]", "Node.js", ("prepared",), "", {100: 0.85, 1000: 0.95, 10_000: 0.95}),
    ("Python", "Python", ("arrays",), "", {100: 0.95, 1000: 0.95, 10_000: 0.95}),
    ("Python [prepared]", "Python", ("prepared",), "", {100: 0.95, 1000: 0.95, 10_000: 0.95}),
    ("Command line", "Command line", ("benchmark",), "", {100: 0.95, 1000: 0.95, 10_000: 0.95}),
    (
        "WASM simd128, Node.js",
        "WASM simd128, Node.js",
        ("resident keys", "resident keys, own result"),
        NARROW,
        {100: 0.6, 1000: 0.6, 10_000: 0.6},
    ),
    (
        "WASM simd128, Chromium",
        "WASM simd128, Chromium",
        ("resident keys", "resident keys, own result"),
        NARROW,
        {100: 0.6, 1000: 0.6, 10_000: 0.6},
    ),
    ("WASI, wasmtime", "WASI, wasmtime", ("",), NARROW, {1000: 0.7, 10_000: 0.7}),
)
FIXED = (("Node.js", "flat", 800), ("Python", "arrays", 1500))
# peer, our contender and way, least ratio at 1 000 keys
RATIOS = (
    (NPM, "DotProductAttention", "Node.js", "flat", 50),
    (NPM_WASM, "Float32Array rows", "WASM simd128, Node.js", "resident keys", 500),
    (NPM, "DotProductAttention", "Node.js", "rows", 2),
)


def evaluate(results: Results, sizes: Mapping[str, int]) -> list[Target]:
    """Every bound; `sizes` are the WebAssembly modules' lengths, gzipped."""
    return [*_shares(results), *_fixed(results), *_ratios(results), *_sizes(sizes)]


def _shares(results: Results) -> list[Target]:
    targets = []
    for called, contender, ways, kernel, least in SHARES:
        for keys, share in least.items():
            case = results.get(f"flat-{keys}", ())
            ours = best(case, contender, *ways)
            core = find(case, NATIVE, kernel) if kernel else own_core(case, contender)
            name = f"{called}, {keys} keys: share of the core{f' at 128 bits ({NARROW})' if kernel else ''}"
            if ours is None or core is None:
                targets.append(Target(name, f"≥ {share:.0%}", "not run", None))
                continue
            got = core.median / ours.median
            targets.append(Target(name, f"≥ {share:.0%}", f"{got:.1%}{_beside(case, core, ours)}", got >= share))
    return targets


def _beside(case: Sequence[Result], core: Result, ours: Result) -> str:
    whole = own_core(case, ours.entry.contender)
    if whole is None or whole is core:
        return ""
    return f" ({whole.median / ours.median:.1%} of the core's {whole.used})"


def _fixed(results: Results) -> list[Target]:
    targets = []
    case = results.get("fixed", ())
    for contender, way, most in FIXED:
        ours, core = find(case, contender, way), own_core(case, contender)
        name = f"{contender}: fixed cost of a call"
        if ours is None or core is None:
            targets.append(Target(name, f"≤ {most} ns", "not run", None))
            continue
        cost = ours.median - core.median
        targets.append(Target(name, f"≤ {most} ns", f"{cost:.0f} ns", cost <= most))
    return targets


def _ratios(results: Results) -> list[Target]:
    targets = []
    case = results.get("flat-1000", ())
    for peer, method, contender, way, least in RATIOS:
        theirs, ours = find(case, peer, method), find(case, contender, way)
        name = f"{contender} [{way}] against {peer}, 1000 keys"
        if theirs is None or ours is None:
            targets.append(Target(name, f"≥ {least} ×", "not run", None))
            continue
        ratio = theirs.median / ours.median
        targets.append(Target(name, f"≥ {least} ×", f"{ratio:.1f} ×", ratio >= least))
    return targets


def _sizes(sizes: Mapping[str, int]) -> list[Target]:
    return [
        Target(f"{name}: module, gzipped", f"≤ {WASM_LIMIT} bytes", f"{size} bytes", size <= WASM_LIMIT)
        for name, size in sizes.items()
    ]


def summary(targets: Sequence[Target]) -> str:
    """A line a bound, and how many were met."""
    words = {True: "met", False: "MISSED", None: "not run"}
    lines = [f"{words[t.met]:<8} {t.name}: {t.measured}, wanted {t.wanted}" for t in targets]
    counts = ", ".join(f"{sum(t.met is key for t in targets)} {word}" for key, word in words.items())
    return "\n".join([*lines, f"targets: {counts}"])
