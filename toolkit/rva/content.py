"""Digests of what goes into a row: the key under which its result is kept."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct
from pathspec import GitIgnoreSpec


class Digests:
    """Digests of files and folders below one root, each read once."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._known: dict[str, str] = {}

    def of(self, path: str) -> str:
        """SHA-256 over the names and contents of a file or of every source file below a folder."""
        if path not in self._known:
            digest = hashlib.sha256()
            for file in files(self._root / path, self._root):
                name = file.relative_to(self._root).as_posix()
                digest.update(f"{name}\0{sha256(file)}\n".encode())
            self._known[path] = digest.hexdigest()
        return self._known[path]


def files(path: Path, root: Path) -> Iterator[Path]:
    """The source files at or below a path, in a fixed order: what git would not ignore, dot files apart."""
    if path.is_file():
        yield path
        return
    above = [folder for folder in reversed(path.parents) if folder.is_relative_to(root)]
    yield from _walk(path, [rules for folder in above if (rules := _ignored_by(folder))])


class _Ignored(Struct, frozen=True):
    """The rules of one .gitignore, which hold below its folder."""

    folder: Path
    rules: GitIgnoreSpec

    def holds(self, path: Path, *, is_folder: bool) -> bool:
        name = path.relative_to(self.folder).as_posix()
        return self.rules.match_file(f"{name}/" if is_folder else name)


def _walk(folder: Path, ignored: Sequence[_Ignored]) -> Iterator[Path]:
    own = _ignored_by(folder)
    known = [*ignored, own] if own else ignored
    for entry in sorted(os.scandir(folder), key=lambda e: e.name):
        path, is_folder = Path(entry.path), entry.is_dir(follow_symlinks=False)
        # A link to a folder may lead round in circles; what it points to is a source in its own place or none.
        if entry.is_symlink() and not entry.is_file():
            continue
        if entry.name.startswith(".") or any(rules.holds(path, is_folder=is_folder) for rules in known):
            continue
        if is_folder:
            yield from _walk(path, known)
        else:
            yield path


def _ignored_by(folder: Path) -> _Ignored | None:
    try:
        lines = (folder / ".gitignore").read_text("utf-8").splitlines()
    except OSError:
        return None
    return _Ignored(folder, GitIgnoreSpec.from_lines(lines))


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
