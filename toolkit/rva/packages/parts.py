"""The content of a package's files, and the files themselves in a folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rva import files
from rva.model import Part


def content(part: Part, root: Path) -> bytes:
    """The bytes of a file, wherever they come from."""
    return (root / part.source).read_bytes() if part.source else part.data or part.text.encode()


def lay_out(parts: Sequence[Part], root: Path, folder: Path) -> None:
    """Write the files of a package to a folder, with fixed modes whatever the user's umask is."""
    for part in parts:
        target = folder / part.path
        files.write(target, content(part, root))
        target.chmod(0o755 if part.executable else 0o644)
