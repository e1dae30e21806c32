"""The C library of dist/ as C and C++ programs use it.

python tests/package/c_library.py

Each example and each whole program of docs/c.md is compiled with the system's compiler, and in C with zig too, through
pkg-config, and run: linked with the shared and with the static library. A program that misuses the interface shows that
the run would be red.
"""

from __future__ import annotations

import importlib.util
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "bindings" / "c" / "examples"
PAGE = ROOT / "docs" / "c.md"
STRICT = ["-Wall", "-Wextra", "-Wpedantic", "-Werror"]
# What a wrong program says: the handle of a refused call is NULL, and NULL is refused.
MISUSE = """#include <ruvector_attention.h>
int main(void) {
  rvattn_attention *attention = (rvattn_attention *)1;
  if (rvattn_linear_new(0, &attention) == RVATTN_OK || attention) return 2;
  return (int)rvattn_forward(attention, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
}
"""


def library() -> Path:
    """The folder of the C library for this machine."""
    machine = {"amd64": "x86_64", "arm64": "aarch64"}.get(platform.machine().lower(), platform.machine())
    folder = ROOT / "dist" / "native" / f"native-c-{machine}-unknown-linux-gnu"
    if not folder.is_dir():
        raise SystemExit(f"{folder} does not exist; run `./rva build --target {folder.name}`")
    return folder


def compilers(suffix: str) -> Iterator[tuple[str, list[str]]]:
    """Name and command of each compiler for C or C++."""
    system = {"c": "cc", "cpp": "c++"}[suffix]
    if shutil.which(system):
        yield system, [system]
    # zig builds a C++ library of its own first, which takes minutes: only where there is no other compiler.
    if importlib.util.find_spec("ziglang") and (suffix == "c" or not shutil.which(system)):
        yield f"zig {system}", [sys.executable, "-m", "ziglang", system]


def run(argv: Sequence[str | Path], **extra: str) -> subprocess.CompletedProcess[str]:
    command = [str(word) for word in argv]
    return subprocess.run(
        command, env={**os.environ, **extra}, capture_output=True, text=True, check=False, timeout=300
    )


def needed(done: subprocess.CompletedProcess[str]) -> str:
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(done.args)} failed with {done.returncode}:\n{done.stderr}{done.stdout}")
    return done.stdout


def flags(folder: Path, kind: str, place: Path) -> list[str]:
    """What pkg-config says, from a copy of the folder that holds the wanted kind of library only."""
    if not place.exists():
        unwanted = ".a" if kind == "shared" else ".so"
        shutil.copytree(folder, place, ignore=lambda _, names: [n for n in names if n.endswith(unwanted)])
    static = ["--static"] if kind == "static" else []
    query = ["pkg-config", *static, "--cflags", "--libs", "ruvector-attention"]
    return needed(run(query, PKG_CONFIG_PATH=str(place))).split()


def programs() -> Iterator[tuple[str, str]]:
    """Language and text of the examples and of the page's programs."""
    for path in sorted(EXAMPLES.iterdir()):
        yield path.suffix[1:], path.read_text(encoding="utf-8")
    found = re.findall(r"^```c\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    whole = [snippet for snippet in found if "int main" in snippet]
    if not whole:
        raise SystemExit(f"{PAGE} has no program")
    yield from (("c", snippet) for snippet in whole)


def build_and_run(folder: Path, work: Path) -> int:
    count = 0
    for index, (suffix, text) in enumerate(programs()):
        source = work / f"{index}.{suffix}"
        source.write_text(text, encoding="utf-8")
        standard = "-std=c99" if suffix == "c" else "-std=c++17"
        for name, command in compilers(suffix):
            for kind in ("shared", "static"):
                program = work / f"{index}-{name.replace(' ', '-')}-{kind}"
                link = [*flags(folder, kind, work / kind), "-lm", "-pthread"]
                needed(run([*command, standard, *STRICT, source, "-o", program, *link]))
                needed(run([program], LD_LIBRARY_PATH=str(work / kind)))
                count += 1
    return count


def misuse_is_seen(folder: Path, work: Path) -> None:
    source, program = work / "misuse.c", work / "misuse"
    source.write_text(MISUSE, encoding="utf-8")
    _, command = next(compilers("c"))
    needed(run([*command, source, "-o", program, *flags(folder, "shared", work / "shared")]))
    code = run([program], LD_LIBRARY_PATH=str(work / "shared")).returncode
    if code != 1:
        raise SystemExit(f"a program that passes NULL ended with {code}, not with RVATTN_ERROR_POINTER")


def main() -> int:
    folder = library()
    with tempfile.TemporaryDirectory(prefix="rva-c-") as name:
        count = build_and_run(folder, Path(name))
        misuse_is_seen(folder, Path(name))
    print(json.dumps({"programs": count}))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
