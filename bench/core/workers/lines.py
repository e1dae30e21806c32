"""What every Python worker does: lines of JSON in and out, and calls timed in groups. Needs no package."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any, TextIO


def answer_all(answer: Callable[[dict[str, Any]], dict[str, object]], out: TextIO = sys.stdout) -> None:
    """Answer requests until standard input ends; what one of them raises is its answer."""
    for line in sys.stdin:
        try:
            said = answer(json.loads(line))
        except Exception as error:  # noqa: BLE001 - told to the harness, which goes on with the others
            said = {"error": f"{type(error).__name__}: {error}"}
        out.write(json.dumps(said) + "\n")
        out.flush()


def time_groups(call: Callable[[int], object], seconds: float, most: int, group_ns: int) -> list[int]:
    """Nanoseconds of a call, of groups of calls that take about ``group_ns`` together; ``call`` makes so many calls."""
    clock = time.perf_counter_ns
    end = clock() + int(seconds * 1e9)
    times: list[int] = []
    group = 1
    while not times or (len(times) < most and clock() < end):
        start = clock()
        call(group)
        spent = (clock() - start) // group
        times.append(spent)
        group = 1 if most == 1 else max(1, min(10_000, group_ns // max(spent, 1)))
    return times
