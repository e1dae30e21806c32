"""What a program, library or addon was built for, whatever its format; held against nothing."""

from __future__ import annotations

from msgspec import Struct

from rva.inspect import elf, macho, pe
from rva.inspect.sniff import sniff

FORMATS = ("ELF", "Mach-O", "Mach-O universal", "PE")


class Machine(Struct, frozen=True):
    """System, processors and C library in npm's words; the oldest glibc, or macOS by processor, that it runs on.

    ``signature_faults`` is empty where nothing has to be signed.
    """

    os: str
    cpus: tuple[str, ...]
    libc: str = ""
    glibc: str = ""
    macos: tuple[tuple[str, str], ...] = ()
    exports: frozenset[str] = frozenset()
    needed: tuple[str, ...] = ()
    signature_faults: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """The whole in a line: linux x64 glibc 2.17."""
        floors = sorted({floor for _, floor in self.macos if floor})
        return " ".join(filter(None, (self.os, "+".join(self.cpus), self.libc, self.glibc, *floors)))


def is_binary(data: bytes) -> bool:
    """Whether the bytes begin like a program, library or addon."""
    # A class file of Java begins as a universal file does; no file of two processors has more than a few parts.
    return sniff(data) in FORMATS and not (data[:4] == b"\xca\xfe\xba\xbe" and int.from_bytes(data[4:8], "big") > 20)


def read(data: bytes) -> Machine:
    """Read one; FormatError where it is damaged or none."""
    form = sniff(data)
    if form == "ELF":
        facts = elf.read(data)
        libc = facts.libc if facts.libc != "none" else ""
        glibc = facts.glibc if libc == "glibc" else ""
        return Machine(facts.system, (facts.machine,), libc, glibc, exports=facts.exports, needed=facts.needed)
    if form == "PE":
        windows = pe.read(data)
        return Machine("win32", (windows.machine,), exports=windows.exports, needed=windows.needed)
    parts = macho.read_all(data)
    return Machine(
        # Files older than macOS 10.6 name no platform.
        "darwin" if all(p.platform in ("MACOS", "none") for p in parts) else parts[0].platform.lower(),
        tuple(p.machine for p in parts),
        macos=tuple((p.machine, p.minimum) for p in parts),
        exports=frozenset.intersection(*(p.exports for p in parts)),
        needed=tuple(sorted({name for p in parts for name in p.needed})),
        signature_faults=tuple(f for p in parts for f in _signature(p)),
    )


def _signature(facts: macho.MachOFacts) -> tuple[str, ...]:
    if facts.machine == "arm64" and not facts.signed:
        return (macho.UNSIGNED,)
    return facts.signature_faults
