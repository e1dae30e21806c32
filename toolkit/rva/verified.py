"""What a verification found: rows by checks."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct


class Cell(Struct, frozen=True):
    """What one check said of one row. ``how`` tells a real run from an emulated one, a stand-in from the real thing.

    ``package`` is the file that was installed, where one was, and ``lane`` how it was run then.
    """

    row: str
    check: str
    status: Literal["pass", "fail", "not-run"]
    how: Literal["", "run", "emulated", "loads", "installs"] = ""
    stand_in: bool = False
    evidence: str = ""
    reason: str = ""
    duration_s: float = 0.0
    cached: bool = False
    package: str = ""
    lane: str = ""

    @property
    def name(self) -> str:
        """The check with its lane: npm node-18."""
        return f"{self.check} {self.lane}".rstrip()

    @property
    def word(self) -> str:
        """The cell in a word or two: pass, fail, emulated, stand-in, loads, installs or not run."""
        if self.status != "pass":
            return self.status.replace("-", " ")
        if self.stand_in and self.how != "installs":
            return "stand-in"
        return self.how if self.how in ("emulated", "loads", "installs") else "pass"


# How a row stands, best first: the word, and what it means.
STANDINGS = {
    "fails": "a check failed",
    "runs": "the reference cases ran where it is made for",
    "emulated": "they ran under an emulator",
    "loads": "it loads, and its functions are there",
    "stand-in": "the MSVC file needs a Windows machine: its stand-in ran under wine",
    "read": "its file was read and is what it says; nothing here runs it",
    "stand-in read": "its stand-in was read",
    "absent": "not built",
}


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

    def standing(self, row: str) -> str:
        """The best that is known of a row, as a word of STANDINGS; a failure outweighs everything."""
        cells = [cell for cell in self.cells if cell.row == row and cell.status != "not-run"]
        if any(cell.status == "fail" for cell in cells):
            return "fails"
        ran = [cell for cell in cells if cell.check != "files"]
        words = {cell.word.replace("pass", "runs") for cell in ran}
        words |= {"stand-in read" if cell.stand_in else "read" for cell in cells}
        return next((word for word in STANDINGS if word in words), "absent")
