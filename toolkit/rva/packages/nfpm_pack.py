"""Packs Debian and RPM packages by nfpm, which needs neither dpkg nor rpm."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from rva import shell
from rva.errors import ToolError
from rva.log import Log
from rva.model import Package
from rva.packages.parts import lay_out
from rva.packages.system import CONFIG


def pack(package: Package, root: Path, folder: Path, place: Path, env: Mapping[str, str], epoch: int, log: Log) -> None:
    """Lay the files out in a folder and have nfpm make PLACE of them."""
    nfpm = shutil.which("nfpm", path=env.get("PATH"))
    if nfpm is None:
        raise ToolError("nfpm was not found", fix="rva setup")
    lay_out(package.parts, root, folder)
    place.parent.mkdir(parents=True, exist_ok=True)
    shell.run(
        [nfpm, "package", "--config", CONFIG, "--packager", package.pack, "--target", place],
        cwd=folder,
        env={**env, "SOURCE_DATE_EPOCH": str(epoch)},
        log=root / ".rva" / "logs" / "nfpm.log",
        on_line=log.detail,
    )
