"""Runs a server and ends with its owner, however that ends: standard input is a pipe that only the owner holds.

Started by rva.shell as a program of its own, the leader of a process group.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading


def main() -> None:
    """Run the command of the arguments until it ends or the pipe closes."""
    child = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL)
    # The reader may be waiting in the kernel when the child ends: nothing is left to tidy up.
    threading.Thread(target=lambda: os._exit(child.wait() & 0xFF), daemon=True).start()
    sys.stdin.buffer.read()
    if os.name == "posix":
        os.killpg(0, signal.SIGKILL)
    child.kill()


if __name__ == "__main__":
    main()
