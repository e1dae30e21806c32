"""The npm packages of the Node.js addon: one a platform, and the main one that names them all."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rva import naming
from rva.model import Gap, Package, Part, Target
from rva.packages import npm_files
from rva.packages.stock import Finished, Stock, dist, finished


def plan(stock: Stock) -> Iterator[Package | Gap]:
    """A package for each addon that is built, the main package, and what is lacking."""
    if not stock.targets("napi"):
        return
    package = stock.matrix.recipes["napi"].package
    made: list[str] = []
    for row in finished(stock, "napi", lambda target: naming.npm_package(package, target.triple)):
        if isinstance(row, Gap):
            yield row
            continue
        one = _platform(stock, row, naming.npm_package(package, row.target.triple))
        if one.build == "release":
            made.append(one.name)
        yield one
    yield _main(stock)
    yield from _unnamed(stock, made)


def _platform(stock: Stock, row: Finished, name: str) -> Package:
    addon = row.one("addon")
    file = addon.path.rsplit("/", 1)[1]
    values = {
        **_facts(stock),
        **_platform_facts(stock, row.target),
        "file": file,
        "stand_in": row.triple if row.build == "stand-in" else "",
    }
    parts = (
        Part("package.json", text=stock.rendered_json("npm/platform.json.j2", values)),
        Part("README.md", text=stock.rendered("npm/platform.md.j2", values)),
        Part(file, source=dist(addon)),
        *stock.licences(),
    )
    tarball = row.file(f"npm/{naming.npm_tarball(name, stock.matrix.version)}")
    return Package(tarball, "npm", name, (row.target.id,), parts, "npm", build=row.build)


def _main(stock: Stock) -> Package | Gap:
    platforms = [_platform_facts(stock, t) for t in stock.matrix.targets if t.recipe == "napi"]
    values = {
        **_facts(stock),
        "platforms": platforms,
        "optional": {p["name"]: stock.matrix.version for p in platforms},
    }
    own = {"native.js": stock.rendered("npm/native.js.j2", values)}
    return npm_files.whole(stock, stock.matrix.recipes["napi"], values, own, ("napi", "js"))


def _unnamed(stock: Stock, made: list[str]) -> Iterator[Gap]:
    """The main package names every platform's; where some were not made, it is for this machine only."""
    package = stock.matrix.recipes["napi"].package
    names = [naming.npm_package(package, t.triple) for t in stock.matrix.targets if t.recipe == "napi"]
    lacking = [name for name in names if name not in made]
    if lacking:
        reason = f"it names platform packages that were not made here: {', '.join(lacking)}"
        yield Gap(package, reason, "publish it only when all of them are")


def _facts(stock: Stock) -> dict[str, Any]:
    """What every package of the family says of itself; words for people come from the binding's own package.json."""
    recipe, project = stock.matrix.recipes["napi"], stock.matrix.project
    own = stock.read_json(f"{recipe.folder}/package.json")
    return {
        "package": recipe.package,
        "version": stock.matrix.version,
        "own": own,
        "description": own["description"],
        "engines": own["engines"]["node"],
        "licence": project.licence,
        "repository": project.repository,
        "wasm": stock.matrix.recipes["wasm"].package if "wasm" in stock.matrix.recipes else "",
    }


def _platform_facts(stock: Stock, target: Target) -> dict[str, object]:
    return {
        "key": naming.addon_abi(target.triple),
        "name": naming.npm_package(stock.matrix.recipes["napi"].package, target.triple),
        "os": target.os,
        "cpu": target.cpu,
        "libc": naming.npm_libc(target.libc),
        "needs": "musl" if target.libc == "musl" else f"{naming.floor(target.os, target.libc, target.floor)} or newer",
    }
