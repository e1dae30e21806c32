"""Seeded inputs as files, the same for every contender."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from versus.model import Problem

SEED = 4


@dataclass(frozen=True)
class Files:
    """Where the tensors of a problem lie: little-endian, row by row."""

    queries: Path
    keys: Path
    values: Path


class Tensors:
    """Makes each tensor once and keeps it until ``clear``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._made: dict[str, Path] = {}

    def files(self, problem: Problem) -> Files:
        """The tensors of a problem. Those of the same size and kind are the same."""
        queries = self._file("q", problem.queries, problem, "f32")
        keys = self._file("k", problem.keys, problem, problem.element)
        values = keys if problem.shared else self._file("v", problem.keys, problem, problem.element)
        return Files(queries, keys, values)

    def arrays(self, problem: Problem) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
        """The same numbers in memory, as f32."""
        files = self.files(problem)
        queries, keys, values = (
            read(path, element)
            for path, element in (
                (files.queries, "f32"),
                (files.keys, problem.element),
                (files.values, problem.element),
            )
        )
        return (
            queries.reshape(-1, problem.row),
            keys.reshape(-1, problem.row),
            values.reshape(problem.keys, -1),
        )

    def clear(self) -> None:
        """Remove the files."""
        for path in self._made.values():
            path.unlink()
        self._made.clear()

    def _file(self, role: str, rows: int, problem: Problem, element: str) -> Path:
        ball = problem.mechanism == "hyperbolic"
        name = f"{role}-{rows}x{problem.row}-{element}{'-ball' if ball else ''}"
        if name not in self._made:
            path = self.folder / f"{name}.bin"
            path.write_bytes(encode(draw(role, rows, problem.row, ball=ball), element))
            self._made[name] = path
        return self._made[name]


def draw(role: str, rows: int, row: int, *, ball: bool) -> NDArray[np.float32]:
    """Normal numbers; in the unit ball, points with norms around a half."""
    seed = int.from_bytes(hashlib.sha256(f"{SEED} {role} {rows} {row}".encode()).digest()[:8], "big")
    numbers = np.random.default_rng(seed).standard_normal((rows, row), dtype=np.float32)
    return numbers * np.float32(0.5 / np.sqrt(row)) if ball else numbers


def encode(numbers: NDArray[np.float32], element: str) -> bytes:
    """The bytes of a tensor file."""
    if element == "bf16":
        bits = numbers.view(np.uint32)
        # To the nearest, ties to even.
        return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype("<u2").tobytes()
    return numbers.astype("<f2" if element == "f16" else "<f4").tobytes()


def read(path: Path, element: str) -> NDArray[np.float32]:
    """The numbers of a tensor file, as f32."""
    if element == "bf16":
        return (np.fromfile(path, "<u2").astype(np.uint32) << 16).view(np.float32)
    return np.fromfile(path, "<f2" if element == "f16" else "<f4").astype(np.float32)
