"""`rva bench`: a comparison under [bench] of platforms.toml, built, run, and its results put in place."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from rva import files, shell
from rva.errors import CheckFailed, ToolError
from rva.log import Log
from rva.model import Bench


class Peers(Struct, frozen=True):
    """Where the packages are that a comparison compares with."""

    python: Path
    modules: Path
    node: Path


class Wish(Struct, frozen=True):
    """What the command line asks of a comparison."""

    name: str
    output: Path
    only: tuple[str, ...] = ()
    quick: bool = False
    peers: bool = False

    def words(self) -> list[str]:
        """The options that the script is told."""
        return [*(["--quick"] if self.quick else []), *(word for case in self.only for word in ("--only", case))]

    def title(self) -> str:
        """The command that gives the same again."""
        return shell.quoted(["rva", "bench", self.name, *(["--peers"] if self.peers else []), *self.words()])


def run(
    spec: Bench,
    wish: Wish,
    root: Path,
    python: Path,
    peers: Peers | None,
    commit: str,
    env: Mapping[str, str],
    log: Log,
) -> Path:
    """Build, measure, and move the results to their place, each whole; returns the folder.

    A comparison whose own results are wrong or absent is a CheckFailed, after what it has is in place.
    """
    driver = _build(spec, root, env, log)
    part = files.make_folder(root / ".rva" / "bench" / wish.name)
    argv: list[str | Path] = [python, root / spec.script, "--driver", driver, "--output", part, *wish.words()]
    argv += ["--title", wish.title(), "--commit", commit]
    if peers is not None:
        argv += ["--peers-python", peers.python, "--peers-modules", peers.modules, "--node", peers.node]
    record = root / ".rva" / "logs" / f"bench-{wish.name}.log"
    files.remove(record)
    result = shell.run(argv, cwd=root, env=env, log=record, on_line=log.say, check=False)
    for path in sorted(part.iterdir()):
        files.copy(path, wish.output / path.name, executable=False)
    if result.returncode != 0:
        last = result.output.strip().splitlines()[-1:] or ["without a word"]
        raise CheckFailed(f"the comparison {wish.name} failed: {last[0]}", fix=f"see {record}")
    return wish.output


def _build(spec: Bench, root: Path, env: Mapping[str, str], log: Log) -> Path:
    cargo = shutil.which("cargo", path=env.get("PATH"))
    if cargo is None:
        raise ToolError("`cargo` was not found", fix="run `rva setup`")
    target = root / ".rva" / "target" / "bench"
    argv: Sequence[str] = [cargo, "build", "--release", "--locked", "-p", spec.crate]
    with log.stage(f"build {spec.crate}"):
        shell.run(
            argv,
            cwd=root,
            env={**env, "CARGO_TARGET_DIR": str(target)},
            log=root / ".rva" / "logs" / "bench-build.log",
            on_line=log.detail,
        )
    return target / "release" / f"{spec.crate}{'.exe' if os.name == 'nt' else ''}"
