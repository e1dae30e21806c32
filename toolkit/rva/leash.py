"""Ends what rva started, where rva ends first: standard input is a pipe that only rva holds.

Started by rva.shell as a program of its own. A line +N or -N says that a process, the leader of group N, began or ended.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys


def main() -> None:
    """Listen until the pipe closes, then end every group that is still there."""
    running: set[int] = set()
    for line in sys.stdin.buffer:
        (running.add if line.startswith(b"+") else running.discard)(int(line[1:]))
    for number in running:
        with contextlib.suppress(OSError):
            if os.name == "posix":
                os.killpg(number, signal.SIGKILL)
            else:
                os.kill(number, signal.SIGTERM)


if __name__ == "__main__":
    # A terminal's interrupt is for rva, which then ends its children itself.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    main()
