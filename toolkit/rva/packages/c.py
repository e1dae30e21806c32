"""Archives of the C library: header, libraries and pkg-config file, laid out as below a prefix such as /usr/local."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from rva import naming
from rva.model import Artifact, Gap, Package, Part, RecipeName
from rva.packages.stock import Finished, Stock, dist, finished

_RECIPES: tuple[RecipeName, ...] = ("c-library", "wasi-reactor")


def plan(stock: Stock) -> Iterator[Package | Gap]:
    """One archive a platform."""
    for recipe in (r for r in _RECIPES if r in stock.matrix.recipes):
        package, version = stock.matrix.recipes[recipe].package, stock.matrix.version
        for row in finished(stock, recipe, lambda t: naming.archive(package, version, t.triple)):  # noqa: B023
            yield row if isinstance(row, Gap) else _archive(stock, row)


def _archive(stock: Stock, row: Finished) -> Package:
    recipe = stock.matrix.recipes[row.target.recipe]
    name = naming.archive(recipe.package, stock.matrix.version, row.triple)
    header = _header(stock) if row.target.recipe == "wasi-reactor" else ()
    ending = naming.endings(row.triple)[0]
    parts = (
        *(_part(stock, row, artifact) for artifact in (*row.files, *header)),
        Part("README.md", text=stock.rendered("archives/c.md.j2", _values(stock, row))),
        *stock.licences(),
    )
    file = row.file(f"c/{name}.{ending}")
    return Package(file, "c", recipe.package, (row.target.id,), parts, ending, name, row.build)


def _part(stock: Stock, row: Finished, artifact: Artifact) -> Part:
    name = PurePosixPath(artifact.path).name
    if artifact.kind == "pkgconfig":
        text = (stock.root / dist(artifact)).read_text("utf-8")
        return Part(f"lib/pkgconfig/{name}", text=prefixed(text))
    # Windows looks for a DLL beside the program, which is where `bin` is put together.
    folder = {"header": "include", "module": "lib"}.get(artifact.kind, "bin" if name.endswith(".dll") else "lib")
    return Part(f"{folder}/{name}", source=dist(artifact), executable=artifact.kind == "shared")


def prefixed(text: str) -> str:
    """A pkg-config file that stands in lib/pkgconfig instead of beside the library."""
    changes = {"prefix": "${pcfiledir}/../..", "libdir": "${prefix}/lib", "includedir": "${prefix}/include"}
    lines = text.splitlines(keepends=True)
    return "".join(f"{key}={changes[key]}\n" if (key := line.split("=")[0]) in changes else line for line in lines)


def _header(stock: Stock) -> tuple[Artifact, ...]:
    """The header of the C library serves its WASI reactor too; it is the same on every platform."""
    return tuple(a for a in stock.common("c-library") if a.kind == "header")


def _values(stock: Stock, row: Finished) -> dict[str, object]:
    project = stock.matrix.project
    return {
        "name": project.name,
        "description": project.description,
        "repository": project.repository,
        "licence": project.licence,
        "version": stock.matrix.version,
        "library": stock.matrix.recipes[row.target.recipe].binary,
        "triple": row.triple,
        "floor": naming.floor(row.target.os, row.target.libc, row.target.floor),
        "os": row.target.os,
        "stand_in": row.build == "stand-in",
    }
