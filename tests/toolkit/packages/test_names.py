"""Every package is called what the one scheme says."""

from __future__ import annotations

from pathlib import PurePosixPath

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
