"""What is a package already when it is built: Python wheels and source package, the Rust crate, the tool."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from rva import naming
from rva.model import Gap, Kind, Package, PackageKind, Part, RecipeName, Target
from rva.packages.stock import Finished, Stock, dist, finished

_WHAT: tuple[tuple[RecipeName, Kind, PackageKind], ...] = (
    ("wheel", "wheel", "python"),
    ("sdist", "sdist", "python"),
    ("crate", "crate", "crate"),
    ("tool", "wheel", "python"),
)


def plan(stock: Stock) -> Iterator[Package | Gap]:
    """Each as it is; their names and tags were held against the row when they were built."""
    for recipe, kind, family in _WHAT:
        for row in finished(stock, recipe, lambda target, recipe=recipe: _name(stock, recipe, target)):  # type: ignore[misc]
            yield row if isinstance(row, Gap) else _copy(stock, row, kind, family)


def _copy(stock: Stock, row: Finished, kind: Kind, family: PackageKind) -> Package:
    artifact = row.one(kind)
    file = PurePosixPath(artifact.path).name
    package = stock.matrix.recipes[row.target.recipe].package
    return Package(
        row.file(f"{family}/{file}"), family, package, (row.target.id,), (Part(file, source=dist(artifact)),), "copy",
        build=row.build,
    )  # fmt: skip


def _name(stock: Stock, recipe: RecipeName, target: Target) -> str:
    package, version = stock.matrix.recipes[recipe].package, stock.matrix.version
    if recipe == "wheel":
        return naming.wheel(package, version, target.triple)
    if recipe == "tool":
        return naming.pure_wheel(package, version)
    return naming.sdist(package, version) if recipe == "sdist" else naming.crate(package, version)
