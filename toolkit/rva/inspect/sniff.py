"""Which format some bytes are in, by their first bytes; and the processor that an object file names."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

ELF_MACHINES: Final = {
    62: "x64", 183: "arm64", 40: "arm", 3: "ia32", 21: "ppc64", 22: "s390x", 243: "riscv64", 258: "loong64",
}  # fmt: skip
MACHO_MACHINES: Final = {0x01000007: "x64", 0x0100000C: "arm64", 7: "ia32", 12: "arm"}
PE_MACHINES: Final = {0x8664: "x64", 0xAA64: "arm64", 0x1C0: "arm", 0x1C4: "arm", 0x14C: "ia32"}

_MACHO = {b"\xcf\xfa\xed\xfe", b"\xce\xfa\xed\xfe"}
_BITCODE = {b"BC\xc0\xde", b"\xde\xc0\x17\x0b"}


class FormatError(Exception):
    """The bytes are not a sound file of the format that they begin like."""


class ObjectFacts(Struct, frozen=True):
    """Format and processor of an object file, in Node's words for processors."""

    format: str
    machine: str


def sniff(data: bytes) -> str:
    """The name of the format: ELF, Mach-O, Mach-O universal, PE, WebAssembly, static library, zip, gzip, ..."""
    head = data[:8]
    if head[:4] == b"\x7fELF":
        return "ELF"
    if head[:4] in _MACHO:
        return "Mach-O"
    if head[:4] == b"\xca\xfe\xba\xbe":
        return "Mach-O universal"
    if head[:2] == b"MZ":
        return "PE"
    if head[:4] == b"\0asm":
        return "WebAssembly"
    if head == b"!<arch>\n":
        return "static library"
    if head[:4] == b"PK\x03\x04":
        return "zip"
    if head[:2] == b"\x1f\x8b":
        return "gzip"
    if head[:4] in _BITCODE:
        return "LLVM bitcode"
    return _coff(head)


def object_facts(data: bytes) -> ObjectFacts:
    """Format and processor of one member of a static library, read from its header alone."""
    name = sniff(data)
    if name == "ELF" and len(data) >= 20:
        return ObjectFacts(name, _named(ELF_MACHINES, int.from_bytes(data[18:20], "little")))
    if name == "Mach-O" and len(data) >= 8:
        return ObjectFacts(name, _named(MACHO_MACHINES, int.from_bytes(data[4:8], "little")))
    if name == "COFF" and data[:4] == b"\0\0\xff\xff":
        return ObjectFacts(name, _named(PE_MACHINES, int.from_bytes(data[6:8], "little")))
    if name == "COFF":
        return ObjectFacts(name, _named(PE_MACHINES, int.from_bytes(data[:2], "little")))
    return ObjectFacts(name, "none")


def _coff(head: bytes) -> str:
    # A COFF object has no magic: it begins with its machine. 0000 FFFF begins an import or a "big" object.
    if head[:4] == b"\0\0\xff\xff" or (len(head) >= 2 and int.from_bytes(head[:2], "little") in PE_MACHINES):
        return "COFF"
    return "unknown"


def _named(names: dict[int, str], number: int) -> str:
    return names.get(number, f"machine {number:#x}")
