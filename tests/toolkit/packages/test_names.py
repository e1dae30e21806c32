"""Every package is called what the one scheme says."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path, PurePosixPath

from rva import naming
from rva.model import Matrix

from .conftest import Plan


def test_the_plan_and_the_scheme_agree_row_by_row(planned: Plan, table: Matrix) -> None:
    made = planned()
    for target in table.targets:
        recipe = table.recipes[target.recipe]
        triple = target.stand_in if target.stand_in and target.recipe in ("cli", "c-library") else target.triple
        wanted = set(naming.packages(target.recipe, recipe.package, recipe.binary, "1.2.3", triple))
        if target.stand_in:
            wanted = {f"stand-in/{name}" for name in wanted}
        found = {p.file for p in made.packages if p.rows == (target.id,)}
        if found or target.recipe not in ("wasm", "js", "wasm-js"):
            assert found == wanted, target.id


def test_an_archive_unpacks_to_its_own_name(planned: Plan) -> None:
    for package in planned().packages:
        if package.folder:
            assert PurePosixPath(package.file).name == f"{package.folder}.{package.pack}"


def test_cargo_binstall_finds_the_archives(table: Matrix, root: Path) -> None:
    """What its templates in Cargo.toml make for a platform is the address of that platform's archive, and the program in it."""
    package = tomllib.loads((root / "bindings" / "cli" / "Cargo.toml").read_text("utf-8"))["package"]
    metadata = package["metadata"]["binstall"]
    recipe = table.recipes["cli"]
    for target in (t for t in table.targets if t.recipe == "cli"):
        form = metadata["overrides"].get(target.triple, metadata)["pkg-fmt"]
        words = {
            "repo": table.project.repository,
            "name": package["name"],
            "version": "1.2.3",
            "target": target.triple,
            "archive-suffix": {"tgz": ".tar.gz", "zip": ".zip"}[form],
            "bin": recipe.binary,
            "binary-ext": ".exe" if target.os == "win32" else "",
        }
        found = {key: filled(metadata[key], words) for key in ("pkg-url", "bin-dir")}
        names = {
            PurePosixPath(n).name for n in naming.packages("cli", recipe.package, recipe.binary, "1.2.3", target.triple)
        }
        base, _, file = found["pkg-url"].rpartition("/")
        assert base == naming.download(table.project.repository, "1.2.3") and file in names
        folder = naming.archive(recipe.package, "1.2.3", target.triple)
        assert found["bin-dir"] == f"{folder}/{naming.executable(recipe.binary, target.triple)}"


def filled(template: str, words: dict[str, str]) -> str:
    return re.sub(r"\{ ([a-z-]+) \}", lambda m: words[m[1]], template)
