"""The npm packages of the Node.js addon: one a platform, and the main one that names them all."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rva import naming
from rva.model import Artifact, Gap, Package, Part, Target
from rva.packages import npm_files
from rva.packages.stock import Stock, dist, not_built, only_stand_in


def plan(stock: Stock) -> Iterator[Package | Gap]:
    """A package for each addon that is built, the main package, and what is lacking."""
    targets = stock.targets("napi")
    if not targets:
        return
    made: list[str] = []
    for target in targets:
        for item in _platform(stock, target):
            if isinstance(item, Package) and item.build == "release":
                made.append(item.name)
            yield item
    yield from _main(stock, targets, made)


def _platform(stock: Stock, target: Target) -> Iterator[Package | Gap]:
    name = naming.npm_package(stock.matrix.recipes["napi"].package, target.triple)
    addons = stock.files(target.id, "addon")
    if not addons:
        yield not_built(name, target)
        return
    [addon] = addons
    if addon.build == "stand-in":
        yield only_stand_in(name, target, addon)
    yield _platform_package(stock, target, addon, name)


def _platform_package(stock: Stock, target: Target, addon: Artifact, name: str) -> Package:
    file = addon.path.rsplit("/", 1)[1]
    stands_in = addon.build == "stand-in"
    values = {
        **_facts(stock),
        **_platform_facts(stock, target),
        "file": file,
        "stand_in": addon.triple if stands_in else "",
    }
    tarball = f"npm/{naming.npm_tarball(name, stock.matrix.version)}"
    parts = (
        Part("package.json", text=stock.rendered_json("npm/platform.json.j2", values)),
        Part("README.md", text=stock.rendered("npm/platform.md.j2", values)),
        Part(file, source=dist(addon)),
        *stock.licences(),
    )
    return Package(
        naming.package_file(tarball, stand_in=stands_in),
        "npm",
        name,
        (target.id,),
        parts,
        "stand-in" if stands_in else "release",
    )


def _main(stock: Stock, targets: tuple[Target, ...], made: list[str]) -> Iterator[Package | Gap]:
    recipe = stock.matrix.recipes["napi"]
    platforms = [_platform_facts(stock, t) for t in stock.matrix.targets if t.recipe == "napi"]
    lacking = [str(p["name"]) for p in platforms if p["name"] not in made]
    if lacking:
        yield Gap(
            recipe.package,
            f"it names platform packages that were not made here: {', '.join(lacking)}",
            "publish it only when all of them are",
        )
    values = {
        **_facts(stock),
        "platforms": platforms,
        "optional": {p["name"]: stock.matrix.version for p in platforms},
    }
    own = {"native.js": stock.rendered("npm/native.js.j2", values)}
    yield npm_files.whole(stock, recipe, values, own, ("napi", "js"))


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
