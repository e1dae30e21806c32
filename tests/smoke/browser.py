"""Replays the reference cases through a WebAssembly package for the web, in a browser: `browser.py FOLDER VECTORS`.

The folder holds what wasm-pack made for the web, or is a project into which npm put the package.

RVA_SMOKE_BROWSER names the browser's program (default: chromium), RVA_SMOKE_WAY=async the asynchronous methods.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import cases
import web

HERE = Path(__file__).parent


def _entry(folder: Path) -> Path:
    """What a page imports: the glue, or what the package exports to browsers."""
    package = folder / "node_modules" / "ruvector-attention-wasm"
    if not package.is_dir():
        return cases.only(folder, "ruvector_attention_wasm.js")
    exports = json.loads((package / "package.json").read_text("utf-8"))["exports"]
    return package / str(exports["."]["browser"]["default"])


def main(argv: list[str]) -> int:
    folder, vectors = cases.arguments(argv)
    task = {
        "entry": f"/files/{_entry(folder).relative_to(folder).as_posix()}",
        "way": os.environ.get("RVA_SMOKE_WAY", ""),
        "cases": json.loads(vectors.read_text("utf-8"))["cases"],
    }
    pages = {
        "/": (HERE / "browser.html").read_bytes(),
        "/cases.cjs": (HERE / "cases.cjs").read_bytes(),
        "/task.json": json.dumps(task).encode(),
    }
    answer = web.visit(os.environ.get("RVA_SMOKE_BROWSER", "chromium"), pages, folder)
    if isinstance(answer, dict):
        raise SystemExit(f"the page failed: {answer['fault']}")
    return cases.judge(cases.load(vectors), answer)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv))
