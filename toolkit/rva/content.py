"""Digests of what goes into a row: the key under which its result is kept."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import msgspec

# Made by builds and tools, never a source. Names, at any depth; names with a leading dot are left out too.
NOT_SOURCES = frozenset({"target", "node_modules", "pkg", "dist", "__pycache__"})


class Digests:
    """Digests of files and folders below one root, each read once."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._known: dict[str, str] = {}

    def of(self, path: str) -> str:
        """SHA-256 over the names and contents of a file or of every source file below a folder."""
        if path not in self._known:
            digest = hashlib.sha256()
            for file in files(self._root / path):
                name = file.relative_to(self._root).as_posix()
                digest.update(f"{name}\0{sha256(file)}\n".encode())
            self._known[path] = digest.hexdigest()
        return self._known[path]


def files(path: Path) -> Iterator[Path]:
    """The source files at or below a path, in a fixed order."""
    if path.is_file():
        yield path
        return
    for folder, folders, names in os.walk(path):
        folders[:] = sorted(f for f in folders if f not in NOT_SOURCES and not f.startswith("."))
        for name in sorted(names):
            if not name.startswith(".") and not name.endswith((".node", ".pyc")):
                yield Path(folder) / name


def key(parts: Mapping[str, object], sources: Iterable[str], digests: Digests) -> str:
    """The key of a row: its plan as data, its tools, and the content of its sources."""
    text = msgspec.json.encode(
        {"parts": parts, "sources": {s: digests.of(s) for s in sorted(set(sources))}}, order="deterministic"
    )
    return hashlib.sha256(text).hexdigest()


def sha256(path: Path) -> str:
    """SHA-256 of one file, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
