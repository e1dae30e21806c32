"""Compiles c.c against a C library's folder, linked shared and linked static, and replays the cases in both.

CC (a JSON list) is the compiler, PKG_CONFIG the pkg-config command, RVA_SMOKE_RUNNER a launcher put
before the compiled programs.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import cases

SOURCE = Path(__file__).with_name("c.c")
LIBRARY = "ruvector_attention"
MODULE = "ruvector-attention"
SHARED = (f"lib{LIBRARY}.so", f"lib{LIBRARY}.dylib", f"{LIBRARY}.dll", f"lib{LIBRARY}.dll.a")
STATIC = (f"lib{LIBRARY}.a", f"{LIBRARY}.lib")


def _check(argv: Sequence[str], **extra: str) -> str:
    done = subprocess.run(
        argv,
        env={**os.environ, **extra},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    sys.stderr.write(done.stderr)
    if done.returncode != 0:
        raise SystemExit(f"{argv[0]} failed with exit code {done.returncode}")
    return done.stdout


def _folder_with(source: Path, unwanted: Sequence[str], work: Path) -> Path:
    """A copy of the library's folder, flat or as it is installed, in which the linker finds only the wanted kind of library."""
    shutil.copytree(source, work, ignore=lambda _, names: [name for name in names if name in unwanted])
    return work


def _replay(kind: str, library: Path, vectors: Path, work: Path) -> list[Sequence[float] | str]:
    static = kind == "static"
    folder = _folder_with(library, SHARED if static else STATIC, work / kind)
    cases.only(folder, f"lib{LIBRARY}.a" if static else f"lib{LIBRARY}.*")
    pkg_config = cases.command("PKG_CONFIG", ["pkg-config"])
    query = [*pkg_config, *(["--static"] if static else []), "--cflags", "--libs", MODULE]
    flags = _check(query, PKG_CONFIG_PATH=str(cases.only(folder, "*.pc").parent)).split()
    # On Windows the library that a program loads may lie apart from the one that it is linked with, which zig does not know.
    places = sorted({str(path.parent) for name in SHARED[:3] for path in folder.rglob(name)})
    search = {name: os.pathsep.join(places) for name in ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")}
    flags += [f"-L{place}" for place in places]
    program = work / f"smoke-{kind}"
    compiler = cases.command("CC", ["cc"])
    strict = ["-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Werror"]
    _check([*compiler, *strict, str(SOURCE), "-o", str(program), *flags])
    inputs, results = work / "cases", work / f"{kind}.results"
    inputs.write_bytes(b"".join(cases.pack(case) for case in cases.load(vectors)))
    runner = cases.command("RVA_SMOKE_RUNNER", [])
    _check([*runner, str(program), str(inputs), str(results)], **({} if static else search))
    return cases.unpack(results.read_bytes())


def main(argv: list[str]) -> int:
    library, vectors = cases.arguments(argv)
    loaded = cases.load(vectors)
    with tempfile.TemporaryDirectory(prefix="rva-smoke-") as name:
        work = Path(name)
        shared = _replay("shared", library, vectors, work)
        static = _replay("static", library, vectors, work)
    return cases.judge([*loaded, *loaded], [*shared, *static])


if __name__ == "__main__":
    raise SystemExit(main(sys.argv))
