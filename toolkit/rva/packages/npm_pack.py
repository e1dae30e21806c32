"""Packs npm packages by `npm pack`, offline, without the user's settings."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from rva import files, shell
from rva.errors import CheckFailed, ToolError
from rva.inspect import tarball
from rva.log import Log
from rva.model import Package
from rva.packages.parts import lay_out


def pack(packages: Sequence[Package], root: Path, stage: Path, out: Path, env: Mapping[str, str], log: Log) -> None:
    """One `npm pack` for all: starting npm takes longer than packing."""
    if not packages:
        return
    npm = shutil.which("npm", path=env.get("PATH"))
    if npm is None:
        raise ToolError("npm was not found", fix="install Node.js, which brings it")
    tarballs = files.make_folder(stage / "tarballs")
    folders = []
    for i, package in enumerate(packages):
        lay_out(package.parts, root, stage / "npm" / str(i))
        folders.append(f"./{i}")
    # No setting of the user's may change what goes in, nor a script of a package run.
    own = {f"npm_config_{name}config": str(stage / f"{name}.npmrc") for name in ("user", "global")}
    for path in own.values():
        files.write(Path(path), "")
    own["npm_config_cache"] = str(stage / "cache")
    options = ["--ignore-scripts", "--offline", "--loglevel=error", "--no-update-notifier"]
    shell.run(
        [npm, "pack", *folders, "--pack-destination", tarballs, *options],
        cwd=stage / "npm",
        env={**env, **own},
        log=root / ".rva" / "logs" / "npm-pack.log",
        on_line=log.detail,
    )
    for package in packages:
        made = tarballs / Path(package.file).name
        if not made.is_file():
            raise CheckFailed(f"npm pack made no {made.name}", fix="see .rva/logs/npm-pack.log")
        _refuse_other_content(made, package)
        files.copy(made, out / package.file, executable=False)


def _refuse_other_content(made: Path, package: Package) -> None:
    """npm leaves out what `files` or an ignore file tells it to; a package holds what the plan says, all of it."""
    wanted, found = {part.path for part in package.parts}, tarball.read(made.read_bytes()).files.keys()
    if wanted != found:
        lost, extra = ", ".join(sorted(wanted - found)), ", ".join(sorted(found - wanted))
        raise CheckFailed(f"{made.name}: npm pack left out {lost or 'nothing'} and added {extra or 'nothing'}")
