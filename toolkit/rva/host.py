"""This machine: its triple and where things are kept. Starts no process."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path

import platformdirs

from rva.model import Host

_CPUS = {
    "x86_64": "x86_64",
    "amd64": "x86_64",
    "aarch64": "aarch64",
    "arm64": "aarch64",
    "armv7l": "armv7",
    "armv8l": "armv7",
}
# Where systems keep what is not on PATH: Debian's wine, and the loaders of C libraries.
_PLACES = ("/usr/lib/wine", "/lib")
_NODE_CPUS = {"x86_64": "x64", "aarch64": "arm64", "armv7": "arm"}


def detect() -> Host:
    """What Python says of the machine that it runs on."""
    machine = platform.machine().lower()
    cpu = _CPUS.get(machine, machine)
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if sys.platform == "darwin":
        return Host(f"{cpu}-apple-darwin", "darwin", _NODE_CPUS.get(cpu, cpu), "none", cpus)
    if sys.platform == "win32":
        return Host(f"{cpu}-pc-windows-msvc", "win32", _NODE_CPUS.get(cpu, cpu), "msvc", cpus)
    libc = "glibc" if platform.libc_ver()[0] == "glibc" else "musl"
    tail = {"glibc": "gnu", "musl": "musl"}[libc] + ("eabihf" if cpu == "armv7" else "")
    return Host(f"{cpu}-unknown-linux-{tail}", "linux", _NODE_CPUS.get(cpu, cpu), libc, cpus)


def lacking(programs: Iterable[str], path: str | None = None) -> str:
    """Which of the system's programs or loaders is missing and what to do, or nothing."""
    for name in programs:
        if shutil.which(name, path=path) is None and not any(Path(place, name).is_file() for place in _PLACES):
            return f"{name} was not found; `rva setup --system` installs it"
    return ""


def cache_dir() -> Path:
    """The folder shared by all checkouts of this user: RVA_CACHE_DIR, or the system's cache folder."""
    chosen = os.environ.get("RVA_CACHE_DIR")
    return Path(chosen).absolute() if chosen else platformdirs.user_cache_path("rva", appauthor=False)


def find_root(start: Path) -> Path:
    """The nearest folder at or above ``start`` that holds platforms.toml, or ``start`` itself."""
    for folder in (start, *start.parents):
        if (folder / "platforms.toml").is_file():
            return folder
    return start
