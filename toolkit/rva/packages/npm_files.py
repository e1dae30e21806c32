"""What goes into an npm package that people name: the files that the binding's own package.json lists."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from rva import naming
from rva.model import Artifact, Gap, Package, Part, Recipe, RecipeName
from rva.packages.stock import Stock, dist

_ALWAYS = ("package.json", "README.md")


def whole(
    stock: Stock, recipe: Recipe, values: Mapping[str, Any], made: Mapping[str, str], recipes: Sequence[RecipeName]
) -> Package | Gap:
    """The package of a binding.

    Each name of `files` is looked for in ``made``, texts by their path; then in the finished rows of ``recipes``,
    where a folder stands for all that lies in it; then beside the binding's package.json.
    """
    licences = stock.licences()
    always = {*_ALWAYS, *(part.path for part in licences)}
    listed = [name for name in values["own"]["files"] if name not in always]
    found = {name: _find(stock, recipe, name, made, recipes) for name in listed}
    absent = [name for name, parts in found.items() if not parts]
    if absent:
        return Gap(
            recipe.package,
            f"{', '.join(absent)}: named by {recipe.folder}/package.json, and neither there nor in a finished row",
            "rva build --target " + " --target ".join(recipes),
        )
    parts = (
        Part("package.json", text=stock.rendered_json("npm/package.json.j2", values)),
        Part("README.md", source=f"{recipe.folder}/README.md"),
        *licences,
        *(part for name in listed for part in found[name]),
    )
    rows = tuple(t.id for r in recipes for t in stock.targets(r) if stock.files(t.id))
    tarball = f"npm/{naming.npm_tarball(recipe.package, stock.matrix.version)}"
    return Package(tarball, "npm", recipe.package, rows, parts, "npm")


def _find(
    stock: Stock, recipe: Recipe, name: str, made: Mapping[str, str], recipes: Sequence[RecipeName]
) -> list[Part]:
    if name in made:
        return [Part(name, text=made[name])]
    artifacts = [a for r in recipes for a in stock.common(r)]
    built = [Part(path, source=dist(a)) for a in artifacts if _holds(name, path := _path(a))]
    if built:
        return built
    beside = f"{recipe.folder}/{name}"
    return [Part(name, source=beside)] if (stock.root / beside).is_file() else []


def _holds(name: str, path: str) -> bool:
    return path == name or path.startswith(f"{name.rstrip('/')}/")


def _path(artifact: Artifact) -> str:
    """The path of a file within its row."""
    folder = naming.dist_folder(artifact.family, artifact.id, stand_in=artifact.build == "stand-in")
    return PurePosixPath(artifact.path).relative_to(folder).as_posix()
