"""What packages are made from: the table, the finished rows, and the checkout's own texts."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from msgspec import Struct

from rva import naming, render, resources
from rva.errors import CheckFailed
from rva.model import Artifact, Gap, Kind, Manifest, Matrix, Part, RecipeName, Target


class Stock(Struct, frozen=True):
    """The finished rows of a manifest, those of them that were asked for, and the checkout they lie in.

    ``documents`` are the program's completions and manual pages.
    """

    root: Path
    matrix: Matrix
    manifest: Manifest
    selected: frozenset[str]
    documents: tuple[Part, ...] = ()

    def targets(self, recipe: RecipeName) -> tuple[Target, ...]:
        """The selected rows of a recipe, in the order of platforms.toml."""
        return tuple(t for t in self.matrix.targets if t.recipe == recipe and t.id in self.selected)

    def files(self, row: str, *kinds: Kind) -> tuple[Artifact, ...]:
        """The finished files of a row, of these kinds or of all."""
        return tuple(a for a in self.manifest.artifacts if a.id == row and (not kinds or a.kind in kinds))

    def common(self, recipe: RecipeName) -> tuple[Artifact, ...]:
        """The files that each row of a recipe makes alike, once each; CheckFailed where two rows disagree on a text."""
        rows = {t.id for t in self.matrix.targets if t.recipe == recipe}
        found: dict[str, Artifact] = {}
        for artifact in self.manifest.artifacts:
            if artifact.id not in rows or artifact.build == "stand-in":
                continue
            name = artifact.path.split("/", 2)[2]
            first = found.setdefault(name, artifact)
            if first.sha256 != artifact.sha256 and artifact.kind in ("glue", "types"):
                raise CheckFailed(
                    f"{name} of {artifact.id} is not that of {first.id}", fix="build these rows from one commit"
                )
        return tuple(found.values())

    def licences(self) -> tuple[Part, ...]:
        """The licence texts, which are in every package (D15)."""
        names = [s for s in self.matrix.project.sources if s.upper().startswith(("LICENSE", "LICENCE"))]
        return tuple(Part(name, source=name) for name in names)

    def rendered(self, template: str, values: Mapping[str, object]) -> str:
        """The text of a template below templates/."""
        return render.render(resources.templates(), template, values)

    def rendered_json(self, template: str, values: Mapping[str, object]) -> str:
        """The same, for a template of JSON: read once, so that no fault goes out, and laid out evenly."""
        text = self.rendered(template, values)
        try:
            return json.dumps(json.loads(text), indent=2, ensure_ascii=False) + "\n"
        except ValueError as error:
            raise CheckFailed(f"templates/{template} does not give JSON: {error}", fix="mend the template") from error

    def read_json(self, path: str) -> dict[str, Any]:
        """A JSON file of the checkout."""
        try:
            value = json.loads((self.root / path).read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise CheckFailed(f"{path} cannot be read as JSON: {error}", fix="restore it from git") from error
        if not isinstance(value, dict):
            raise CheckFailed(f"{path} holds no JSON object", fix="restore it from git")
        return value


def dist(artifact: Artifact) -> str:
    """Where a finished file lies, below the checkout."""
    return f"dist/{artifact.path}"


class Finished(Struct, frozen=True):
    """One finished row, as packages are made from it."""

    target: Target
    triple: str
    files: tuple[Artifact, ...]
    build: Literal["release", "stand-in"]

    def file(self, name: str) -> str:
        """Where a package of this row lies below dist/packages."""
        return naming.package_file(name, stand_in=self.build == "stand-in")

    def one(self, kind: Kind) -> Artifact:
        """The row's only file of a kind."""
        [found] = [a for a in self.files if a.kind == kind]
        return found


def finished(stock: Stock, recipe: RecipeName, name: Callable[[Target], str]) -> Iterator[Finished | Gap]:
    """The selected rows of a recipe; a gap, under the name of what is not made, for each that lacks or is stood in for."""
    for target in stock.targets(recipe):
        artifacts = stock.files(target.id)
        if not artifacts:
            yield not_built(name(target), target)
            continue
        stands_in = artifacts[0].build == "stand-in"
        if stands_in:
            yield only_stand_in(name(target), artifacts[0])
        yield Finished(target, artifacts[0].triple, artifacts, "stand-in" if stands_in else "release")


def not_built(package: str, target: Target) -> Gap:
    """The gap that a row leaves that was not built."""
    return Gap(package, f"row {target.id} was not built", f"rva build --target {target.id}")


def only_stand_in(package: str, artifact: Artifact) -> Gap:
    """The gap that a stand-in leaves: it is packed for trying out, never for a registry."""
    return Gap(
        package,
        f"its row has only a stand-in, built for {artifact.triple}",
        "build the row where `rva plan` calls it available; the stand-in's package is below dist/packages/stand-in",
    )
