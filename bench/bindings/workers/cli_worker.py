"""The command line's own benchmark: `cli_worker.py PROGRAM`, lines of JSON in and out. It draws its own numbers, of the same sizes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from lines import answer_all


def median_ns(program: str, dim: int, keys: int, iterations: int) -> int:
    """The median of so many calls in one process, as the program reports it."""
    with tempfile.TemporaryDirectory(prefix="rva-bench-cli-") as name:
        output = Path(name) / "times.json"
        sizes = ["--types", "scaled-dot-product", "--dims", str(dim), "--neighbors", str(keys)]
        argv = [program, "benchmark", *sizes, "--iterations", str(iterations), "-o", str(output)]
        subprocess.run(argv, check=True, capture_output=True, env={**os.environ, "RUVECTOR_ATTENTION_THREADS": "1"})
        [case] = json.loads(output.read_text("utf-8"))["results"]
    return round(float(case["median_ms"]) * 1e6)


class Program:
    """The program and the sizes that it is asked for."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._tasks: dict[str, tuple[int, int]] = {}

    def answer(self, ask: dict[str, Any]) -> dict[str, object]:
        """What a request asks for."""
        if ask["do"] == "prepare":
            self._tasks[ask["id"]] = (ask["dim"], ask["count"])
            return {"with": "benchmark"}
        if ask["do"] == "run":
            dim, keys = self._tasks[ask["id"]]
            return {"ns": [median_ns(self._path, dim, keys, 200 if keys < 5000 else 50)]}
        return {}


if __name__ == "__main__":
    answer_all(Program(sys.argv[1]).answer)
