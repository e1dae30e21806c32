"""Hostile archives: every one is refused in words, by every reader of its kind, and nothing is written anywhere."""

from __future__ import annotations

import gzip
import io
import struct
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from rva.audit import reading, specs
from rva.inspect import check, tarball, unpack, wheel
from rva.inspect.sniff import FormatError
from rva.log import Log
from rva.model import Matrix, Target

Build = Callable[[], bytes]

# Names that lead out of the folder, or to another file on some system, and what is said of each.
NAMES = {
    "parent": ("../evil", "would leave the folder"),
    "parent-inside": ("top/../../evil", "would leave the folder"),
    "parent-at-the-end": ("top/..", "would leave the folder"),
    "absolute": ("/etc/cron.d/evil", "would leave the folder"),
    "absolute-twice": ("//server/share/evil", "would leave the folder"),
    "backslash": ("top\\..\\..\\evil", "would leave the folder"),
    "backslash-root": ("\\evil", "would leave the folder"),
    "windows-drive": ("C:/Windows/evil.dll", "would leave the folder"),
    "windows-drive-relative": ("C:evil", "would leave the folder"),
    "windows-stream": ("top/file:stream", "would leave the folder"),
    "windows-device": ("top/NUL", "cannot be unpacked on Windows"),
    "windows-device-with-ending": ("top/com1.txt", "cannot be unpacked on Windows"),
    "windows-dot-at-the-end": ("top/file.", "cannot be unpacked on Windows"),
    "windows-space-at-the-end": ("top/file ", "cannot be unpacked on Windows"),
    "dot-inside": ("top/./file", "another way to write"),
    "double-slash": ("top//file", "another way to write"),
    "newline": ("top/a\nb", "belong in no name"),
    "escape-of-a-terminal": ("top/\x1b[2Jx", "belong in no name"),
    "delete": ("top/a\x7f", "belong in no name"),
    "long-name": ("top/" + "a" * 300, "longer than a file system takes"),
    "long-path": ("top/" + "a/" * 600 + "b", "longer than a file system takes"),
    "long-in-bytes": ("top/" + "é" * 200, "longer than a file system takes"),
}
# Pairs of names that are one file somewhere.
PAIRS = {
    "twice": (("top/a", "top/a"), "is there twice"),
    "case": (("top/File", "top/file"), "do not tell case"),
    "case-of-a-folder": (("top/Lib/a", "top/lib/b"), "do not tell case"),
    "case-beyond-ascii": (("top/É", "top/é"), "do not tell case"),
    "sharp-s": (("top/straße", "top/STRASSE"), "do not tell case"),
    "spelling-of-accents": (("top/\u00e9", "top/e\u0301"), "do not tell case"),
    "file-then-folder": (("top/a", "top/a/b"), "is a file and a folder"),
    "folder-then-file": (("top/a/b", "top/a"), "is a file and a folder"),
    "twice-by-a-dot": (("top/a", "./top/a"), "is there twice"),
}
TYPES = {
    "symlink": (tarfile.SYMTYPE, "/etc/passwd"),
    "symlink-within": (tarfile.SYMTYPE, "other"),
    "symlink-up": (tarfile.SYMTYPE, "../../x"),
    "hardlink": (tarfile.LNKTYPE, "/etc/passwd"),
    "hardlink-to-itself": (tarfile.LNKTYPE, "top/x"),
    "character-device": (tarfile.CHRTYPE, ""),
    "block-device": (tarfile.BLKTYPE, ""),
    "fifo": (tarfile.FIFOTYPE, ""),
    "contiguous-file": (tarfile.CONTTYPE, ""),
    "unknown-type": (b"Z", ""),
}


