"""A project with both npm packages in its node_modules, put together from the checkout and dist/ as packing does."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
NODE = ROOT / "bindings" / "node"
NATIVE = "ruvector-attention"
# A loader has to decide the same; here it is enough that exactly one addon of dist/ loads.
LOADS = "try { require(process.argv[1]); console.log('yes') } catch { console.log('no') }"


def addon_folder() -> Path:
    """The row of dist/ whose addon this machine's Node.js loads."""
    found = [path for path in sorted((ROOT / "dist" / "napi").glob("*/*.node")) if _loads(path)]
    if len(found) != 1:
        raise SystemExit(f"one loadable addon was wanted below dist/napi, found {found}; run `./rva build -t napi`")
    return found[0].parent


def _loads(path: Path) -> bool:
    answer = subprocess.run(["node", "-e", LOADS, str(path)], capture_output=True, text=True, check=False)
    return answer.stdout.strip() == "yes"


def layer() -> Path:
    """The compiled TypeScript layer."""
    folder = ROOT / "dist" / "napi" / "napi-js"
    if not (folder / "index.d.ts").is_file():
        raise SystemExit(f"{folder} is not there; run `./rva build -t napi-js`")
    return folder


def place(package: Path, binding: Path, rows: Sequence[Path]) -> None:
    """A package: the files that the binding's package.json lists, from beside it or from a finished row."""
    listed = json.loads((binding / "package.json").read_text("utf-8"))["files"]
    sources = [binding, *rows]
    package.mkdir(parents=True)
    for name in ["package.json", *listed]:
        found = [folder / name for folder in sources if (folder / name).exists()]
        if not found:
            if name.startswith("LICENSE"):
                continue
            raise SystemExit(f"{name}, named by {binding}/package.json, is in none of {[str(s) for s in sources]}")
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        if found[0].is_dir():
            shutil.copytree(found[0], package / name)
        else:
            shutil.copy(found[0], package / name)


@contextmanager
def project() -> Iterator[Path]:
    """A clean project with the packages installed, and TypeScript and its declarations of Node.js at hand."""
    with tempfile.TemporaryDirectory(prefix="rva-js-") as name:
        folder = Path(name).resolve()
        modules = folder / "node_modules"
        native = addon_folder()
        place(modules / NATIVE, NODE, [native, layer()])
        for path in native.glob("*.node"):
            shutil.copy(path, modules / NATIVE / path.name)
        for tool in ("typescript", "@typescript", "@types", "undici-types", "playwright-core"):
            if (NODE / "node_modules" / tool).exists():
                (modules / tool).symlink_to(NODE / "node_modules" / tool, target_is_directory=True)
        (folder / "package.json").write_text('{ "private": true, "type": "module" }\n')
        yield folder


def run(argv: Sequence[str | Path], cwd: Path, **env: str) -> int:
    """One command with its output shown; its exit code."""
    sys.stdout.flush()
    words = [str(word) for word in argv]
    return subprocess.run(words, cwd=cwd, env={**os.environ, **env}, check=False, timeout=600).returncode


def tsc(folder: Path, files: Sequence[str], **options: object) -> subprocess.CompletedProcess[str]:
    """tsc --strict over these files of the project."""
    settings = {
        "strict": True, "noEmit": True, "module": "nodenext", "target": "es2022", "types": ["node"], "skipLibCheck": False,
        "lib": ["es2022", "esnext.disposable", "dom", "dom.iterable"], **options,
    }  # fmt: skip
    (folder / "tsconfig.json").write_text(json.dumps({"compilerOptions": settings, "files": list(files)}))
    argv = ["node", str(folder / "node_modules" / "typescript" / "bin" / "tsc"), "-p", ".", "--pretty", "false"]
    return subprocess.run(argv, cwd=folder, capture_output=True, text=True, check=False, timeout=300)


def modules(folder: Path) -> list[Path]:
    """Every module of the packages that has declarations; a package's entry comes first, for it installs the backend."""
    package = folder / "node_modules" / NATIVE
    inner = [
        package / "js" / "cjs" / f"{name}.js"
        for name in ("errors", "install", "backend", "stream", "sdk", "types", "raw")
    ]
    return [package / "index.js", package / "index.mjs", *inner]


def compile_all(folder: Path) -> int:
    """tsc --strict over the tests of the types and over every example, which are JavaScript with annotations; the errors."""
    sources = [ROOT / "tests" / "package" / "js" / "types.ts", *sorted((NODE / "examples").glob("*.mjs"))]
    for path in sources:
        shutil.copy(path, folder / path.name)
    done = tsc(folder, [path.name for path in sources], allowJs=True, checkJs=True)
    print(done.stdout, end="")
    return len([line for line in done.stdout.splitlines() if "error TS" in line])
