"""Finished rows -> every package as data. Reads texts of the checkout, starts no process."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from rva.model import Gap, Manifest, Matrix, Package, PackagePlan, Target
from rva.packages import c, copied, npm
from rva.packages.stock import Stock

KINDS: Final[tuple[Callable[[Stock], Iterator[Package | Gap]], ...]] = (npm.plan, copied.plan, c.plan)


def make(root: Path, matrix: Matrix, manifest: Manifest, targets: Sequence[Target]) -> PackagePlan:
    """What the finished rows of a manifest give, and what they do not."""
    stock = Stock(root, matrix, manifest, frozenset(t.id for t in targets))
    items = [item for kind in KINDS for item in kind(stock)]
    packages = tuple(item for item in items if isinstance(item, Package))
    gaps = tuple(item for item in items if isinstance(item, Gap))
    return PackagePlan(matrix.version, manifest.commit, packages, gaps)
