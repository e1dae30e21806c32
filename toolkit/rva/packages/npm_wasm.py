"""The npm package of the WebAssembly modules: one a level, one glue for all, and what chooses among them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rva import naming
from rva.errors import CheckFailed
from rva.model import Artifact, Gap, Package, Part, Target
from rva.packages import glue
from rva.packages.stock import Stock, dist, not_built

LEVELS = ("baseline", "simd128", "relaxed-simd")


def plan(stock: Stock) -> Iterator[Package | Gap]:
    """The package, or each row that it lacks."""
    if stock.targets("wasm") and "wasm-js" not in stock.matrix.recipes:
        yield from _plain(stock)
        return
    targets = {t.variant: t for t in stock.targets("wasm")}
    rows = [targets.get(f"web-{level}") for level in LEVELS]
    if None in rows or not stock.targets("wasm-js") or not stock.targets("js"):
        # Not all of them were asked for.
        return
    modules = [row for row in rows if row is not None]
    recipe = stock.matrix.recipes["wasm"]
    lacking = [t for t in (*modules, *stock.targets("wasm-js"), *stock.targets("js")) if not stock.files(t.id)]
    yield from (not_built(recipe.package, target) for target in lacking)
    if not lacking:
        yield _package(stock, modules)


def _plain(stock: Stock) -> Iterator[Package | Gap]:
    """What wasm-pack made for each home, in a folder of its own: a project without code that chooses among them."""
    recipe, project = stock.matrix.recipes["wasm"], stock.matrix.project
    rows = [t for t in stock.targets("wasm") if t.variant.endswith("-baseline")]
    lacking = [t for t in rows if not stock.files(t.id)]
    if lacking or not rows:
        yield from (not_built(recipe.package, target) for target in lacking)
        return
    own = stock.read_json(f"{recipe.folder}/package.json")
    values = {
        "package": recipe.package,
        "version": stock.matrix.version,
        "own": own,
        "licence": project.licence,
        "repository": project.repository,
    }
    parts = [
        Part("package.json", text=stock.rendered_json("npm/package.json.j2", values)),
        Part("README.md", source=f"{recipe.folder}/README.md"),
        *stock.licences(),
    ]
    for row in rows:
        home = row.variant.removesuffix("-baseline")
        form = "commonjs" if home == "nodejs" else "module"
        parts.append(Part(f"{home}/package.json", text=f'{{"type": "{form}"}}\n'))
        parts += [Part(f"{home}/{_within_row(a)}", source=dist(a)) for a in stock.files(row.id)]
    tarball = f"npm/{naming.npm_tarball(recipe.package, stock.matrix.version)}"
    yield Package(tarball, "npm", recipe.package, tuple(t.id for t in rows), tuple(parts), "npm")


def _package(stock: Stock, modules: list[Target]) -> Package:
    recipe, project = stock.matrix.recipes["wasm"], stock.matrix.project
    own = stock.read_json(f"{recipe.folder}/package.json")
    values: dict[str, Any] = {
        "package": recipe.package,
        "version": stock.matrix.version,
        "own": own,
        "licence": project.licence,
        "repository": project.repository,
    }
    text = _glue(stock, modules)
    layers = [artifact for name in ("js", "wasm-js") for artifact in stock.common(name)]
    parts = (
        Part("package.json", text=stock.rendered_json("npm/package.json.j2", values)),
        Part("README.md", source=f"{recipe.folder}/README.md"),
        *stock.licences(),
        *(Part(_within_row(artifact), source=dist(artifact)) for artifact in layers),
        Part("js/esm/glue.js", text=glue.module(text)),
        Part("js/cjs/glue.js", text=glue.commonjs(text)),
        *(
            Part(f"wasm/{level}.wasm", source=dist(_only(stock, row, "module")))
            for level, row in zip(LEVELS, modules, strict=True)
        ),
    )
    rows = (*(t.id for t in modules), *(t.id for name in ("js", "wasm-js") for t in stock.targets(name)))
    tarball = f"npm/{naming.npm_tarball(recipe.package, stock.matrix.version)}"
    return Package(tarball, "npm", recipe.package, rows, parts, "npm")


def _glue(stock: Stock, modules: list[Target]) -> str:
    """The glue of all levels: it knows what a module imports and exports, which is the same in each."""
    files = [_only(stock, row, "glue") for row in modules]
    if len({artifact.sha256 for artifact in files}) != 1:
        raise CheckFailed("the levels of the WebAssembly module have different glue", fix="build them from one commit")
    return (stock.root / dist(files[0])).read_text("utf-8")


def _only(stock: Stock, row: Target, kind: Any) -> Artifact:
    [artifact] = stock.files(row.id, kind)
    return artifact


def _within_row(artifact: Artifact) -> str:
    return artifact.path.split("/", 2)[2]
