"""Finished rows -> every package as data. Reads texts of the checkout, starts no process."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from msgspec import Struct

from rva.model import Gap, Package, Packed
from rva.packages import c, cli, copied, managers, npm, npm_wasm, sbom, system
from rva.packages.stock import Stock


class PackagePlan(Struct, frozen=True):
    """Every package that the finished rows give, and every one that they do not. ``rows``: those that were asked for."""

    version: str
    commit: str
    packages: tuple[Package, ...]
    gaps: tuple[Gap, ...]
    rows: tuple[str, ...] = ()


KINDS: Final[tuple[Callable[[Stock], Iterator[Package | Gap]], ...]] = (
    npm.plan,
    npm_wasm.plan,
    copied.plan,
    c.plan,
    cli.plan,
    system.plan,
)


def make(stock: Stock) -> PackagePlan:
    """What the finished rows of a manifest give, and what they do not."""
    items = [item for kind in KINDS for item in kind(stock)]
    packages = tuple(item for item in items if isinstance(item, Package))
    gaps = tuple(item for item in items if isinstance(item, Gap))
    rows = tuple(target.id for target in stock.matrix.targets if target.id in stock.selected)
    return PackagePlan(stock.matrix.version, stock.manifest.commit, packages, gaps, rows)


def later(
    stock: Stock, packages: Sequence[Package], packed: Sequence[Packed], trees: sbom.Trees, epoch: int
) -> list[Package | Gap]:
    """What speaks of finished packages: installers, which name them by checksum, and lists of what is in them."""
    return [*managers.plan(stock, packed), *sbom.plan(stock, packages, packed, trees, epoch)]
