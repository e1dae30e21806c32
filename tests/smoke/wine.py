"""Runs a Windows program under wine: `wine.py PROGRAM ARGUMENT...`, with the program's exit status.

RVA_WINE_FOLDER is where the Windows that wine makes is kept; without it, one is made for this run and removed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

TIMEOUT_S = 300
# Debian keeps the program out of PATH, behind a script that wants 32-bit libraries too.
PLACES = (shutil.which("wine64"), "/usr/lib/wine/wine64")
# Rust's library takes random numbers from here, and wine 8 has no such DLL. For tests only.
RANDOM = """
#include <windows.h>
BOOLEAN NTAPI SystemFunction036(PVOID data, ULONG len);
__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE data, SIZE_T len) { return SystemFunction036(data, (ULONG)len); }
"""


def wine() -> str:
    """The program that runs 64-bit Windows programs."""
    found = [place for place in PLACES if place and Path(place).is_file()]
    if not found:
        raise SystemExit("wine64 was not found; `rva setup --system` installs it")
    return found[0]


def environment(folder: Path) -> dict[str, str]:
    """A Windows 10 of its own, quiet, with the DLL that wine lacks."""
    # Where the system's own programs look for libraries, Windows programs do too.
    libraries = [str(folder / "dll"), *filter(None, os.environ.get("LD_LIBRARY_PATH", "").split(os.pathsep))]
    own = {"WINEPREFIX": str(folder / "windows"), "WINEDEBUG": "-all", "WINEPATH": ";".join(libraries)}
    # Node.js asks for a newer Windows than wine says it is.
    return {**os.environ, **own, "NODE_SKIP_PLATFORM_CHECK": "1", "DISPLAY": ""}


def prepare(folder: Path) -> None:
    """Make the Windows and the DLL, once a folder."""
    done = folder / "ready"
    if done.is_file():
        return
    dll = folder / "dll"
    dll.mkdir(parents=True, exist_ok=True)
    source = dll / "random.c"
    source.write_text(RANDOM, encoding="utf-8")
    zig = [sys.executable, "-m", "ziglang", "cc", "-target", "x86_64-windows-gnu", "-shared", "-ladvapi32"]
    _run([*zig, "-o", str(dll / "bcryptprimitives.dll"), str(source)], dict(os.environ))
    key = ["reg", "add", r"HKCU\Software\Wine", "/v", "Version", "/d", "win10", "/f"]
    _run([wine(), *key], environment(folder))
    done.touch()


def _run(argv: list[str], env: dict[str, str]) -> None:
    done = subprocess.run(argv, env=env, stdout=sys.stderr, stderr=sys.stderr, check=False, timeout=TIMEOUT_S)
    if done.returncode != 0:
        raise SystemExit(f"{argv[0]} ended with exit status {done.returncode}")


def run(argv: list[str], folder: Path) -> int:
    """The program's exit status; what it prints goes through files, which wine's console wants."""
    prepare(folder)
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        done = subprocess.run(
            [wine(), *argv], env=environment(folder), stdin=subprocess.DEVNULL, stdout=out, stderr=err, check=False, timeout=TIMEOUT_S
        )  # fmt: skip
        for stream, sink in ((out, sys.stdout.buffer), (err, sys.stderr.buffer)):
            stream.seek(0)
            sink.write(stream.read())
            sink.flush()
    return done.returncode


def main(argv: list[str]) -> int:
    if len(argv) < 2:
        raise SystemExit("usage: wine.py PROGRAM ARGUMENT...")
    kept = os.environ.get("RVA_WINE_FOLDER")
    if kept:
        return run(argv[1:], Path(kept))
    with tempfile.TemporaryDirectory(prefix="rva-wine-") as name:
        return run(argv[1:], Path(name))


if __name__ == "__main__":
    raise SystemExit(main(sys.argv))
