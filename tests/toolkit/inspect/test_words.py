"""What the readers say of damage, word for word: one fixture a message."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from rva.inspect import ar, codesign, elf, macho, pe, tarball, wasm
from rva.inspect.sniff import FormatError

Samples = dict[str, bytes]
LINUX, MAC, WINDOWS = "x86_64-unknown-linux-gnu", "aarch64-apple-darwin", "x86_64-pc-windows-msvc"


HEADER = b"\0asm\x01\0\0\0"
ELF = b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x01\0" + (62).to_bytes(2, "little") + bytes(44)
AR = b"!<arch>\n" + b"a/".ljust(16) + b"0".ljust(32) + b"999".ljust(10) + b"`\nx"


def section(number: int, body: bytes) -> bytes:
    return bytes([number, len(body)]) + body


def vector(items: list[bytes]) -> bytes:
    return bytes([len(items)]) + b"".join(items)


def text(name: str) -> bytes:
    return bytes([len(name)]) + name.encode()


def code(body: bytes) -> bytes:
    """A module with one function of exactly these bytes."""
    return HEADER + section(10, vector([bytes([len(body)]) + body]))


@pytest.mark.parametrize(
    ("read", "data", "said"),
    [
        (ar.read, b"none", "not a static library"),
        (ar.read, AR, "damaged or truncated at byte 8"),
        (elf.read, b"none", "not a readable ELF file"),
        (macho.read, b"none", "not a readable Mach-O file"),
        (pe.read, b"none", "not a readable PE file"),
        (elf.read, ELF, "an ELF header without any content"),
        (tarball.read, b"", "not a sound .tar.gz archive: it is cut short"),
        (wasm.read, b"none", "not a WebAssembly module of version 1"),
        (wasm.read, HEADER + b"\x01\x09x", "truncated: 9 bytes wanted, 1 left"),
        (wasm.read, HEADER + section(99, b""), "section 99 is unknown or out of order"),
        (wasm.read, HEADER + section(3, b"\0") + section(1, b"\0"), "section 1 is unknown or out of order"),
        (wasm.read, HEADER + section(7, vector([text("f") + b"\x09\0"])), "export 'f' of an unknown kind 9"),
        (wasm.read, HEADER + section(2, vector([text("m") + text("f") + b"\x09\0"])), "import of an unknown kind 9"),
        (wasm.read, HEADER + b"\x0a" + b"\xff" * 12, "a number longer than 64 bits at byte 19"),
    ],
)
def test_damage(read: Callable[[bytes], object], data: bytes, said: str) -> None:
    with pytest.raises(FormatError) as caught:
        read(data)
    assert str(caught.value) == said


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"\0\x01", "a function without an end"),
        (b"\0\xfd\xff\x7f\x0b", "unknown instruction 0xfd 0x3fff"),
        (b"\0\xfc\x7f\x0b", "unknown instruction 0xfc 0x7f"),
        (b"\0\xff\x0b", "unknown instruction 0xff"),
    ],
)
def test_unknown_code(body: bytes, said: str) -> None:
    with pytest.raises(FormatError) as caught:
        wasm.read(code(body), code=True)
    assert str(caught.value) == said


def test_files_that_are_cut(samples: Samples) -> None:
    for read, sample in ((elf.read, LINUX), (macho.read, MAC), (pe.read, WINDOWS)):
        whole = samples[f"{sample}/shared"]
        with pytest.raises(
            FormatError, match=rf"^truncated: its headers speak of \d+ bytes, the file has {len(whole) - 1}$"
        ):
            read(whole[:-1])
    head = bytearray(samples[f"{MAC}/shared"])
    head[16:20] = (40).to_bytes(4, "little")  # more load commands than there are
    with pytest.raises(FormatError, match="truncated: 40 load commands announced, 16 found"):
        macho.read(bytes(head))


@pytest.mark.parametrize(
    ("at", "new", "said"),
    [
        (0, b"\xfa\xde\x0c\xc1", "its code signature begins with 0xfade0cc1, which is none"),
        (8, b"\0\0\0\0", "its code signature holds no hashes"),
        (16, b"\x00\xff\xff\xff", "its code signature is cut short"),
    ],
)
def test_signatures(samples: Samples, at: int, new: bytes, said: str) -> None:
    whole = samples[f"{MAC}/shared"]
    start = whole.rindex(b"\xfa\xde\x0c\xc0")
    data = whole[: start + at] + new + whole[start + at + len(new) :]
    assert list(codesign.faults(data, start, len(data) - start)) == [said]


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        (0, 0xFADE0C03, "its code signature has hashes of an unknown kind"),
        (28, 1, "pages, the file has"),
    ],
)
def test_code_directories(samples: Samples, field: int, value: int, said: str) -> None:
    whole = samples[f"{MAC}/shared"]
    start = whole.rindex(b"\xfa\xde\x0c\xc0")
    place = whole.index(b"\xfa\xde\x0c\x02", start) + field
    data = whole[:place] + value.to_bytes(4, "big") + whole[place + 4 :]
    [fault] = codesign.faults(data, start, len(data) - start)
    assert said in fault


def test_c_libraries(inspect: Callable[..., tuple[str, ...]], samples: Samples) -> None:
    musl = "x86_64-unknown-linux-musl"
    assert "C library musl; glibc was wanted" in inspect(samples[f"{musl}/shared"], "shared", f"native-c-{LINUX}")
    assert "C library glibc; musl was wanted" in inspect(samples[f"{LINUX}/shared"], "shared", f"native-c-{musl}")
    [fault] = inspect(samples["odd/musl-dynamic"], "executable", f"cli-{musl}")
    assert fault.startswith("a program that needs ") and fault.endswith("; a static one was wanted")


def test_a_library_without_names(inspect: Callable[..., tuple[str, ...]], samples: Samples) -> None:
    import lief

    parsed = lief.ELF.parse(samples[f"{LINUX}/shared"])
    for symbol in list(parsed.dynamic_symbols):
        if symbol.exported:
            symbol.shndx = 0
    faults = inspect(bytes(parsed.write_to_bytes()), "shared", f"native-c-{LINUX}")
    assert "a shared library that exports nothing" in faults
