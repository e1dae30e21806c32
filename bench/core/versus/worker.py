"""One contender's process: requests and answers as lines of JSON; it stands still while others have their turn."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

_END_S = 5.0
# From linux/prctl.h.
_PR_SET_PDEATHSIG = 1
# onnxruntime's pool spins for 40 ms; what looks further is given up on.
_SPIN_S = 0.2
# The system counts processor time by ticks of up to 4 ms: two of them tell whether any was used.
_IDLE_S = 0.010
_USED_S = 0.001


class WorkerError(Exception):
    """A request was refused."""


class WorkerGone(Exception):
    """The process ended or hangs; what it held is lost."""


class Worker:
    """A running process that answers requests."""

    def __init__(self, command: Sequence[str], env: Mapping[str, str], cpus: Sequence[int]) -> None:
        self._pooled = len(cpus) > 1
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the worker

        def prepare() -> None:
            if hasattr(os, "sched_setaffinity"):
                os.sched_setaffinity(0, cpus)
            if sys.platform == "linux":
                # A worker that stands still would outlive a harness that is killed.
                ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)

        self._process = subprocess.Popen(
            list(command),
            env={**os.environ, **env},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            # Before any thread of the child starts, and in a process that has none itself.
            preexec_fn=prepare,
        )
        assert self._process.stdin is not None and self._process.stdout is not None
        self._in, self._out = self._process.stdin, self._process.stdout
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._out, selectors.EVENT_READ)
        self._rest = b""

    def ask(self, request: Mapping[str, object], timeout: float = 120.0) -> dict[str, Any]:
        """The answer to a request. WorkerError where it is an error, WorkerGone where there is none."""
        text = json.dumps(request, default=lambda x: str(x) if isinstance(x, Path) else None)
        try:
            self._in.write(text.encode() + b"\n")
            self._in.flush()
        except OSError:
            raise WorkerGone(self._epitaph()) from None
        line = self._line(timeout)
        try:
            answer: dict[str, Any] = json.loads(line)
        except ValueError:
            self.close()
            raise WorkerGone(f"an answer that is no JSON: {line[:200]!r}") from None
        if answer.get("error"):
            raise WorkerError(str(answer["error"]))
        return answer

    def pause(self) -> None:
        """Stop its threads: some pools spin for a while after their last task, on the next one's time.

        They are given that while first: a pool that is stopped as it spins would go on beside the process's next task.
        """
        if self._process.poll() is None:
            if self._pooled:
                self._settle()
            self._process.send_signal(signal.SIGSTOP)

    def _settle(self) -> None:
        end = time.monotonic() + _SPIN_S
        before = -1.0
        while (now := self._cpu_s()) - before > _USED_S and time.monotonic() < end:
            before = now
            time.sleep(_IDLE_S)

    def _cpu_s(self) -> float:
        """Processor time of all its threads so far; 0 where the system does not tell."""
        try:
            # Linux: the clock of a process, as clock_getcpuclockid(3) makes its number.
            return time.clock_gettime((~self._process.pid << 3) | 2)
        except (OSError, OverflowError, AttributeError):
            return 0.0

    def resume(self) -> None:
        """Let it go on."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGCONT)

    def close(self) -> None:
        """End it."""
        self.resume()
        for stream in (self._in, self._out):
            with contextlib.suppress(OSError):
                stream.close()
        try:
            self._process.wait(_END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._selector.close()
        self._errors.close()

    def _line(self, timeout: float) -> bytes:
        while b"\n" not in self._rest:
            if not self._selector.select(timeout):
                self._process.kill()
                raise WorkerGone(f"no answer within {timeout:.0f} s")
            data = os.read(self._out.fileno(), 1 << 20)
            if not data:
                raise WorkerGone(self._epitaph())
            self._rest += data
        line, self._rest = self._rest.split(b"\n", 1)
        return line

    def _epitaph(self) -> str:
        try:
            status: int | str = self._process.wait(_END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            status = "none"
        self._errors.seek(0)
        words = self._errors.read().decode("utf-8", "replace").strip().splitlines()
        return f"the process ended with status {status}: {words[-1] if words else 'without a word'}"
