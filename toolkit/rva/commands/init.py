"""`rva init`: a Cargo workspace becomes one that rva builds."""

from __future__ import annotations

import shutil
import tomllib
from pathlib import Path
from typing import Annotated

import typer

from rva import files, generated, host, initial, matrix, pipelines, shell, toolchain
from rva.console import log_for, print_out
from rva.errors import UsageError
from rva.log import Log
from rva.model import Matrix
from rva.options import QuietOption, VerboseOption

app = typer.Typer()
# What builds leave beside the sources.
_IGNORED = ("/target/", "/dist/", "/.rva/", "node_modules/")


@app.command()
def init(
    bindings: Annotated[
        str, typer.Option("--with", metavar="NAMES", help="bindings, with commas: node, wasm, python, c, cli")
    ] = "node,wasm,python,c,cli",
    crate: Annotated[str, typer.Option("--crate", metavar="NAME", help="the library crate, where there are more")] = "",
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Give the Cargo workspace of this folder a platforms.toml, bindings and workflows. Overwrites nothing.

    Examples: rva init; rva init --with node,python; then rva build --target host
    """
    root = Path.cwd()
    wanted = tuple(dict.fromkeys(name for name in bindings.split(",") if name))
    unknown = [name for name in wanted if name not in initial.BINDINGS]
    if unknown or not wanted:
        raise UsageError(
            f"no binding is named {', '.join(unknown) or bindings!r}", fix=f"use {', '.join(initial.BINDINGS)}"
        )
    library = initial.find(root, crate)
    made = initial.files(library, wanted)
    there = [name for name, text in made.items() if _is_other(root / name, text)]
    if there:
        raise UsageError(f"{', '.join(there)}: already here; rva init overwrites nothing", fix="move it away first")
    manifest = initial.manifest((root / "Cargo.toml").read_text("utf-8"), wanted)
    for name, text in made.items():
        files.write(root / name, text)
    files.write(root / "Cargo.toml", manifest)
    _licences(root, library, wanted)
    _ignore(root)
    _readme(root, library)
    _lock(root, tomllib.loads(made["platforms.toml"])["tools"], log_for(quiet, verbose))
    table = matrix.load(root)
    made |= _generated(root, table)
    for name in sorted(made):
        print_out(f"written: {name}\n")
    print_out("next: rva build --target host && rva package && rva verify && rva rehearse --target host\n")


def _is_other(path: Path, text: str) -> bool:
    """Whether a file of another content is there; one that an earlier run, which was ended, wrote is left to this one."""
    return path.exists() and (not path.is_file() or path.read_bytes() != text.encode())


def _licences(root: Path, library: initial.Library, wanted: tuple[str, ...]) -> None:
    """Every package carries the licence texts; cargo and maturin take them from their own folder only."""
    folders = [library.folder, *(["bindings/python"] if "python" in wanted else [])]
    for name in library.licences:
        for folder in folders:
            if not (root / folder / name).exists():
                files.copy(root / name, root / folder / name, executable=False)


def _ignore(root: Path) -> None:
    path = root / ".gitignore"
    lines = path.read_text("utf-8").splitlines() if path.is_file() else []
    files.write(path, "\n".join([*lines, *(line for line in _IGNORED if line not in lines)]) + "\n")


def _lock(root: Path, versions: dict[str, str], log: Log) -> None:
    """Cargo.lock with what the bindings need; every later build takes it as it is."""
    inventory = toolchain.load(root, host.cache_dir(), versions, "")
    if "rust" not in inventory.tools:
        inventory = toolchain.provide({"rust"}, inventory, log)
    env = toolchain.environment(inventory, {"rust"})
    # Of each crate the newest version that this compiler takes.
    env["CARGO_RESOLVER_INCOMPATIBLE_RUST_VERSIONS"] = "fallback"
    cargo = shutil.which("cargo", path=env.get("PATH")) or "cargo"
    log.say("resolving and fetching the crates that the bindings need")
    shell.run([cargo, "fetch"], cwd=root, env=env, log=root / ".rva" / "logs" / "init.log", on_line=log.detail)


def _readme(root: Path, library: initial.Library) -> None:
    """A place for the table of platforms."""
    path = root / "README.md"
    text = path.read_text("utf-8") if path.is_file() else f"# {library.name}\n\n{library.description}.\n"
    if generated.BEGIN not in text:
        files.write(path, f"{text.rstrip()}\n\n## Platforms\n\n{generated.BEGIN}{generated.END}")


def _generated(root: Path, table: Matrix) -> dict[str, str]:
    """The files that are made from platforms.toml."""
    made = {**generated.wanted(root, table), **pipelines.texts(root, table)}
    for name, text in made.items():
        files.write(root / name, text)
    return made
