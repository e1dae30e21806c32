"""Progress and messages on standard error. Knows lines and folds, not what they are about."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO


class Log:
    """Writes progress: one living status line on a terminal, plain timed lines in pipes and CI.

    ``level`` is 0 for quiet (errors only), 1 for normal, 2 for verbose (every line of every tool).
    """

    def __init__(self, level: int = 1, stream: TextIO | None = None) -> None:
        self.level = level
        self.stream = stream if stream is not None else sys.stderr
        self.colour = wants_colour(self.stream)
        self._live = self.stream.isatty() and level == 1 and os.environ.get("TERM") != "dumb"
        self._status = ""
        self._lock = threading.RLock()
        self._started = time.monotonic()

    def say(self, text: str) -> None:
        """A line a user should see in a normal run."""
        if self.level >= 1:
            self._line(text)

    def warn(self, text: str) -> None:
        """A line about something that is not as it should be; shown even when quiet."""
        self._line(f"{self.paint('warning', '33')}: {text}")

    def error(self, text: str) -> None:
        """The message of a failed run; shown even when quiet."""
        self._line(f"{self.paint('error', '31;1')}: {text}")

    def detail(self, text: str) -> None:
        """A line for verbose runs; on a terminal it becomes the living status line otherwise."""
        if self.level >= 2:
            self._line(text)
        elif self._live:
            self._show(text)

    @contextmanager
    def stage(self, title: str) -> Iterator[None]:
        """Name a piece of work and print how long it took."""
        self.say(self.paint(title, "1"))
        before = time.monotonic()
        try:
            yield
        finally:
            self.say(f"{title}: {time.monotonic() - before:.1f} s")

    def paint(self, text: str, code: str) -> str:
        """The text in an ANSI style, where colours are wanted."""
        return f"\x1b[{code}m{text}\x1b[0m" if self.colour else text

    def _line(self, text: str) -> None:
        with self._lock:
            self._clear()
            self.stream.write(text + "\n")
            self.stream.flush()

    def _show(self, text: str) -> None:
        with self._lock:
            self._clear()
            width = max(20, _columns() - 1)
            elapsed = int(time.monotonic() - self._started)
            self._status = f"[{elapsed // 60}:{elapsed % 60:02}] {text}"[:width]
            self.stream.write(self._status)
            self.stream.flush()

    def _clear(self) -> None:
        if self._status:
            self.stream.write("\r\x1b[2K")
            self._status = ""


def wants_colour(stream: TextIO) -> bool:
    """Whether to colour: https://no-color.org first, then FORCE_COLOR, then whether it is a terminal."""
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def _columns() -> int:
    try:
        return os.get_terminal_size().columns
    except OSError:
        return 80