def tar(*names: str, **fields: Any) -> bytes:
    """A plain tar with files of these names; ``fields`` are set on each entry."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for name in names:
            info = tarfile.TarInfo(name)
            info.size = 1
            for field, value in fields.items():
                setattr(info, field, value)
            archive.addfile(info, io.BytesIO(b"x" * max(info.size, 0)))
    return out.getvalue()


def resum(header: bytes) -> bytes:
    """A tar header with the right checksum."""
    blank = header[:148] + b" " * 8 + header[156:]
    return header[:148] + b"%06o\0 " % sum(blank) + header[156:]


def patched(data: bytes, at: int, new: bytes) -> bytes:
    """A tar whose first header is changed, checksum and all."""
    header = data[:at] + new + data[at + len(new) : 512]
    return resum(header) + data[512:]


def pax(name: str, **headers: str) -> bytes:
    """A tar with one file and these extended headers."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        info = tarfile.TarInfo(name)
        info.size, info.pax_headers = 1, headers
        archive.addfile(info, io.BytesIO(b"x"))
    return out.getvalue()


def packed(plain: bytes) -> bytes:
    return gzip.compress(plain, mtime=0)


def zipped(*names: str, **fields: Any) -> bytes:
    """A zip with files of these names; ``fields`` are set on each entry."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name in names:
            info = zipfile.ZipInfo("x")
            info.filename = name
            for field, value in fields.items():
                setattr(info, field, value)
            archive.writestr(info, b"x")
    return out.getvalue()


def end_of_zip(data: bytes, at: int, new: bytes) -> bytes:
    """A zip whose end record is changed."""
    place = data.rindex(b"PK\x05\x06") + at
    return data[:place] + new + data[place + len(new) :]


def central(data: bytes, at: int, new: bytes) -> bytes:
    """A zip whose list of files is changed."""
    place = data.index(b"PK\x01\x02") + at
    return data[:place] + new + data[place + len(new) :]


def overlapping() -> bytes:
    """Two entries of the list that are one and the same file: how a small zip becomes endless."""
    data = zipped("top/a")
    start, end = data.index(b"PK\x01\x02"), data.rindex(b"PK\x05\x06")
    entry = data[start:end]
    twice = data[:start] + entry + entry.replace(b"top/a", b"top/b") + data[end:]
    return end_of_zip(twice, 8, struct.pack("<HHI", 2, 2, 2 * len(entry)))


def sparse() -> bytes:
    """GNU tar's own sparse file: one byte that says it is four thousand."""
    data = patched(tar("top/a"), 156, tarfile.GNUTYPE_SPARSE)
    fields = b"%011o\0" % 0 + b"%011o\0" % 1
    return patched(data, 386, fields.ljust(96, b"\0") + b"\0" + b"%011o\0" % 4096)


