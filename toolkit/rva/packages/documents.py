"""Completions and manual pages, written by the program itself: they are the same on every system."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rva import files, shell
from rva.errors import CheckFailed
from rva.model import Part

_FOLDERS = ("completions/", "man/")


def write(program: Path, arguments: Sequence[str], folder: Path) -> tuple[Part, ...]:
    """What PROGRAM ARGUMENTS FOLDER leaves in an empty folder, below completions/ and man/."""
    files.make_folder(folder)
    shell.run([program, *arguments, folder], cwd=folder)
    found = sorted(p for p in folder.rglob("*") if p.is_file())
    parts = tuple(Part(p.relative_to(folder).as_posix(), text=p.read_text("utf-8")) for p in found)
    stray = [part.path for part in parts if not part.path.startswith(_FOLDERS) or not part.text.strip()]
    if stray or not parts:
        raise CheckFailed(
            f"{program.name} {' '.join(arguments)} left {', '.join(stray) or 'nothing'}; "
            f"texts below {' and '.join(_FOLDERS)} were wanted"
        )
    return parts
