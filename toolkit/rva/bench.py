"""`rva bench`: a comparison under [bench] of platforms.toml, built, run, and its results put in place."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from msgspec import Struct

from rva import files, shell
from rva.errors import CheckFailed, ToolError
from rva.log import Log
from rva.model import Bench
from rva.recipes import wasm

WASM_TRIPLE: Final = "wasm32-unknown-unknown"
# What a comparison with WebAssembly needs.
WASM_TOOLS: Final = (f"std:{WASM_TRIPLE}", "wasm-opt", "wasmtime", "node")


class Peers(Struct, frozen=True):
    """Where the packages are that a comparison compares with."""

    python: Path | None
    modules: Path
    node: Path


class Runtimes(Struct, frozen=True):
    """What runs WebAssembly: an interpreter that has wasmtime, and Node.js."""

    python: Path
    node: Path


class Wish(Struct, frozen=True):
    """What the command line asks of a comparison."""

    name: str
    output: Path
    only: tuple[str, ...] = ()
    quick: bool = False
    peers: bool = False
    baseline: Path | None = None
    fail_above: float | None = None

    @property
    def wasm(self) -> bool:
        """Whether WebAssembly takes part: the quick form does without its compiler and runtimes."""
        return not self.quick

    def words(self) -> list[str]:
        """The options that the script is told."""
        words = [*(["--quick"] if self.quick else []), *(word for case in self.only for word in ("--only", case))]
        words += ["--baseline", str(self.baseline)] if self.baseline else []
        return [*words, "--fail-above", f"{self.fail_above:g}"] if self.fail_above is not None else words

    def title(self) -> str:
        """The command that gives the same again."""
        return shell.quoted(["rva", "bench", self.name, *(["--peers"] if self.peers else []), *self.words()])


def run(
    spec: Bench,
    wish: Wish,
    root: Path,
    python: Path,
    peers: Peers | None,
    runtimes: Runtimes | None,
    commit: str,
    env: Mapping[str, str],
    log: Log,
) -> Path:
    """Build, measure, and move the results to their place, each whole; returns the folder.

    A comparison whose own results are wrong or absent is a CheckFailed, after what it has is in place.
    """
    driver = _build(spec, root, env, log)
    part = files.make_folder(root / ".rva" / "bench" / wish.name)
    for history in wish.output.glob("*-history.jsonl"):  # grows by a line a run
        files.copy(history, part / history.name, executable=False)
    argv: list[str | Path] = [python, root / spec.script, "--driver", driver, "--output", part, *wish.words()]
    argv += ["--title", wish.title(), "--commit", commit]
    if runtimes is not None:
        if spec.wasm is not None:
            argv += ["--wasm", _build_wasm(spec.wasm, root, env, log)]
        argv += ["--wasm-python", runtimes.python, "--wasm-node", runtimes.node]
    if peers is not None:
        argv += ["--peers-modules", peers.modules, "--node", peers.node]
        argv += ["--peers-python", peers.python] if peers.python else []
    record = root / ".rva" / "logs" / f"bench-{wish.name}.log"
    files.remove(record)
    log.detail(f"measuring {wish.name}")
    result = shell.run(argv, cwd=root, env=env, log=record, on_line=log.say, check=False)
    for path in sorted(part.iterdir()):
        files.copy(path, wish.output / path.name, executable=False)
    if result.returncode != 0:
        last = result.output.strip().splitlines()[-1:] or ["without a word"]
        raise CheckFailed(f"the comparison {wish.name} failed: {last[0]}", fix=f"see {record}")
    return wish.output


def _build(spec: Bench, root: Path, env: Mapping[str, str], log: Log) -> Path:
    target = root / ".rva" / "target" / "bench"
    argv: Sequence[str] = [_program("cargo", env), "build", "--release", "--locked", "-p", spec.crate]
    with log.stage(f"build {spec.crate}"):
        shell.run(
            argv,
            cwd=root,
            env={**env, "CARGO_TARGET_DIR": str(target)},
            log=root / ".rva" / "logs" / "bench-build.log",
            on_line=log.detail,
        )
    return target / "release" / f"{spec.crate}{'.exe' if os.name == 'nt' else ''}"


def _build_wasm(crate: str, root: Path, env: Mapping[str, str], log: Log) -> Path:
    """One module for each instruction level, made as the packages' are; returns their folder."""
    cargo, optimizer = _program("cargo", env), _program("wasm-opt", env)
    folder = files.make_folder(root / ".rva" / "bench" / "wasm")
    record = root / ".rva" / "logs" / "bench-wasm.log"
    argv = [cargo, "build", "--profile", "wasm-release", "--locked", "--target", WASM_TRIPLE, "-p", crate]
    with log.stage(f"build {crate}"):
        for level, flags in wasm.FEATURES.items():
            target = root / ".rva" / "target" / f"bench-{level}"
            own = {**env, "CARGO_TARGET_DIR": str(target), "RUSTFLAGS": " ".join((*flags, *wasm.FAST))}
            shell.run(argv, cwd=root, env=own, log=record, on_line=log.detail)
            module = target / WASM_TRIPLE / "wasm-release" / f"{crate.replace('-', '_')}.wasm"
            optimize: list[str | Path] = [
                optimizer,
                "-O3",
                "--strip-target-features",
                module,
                "-o",
                folder / f"{level}.wasm",
            ]
            shell.run(optimize, cwd=root, env=env, log=record)
    return folder


def _program(name: str, env: Mapping[str, str]) -> str:
    path = shutil.which(name, path=env.get("PATH"))
    if path is None:
        raise ToolError(f"`{name}` was not found", fix="run `rva setup`")
    return path
