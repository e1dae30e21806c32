"""Writing so that a file is whole or absent: beside its place first, then renamed."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path

from rva.errors import RvaError
from rva.shell import from_os_error

PART = ".rva-part-"


def write(path: Path, data: bytes | str) -> None:
    """Write a whole file or nothing."""
    part = _part(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(data.encode() if isinstance(data, str) else data)
        part.replace(path)
    except OSError as error:
        _discard(part)
        raise _disk(error, path) from error


def copy(source: Path, path: Path, *, executable: bool) -> None:
    """Copy a file whole or not at all, with a fixed mode."""
    part = _part(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, part)
        part.chmod(0o755 if executable else 0o644)
        part.replace(path)
    except OSError as error:
        _discard(part)
        raise _disk(error, path) from error


def move_folder(source: Path, target: Path) -> None:
    """Rename a finished folder into place; a folder already there, made by another run, stays."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        source.rename(target)
    except OSError as error:
        if not target.is_dir():
            raise _disk(error, target) from error
        remove(source)


def make_folder(path: Path) -> Path:
    """An empty folder, made anew."""
    remove(path)
    try:
        path.mkdir(parents=True)
    except OSError as error:
        raise _disk(error, path) from error
    return path


def remove(path: Path) -> None:
    """Remove a file or folder if it is there; a folder is gone at once, however long its files take."""
    if path.is_dir() and not path.is_symlink():
        aside = _part(path)
        with contextlib.suppress(OSError):
            path.rename(aside)
            path = aside
        shutil.rmtree(path, ignore_errors=True)
    else:
        _discard(path)


def _part(path: Path) -> Path:
    return path.with_name(f"{PART}{os.getpid()}-{path.name}")


def _discard(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink()


def _disk(error: OSError, path: Path) -> RvaError:
    return from_os_error(error, f"cannot write {path}")
