"""Writing so that a file is whole or absent: beside its place first, then renamed."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import filelock

from rva.errors import RvaError
from rva.log import Log
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


@contextlib.contextmanager
def held(lock: Path, others: str, log: Log) -> Iterator[None]:
    """Hold a lock file, one process at a time; a second process waits, and says what for: ``others``."""
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        taken = filelock.FileLock(lock)
        try:
            taken.acquire(timeout=0)
        except filelock.Timeout:
            log.say(f"{others}; waiting for it")
            taken.acquire(poll_interval=0.2)
    except OSError as error:
        raise from_os_error(error, f"cannot write in {lock.parent}") from error
    try:
        yield
    finally:
        taken.release()


def _part(path: Path) -> Path:
    return path.with_name(f"{PART}{os.getpid()}-{path.name}")


def _discard(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink()


def _disk(error: OSError, path: Path) -> RvaError:
    return from_os_error(error, f"cannot write {path}")
