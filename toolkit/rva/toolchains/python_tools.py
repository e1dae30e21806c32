"""Tools from the Python package index, in environments made from the hashed lists in requirements/."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from rva import files, resources
from rva.errors import ToolError
from rva.log import Log
from rva.toolchains.inventory import Fetch, Site, Tool, read_record, stamps, write_record
from rva.toolchains.place import alone, run

# Tool -> the packages that make it, the first of which names its version; and whose versions platforms.toml gives.
PACKAGES: Final = {
    "zig": ("ziglang", "cargo-zigbuild"),
    "maturin": ("maturin",),
    "wasmtime": ("wasmtime",),
    "xwin": ("cargo-xwin",),
}
_VERSION_KEYS: Final = {"ziglang": "zig"}
# Lists that are one tool each, by their own name.
WHOLE: Final = ("dev", "docs", "package", "python-binding", "server", "release", "checkers")
_LISTS: Final = {
    "tools": 110,
    "dev": 90,
    "docs": 35,
    "package": 7,
    "python-binding": 60,
    "server": 12,
    "release": 17,
    "checkers": 20,
}


def list_of(name: str) -> str:
    """Which list under requirements/ a tool comes from."""
    return name if name in WHOLE else "tools"


def load(site: Site) -> Iterator[Tool]:
    """The tools whose environment is whole and made from the list as it is now."""
    for name in (*PACKAGES, *WHOLE):
        tool = read_record(_folder(site, list_of(name)), name)
        if tool is not None:
            yield tool


def needs(site: Site, names: set[str]) -> Iterator[Fetch]:
    """What the environments for these tools would fetch."""
    for requirements in sorted({list_of(name) for name in names}):
        yield Fetch(
            name=", ".join(sorted(n for n in names if list_of(n) == requirements)),
            source=f"Python's package index, requirements/{requirements}.txt",
            megabytes=_LISTS[requirements],
        )


def provide(site: Site, names: set[str], log: Log) -> tuple[Tool, ...]:
    """Make the environments that hold these tools."""
    made: list[Tool] = []
    for requirements in sorted({list_of(name) for name in names}):
        folder = _folder(site, requirements)
        with alone(folder, log):
            wanted = (requirements,) if requirements in WHOLE else tuple(PACKAGES)
            if any(read_record(folder, name) is None for name in wanted):
                _make(site, folder, requirements, log)
            made += [tool for name in wanted if (tool := read_record(folder, name)) is not None]
    return tuple(made)


def provide_list(site: Site, requirements: str, log: Log) -> Tool:
    """The environment that holds requirements/NAME.txt, made if it is not there."""
    folder = _folder(site, requirements)
    with alone(folder, log):
        ready = read_record(folder, requirements)
        return ready or _make_whole(site, folder, requirements, log)


def bin_folder(environment: Path) -> Path:
    """Where an environment keeps its programs."""
    return environment / ("Scripts" if os.name == "nt" else "bin")


def pins(text: str) -> dict[str, str]:
    """Package -> version of a requirements list."""
    return {m[1].lower(): m[2] for m in re.finditer(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", text, re.MULTILINE)}


def check_pins(site: Site) -> dict[str, str]:
    """The list's versions, once they agree with platforms.toml; ToolError names the first that does not."""
    path = resources.locked("tools.txt", site.root)
    try:
        pinned = pins(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ToolError(f"{path} cannot be read: {error.strerror}", fix="restore it from git") from error
    for package in (package for packages in PACKAGES.values() for package in packages):
        wanted = site.version(_VERSION_KEYS.get(package, package))
        if pinned.get(package) != wanted:
            raise ToolError(
                f"requirements/tools.txt has {package} {pinned.get(package)}, platforms.toml asks for {wanted}",
                fix="make requirements/tools.in and platforms.toml agree, then run scripts/lock-requirements.sh",
            )
    return pinned


def _folder(site: Site, requirements: str) -> Path:
    """Keyed by the list and Python's version, so that a changed list gets a new environment."""
    try:
        text = resources.locked(f"{requirements}.txt", site.root).read_bytes()
    except OSError:
        text = b""
    key = hashlib.sha256(text).hexdigest()[:12]
    return site.shared / "python" / f"{requirements}-{key}-py{sys.version_info.major}{sys.version_info.minor}"


def _make(site: Site, folder: Path, requirements: str, log: Log) -> None:
    if requirements in WHOLE:
        _make_whole(site, folder, requirements, log)
        return
    pinned = check_pins(site)
    python = _install(site, folder, requirements, log)
    for name, packages in PACKAGES.items():
        write_record(folder, _tool(site, folder, python, name, packages, pinned))


def _make_whole(site: Site, folder: Path, requirements: str, log: Log) -> Tool:
    """An environment that is one tool, by its list's name."""
    python = _install(site, folder, requirements, log)
    programs = str(bin_folder(folder))
    tool = Tool(
        name=requirements, version=folder.name, path=programs, source="PyPI", fingerprint=folder.name,
        env={"PATH": programs}, stamps=stamps([python]),
    )  # fmt: skip
    return write_record(folder, tool)


def _install(site: Site, folder: Path, requirements: str, log: Log) -> Path:
    """Make the environment; returns its interpreter."""
    # An environment cannot be renamed, its programs name their interpreter: the records, written last, say it is whole.
    files.make_folder(folder)
    record = site.logs / f"setup-python-{requirements}.log"
    source = resources.locked(f"{requirements}.txt", site.root)
    log.say(f"fetching the Python packages of requirements/{requirements}.txt")
    python = bin_folder(folder) / ("python.exe" if os.name == "nt" else "python")
    title = f"Python packages ({requirements})"
    uv = shutil.which("uv")
    if uv:
        run(title, [uv, "venv", "--allow-existing", "--python", sys.executable, folder], log, record)
        run(title, [uv, "pip", "install", "--require-hashes", "--python", python, "-r", source], log, record)
    else:
        run(title, [sys.executable, "-m", "venv", folder], log, record)
        pip: list[str | Path] = [python, "-m", "pip", "install", "--disable-pip-version-check"]
        run(title, [*pip, "--no-warn-script-location", "--require-hashes", "-r", source], log, record)
    return python


def _tool(site: Site, folder: Path, python: Path, name: str, packages: tuple[str, ...], pinned: dict[str, str]) -> Tool:
    programs = bin_folder(folder)
    suffix = ".exe" if os.name == "nt" else ""
    seen = {"zig": "cargo-zigbuild", "maturin": "maturin", "xwin": "cargo-xwin"}
    program = programs / f"{seen[name]}{suffix}" if name in seen else python
    env = {"PATH": str(programs)}
    checked = [program]
    if name == "zig":
        zig = next(folder.glob(f"**/site-packages/ziglang/zig{suffix}"))
        checked.append(zig)
        env |= {
            "CARGO_ZIGBUILD_ZIG_PATH": str(zig),
            "CARGO_ZIGBUILD_CACHE_DIR": str(site.shared / "zigbuild"),
            "ZIG_GLOBAL_CACHE_DIR": str(site.shared / "zig-cache"),
            "ZIG_LOCAL_CACHE_DIR": str(site.shared / "zig-cache"),
        }
    version = pinned[packages[0]]
    fingerprint = " ".join(f"{package} {pinned[package]}" for package in packages)
    return Tool(
        name=name,
        version=version,
        path=str(program),
        source="PyPI",
        fingerprint=fingerprint,
        env=env,
        stamps=stamps(checked),
    )
