"""The protocol of a Python worker: lines of JSON in, lines of JSON out."""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from lines import answer_all, time_groups
from numpy.typing import NDArray


@dataclass(frozen=True)
class Task:
    """A prepared measurement: one call, and its result as rows of all heads."""

    call: Callable[[], object]
    result: Callable[[], NDArray[np.float32]]


@dataclass(frozen=True)
class Ask:
    """What a request says of the problem."""

    way: str
    threads: int
    heads: int
    causal: bool
    queries: NDArray[np.float32]
    keys: NDArray[np.float32]
    values: NDArray[np.float32]

    @property
    def width(self) -> int:
        """Length of a head's row."""
        return int(self.keys.shape[1]) // self.heads

    def split(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Rows of all heads as [heads, rows, width]."""
        return np.ascontiguousarray(rows.reshape(len(rows), self.heads, -1).transpose(1, 0, 2))

    @staticmethod
    def join(heads: NDArray[np.float32]) -> NDArray[np.float32]:
        """The reverse."""
        return np.ascontiguousarray(heads.transpose(1, 0, 2)).reshape(heads.shape[1], -1)


Run = Callable[[Callable[[], object], float, int], list[int]]


def run(call: Callable[[], object], seconds: float, most: int) -> list[int]:
    """Nanoseconds of each call, for about so many seconds, with nothing between the clock and the call."""
    clock = time.perf_counter_ns
    end = clock() + int(seconds * 1e9)
    times: list[int] = []
    while not times or (len(times) < most and clock() < end):
        start = clock()
        call()
        times.append(clock() - start)
    return times


def grouped(group_ns: int) -> Run:
    """The same for calls too short for the clock: in groups that take about so long."""

    def run_groups(call: Callable[[], object], seconds: float, most: int) -> list[int]:
        def calls(count: int) -> None:
            for _ in range(count):
                call()

        return time_groups(calls, seconds, most, group_ns)

    return run_groups


def serve(prepare: Callable[[Ask], Task], versions: Callable[[], dict[str, str]], timed: Run = run) -> None:
    """Answer requests until standard input ends; `timed` calls and tells how long each call took."""
    # What a library prints must not come between the answers.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    gc.disable()
    tasks: dict[str, Task] = {}
    answer_all(lambda request: _answer(request, tasks, prepare, versions, timed), answers)


def _answer(
    request: dict[str, Any],
    tasks: dict[str, Task],
    prepare: Callable[[Ask], Task],
    versions: Callable[[], dict[str, str]],
    timed: Run,
) -> dict[str, object]:
    todo = request["do"]
    if todo == "describe":
        return {"versions": versions()}
    if todo == "prepare":
        tasks[request["id"]] = prepare(_ask(request))
        return {"with": request["way"]}
    if todo == "drop":
        tasks.pop(request["id"], None)
        gc.collect()
        return {}
    task = tasks[request["id"]]
    if todo == "run":
        return {"ns": timed(task.call, request["seconds"], request["most"])}
    np.ascontiguousarray(task.result(), dtype="<f4").tofile(request["path"])
    return {}


def _ask(request: dict[str, Any]) -> Ask:
    queries, keys = (np.fromfile(request[name], "<f4").reshape(-1, request["dim"]) for name in ("queries", "keys"))
    values = np.fromfile(request["values"], "<f4").reshape(len(keys), -1)
    return Ask(request["way"], request["threads"], request["heads"], request["causal"], queries, keys, values)
