"""The WebAssembly module with threads over shared memory: built from its feature, and compared in a browser.

python tests/package/wasm_parallel.py            build it, then compare it with dist/'s module of one thread
RVA_PARALLEL_PACKAGE=FOLDER                      take this one, already built
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/smoke"))
import web  # noqa: E402

PAGE = b"""<!doctype html><meta charset="utf-8" /><script type="module">
const report = (answer) => fetch("/results", { method: "POST", body: JSON.stringify(answer) });
const worker = new Worker("/worker.mjs", { type: "module" });
worker.onmessage = ({ data }) => report(data);
worker.onerror = (event) => report({ fault: event.message ?? "the worker did not start" });
</script>"""
ISOLATION = "Cross-Origin-Opener-Policy"


def build(folder: Path) -> None:
    """By the command that the documentation names."""
    subprocess.run([ROOT / "scripts/build-wasm-parallel.sh", folder], check=True)


def visit(folder: Path, browser: str, *, isolated: bool) -> Any:
    """What the page found."""
    pages = {
        "/": PAGE,
        "/worker.mjs": (ROOT / "tests/package/parallel.worker.mjs").read_bytes(),
        "/browser_parallel.mjs": (ROOT / "bindings/wasm/examples/browser_parallel.mjs").read_bytes(),
    }
    return web.visit(browser, pages, folder, timeout=120, isolated=isolated)


def failures(isolated: Any, plain: Any) -> list[str]:
    """What did not hold: other results, no threads where there should be, no reason where there are none."""
    found = []
    for label, answer in (("isolated", isolated), ("not isolated", plain)):
        tests = answer.get("found", {})
        if not tests:
            found.append(f"{label}: {answer.get('fault', 'it ran no test')}")
        found += [f"{label}: {name}: {fault}" for name, fault in tests.items() if fault is not None]
    if isolated.get("threads") != 2:
        found.append(f"isolated: {isolated.get('threads')} threads: {isolated.get('reason')}")
    if plain.get("threads") != 1 or ISOLATION not in plain.get("reason", ""):
        found.append(f"not isolated: {plain.get('threads')} threads, and the reason is {plain.get('reason')!r}")
    return found


def main() -> int:
    """Build, compare, print one JSON object; 1 where something failed."""
    browser = os.environ.get("RVA_SMOKE_BROWSER", "chromium")
    given = os.environ.get("RVA_PARALLEL_PACKAGE")
    with tempfile.TemporaryDirectory(prefix="rva-parallel-") as place:
        folder = Path(place)
        if given is None:
            build(folder / "parallel")
        else:
            shutil.copytree(given, folder / "parallel")
        shutil.copytree(ROOT / "dist/wasm/wasm-web-simd128", folder / "single")
        isolated = visit(folder, browser, isolated=True)
        plain = visit(folder, browser, isolated=False)
    wrong = failures(isolated, plain)
    print(json.dumps({browser: isolated, "not isolated": plain, "failures": wrong}, indent=2))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
