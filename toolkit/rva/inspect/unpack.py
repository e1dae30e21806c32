"""Archives read in memory: every file by its name.

FormatError for whatever could not be unpacked safely, and the same way by every program and on every system: damage,
links, devices, names that leave the folder or collide, more bytes than anyone expects.
"""

from __future__ import annotations

import io
import re
import stat
import tarfile
import unicodedata
import zipfile
import zlib

from rva.inspect.sniff import FormatError

MAX_BYTES = 500_000_000
MAX_FILES = 100_000
_MAX_NAME = 1000
_MAX_PART = 255
_SHOWN = 80
_GZIP = 31  # zlib's number for a gzip wrapper
_UNICODE_PATH = 0x7075  # an extra field of zip with a second name

# Names that Windows keeps for devices, with any ending.
_DEVICES = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)
_CONTROL = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")


def unzip(data: bytes) -> dict[str, bytes]:
    """Every file of a zip archive."""
    found = _Found()
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
            found.expect(len(entries), sum(entry.file_size for entry in entries))
            start = min((entry.header_offset for entry in entries), default=0)
            if start > 0:
                raise FormatError(f"begins with {start} bytes that belong to no entry")
            for entry in entries:
                name = found.name(entry.orig_filename, folder=entry.is_dir())
                if stat.S_IFMT(entry.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR):
                    raise FormatError(f"{name!r} is a link or a device")
                if _UNICODE_PATH in _extra_fields(entry.extra):
                    raise FormatError(f"{name!r} has a second name, which some programs take and others do not")
                if entry.is_dir():
                    continue
                body = archive.read(entry)
                if len(body) != entry.file_size:
                    raise FormatError(f"{name!r} has {len(body)} bytes; the archive's list says {entry.file_size}")
                found.add(name, body)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError, OSError) as error:
        raise FormatError(f"not a sound zip archive: {error}") from error
    return found.files


def untar(data: bytes) -> dict[str, bytes]:
    """Every file of a tar archive packed by gzip."""
    # Unpacked first, with a limit: names and headers of a tar may be as long as they like.
    plain, found = _gunzip(data), _Found()
    try:
        with tarfile.open(fileobj=io.BytesIO(plain), mode="r:") as archive:
            count = total = 0
            for entry in archive:
                count, total = count + 1, total + entry.size
                if entry.size < 0:
                    raise FormatError(f"{entry.name!r} says that it has {entry.size} bytes")
                found.expect(count, total)
                name = found.name(entry.name, folder=entry.isdir())
                if entry.isdir():
                    continue
                if entry.issparse():
                    raise FormatError(f"{name!r} is a sparse file, which some programs unpack as something else")
                if entry.type not in (tarfile.REGTYPE, tarfile.AREGTYPE):
                    raise FormatError(f"{name!r} is a link or a device")
                stream = archive.extractfile(entry)
                found.add(name, stream.read() if stream is not None else b"")
            rest = plain[archive.offset :].strip(b"\0")
    except (tarfile.TarError, EOFError, OSError, ValueError, OverflowError) as error:
        raise FormatError(f"not a sound tar archive: {error}") from error
    if rest:
        raise FormatError(f"not a sound tar archive: {len(rest)} bytes after the last entry are no entry")
    return found.files


def safe_name(name: str) -> str:
    """The name, if unpacking it stays below the folder chosen, on every system; FormatError otherwise."""
    parts = name.split("/")
    shown = repr(name if len(name) <= _SHOWN else f"{name[:_SHOWN]}...")
    if not name or name.startswith("/") or "\\" in name or ".." in parts or ":" in name:
        raise FormatError(f"the name {shown} would leave the folder it is unpacked to")
    if _CONTROL.search(name):
        raise FormatError(f"the name {shown} holds characters that belong in no name")
    if "" in parts or "." in parts:
        raise FormatError(f"the name {shown} is another way to write a shorter one")
    if len(name.encode()) > _MAX_NAME or any(len(part.encode()) > _MAX_PART for part in parts):
        raise FormatError(f"the name {shown} is longer than a file system takes")
    if any(_DEVICES.fullmatch(part) or part.endswith((".", " ")) for part in parts):
        raise FormatError(f"the name {shown} cannot be unpacked on Windows")
    return name


class _Found:
    """The files met so far, and what they rule out."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        # A file or folder as systems compare them that do not tell case or spelling -> as it was written.
        self._known: dict[str, tuple[str, bool]] = {}

    def expect(self, count: int, total: int) -> None:
        """Refuse more files or bytes than a package has."""
        if count > MAX_FILES:
            raise FormatError(f"holds more than {MAX_FILES} files")
        if total > MAX_BYTES:
            raise FormatError(f"unpacks to more than {MAX_BYTES} bytes")

    def name(self, raw: str, *, folder: bool) -> str:
        """The name of the next entry, once it is safe and nothing else has it."""
        short = raw.removeprefix("./") if raw != "./" else ""
        if folder and short.rstrip("/") in ("", "."):
            return ""  # the top itself
        name = safe_name(short.rstrip("/") if folder else short)
        parts = name.split("/")
        for depth in range(1, len(parts) + 1):
            self._meet("/".join(parts[:depth]), folder=folder or depth < len(parts))
        return name

    def _meet(self, path: str, *, folder: bool) -> None:
        key = unicodedata.normalize("NFC", path).casefold()
        other, is_folder = self._known.setdefault(key, (path, folder))
        if other != path:
            raise FormatError(f"{other!r} and {path!r} are one file on systems that do not tell case")
        if is_folder != folder:
            raise FormatError(f"{path!r} is a file and a folder")

    def add(self, name: str, body: bytes) -> None:
        """Take a file's content; a name comes once."""
        if name in self.files:
            raise FormatError(f"{name!r} is there twice")
        self.files[name] = body


def _gunzip(data: bytes) -> bytes:
    stream = zlib.decompressobj(_GZIP)
    try:
        plain = stream.decompress(data, MAX_BYTES + 1)
    except zlib.error as error:
        raise FormatError(f"not a sound .tar.gz archive: {error}") from error
    if len(plain) > MAX_BYTES:
        raise FormatError(f"unpacks to more than {MAX_BYTES} bytes")
    if not stream.eof:
        raise FormatError("not a sound .tar.gz archive: it is cut short")
    if stream.unused_data.strip(b"\0"):
        raise FormatError("not a sound .tar.gz archive: something follows its end")
    return plain


def _extra_fields(extra: bytes) -> set[int]:
    found, at = set(), 0
    while at + 4 <= len(extra):
        found.add(int.from_bytes(extra[at : at + 2], "little"))
        at += 4 + int.from_bytes(extra[at + 2 : at + 4], "little")
    return found
