"""Tools made whole or not at all, by one process at a time: beside their place first, then renamed."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from rva import files, shell
from rva.errors import CheckFailed, ToolError
from rva.log import Log


def alone(place: Path, log: Log) -> AbstractContextManager[None]:
    """Hold the lock of a place in the shared cache."""
    lock = place.with_name(f"{place.name}.lock")
    return files.held(lock, f"another rva run is preparing {place.name}", log)


def make_folder(place: Path, make: Callable[[Path], None]) -> None:
    """Fill a folder beside ``place`` and rename it there. Call it with the lock of ``place`` held."""
    for stale in place.parent.glob(f"{files.PART}*-{place.name}"):
        files.remove(stale)
    part = files.make_folder(place.with_name(f"{files.PART}{os.getpid()}-{place.name}"))
    try:
        make(part)
        files.remove(place)
        files.move_folder(part, place)
    except OSError as error:
        raise shell.from_os_error(error, f"cannot prepare {place}") from error
    finally:
        files.remove(part)


def run(
    title: str,
    argv: Sequence[str | Path],
    log: Log,
    record: Path,
    *,
    env: dict[str, str] | None = None,
    cwd: Path | None = None,
    fix: str = "",
    timeout: float | None = None,
    on_line: Callable[[str], None] | None = None,
    separate_stderr: bool = False,
) -> str:
    """Run one command of a set-up; its failure is a ToolError that says what could not be prepared."""

    def show(line: str) -> None:
        log.detail(f"{title}: {line}")

    try:
        return shell.run(
            argv, env=env, cwd=cwd, log=record, on_line=on_line or show, timeout=timeout,
            separate_stderr=separate_stderr,
        ).output  # fmt: skip
    except CheckFailed as error:
        raise ToolError(f"{title} failed: {error.what}", fix=fix or error.fix) from error
