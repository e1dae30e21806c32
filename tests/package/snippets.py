"""The snippets that no other check runs, over what dist/ holds.

    python tests/package/snippets.py NUMPY_PYTHON     an interpreter that has NumPy; this one needs wasmtime

docs/rust.md through rustdoc, docs/wasi.md in Node.js and wasmtime, the Python package's README over the wheel. RUN_BY says
which check runs every other snippet, NOT_RUN why one is not run; tests/toolkit/test_documents.py holds both to the pages.
"""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# (page, language) -> the check that runs the blocks.
RUN_BY = {
    ("docs/rust.md", "rust"): "snippets",
    ("docs/wasi.md", "js"): "snippets",
    ("docs/wasi.md", "python"): "snippets",
    ("docs/wasi.md", "text"): "snippets",
    ("bindings/python/README.md", "python"): "snippets",
    ("core/README.md", "rust"): "rust-tests",
    ("bindings/node/README.md", "js"): "js-examples",
    ("docs/index.md", "js"): "js-examples",
    ("docs/browser.md", "js"): "js-examples",
    ("docs/javascript.md", "js"): "js-examples",
    ("docs/python.md", "python"): "python-binding",
    ("docs/c.md", "c"): "c-binding",
    ("docs/command-line.md", "sh"): "cli-docs",
    ("docs/session.md", "console"): "session",
    ("docs/server.md", "sh"): "server",
    ("docs/server.md", "json"): "server",
    ("docs/server.md", "python"): "server",
    ("docs/server.md", "text"): "server",
}
# Commands of rva: each line is read by the program's own parser, in toolkit-tests; running them is what `rva test` does.
PARSED = (
    "README.md",
    "CONTRIBUTING.md",
    "docs/audit.md",
    "docs/building.md",
    "docs/ci.md",
    "docs/index.md",
    "docs/packages.md",
    "docs/publishing.md",
    "docs/release.md",
)
NOT_RUN = {
    ("bindings/wasm/README.md", "js"): "pieces of one program; docs/browser.md has them whole, and they run",
    ("docs/browser.md", "html"): "the same lines as bindings/wasm/examples/browser_basic.html, which js-pages runs",
    ("docs/javascript.md", "html"): "needs a bundler or an import map; js-pages runs the pages that have one",
    ("docs/c.md", "console"): "c-binding compiles with pkg-config by the same flags, in another folder",
    ("docs/python.md", "console"): "installs from a registry that has no release yet",
    (
        "docs/ci.md",
        "console",
    ): "makes a key, as test_provenance.py does; installs from a registry that has no release yet",
}


def blocks(path: Path, language: str) -> list[str]:
    """The blocks of a page in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", path.read_text("utf-8"), re.DOTALL | re.MULTILINE)


def run(argv: Sequence[str | Path], folder: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """One command in a folder."""
    words = [str(word) for word in argv]
    return subprocess.run(
        words, cwd=folder, env={**os.environ, **env}, capture_output=True, text=True, check=False, timeout=300
    )


def rust(folder: Path) -> list[str]:
    """rustdoc compiles and runs each block of the guide against the crate."""
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / ".rva" / "target" / "checks"))
    built = run(["cargo", "build", "--locked", "-p", "ruvector-attention"], ROOT, CARGO_TARGET_DIR=str(target))
    library = target / "debug" / "libruvector_attention.rlib"
    found = [f"--extern=ruvector_attention={library}", "-L", f"dependency={target / 'debug' / 'deps'}"]
    done = run(["rustdoc", "--test", "--edition", "2021", *found, ROOT / "docs" / "rust.md"], folder)
    count = len(blocks(ROOT / "docs" / "rust.md", "rust"))
    good = built.returncode == 0 and done.returncode == 0 and f"{count} passed" in done.stdout
    return [] if good else [f"docs/rust.md: {built.stderr}{done.stdout}{done.stderr}"]


def wasi(folder: Path) -> list[str]:
    """Both modules beside the programs of the guide, which say what they print."""
    for row in ("wasm-wasip1-cli", "wasm-wasip1-reactor"):
        for module in (ROOT / "dist" / "wasm" / row).glob("*.wasm"):
            shutil.copy(module, folder)
    page = ROOT / "docs" / "wasi.md"
    [script], [program], [printed] = (blocks(page, language) for language in ("js", "python", "text"))
    (folder / "command.mjs").write_text(script)
    said = re.findall(r"console\.log\(.*\); // (.+)$", script, re.MULTILINE)
    return [
        *judge("docs/wasi.md, js", run(["node", "--no-warnings", "command.mjs"], folder), "\n".join(said) + "\n"),
        *judge("docs/wasi.md, python", run([sys.executable, "-c", program], folder), printed),
    ]


def python(folder: Path, interpreter: Path) -> list[str]:
    """The wheel's README, over the wheel."""
    cpu = {"arm64": "aarch64", "AMD64": "x86_64"}.get(platform.machine(), platform.machine())
    with zipfile.ZipFile(next((ROOT / "dist" / "native").glob(f"native-wheel-{cpu}-*-gnu/*.whl"))) as wheel:
        wheel.extractall(folder)
    program = "\n".join(blocks(ROOT / "bindings" / "python" / "README.md", "python"))
    return judge("bindings/python/README.md", run([interpreter, "-c", program], folder), None)


def judge(name: str, done: subprocess.CompletedProcess[str], printed: str | None) -> list[str]:
    """What is wrong with a run, if anything."""
    good = done.returncode == 0 and (printed is None or done.stdout == printed)
    return [] if good else [f"{name}: exit {done.returncode}\n{done.stdout}{done.stderr}wanted: {printed}"]


def main() -> int:
    """Run them all; 1 where one fails."""
    faults: list[str] = []
    with tempfile.TemporaryDirectory(prefix="rva-snippets-") as name:
        for part in ("rust", "wasi", "python"):
            (Path(name) / part).mkdir()
        faults += rust(Path(name) / "rust")
        faults += wasi(Path(name) / "wasi")
        faults += python(Path(name) / "python", Path(sys.argv[1]))
    print(*faults, json.dumps({"faults": len(faults), "not_run": len(NOT_RUN)}), sep="\n")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
