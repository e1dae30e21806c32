"""What a verification found: rows by checks."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct


class Cell(Struct, frozen=True):
    """What one check said of one row. ``how`` tells a real run from an emulated one, a stand-in from the real thing."""

    row: str
    check: str
    status: Literal["pass", "fail", "not-run"]
    how: Literal["", "run", "emulated", "loads"] = ""
    stand_in: bool = False
    evidence: str = ""
    reason: str = ""
    duration_s: float = 0.0
    cached: bool = False

    @property
    def word(self) -> str:
        """The cell in a word or two: pass, fail, emulated, stand-in, loads or not run."""
        if self.status != "pass":
            return self.status.replace("-", " ")
        if self.stand_in:
            return "stand-in"
        return self.how if self.how in ("emulated", "loads") else "pass"


class Verification(Struct, frozen=True):
    """The whole of one `rva verify`: rows by checks."""

    version: str
    commit: str
    machine: str
    date: str
    rows: tuple[str, ...]
    checks: tuple[str, ...]
    cells: tuple[Cell, ...]
    seconds: float = 0.0

    @property
    def summary(self) -> str:
        """How many cells have each word, in one line."""
        words = [cell.word for cell in self.cells]
        found = ", ".join(f"{words.count(word)} {word}" for word in sorted(set(words)))
        return f"{len(self.rows)} rows: {found or 'nothing checked'}; {self.seconds:.0f} s"
