"""The npm package of the WebAssembly modules as it is installed: what is measured is what users call."""

from __future__ import annotations

import tarfile
from collections.abc import Mapping
from pathlib import Path

MAKE = "`rva package` makes it"


def unpack(packages: Path, modules: Mapping[str, Path], into: Path) -> Path:
    """The package's folder; OSError where there is none of these modules, by level."""
    found = sorted(packages.glob("ruvector-attention-wasm-*.tgz"))
    if len(found) != 1:
        raise OSError(f"one npm package was to be in {packages}, there are {len(found)}; {MAKE}")
    with tarfile.open(found[0]) as archive:
        archive.extractall(into, filter="data")
    for level, module in modules.items():
        if (into / "package" / "wasm" / f"{level}.wasm").read_bytes() != module.read_bytes():
            raise OSError(f"{found[0].name} is of another build than {module}; {MAKE}")
    return into / "package"
