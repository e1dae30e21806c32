"""Progress and messages on standard error. Knows lines and folds, not what they are about."""

from __future__ import annotations

import os
import sys
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, TextIO

# In a pipe, work that says nothing for so long is shown to be alive.
SILENCE_S: Final = 20.0
_WIDEST: Final = 160


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
        self._started = self._spoke = time.monotonic()
        self._doing = ""

    def say(self, text: str) -> None:
        """A line a user should see in a normal run."""
        if self.level >= 1:
            self._line(text)
            with self._lock:
                # What was said last is newer than the last detail, which may be of work that has ended.
                self._doing = self._doing and (text.strip()[:_WIDEST] or self._doing)

    def warn(self, text: str) -> None:
        """A line about something that is not as it should be; shown even when quiet."""
        self._line(f"{self.paint('warning', '33')}: {text}")

    def error(self, text: str) -> None:
        """The message of a failed run; shown even when quiet."""
        self._line(f"{self.paint('error', '31;1')}: {text}")

    def detail(self, text: str) -> None:
        """A line for verbose runs; else the living status line of a terminal, or in a pipe a line now and then."""
        if self.level >= 2:
            self._line(text)
        elif self._live:
            self._show(text)
        elif self.level == 1:
            with self._lock:
                watched, self._doing = bool(self._doing), text.strip()[:_WIDEST]
            if not watched:
                _watch(weakref.ref(self), SILENCE_S)

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
            self._spoke = time.monotonic()

    def break_silence(self) -> float:
        """Write what is being done if nothing was written for a while; how long to wait before looking again."""
        with self._lock:
            left = self._spoke + SILENCE_S - time.monotonic()
            if left > 0:
                return left
            self._line(f"  {self._now()} {self._doing}")
            return SILENCE_S

    def _now(self) -> str:
        elapsed = int(time.monotonic() - self._started)
        return f"[{elapsed // 60}:{elapsed % 60:02}]"

    def _show(self, text: str) -> None:
        with self._lock:
            self._clear()
            width = max(20, _columns() - 1)
            self._status = f"{self._now()} {text}"[:width]
            self.stream.write(self._status)
            self.stream.flush()

    def _clear(self) -> None:
        if self._status:
            self.stream.write("\r\x1b[2K")
            self._status = ""


def _watch(log: weakref.ref[Log], wait: float) -> None:
    """Look again after so long, until the log is gone."""
    timer = threading.Timer(wait, _look, (log,))
    timer.daemon = True
    timer.start()


def _look(log: weakref.ref[Log]) -> None:
    found = log()
    if found is not None:
        _watch(log, found.break_silence())


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
