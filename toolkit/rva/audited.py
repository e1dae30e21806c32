"""What an audit found in packages that were already made."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

Level = Literal["error", "warning"]


class Finding(Struct, frozen=True):
    """One thing that is wrong, or may be. ``check`` is a short stable name, such as wrong-binary."""

    level: Level
    check: str
    message: str


class Audited(Struct, frozen=True):
    """One package or file: where it came from, what it holds, what was found."""

    name: str
    version: str
    source: str
    size: int = 0
    files: int = 0
    holds: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()

    @property
    def label(self) -> str:
        """Name and version, as registries write them."""
        return f"{self.name}@{self.version}" if self.version else self.name

    @property
    def word(self) -> str:
        """The verdict in a word or two."""
        levels = [finding.level for finding in self.findings]
        counts = [f"{n} {level}{'s' * (n > 1)}" for level in ("error", "warning") if (n := levels.count(level))]
        return ", ".join(counts) or "sound"


class Audit(Struct, frozen=True):
    """The whole of one `rva audit`."""

    packages: tuple[Audited, ...]
    seconds: float = 0.0

    @property
    def errors(self) -> int:
        """How many errors there are in all."""
        return sum(f.level == "error" for package in self.packages for f in package.findings)
