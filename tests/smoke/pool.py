"""Replays the reference cases through the npm package of the WebAssembly modules, whose workers compute them.

It is put together from dist/ as packing does; the folder that is given only says that its row was built.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import cases

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "package" / "js"))
import stage  # noqa: E402 - has just been made findable


def main(argv: list[str]) -> int:
    _, vectors = cases.arguments(argv)
    with stage.project(wasm=True) as project:
        for name in ("pool.mjs", "cases.cjs"):
            shutil.copy(HERE / name, project)
        return stage.run(["node", "pool.mjs", vectors.resolve()], project)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv))
