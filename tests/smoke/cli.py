"""Replays the reference cases through the command line: `cli.py ARTIFACT_DIR VECTORS_JSON`.

RVA_SMOKE_RUNNER (a JSON list) puts a launcher, such as an emulator, before the program. The points
(distance, maps) are not part of the command line and are left out of the cases.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import cases
from cases import Case

PROGRAM = "ruvector-attention"
TYPES = {
    "scaled_dot_product": "scaled-dot-product",
    "cross": "cross",
    "self": "self",
    "multi_head": "multi-head",
    "hyperbolic": "hyperbolic",
    "linear": "linear",
}


def inputs(case: Case) -> dict[str, bytes]:
    """The input files of a case: queries as JSON rows, which carry the dimension, the rest raw."""
    files = {"query.json": repr(case.query).encode()}
    if case.kind != "self":
        files["keys.f32"] = cases.floats(case.keys)
        files["values.bin"] = cases.floats(case.values)
    if case.mask is not None:
        files["mask.json"] = repr([int(take) for take in case.mask]).encode()
    return files


def words(case: Case, folder: str, output: str) -> list[str]:
    """The arguments of `compute`, with its files under `folder`."""
    line = ["compute", "-a", TYPES[case.kind], "-q", f"{folder}/query.json", "-o", output]
    if case.kind != "self":
        line += ["-k", f"{folder}/keys.f32", "--values", f"{folder}/values.bin"]
    if case.mask is not None:
        line += ["--mask", f"{folder}/mask.json"]
    if case.neighbors is not None:
        line += ["--neighbors", str(case.neighbors)]
    if case.causal:
        line.append("--causal")
    if case.kind == "multi_head":
        line += ["--num-heads", str(case.num_heads)]
    if case.kind == "hyperbolic":
        line += ["--curvature", str(case.curvature)]
    return line


def replay(vectors: Path, run: Callable[[list[str], Path], None]) -> int:
    """Run every case that the command line can express; `run` is given arguments and their folder."""

    def compute(case: Case) -> list[float]:
        with tempfile.TemporaryDirectory(prefix="rva-smoke-") as name:
            folder = Path(name)
            for file, data in inputs(case).items():
                (folder / file).write_bytes(data)
            run(words(case, ".", "./out.f32"), folder)
            return list(cases.read_floats((folder / "out.f32").read_bytes()))

    expressible = [case for case in cases.load(vectors) if not case.is_point]
    return cases.replay(expressible, compute)


def main(argv: list[str]) -> int:
    folder, vectors = cases.arguments(argv)
    runner = cases.command("RVA_SMOKE_RUNNER", [])
    program = cases.only(folder, PROGRAM, f"{PROGRAM}.exe", "*.wasm")

    def run(line: list[str], work: Path) -> None:
        # Output goes to a file: wine's console wants no pipe.
        with (work / "stderr").open("wb") as stderr:
            done = subprocess.run(
                [*runner, os.fspath(program), *line],
                cwd=work,
                stdin=subprocess.DEVNULL,
                stdout=stderr,
                stderr=stderr,
                timeout=120,
                check=False,
            )
        if done.returncode != 0:
            text = (work / "stderr").read_text(encoding="utf-8", errors="replace").strip()
            raise RuntimeError(f"exit {done.returncode}: {text}")

    return replay(vectors, run)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv))
