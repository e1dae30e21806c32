"""A small checkout with a dist/ in which every row is finished, as the recipes say; files hold their own names."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from rva import matrix as matrix_stage
from rva import naming
from rva.content import sha256
from rva.model import Artifact, Host, Manifest, Matrix, Part
from rva.packages import plan
from rva.packages.plan import PackagePlan
from rva.packages.stock import Stock
from rva.recipes.base import Context
from rva.recipes.registry import RECIPES

Plan = Callable[..., PackagePlan]
HOST = Host("x86_64-unknown-linux-gnu", "linux", "x64", "glibc", 2)

DOCUMENTS = tuple(
    Part(path, text=f"{path}\n")
    for path in (
        "completions/_tool",
        "completions/tool.bash",
        "completions/tool.fish",
        "completions/_tool.ps1",
        "man/tool.1",
    )
)

# The least that wasm-bindgen writes for the web.
WEB_GLUE = """export class Thing {
}

export function version() {
}
async function __wbg_init(module_or_path) {
        module_or_path = new URL('a_bg.wasm', import.meta.url);
}

export { initSync, __wbg_init as default };
"""


@pytest.fixture
def stocked(project: Path, root: Path) -> Path:
    """The checkout: real templates, package.json of the bindings, every row built, those of msvc stood in for."""
    shutil.copytree(root / "templates", project / "templates", dirs_exist_ok=True)
    for binding in ("node", "wasm"):
        folder = root / "bindings" / binding
        for path in folder.iterdir():
            if path.is_file():
                shutil.copy(path, project / "bindings" / binding)
    for name in ("LICENSE-MIT", "LICENSE-APACHE"):
        shutil.copy(root / name, project)
    table = matrix_stage.load(project)
    artifacts = [a for t in table.targets for a in _row(project, table, t.id)]
    (project / "dist" / "manifest.json").write_bytes(msgspec.json.encode(Manifest("1.2.3", "c" * 40, tuple(artifacts))))
    return project


def _row(project: Path, table: Matrix, row: str) -> list[Artifact]:
    target = next(t for t in table.targets if t.id == row)
    triple = target.stand_in or target.triple
    stands_in = bool(target.stand_in)
    folder = naming.dist_folder(target.family, row, stand_in=stands_in)
    made = []
    for output in RECIPES[target.recipe](target, triple, Context(table, HOST, "release")).outputs:
        path = project / "dist" / folder / output.name
        path.parent.mkdir(parents=True, exist_ok=True)
        # What all rows of a recipe make alike is the same text in each.
        text = output.name if output.kind in ("glue", "types") else f"{row} {output.name}"
        if row.startswith("wasm-web") and output.kind == "glue":
            text = WEB_GLUE
        path.write_text(text)
        made.append(
            Artifact(
                row,
                target.family,
                triple,
                f"{folder}/{output.name}",
                len(text),
                sha256(path),
                output.kind,
                "stand-in" if stands_in else "cross",
                "tool",
                1.0,
            )
        )
    return made


@pytest.fixture
def planned(stocked: Path) -> Plan:
    """Plan packages from the rows that a function keeps."""

    def make(
        keep: Callable[[Artifact], bool] = lambda _: True, targets: Callable[[str], bool] = lambda _: True
    ) -> PackagePlan:
        table = matrix_stage.load(stocked)
        manifest = msgspec.json.decode((stocked / "dist" / "manifest.json").read_bytes(), type=Manifest)
        kept = msgspec.structs.replace(manifest, artifacts=tuple(a for a in manifest.artifacts if keep(a)))
        chosen = frozenset(t.id for t in table.targets if targets(t.id))
        return plan.make(Stock(stocked, table, kept, chosen, DOCUMENTS))

    return make


def document(made: PackagePlan, name: str) -> dict[str, object]:
    """The package.json of a planned npm package."""
    [package] = [p for p in made.packages if p.kind == "npm" and p.name == name]
    [text] = [part.text for part in package.parts if part.path == "package.json"]
    found = json.loads(text)
    assert isinstance(found, dict)
    return found
