"""The releases of Node.js, and the Deno, of requirements/runtimes: fetched once into the cache that rva has them in."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

LIST = Path(__file__).resolve().parents[2] / "requirements" / "runtimes"


def provide() -> Path | str:
    """The folder of the installed packages, or why there is none."""
    lock = (LIST / "package-lock.json").read_bytes()
    cache = Path(os.environ.get("RVA_CACHE_DIR") or Path.home() / ".cache" / "rva") / "npm"
    place = cache / f"requirements-runtimes-{hashlib.sha256(lock).hexdigest()[:12]}"
    if place.is_dir():
        return place
    npm = shutil.which("npm")
    if npm is None:
        return "npm was not found"
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as name:
        part = Path(name) / "part"
        part.mkdir()
        for file in ("package.json", "package-lock.json", ".npmrc"):
            shutil.copy(LIST / file, part)
        argv = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
        done = subprocess.run(argv, cwd=part, capture_output=True, text=True, check=False, timeout=1200)
        if done.returncode != 0:
            said = done.stderr.strip().splitlines() or ["without a word"]
            return f"npm could not fetch the runtimes: {said[-1]}"
        # Whoever comes second finds it there.
        if not place.exists():
            part.rename(place)
    return place


def program(folder: Path, name: str) -> Path | None:
    """The program of a runtime: node-18 and the like, or deno."""
    modules = folder / "node_modules"
    found = [modules / name / "bin" / "node"] if name != "deno" else sorted(modules.glob("@deno/*/deno"))
    return next((path for path in found if path.is_file()), None)
