"""What sound archives, wheels and sources hold, up to the limits."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Iterable

import pytest
from rva.inspect import secrets, tarball, unpack, wheel
from rva.inspect.sniff import FormatError

INFO = "thing-1.0.dist-info"
WHEEL = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\nTag: cp39-abi3-win32\n"
METADATA = "Metadata-Version: 2.1\nName: thing\nVersion: 1.0\n"


def zipped(files: Iterable[tuple[str, bytes]], **fields: object) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, body in files:
            info = zipfile.ZipInfo(name)
            for field, value in fields.items():
                setattr(info, field, value)
            archive.writestr(info, body)
    return out.getvalue()


def tarred(files: Iterable[tuple[str, bytes]]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name, body in files:
            info = tarfile.TarInfo(name)
            info.size = len(body)
            archive.addfile(info, io.BytesIO(body))
    return out.getvalue()


FILES = [("top/a", b"1"), ("top/b/c", b"22"), ("top/b/d", b"")]


def test_every_file_is_read() -> None:
    assert unpack.unzip(zipped(FILES)) == unpack.untar(tarred(FILES)) == dict(FILES)
    assert unpack.unzip(zipped([("b/", b""), *FILES])) == dict(FILES)
    assert unpack.unzip(zipped(FILES, external_attr=0o100644 << 16)) == dict(FILES)
    assert unpack.unzip(zipped([("b/", b"")], external_attr=0o040755 << 16)) == {}
    facts = tarball.read(tarred(FILES))
    assert (facts.folder, facts.files) == ("top", {"a": b"1", "b/c": b"22", "b/d": b""})
    assert tarball.read(tarred([("top/top/a", b"1")])).files == {"top/a": b"1"}
    assert unpack.unzip(zipped([])) == {}


@pytest.mark.parametrize("files", [[("a/x", b""), ("b/x", b"")], [("a/x", b""), ("b", b"")]])
def test_one_top_folder(files: list[tuple[str, bytes]]) -> None:
    with pytest.raises(FormatError, match="one top folder was wanted, found 2"):
        tarball.read(tarred(files))


def test_as_many_files_and_bytes_as_the_limits_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpack, "MAX_FILES", 3)
    monkeypatch.setattr(unpack, "MAX_BYTES", 20_000)
    whole = [("a", bytes(10_000)), ("b", bytes(5_000)), ("c", bytes(4_000))]
    assert len(unpack.unzip(zipped(whole))) == 3
    with pytest.raises(FormatError, match="holds more than 3 files"):
        unpack.unzip(zipped([*whole, ("d", b"")]))
    with pytest.raises(FormatError, match="unpacks to more than 20000 bytes"):
        unpack.unzip(zipped([*whole[:2], ("c", bytes(5_001))]))
    assert len(unpack.unzip(zipped([*whole[:2], ("c", bytes(5_000))]))) == 3
    # Of a tar, what is packed by gzip counts, headers and padding included.
    plain = 512 * 3 + 1024 + 512 + 512
    monkeypatch.setattr(unpack, "MAX_BYTES", 10_240)  # tar's own padding
    small = [("a", bytes(1024)), ("b", bytes(512)), ("c", bytes(1))]
    assert plain < 10_240 and len(unpack.untar(tarred(small))) == 3
    with pytest.raises(FormatError, match="holds more than 3 files"):
        unpack.untar(tarred([*small, ("d", b"")]))
    monkeypatch.setattr(unpack, "MAX_BYTES", 10_239)
    with pytest.raises(FormatError, match="unpacks to more than 10239 bytes"):
        unpack.untar(tarred(small))


def test_one_name_in_two_spellings_is_named() -> None:
    with pytest.raises(FormatError) as caught:
        unpack.unzip(zipped([("top/File", b""), ("top/file", b"")]))
    assert str(caught.value) == "'top/File' and 'top/file' are one file on systems that do not tell case"
    with pytest.raises(FormatError) as caught:
        unpack.unzip(zipped([("top/a", b""), ("top/a/b", b"")]))
    assert str(caught.value) == "'top/a' is a file and a folder"
    with pytest.raises(FormatError, match="'a' is a file and a folder"):
        unpack.unzip(zipped([("a", b""), ("a/b", b"")]))
    with pytest.raises(FormatError) as caught:
        unpack.untar(tarred([("top/a", b""), ("top/a", b"")]))
    assert str(caught.value) == "'top/a' is there twice"


def made(record: str | None = "", **files: bytes) -> bytes:
    whole = {f"{INFO}/WHEEL": WHEEL.encode(), f"{INFO}/METADATA": METADATA.encode(), **files}
    if record is not None:
        whole[f"{INFO}/RECORD"] = record.encode()
    return zipped(whole.items())


def test_what_a_wheel_says_of_itself() -> None:
    found = wheel.read(made())
    assert (found.name, found.version, found.pure) == ("thing", "1.0", True)
    assert found.tags == {"py3-none-any", "cp39-abi3-win32"}
    assert found.record_faults == (f"RECORD does not name '{INFO}/WHEEL'", f"RECORD does not name '{INFO}/METADATA'")
    first = zipped(
        [(f"{INFO}/RECORD", b""), (f"{INFO}/WHEEL", WHEEL.encode()), (f"{INFO}/METADATA", METADATA.encode())]
    )
    assert wheel.read(first).record_faults == found.record_faults
    silent = wheel.read(made(**{f"{INFO}/WHEEL": b"x: y\n", f"{INFO}/METADATA": b"x: y\n"}))
    assert (silent.name, silent.version, silent.pure, silent.tags) == ("", "", False, frozenset())


def test_the_compiled_modules_of_a_wheel() -> None:
    names = ["a.so", "b/c.abi3.so", "d.pyd", "e.dylib", "f.dll", "g.py", "h.so.txt"]
    assert [*wheel.read(made(**{n: b"x" for n in names})).extensions()] == names[:5]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("a.py,sha256=LXEWQrcmsEQBYnyp-6wy9chTD7GQPMTbAiWHF5IaSIE,1", ""),
        ("a.py,sha256=LXEWQrcmsEQBYnyp-6wy9chTD7GQPMTbAiWHF5IaSIE=,1", "another hash or size"),
        ("a.py,sha256=LXEWQrcmsEQBYnyp-6wy9chTD7GQPMTbAiWHF5IaSIE,2", "another hash or size"),
        ("a.py,sha256=AXEWQrcmsEQBYnyp-6wy9chTD7GQPMTbAiWHF5IaSIE,1", "another hash or size"),
        ("a.py,,", "another hash or size"),
        ("b.py,,", "RECORD names 'b.py', which is not there"),
    ],
)
def test_a_line_of_record(line: str, said: str) -> None:
    faults = wheel.read(made(f"\n{line}\n", **{"a.py": b"x"})).record_faults
    named = [f for f in faults if INFO not in f and "does not name 'a.py'" not in f]
    assert len(named) == bool(said) and all(said in fault for fault in named)


@pytest.mark.parametrize(
    ("text", "at"),
    [
        (b"npm_" + b"a1B2" * 9, True),
        (b"npm_" + b"a1B2" * 8 + b"a1B", False),
        (b"xnpm_" + b"a1B2" * 9, False),
        (b"npm_" + b"a1B2" * 9 + b"x", False),
        (b"npm_x npm_" + b"a1B2" * 9, True),
    ],
)
def test_a_token_is_a_whole_word(text: bytes, at: bool) -> None:
    assert list(secrets.found("a.txt", b"k = " + text)) == [f"an npm token (byte {text.rindex(b'npm_') + 4})"] * at


@pytest.mark.parametrize(("name", "is_one"), [(".env", True), ("a/.npmrc", True), ("a/id_rsa", True), ("id_rsa.pub", False), ("a.env", False)])  # fmt: skip
def test_files_of_passwords(name: str, is_one: bool) -> None:
    assert list(secrets.found(name, b"")) == ["what its name says: settings with passwords"] * is_one
