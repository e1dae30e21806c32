"""Every finished file, read by its own format and held against its row."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from rva import content
from rva.inspect import check
from rva.model import Artifact, Manifest, Matrix, Target
from rva.verified import Cell

NAME = "files"


def cells(manifest: Manifest, targets: Sequence[Target], matrix: Matrix, root: Path) -> tuple[Cell, ...]:
    """One cell a row, and one more for its stand-in."""
    found = []
    for target in targets:
        for stand_in in (False, True):
            mine = [a for a in manifest.artifacts if a.id == target.id and (a.build == "stand-in") == stand_in]
            if mine:
                found.append(_cell(mine, target, matrix, root, stand_in=stand_in))
    return tuple(found)


def _cell(artifacts: Sequence[Artifact], target: Target, matrix: Matrix, root: Path, *, stand_in: bool) -> Cell:
    started = time.monotonic()
    forbidden = (str(root).encode(), str(Path.home()).encode())
    faults = [f"{a.path}: {fault}" for a in artifacts for fault in _faults(a, target, matrix, root, forbidden)]
    return Cell(
        target.id,
        NAME,
        "fail" if faults else "pass",
        stand_in=stand_in,
        evidence=f"{len(artifacts)} files, SHA-256 {', '.join(a.sha256[:12] for a in artifacts)}",
        reason="; ".join(faults),
        duration_s=round(time.monotonic() - started, 1),
    )


def _faults(
    artifact: Artifact, target: Target, matrix: Matrix, root: Path, forbidden: tuple[bytes, ...]
) -> Sequence[str]:
    path = root / "dist" / artifact.path
    if not path.is_file():
        return ["is missing"]
    if content.sha256(path) != artifact.sha256:
        return ["is not the file that was built: its SHA-256 differs from the manifest's"]
    return check.check(path, artifact.kind, target, artifact.triple, matrix, forbidden)
