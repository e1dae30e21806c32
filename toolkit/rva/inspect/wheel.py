"""Facts of a Python wheel: its name, tags, record and the extension module inside."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import stat
import zipfile
import zlib
from email.parser import HeaderParser

from msgspec import Struct

from rva.inspect.sniff import FormatError

MAX_BYTES = 500_000_000


class WheelFacts(Struct, frozen=True):
    """What a wheel holds: every file, the words of WHEEL and METADATA, and where RECORD disagrees with the content."""

    files: dict[str, bytes]
    name: str
    version: str
    tags: frozenset[str]
    pure: bool
    record_faults: tuple[str, ...]

    def extensions(self) -> dict[str, bytes]:
        """The compiled modules inside."""
        return {n: b for n, b in self.files.items() if n.endswith((".so", ".pyd", ".dylib", ".dll"))}


def read(data: bytes) -> WheelFacts:
    """Read a wheel; raise FormatError where it is damaged, unsafe to unpack or lacks a part."""
    files = unzip(data)
    folder = _dist_info(files)
    wheel = HeaderParser().parsestr(_text(files, f"{folder}/WHEEL"))
    metadata = HeaderParser().parsestr(_text(files, f"{folder}/METADATA"))
    return WheelFacts(
        files=files,
        name=metadata.get("Name", ""),
        version=metadata.get("Version", ""),
        tags=frozenset(wheel.get_all("Tag", [])),
        pure=wheel.get("Root-Is-Purelib", "") == "true",
        record_faults=tuple(_record_faults(files, f"{folder}/RECORD")),
    )


def unzip(data: bytes) -> dict[str, bytes]:
    """Every file of a zip archive in memory, by name; FormatError for damage, unsafe names, links and bombs."""
    found: dict[str, bytes] = {}
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if sum(i.file_size for i in archive.infolist()) > MAX_BYTES:
                raise FormatError(f"unpacks to more than {MAX_BYTES} bytes")
            for info in archive.infolist():
                name = safe_name(info.filename)
                if stat.S_IFMT(info.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR):
                    raise FormatError(f"{name!r} is a link or a device")
                if name in found:
                    raise FormatError(f"{name!r} is there twice")
                if not info.is_dir():
                    found[name] = archive.read(info)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        raise FormatError(f"not a sound zip archive: {error}") from error
    return found


def safe_name(name: str) -> str:
    """The name, if unpacking it stays below the folder chosen; FormatError otherwise."""
    parts = name.split("/")
    if not name or name.startswith("/") or "\\" in name or ".." in parts or ":" in parts[0] or "\0" in name:
        raise FormatError(f"the name {name!r} would leave the folder it is unpacked to")
    return name


def _dist_info(files: dict[str, bytes]) -> str:
    folders = {n.split("/")[0] for n in files if n.split("/")[0].endswith(".dist-info")}
    if len(folders) != 1:
        raise FormatError(f"one .dist-info folder was wanted, found {len(folders)}")
    return folders.pop()


def _text(files: dict[str, bytes], name: str) -> str:
    if name not in files:
        raise FormatError(f"{name} is missing")
    try:
        return files[name].decode("utf-8")
    except UnicodeDecodeError as error:
        raise FormatError(f"{name} is not UTF-8 text") from error


def _record_faults(files: dict[str, bytes], record: str) -> list[str]:
    rows = {row[0]: row[1:] for row in csv.reader(io.StringIO(_text(files, record))) if row}
    faults = [f"RECORD names {name!r}, which is not there" for name in rows if name not in files]
    for name, body in files.items():
        if name == record:
            continue
        digest = base64.urlsafe_b64encode(hashlib.sha256(body).digest()).rstrip(b"=").decode()
        if name not in rows:
            faults.append(f"RECORD does not name {name!r}")
        elif rows[name] != [f"sha256={digest}", str(len(body))]:
            faults.append(f"RECORD has another hash or size for {name!r} than the file")
    return faults
