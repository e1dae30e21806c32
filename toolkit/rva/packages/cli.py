"""Archives of the command line program, one layout everywhere: program, README, licences, completions, manual page."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from rva import naming
from rva.model import Gap, Package, Part, RecipeName
from rva.packages.stock import Finished, Stock, dist, finished

_RECIPES: tuple[RecipeName, ...] = ("cli", "wasi-command")


def plan(stock: Stock) -> Iterator[Package | Gap]:
    """One archive a platform and ending."""
    for recipe in (r for r in _RECIPES if r in stock.matrix.recipes):
        package, version = stock.matrix.recipes[recipe].package, stock.matrix.version
        for row in finished(stock, recipe, lambda t: naming.archive(package, version, t.triple)):  # noqa: B023
            if isinstance(row, Gap):
                yield row
            else:
                yield from _archives(stock, row)
    if stock.targets("cli") and stock.matrix.recipes["cli"].documents and not stock.documents:
        yield Gap(
            stock.matrix.recipes["cli"].package,
            "its archives lack completions and the manual page: no program that writes them was built for this machine",
            "rva build --target cli --target host",
        )


def program(row: Finished) -> Part:
    """The program itself, at the top of an archive."""
    artifact = next(a for a in row.files if a.kind in ("executable", "module"))
    return Part(PurePosixPath(artifact.path).name, source=dist(artifact), executable=artifact.kind == "executable")


def _archives(stock: Stock, row: Finished) -> Iterator[Package]:
    recipe = stock.matrix.recipes[row.target.recipe]
    name = naming.archive(recipe.package, stock.matrix.version, row.triple)
    parts = (
        program(row),
        Part("README.md", text=stock.rendered("archives/cli.md.j2", _values(stock, row))),
        *stock.licences(),
        *stock.documents,
    )
    for ending in naming.endings(row.triple):
        file = row.file(f"cli/{name}.{ending}")
        yield Package(file, "cli", recipe.package, (row.target.id,), parts, ending, name, row.build)


def _values(stock: Stock, row: Finished) -> dict[str, object]:
    project = stock.matrix.project
    return {
        "name": project.name,
        "program": stock.matrix.recipes[row.target.recipe].binary,
        "file": program(row).path,
        "description": project.description,
        "repository": project.repository,
        "licence": project.licence,
        "version": stock.matrix.version,
        "triple": row.triple,
        "os": row.target.os,
        "floor": naming.floor(row.target.os, row.target.libc, row.target.floor),
        "documents": [part.path for part in stock.documents],
        "stand_in": row.build == "stand-in",
    }
