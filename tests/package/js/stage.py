"""A project with both npm packages in its node_modules, put together from the checkout and dist/ as packing does."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import npm

ROOT = npm.ROOT
NODE = ROOT / "bindings" / "node"
WASM = ROOT / "bindings" / "wasm"
NATIVE = "ruvector-attention"
MODULE = "ruvector-attention-wasm"
# Of the development packages of bindings/node, those that tests load or compile with.
TOOLS = ("typescript", "@typescript", "@types", "undici-types", "playwright-core", "axe-core")


def layer() -> Path:
    """The compiled TypeScript layer."""
    folder = ROOT / "dist" / "napi" / "napi-js"
    if not (folder / "index.d.ts").is_file():
        raise SystemExit(f"{folder} is not there; run `./rva build -t napi-js`")
    return folder


@contextmanager
def project(*, wasm: bool = False) -> Iterator[Path]:
    """A clean project with the packages in node_modules as their tarballs hold them, and the tools of the tests."""
    files = npm.tarballs(npm.package())
    wanted = [NATIVE, npm.host_package(), *([MODULE] if wasm else [])]
    lacking = [name for name in wanted if name not in files]
    if lacking:
        raise SystemExit(f"{', '.join(lacking)}: not packed; run `./rva build -t napi -t wasm`")
    with tempfile.TemporaryDirectory(prefix="rva-js-") as name:
        folder = Path(name).resolve()
        modules = folder / "node_modules"
        for package in wanted:
            with tarfile.open(files[package]) as tarball:
                tarball.extractall(folder / "unpacked", filter="data")
            modules.mkdir(exist_ok=True)
            (folder / "unpacked" / "package").rename(modules / package)
        for tool in TOOLS:
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


def sources() -> list[Path]:
    """Everything that is compiled against the packages: the tests of the types, and the programs for Node.js."""
    tests = ROOT / "tests" / "package" / "js" / "types.ts"
    programs = [*(NODE / "examples").glob("*.mjs"), *(WASM / "node").glob("*.mjs"), *(WASM / "examples").glob("*.mjs")]
    return [tests, *sorted(programs)]


def compile_all(folder: Path, package: str) -> list[str]:
    """What tsc --strict says of all of it against one of the packages; JavaScript is read with its annotations."""
    place = folder / package
    place.mkdir()
    for path in sources():
        text = path.read_text("utf-8")
        (place / path.name).write_text(re.sub(rf'"{NATIVE}(-wasm)?"', f'"{package}"', text))
    done = tsc(folder, [f"{package}/{path.name}" for path in sources()], allowJs=True, checkJs=True)
    return [line for line in done.stdout.splitlines() if "error TS" in line]
