"""Facts of a Python wheel: its name, tags, record and the extension module inside."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
from collections.abc import Iterator
from configparser import ConfigParser
from configparser import Error as ConfigError
from email.parser import HeaderParser

from msgspec import Struct

from rva.inspect import unpack
from rva.inspect.sniff import FormatError


class WheelFacts(Struct, frozen=True):
    """What a wheel holds: every file, the words of WHEEL and METADATA, where RECORD disagrees with the content, its programs."""

    files: dict[str, bytes]
    name: str
    version: str
    tags: frozenset[str]
    pure: bool
    record_faults: tuple[str, ...]
    programs: frozenset[str] = frozenset()

    def extensions(self) -> dict[str, bytes]:
        """The compiled modules inside."""
        return {n: b for n, b in self.files.items() if n.endswith((".so", ".pyd", ".dylib", ".dll"))}


def read(data: bytes) -> WheelFacts:
    """Read a wheel; raise FormatError where it is damaged, unsafe to unpack or lacks a part."""
    files = unpack.unzip(data)
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
        programs=frozenset(_programs(files.get(f"{folder}/entry_points.txt", b""))),
    )


def _programs(entry_points: bytes) -> Iterator[str]:
    """The names that an installer makes commands of."""
    parser = ConfigParser(delimiters=("=",), interpolation=None, strict=False)
    try:
        parser.read_string(entry_points.decode("utf-8"))
    except (ConfigError, UnicodeDecodeError) as error:
        raise FormatError(f"entry_points.txt cannot be read: {error}") from error
    if parser.has_section("console_scripts"):
        yield from parser.options("console_scripts")


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
