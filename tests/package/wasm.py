"""The npm package of the WebAssembly modules, packed and installed as a user would, tested in Node.js and in a browser.

python tests/package/wasm.py            every level that Node.js and the browser can run
RVA_SMOKE_BROWSER=firefox               another browser than chromium
"""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import npm

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "smoke"))
import web  # noqa: E402

NAME = "ruvector-attention-wasm"
LEVELS = ("baseline", "simd128", "relaxed-simd")
# A module as a browser fetches it: what was reached, rounded up. The aim is 45 kB.
GZIPPED = 98_000
# What each page loads, and whether it is isolated as shared memory asks.
PAGES: tuple[tuple[str | None, bool], ...] = ((None, True), ("baseline", True), ("simd128", False))


def sizes(package: Path) -> dict[str, int]:
    """The modules, gzipped; AssertionError where one is larger than it may be."""
    found = {level: len(gzip.compress((package / "wasm" / f"{level}.wasm").read_bytes(), 9)) for level in LEVELS}
    assert max(found.values()) <= GZIPPED, f"{found}: at most {GZIPPED} bytes are allowed"
    return found


def in_node(folder: Path) -> dict[str, str]:
    """The verdict of Node.js on each level: pass, or that it cannot run it."""
    tests = (HERE / "wasm.test.cjs").read_text("utf-8")
    (folder / "wasm.test.cjs").write_text(tests, "utf-8")
    verdicts = {}
    for level in LEVELS:
        file = f"node_modules/{NAME}/wasm/{level}.wasm"
        ask = f"WebAssembly.validate(require('fs').readFileSync({file!r})) ? 'yes' : 'no'"
        if npm.run(["node", "-p", ask], folder).stdout.strip() != "yes":
            verdicts[level] = "not run: this Node.js does not validate the module"
            continue
        env = {**os.environ, "RUVECTOR_ATTENTION_WASM_LEVEL": level}
        done = subprocess.run(["node", "--test", "wasm.test.cjs"], cwd=folder, env=env, check=False)
        verdicts[level] = "pass" if done.returncode == 0 else "fail"
    assert "pass" in verdicts.values(), verdicts
    return verdicts


def in_browser(folder: Path, browser: str) -> dict[str, Any]:
    """What each page found, by level."""
    answers = {}
    for level, isolated in PAGES:
        task = {"entry": f"/files/{NAME}/js/esm/web.js", "level": level, "isolated": isolated}
        pages = {"/": (HERE / "wasm.html").read_bytes(), "/task.json": json.dumps(task).encode()}
        answer = web.visit(browser, pages, folder / "node_modules", timeout=120, isolated=isolated)
        label = f"{level or 'chosen by the page'}{'' if isolated else ', not isolated'}"
        answers[label] = answer
    return answers


def failures(node: dict[str, str], pages: dict[str, Any]) -> list[str]:
    """What did not hold; a page that found nothing tested nothing."""
    found = [f"node {level}: {verdict}" for level, verdict in node.items() if verdict == "fail"]
    for label, answer in pages.items():
        tests = answer.get("found", {})
        if not tests:
            found.append(f"page {label}: {answer.get('fault', 'it ran no test')}")
        found += [f"page {label}: {name}: {fault}" for name, fault in tests.items() if fault is not None]
    return found


def main() -> int:
    """Test everything, print one JSON object; 1 where something failed."""
    browser = os.environ.get("RVA_SMOKE_BROWSER", "chromium")
    with npm.installed(npm.tarballs(npm.package())[NAME]) as folder:
        gzipped = sizes(folder / "node_modules" / NAME)
        node = in_node(folder)
        pages = in_browser(folder, browser)
    wrong = failures(node, pages)
    levels = {label: f"{a.get('level')}, {len(a.get('found', {}))} tests" for label, a in pages.items()}
    print(json.dumps({"gzipped": gzipped, "node": node, browser: levels, "failures": wrong}, indent=2))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
