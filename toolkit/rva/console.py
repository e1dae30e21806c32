"""What every command of the program shares: where it is, what it was asked for, how it prints."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from rva import host, matrix, report, shell
from rva.log import Log, wants_colour
from rva.model import Matrix, Target


def here() -> Path:
    """The checkout that the working folder belongs to."""
    return host.find_root(Path.cwd())


def select(
    table: Matrix, target: Sequence[str] | None, exclude: Sequence[str] | None, shard: str = ""
) -> tuple[Target, ...]:
    """The rows that --target, --exclude and --shard name; all of them where nothing was said."""
    found = matrix.select(table, target or ["all"], exclude or [], host.detect().triple)
    return matrix.shard(found, shard) if shard else found


def log_for(quiet: bool, verbose: bool) -> Log:
    """A log that says as much as -q and -v ask for."""
    return Log(0 if quiet else 2 if verbose else 1)


def width() -> int:
    """How many columns a table may take."""
    # In a pipe, lines are as long as they need to be.
    return shutil.get_terminal_size((160, 24)).columns if sys.stdout.isatty() else 220


def show_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table as wide as the terminal is."""
    print_out(report.table(head, rows, colour=wants_colour(sys.stdout), width=width()))


def print_out(text: str) -> None:
    """Write to standard output, whose reader may leave early."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError as error:
        # What is still in the buffer has nowhere to go; a reader that left early is no fault.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):
            raise shell.from_os_error(error, "cannot write to standard output") from error
