"""The command line's own benchmark: `cli_worker.py PROGRAM`, lines of JSON in and out. It draws its own numbers, of the same sizes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any


def median_ns(program: str, dim: int, keys: int, iterations: int) -> int:
    """The median of so many calls in one process, as the program reports it."""
    with tempfile.TemporaryDirectory(prefix="rva-bench-cli-") as name:
        output = Path(name) / "times.json"
        sizes = ["--types", "scaled-dot-product", "--dims", str(dim), "--neighbors", str(keys)]
        argv = [program, "benchmark", *sizes, "--iterations", str(iterations), "-o", str(output)]
        subprocess.run(argv, check=True, capture_output=True, env={**os.environ, "RUVECTOR_ATTENTION_THREADS": "1"})
        [case] = json.loads(output.read_text("utf-8"))["results"]
    return round(float(case["median_ms"]) * 1e6)


def main() -> None:
    """Answer requests until standard input ends."""
    program, tasks = sys.argv[1], {}
    for line in sys.stdin:
        ask: dict[str, Any] = json.loads(line)
        answer: dict[str, object] = {}
        try:
            if ask["do"] == "prepare":
                tasks[ask["id"]] = (ask["dim"], ask["count"])
                answer = {"with": "benchmark"}
            elif ask["do"] == "run":
                dim, keys = tasks[ask["id"]]
                answer = {"ns": [median_ns(program, dim, keys, 200 if keys < 5000 else 50)]}
        except (OSError, subprocess.CalledProcessError, KeyError, ValueError) as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
