"""Finished rows, kept by the key of what went into them and shared by all checkouts of a user."""

from __future__ import annotations

from pathlib import Path

import msgspec
from msgspec import Struct

from rva import files
from rva.model import Kind, to_json

_RECORD = "row.json"


class StoredFile(Struct, frozen=True):
    """One file of a finished row."""

    name: str
    kind: Kind
    size: int
    sha256: str


class StoredRow(Struct, frozen=True):
    """A finished row: its files, what built them and how long that took."""

    id: str
    triple: str
    tool: str
    duration_s: float
    files: tuple[StoredFile, ...]


class Store:
    """A folder of finished rows, one folder a key."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def find(self, key: str) -> StoredRow | None:
        """The row under a key, or None where it was never finished or is damaged."""
        folder = self.folder(key)
        try:
            row = msgspec.json.decode((folder / _RECORD).read_bytes(), type=StoredRow)
        except (OSError, msgspec.DecodeError):
            return None
        whole = all(_size(folder / f.name) == f.size for f in row.files)
        return row if whole else None

    def folder(self, key: str) -> Path:
        """Where the files of a key lie."""
        return self._folder / key[:2] / key

    def put(self, key: str, finished: Path, row: StoredRow) -> None:
        """Take over a folder of finished files; its record is written before it gets its final name."""
        files.write(finished / _RECORD, to_json(row))
        if self.find(key) is None:
            files.remove(self.folder(key))
        files.move_folder(finished, self.folder(key))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return -1
