"""What a row promises of one of its files."""

from __future__ import annotations

from pathlib import PurePosixPath

from msgspec import Struct

from rva.model import Kind, Matrix, Recipe, Target


class Wanted(Struct, frozen=True):
    """The promises that a file is held against.

    ``triple`` is the one really built for: a stand-in's differs from its row's. ``forbidden`` are byte strings that
    no finished file may hold: the checkout, the home folder, the tools' folders.
    """

    kind: Kind
    target: Target
    triple: str
    matrix: Matrix
    forbidden: tuple[bytes, ...] = ()

    @property
    def recipe(self) -> Recipe:
        """The [recipes] table of the row."""
        return self.matrix.recipes[self.target.recipe]

    @property
    def stand_in(self) -> bool:
        """Whether the file takes the place of one that this machine cannot build."""
        return self.triple != self.target.triple

    def licences(self) -> tuple[str, ...]:
        """File names of the licence texts that a package carries."""
        names = (PurePosixPath(s).name for s in self.matrix.project.sources)
        return tuple(n for n in names if n.upper().startswith(("LICENSE", "LICENCE")))
