"""What passes between the parts of the comparison."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Mechanism = Literal["scaled", "hyperbolic", "linear"]
Element = Literal["f32", "f16", "bf16"]


@dataclass(frozen=True)
class Problem:
    """One computation: m queries over n keys, in heads of ``dim``; rows hold all heads side by side."""

    dim: int
    keys: int
    queries: int = 1
    heads: int = 1
    mechanism: Mechanism = "scaled"
    causal: bool = False
    neighbors: int | None = None
    element: Element = "f32"
    shared: bool = False
    """The values are the keys."""

    @property
    def row(self) -> int:
        """Length of a row of all heads."""
        return self.dim * self.heads

    @property
    def bytes_read(self) -> int:
        """Keys and values, once."""
        return 2 * self.keys * self.row * (4 if self.element == "f32" else 2)

    @property
    def operations(self) -> int:
        """Multiplications and additions of both products; in causal order, of the pairs that are seen."""
        pairs = self.queries * self.keys
        if self.causal:
            hidden = self.keys - self.queries
            pairs = self.queries * hidden + self.queries * (self.queries + 1) // 2
        return 4 * pairs * self.row

    @property
    def suffix(self) -> str:
        """What sets it apart from the plain problem of its size, in words."""
        words: list[str] = [self.mechanism] if self.mechanism != "scaled" else []
        words += ["causal"] if self.causal else []
        words += [f"top {self.neighbors}"] if self.neighbors else []
        words += [self.element] if self.element != "f32" else []
        words += ["values = keys"] if self.shared else []
        return ", ".join(words)


@dataclass(frozen=True)
class Entry:
    """One contender's way of solving one problem with so many threads."""

    contender: str
    problem: Problem
    threads: int = 1
    way: str = ""

    @property
    def label(self) -> str:
        """The entry in a few words."""
        words = [
            f"[{self.way}]" if self.way else "",
            self.problem.suffix,
            f"{self.threads} threads" * (self.threads > 1),
        ]
        return " ".join([self.contender, *filter(None, words)])


@dataclass(frozen=True)
class Case:
    """Entries that are measured turn by turn."""

    id: str
    title: str
    entries: tuple[Entry, ...]
    timed: bool = True


@dataclass
class Result:
    """What measuring one entry gave."""

    entry: Entry
    ns: list[int] = field(default_factory=list)
    used: str = ""
    operations: int = 0
    error: float | None = None
    digest: str = ""
    reason: str = ""
    """Why it was not run, or in what way its result is wrong."""

    @property
    def ok(self) -> bool:
        """Whether its times may be compared."""
        return not self.reason and bool(self.ns)

    @property
    def best(self) -> float:
        """Nanoseconds of the fastest call."""
        return float(min(self.ns))

    @property
    def median(self) -> float:
        """Nanoseconds of the call in the middle."""
        ordered = sorted(self.ns)
        middle = len(ordered) // 2
        return float(ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2)


@dataclass(frozen=True)
class Effort:
    """How long to measure."""

    turn_s: float
    rounds: int
    budget_s: float
    """Most time for one entry of a case, its first call left out."""


FULL = Effort(turn_s=0.015, rounds=24, budget_s=1.0)
QUICK = Effort(turn_s=0.005, rounds=6, budget_s=0.05)