def tars() -> Iterator[tuple[str, Build, str]]:
    """Each hostile .tar.gz: its kind, how it is made, what is said of it."""
    for kind, (name, said) in NAMES.items():
        yield kind, lambda name=name: packed(tar(name)), said
    for kind, (names, said) in PAIRS.items():
        yield kind, lambda names=names: packed(tar(*names)), said
    for kind, (form, link) in TYPES.items():
        yield (
            kind,
            lambda form=form, link=link: packed(tar("top/x", type=form, linkname=link, size=0)),
            "is a link or a device",
        )
    whole = tar("top/a", "top/b")
    yield "sparse-file", lambda: packed(sparse()), "is a sparse file, which some programs unpack as something else"
    yield "sparse-file-by-pax", lambda: packed(pax("top/a", **{"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": "top/b", "GNU.sparse.realsize": "9"})), "sparse file|not a sound"  # fmt: skip
    yield "name-by-pax", lambda: packed(pax("top/a", path="../evil")), "would leave the folder"
    yield "link-by-pax", lambda: packed(pax("top/a", path="top/a\nb")), "belong in no name"
    yield "size-by-pax", lambda: packed(pax("top/a", size="99999999999")), "unpacks to more than"
    yield "negative-size-by-pax", lambda: packed(pax("top/a", size="-512")), "says that it has -512 bytes|not a sound"
    yield "size-beyond-the-end", lambda: packed(patched(whole, 124, b"%011o\0" % 99_999)), "not a sound tar"
    yield "size-of-gigabytes", lambda: packed(patched(whole, 124, b"%011o\0" % (1 << 32))), "unpacks to more than"
    yield "negative-size", lambda: packed(patched(whole, 124, b"\xff" * 12)), "says that it has -1 bytes|not a sound"
    yield "size-of-no-number", lambda: packed(patched(whole, 124, b"zzzzzzzzzzz\0")), "not a sound tar"
    yield "wrong-checksum", lambda: packed(b"X" + whole[1:]), "not a sound tar archive: bad checksum"
    yield "wrong-checksum-later", lambda: packed(whole[:1024] + b"X" + whole[1025:]), "are no entry"
    yield "cut-in-the-header", lambda: packed(whole[:300]), "not a sound tar"
    yield "cut-in-a-file", lambda: packed(tar("top/a", size=2000)[:1000]), "not a sound tar"
    yield "more-after-the-end", lambda: packed(whole + tar("top/c")), "are no entry"
    yield "cut-in-the-gzip", lambda: packed(whole)[:-9], "cut short"
    yield "wrong-digest-of-the-gzip", lambda: packed(whole)[:-8] + bytes(8), "not a sound .tar.gz archive: Error -3"
    yield "more-after-the-gzip", lambda: packed(whole) + b"evil", "something follows its end"
    yield "second-gzip", lambda: packed(whole) + packed(tar("top/c")), "something follows its end"
    yield "bomb", lambda: packed(bytes(unpack.MAX_BYTES + 1)), "unpacks to more than"
    yield "bomb-of-a-long-name", lambda: packed(tar("top/" + "a/" * 100_000)), "another way to write"
    yield (
        "many-files",
        lambda: packed(tar(*(f"top/{i}" for i in range(unpack.MAX_FILES + 1)))),
        "holds more than 50 files",
    )
    yield "empty", lambda: b"", "not a sound|cut short"
    yield "nonsense", lambda: b"\x1f\x8b\x08" + b"nonsense" * 20, "not a sound"
    yield "nothing-inside", lambda: packed(bytes(1024)), "one top folder"


def zips() -> Iterator[tuple[str, Build, str]]:
    """Each hostile .zip: its kind, how it is made, what is said of it."""
    for kind, (name, said) in NAMES.items():
        yield kind, lambda name=name: zipped(name), said
    for kind, (names, said) in PAIRS.items():
        yield kind, lambda names=names: zipped(*names), said
    whole = zipped("top/a", "top/b")
    for kind, mode in (("symlink", 0o120777), ("fifo", 0o010644), ("device", 0o020644), ("block-device", 0o060644), ("socket", 0o140644)):  # fmt: skip
        yield kind, lambda mode=mode: zipped("top/x", external_attr=mode << 16), "is a link or a device"
    yield "nul-in-a-name", lambda: zipped("top/aXb").replace(b"top/aXb", b"top/a\0b"), "belong in no name"
    yield "other-name-inside", lambda: zipped("top/a").replace(b"top/a", b"../aa", 1), "not a sound zip"
    yield (
        "second-name",
        lambda: zipped("top/a", extra=struct.pack("<HHBI", 0x7075, 10, 1, 0) + b"evil!"),
        "has a second name, which some programs take",
    )
    yield "encrypted", lambda: central(whole, 8, b"\x01\0"), "not a sound zip"
    yield "unknown-compression", lambda: central(whole, 10, b"\x63\0"), "not a sound zip"
    yield "wrong-digest", lambda: central(whole, 16, bytes(4)), "not a sound zip"
    yield "size-too-large", lambda: central(whole, 24, struct.pack("<I", 5)), "the archive's list says 5"
    yield "size-of-gigabytes", lambda: central(whole, 24, struct.pack("<I", 4_000_000_000)), "unpacks to more than"
    yield "overlapping-files", overlapping, "not a sound zip"
    yield (
        "place-beyond-the-end",
        lambda: central(whole, 42, struct.pack("<I", 4_000_000)),
        "bytes that belong|not a sound",
    )
    yield "before-the-start", lambda: b"#!/bin/sh\nevil\n" + whole, "belong to no entry"
    yield "cut-short", lambda: whole[:-30], "not a sound zip"
    yield "no-list", lambda: whole[: whole.index(b"PK\x01\x02")], "not a sound zip"
    yield (
        "list-of-another-size",
        lambda: end_of_zip(whole, 12, struct.pack("<I", 4)),
        "not a sound zip|belong to no entry",
    )
    yield "list-beyond-the-end", lambda: end_of_zip(whole, 16, struct.pack("<I", 4_000_000_000)), "not a sound zip"
    yield "bomb", bomb, "unpacks to more than|not a sound zip"
    yield "bomb-that-lies", lying_bomb, "not a sound zip"
    yield "many-files", lambda: zipped(*(f"top/{i}" for i in range(unpack.MAX_FILES + 1))), "holds more than 50 files"
    yield "empty", lambda: b"", "not a sound zip"
    yield "nonsense", lambda: b"PK\x03\x04" + b"nonsense" * 20, "not a sound zip"


