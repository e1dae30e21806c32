"""A Rust compiler by rustup, in a private folder of the cache: the user's own toolchains stay as they are."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from rva.errors import ToolError
from rva.log import Log
from rva.toolchains.inventory import Site
from rva.toolchains.place import run

MEGABYTES = 170
MEGABYTES_A_TARGET = 25
_TIMEOUT_S = 900.0


def install(site: Site, folder: Path, triples: Sequence[str], log: Log) -> None:
    """Install the pinned compiler with the libraries of ``triples`` into ``folder``/home."""
    log.say(f"fetching Rust {site.version('rust')} by rustup")
    # WebAssembly with threads needs the sources of the standard library, to build one of its own.
    options = ["--profile", "minimal", "--component", "rust-src", "--no-self-update"]
    _rustup(site, folder, ["toolchain", "install", name(site), *options, *_targets(triples)], log)
    _show_llvm_to_objcopy(site, folder)


def add_targets(site: Site, folder: Path, triples: Sequence[str], log: Log) -> None:
    """Add the libraries of more targets to an installed compiler."""
    log.say(f"fetching the Rust standard library for {', '.join(triples)}")
    _rustup(site, folder, ["target", "add", "--toolchain", name(site), *triples], log)


def name(site: Site) -> str:
    """rustup's name of the toolchain."""
    return f"{site.version('rust')}-{site.host.triple}"


def toolchain(site: Site, folder: Path) -> Path:
    """Where rustup puts the compiler; this folder is its sysroot too."""
    return folder / "home" / "toolchains" / name(site)


def _targets(triples: Sequence[str]) -> list[str]:
    return [part for triple in triples for part in ("--target", triple)]


def _show_llvm_to_objcopy(site: Site, folder: Path) -> None:
    """rust-objcopy, which strips programs for macOS, looks for LLVM beside the host's libraries, where rustup puts none."""
    if site.host.os == "win32":
        return
    home = toolchain(site, folder) / "lib"
    for library in home.glob("libLLVM*.so*"):
        link = home / "rustlib" / site.host.triple / "lib" / library.name
        if not link.exists():
            link.symlink_to(Path("../../..") / library.name)


def _rustup(site: Site, folder: Path, arguments: Sequence[str], log: Log) -> None:
    program = shutil.which("rustup")
    if program is None:
        raise ToolError("rustup is not installed", fix="install it from https://rustup.rs")
    env = {
        "RUSTUP_HOME": str(folder / "home"),
        "RUSTUP_TOOLCHAIN": name(site),
        "RUSTUP_MAX_RETRIES": "1",
        "RUST_BACKTRACE": "0",
    }
    run("rustup", [program, *arguments], log, site.logs / "setup-rustup.log", env=env, timeout=_TIMEOUT_S)
