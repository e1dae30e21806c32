"""Tools from crates.io, compiled once for all checkouts, and the crates that the workspace's lock file names."""

from __future__ import annotations

import os
import shutil
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from msgspec import Struct

from rva import files
from rva.errors import ToolError
from rva.log import Log
from rva.toolchains import compiler
from rva.toolchains.inventory import Fetch, Site, Tool, read_record, stamps, write_record
from rva.toolchains.place import alone, make_folder, run


class Crate(Struct, frozen=True):
    """A tool on crates.io: its crate, what to pass to cargo install, and about how long it compiles on two cores."""

    name: str
    options: tuple[str, ...] = ()
    optimise: str = "0"
    seconds: int = 60


TOOLS: Final = {
    # The programs that wasm-bindgen's crate holds besides this one download browsers; they are left out with their TLS.
    "wasm-bindgen": Crate("wasm-bindgen-cli", ("--no-default-features", "--bin", "wasm-bindgen"), "1", 100),
    "wasm-pack": Crate("wasm-pack", seconds=80),
    "cbindgen": Crate("cbindgen", seconds=40),
}


def load(site: Site) -> Iterator[Tool]:
    """The tools that are compiled, and the crates where every one of Cargo.lock is at hand; from records alone."""
    for name in TOOLS:
        if name in site.versions and (tool := read_record(_folder(site, name), name)) is not None:
            yield tool
    crates = read_record(site.local, "crates")
    if crates is not None:
        yield crates


def needs(site: Site, names: Sequence[str]) -> Iterator[Fetch]:
    """What getting these tools would fetch and compile."""
    for name in names:
        if name == "crates":
            yield Fetch(name=name, source="crates.io, as Cargo.lock says", megabytes=30)
        else:
            crate = TOOLS[name]
            yield Fetch(
                name=name, source=f"{crate.name} {site.version(name)} from crates.io, compiled", seconds=crate.seconds
            )


def fetch_crates(site: Site, rust: Tool, log: Log) -> Tool:
    """Fetch every crate of Cargo.lock, so that builds need no network."""
    lock = site.root / "Cargo.lock"
    if not lock.is_file():
        raise ToolError(f"{lock} is missing", fix="restore it from git")
    log.say("fetching the crates of Cargo.lock")
    argv = [compiler.program(rust, "cargo"), "fetch", "--locked"]
    run("fetch crates", argv, log, site.logs / "setup-crates.log", env=_path(rust), cwd=site.root)
    found = [path for name in locked(lock.read_text(encoding="utf-8")) if (path := _cached(name)) is not None]
    # What the crates hold is in Cargo.lock, which every row's key covers.
    tool = Tool(
        name="crates", version=f"{len(found)} crates", path=str(cargo_home()), source="crates.io",
        fingerprint="Cargo.lock", stamps=stamps([lock, *found]),
    )  # fmt: skip
    return write_record(site.local, tool)


def provide(site: Site, names: Sequence[str], rust: Tool, log: Log) -> tuple[Tool, ...]:
    """Compile the tools that are missing; their builds share what they have in common."""
    # One after another under one lock: their builds share this folder, and a broken-off one goes on from there.
    with alone(site.shared / "cargo", log):
        target = site.shared / "cargo" / "build"
        made = tuple(_provide(site, name, rust, target, log) for name in names)
        files.remove(target)
    return made


def locked(lock: str) -> list[str]:
    """name-version of every registry crate in the text of a Cargo.lock."""
    packages = tomllib.loads(lock).get("package", [])
    return [f"{p['name']}-{p['version']}" for p in packages if str(p.get("source", "")).startswith("registry+")]


def cargo_home() -> Path:
    """Where cargo keeps what it fetched."""
    return Path(os.environ.get("CARGO_HOME") or Path.home() / ".cargo")


def _cached(crate: str) -> Path | None:
    return next(cargo_home().glob(f"registry/cache/*/{crate}.crate"), None)


def _folder(site: Site, name: str) -> Path:
    return site.shared / "cargo" / f"{name}-{site.version(name)}"


def _path(rust: Tool) -> dict[str, str]:
    return {"PATH": f"{rust.env['PATH']}{os.pathsep}{os.environ.get('PATH', '')}"}


def _take_from_path(site: Site, folder: Path, name: str, log: Log) -> Tool | None:
    """The user's own program where it has exactly the wanted version."""
    program = shutil.which(name)
    if program is None:
        return None
    said = run(f"ask {name}", [program, "--version"], log, site.logs / f"setup-{name}.log").split()
    if site.version(name) not in said:
        return None
    folder.mkdir(parents=True, exist_ok=True)
    return write_record(folder, _tool(site, name, Path(program), "PATH"))


def _provide(site: Site, name: str, rust: Tool, target: Path, log: Log) -> Tool:
    folder = _folder(site, name)
    ready = read_record(folder, name) or _take_from_path(site, folder, name, log)
    return ready or _install(site, folder, name, rust, target, log)


def _install(site: Site, folder: Path, name: str, rust: Tool, target: Path, log: Log) -> Tool:
    crate, version = TOOLS[name], site.version(name)
    log.say(f"compiling {crate.name} {version} from crates.io")
    env = _path(rust) | {
        "CARGO_TARGET_DIR": str(target),
        # A tool is used for seconds: compiling it fast matters more than running it fast.
        "CARGO_PROFILE_RELEASE_OPT_LEVEL": crate.optimise,
        "CARGO_PROFILE_RELEASE_LTO": "off",
        "CARGO_PROFILE_RELEASE_CODEGEN_UNITS": "16",
        "CARGO_PROFILE_RELEASE_DEBUG": "0",
        "CARGO_ENCODED_RUSTFLAGS": "",
    }
    fix = f"if its lock file names a crate that the registry lacks, ask for another version of {name} in platforms.toml"

    def fill(part: Path) -> None:
        wanted = ["--locked", "--version", version, *crate.options, crate.name]
        argv: list[str | Path] = [compiler.program(rust, "cargo"), "install", "--root", part, *wanted]
        run(f"compile {name}", argv, log, site.logs / f"setup-{name}.log", env=env, cwd=site.shared, fix=fix)

    make_folder(folder, fill)
    suffix = ".exe" if site.host.os == "win32" else ""
    return write_record(folder, _tool(site, name, folder / "bin" / f"{name}{suffix}", "crates.io"))


def _tool(site: Site, name: str, program: Path, source: str) -> Tool:
    version = site.version(name)
    return Tool(
        name=name, version=version, path=str(program), source=source, fingerprint=f"{name} {version}",
        env={"PATH": str(program.parent)}, stamps=stamps([program]),
    )  # fmt: skip
