"""Facts of a packed source: the Python sdist, the Rust crate and the npm package, all .tar.gz."""

from __future__ import annotations

from msgspec import Struct

from rva.inspect import unpack
from rva.inspect.sniff import FormatError


class TarFacts(Struct, frozen=True):
    """What a source package holds: its one top folder, and every file below it by its path there."""

    folder: str
    files: dict[str, bytes]


def read(data: bytes) -> TarFacts:
    """Read a .tar.gz in memory; FormatError where it is damaged, unsafe to unpack, or has more than one top folder."""
    found = unpack.untar(data)
    folders = {name.split("/")[0] for name in found}
    if len(folders) != 1:
        raise FormatError(f"one top folder was wanted, found {len(folders)}")
    folder = folders.pop()
    return TarFacts(folder, {name.removeprefix(f"{folder}/"): body for name, body in found.items()})