def bomb() -> bytes:
    """A file of zeros, one byte more than allowed."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("top/a", bytes(unpack.MAX_BYTES + 1))
    return out.getvalue()


def lying_bomb() -> bytes:
    """The same, and its list says that it has ten bytes."""
    return central(bomb(), 24, struct.pack("<I", 10))


KINDS = [("tar", *case) for case in tars()] + [("zip", *case) for case in zips()]


@pytest.fixture(autouse=True)
def _small_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpack, "MAX_BYTES", 1_000_000)
    monkeypatch.setattr(unpack, "MAX_FILES", 50)


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(("form", "kind", "build", "said"), KINDS, ids=[f"{form}-{kind}" for form, kind, *_ in KINDS])
def test_a_hostile_archive_is_refused(
    form: str, kind: str, build: Build, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, table: Matrix, rows: dict[str, Target]
) -> None:  # fmt: skip
    inside = tmp_path / "a" / "b"
    inside.mkdir(parents=True)
    monkeypatch.chdir(inside)
    data = build()
    with pytest.raises(FormatError, match=said):
        (tarball if form == "tar" else wheel).read(data)
    # The same by what `rva build`, `rva verify` and `rva audit` read; a file of another kind is refused as none.
    row, name = ("native-sdist", "thing-1.0.tar.gz") if form == "tar" else ("native-wheel-x86_64-unknown-linux-gnu", "thing-1.0-py3-none-any.whl")  # fmt: skip
    path = inside / name
    path.write_bytes(data)
    assert check.check(path, "sdist" if form == "tar" else "wheel", rows[row], rows[row].triple, table)
    if data[:2] in (b"\x1f\x8b", b"PK"):
        [audited] = reading.run([specs.parse(str(path))], Log(0)).packages
        assert [f.check for f in audited.findings] == ["archive"]
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == [path], "something was written"


def test_there_are_sixty_kinds_and_more() -> None:
    assert len({f"{form}-{kind}" for form, kind, *_ in KINDS}) == len(KINDS) >= 120
    assert len({kind for _, kind, *_ in KINDS}) >= 60


def test_what_is_only_unusual_is_read() -> None:
    """Names with spaces and accents, folders of their own, a dot before the name, padding after the end."""
    names = ["./top/a b", "./top/é", "top/.hidden", "top/conx", "top/a..b"]
    wanted = {"a b", "é", ".hidden", "conx", "a..b"}
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for folder in (".", "./", "./top", "./top/"):
            info = tarfile.TarInfo(folder)
            info.type = tarfile.DIRTYPE
            archive.addfile(info)
        for name in names:
            archive.addfile(tarfile.TarInfo(name))
    assert tarball.read(packed(out.getvalue() + bytes(20_000)) + bytes(512)).files.keys() == wanted
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as archive:
        archive.writestr(zipfile.ZipInfo("top/"), b"")
        for name in names:
            archive.writestr(name.removeprefix("./"), b"")
    assert unpack.unzip(sink.getvalue()).keys() == {f"top/{name}" for name in wanted}
