"""Facts of a packed source: the Python sdist and the Rust crate, both .tar.gz."""

from __future__ import annotations

import io
import tarfile
import zlib

from msgspec import Struct

from rva.inspect.sniff import FormatError
from rva.inspect.wheel import MAX_BYTES, safe_name


class TarFacts(Struct, frozen=True):
    """What a source package holds: its one top folder, and every file below it by its path there."""

    folder: str
    files: dict[str, bytes]


def read(data: bytes) -> TarFacts:
    """Read a .tar.gz in memory; FormatError for damage, unsafe names, links, devices, doubles and bombs."""
    found: dict[str, bytes] = {}
    total = 0
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:gz") as archive:
            for info in archive:
                name = safe_name(info.name)
                total += info.size
                if total > MAX_BYTES:
                    raise FormatError(f"unpacks to more than {MAX_BYTES} bytes")
                if info.isdir():
                    continue
                if not info.isreg():
                    raise FormatError(f"{name!r} is a link or a device")
                if name in found:
                    raise FormatError(f"{name!r} is there twice")
                stream = archive.extractfile(info)
                found[name] = stream.read() if stream is not None else b""
    except (tarfile.TarError, zlib.error, EOFError, OSError, ValueError) as error:
        raise FormatError(f"not a sound .tar.gz archive: {error}") from error
    folders = {name.split("/")[0] for name in found}
    if len(folders) != 1:
        raise FormatError(f"one top folder was wanted, found {len(folders)}")
    folder = folders.pop()
    return TarFacts(folder, {name.removeprefix(f"{folder}/"): body for name, body in found.items()})
