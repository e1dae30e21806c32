"""Facts of an ELF file: Linux programs, shared libraries and addons."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct

from rva.inspect.sniff import ELF_MACHINES, FormatError

_PIE = 0x08000000  # DF_1_PIE in DT_FLAGS_1
_SOFT_FLOAT, _HARD_FLOAT = 0x200, 0x400  # EF_ARM_ABI_FLOAT_*


class ElfFacts(Struct, frozen=True):
    """What an ELF file says: processor, role, C library, the libraries and versions it needs, what it exports.

    ``glibc`` is the highest GLIBC version needed ("" if none), ``glibc_symbols`` the symbols that need it.
    """

    machine: str
    system: Literal["linux", "android", "freebsd", "openharmony"]
    role: Literal["executable", "shared", "other"]
    interpreter: str
    libc: Literal["glibc", "musl", "none"]
    glibc: str
    glibc_symbols: tuple[str, ...]
    needed: tuple[str, ...]
    run_paths: tuple[str, ...]
    exports: frozenset[str]
    soft_float: bool


def read(data: bytes) -> ElfFacts:
    """Read an ELF file; raise FormatError where it is truncated or not one."""
    import lief

    lief.logging.disable()
    elf: Any = lief.ELF.parse(data)
    if elf is None:
        raise FormatError("not a readable ELF file")
    _whole(elf, len(data))
    interpreter = str(elf.interpreter) if elf.has_interpreter else ""
    needed = tuple(str(n) for n in elf.libraries)
    system = _system(elf, interpreter)
    glibc, symbols = _glibc(elf)
    return ElfFacts(
        machine=ELF_MACHINES.get(elf.header.machine_type.value, f"machine {elf.header.machine_type.value}"),
        system=system,
        role=_role(lief, elf, interpreter),
        interpreter=interpreter,
        libc=_libc(interpreter, needed, glibc) if system == "linux" else "none",
        glibc=glibc,
        glibc_symbols=symbols,
        needed=needed,
        run_paths=_run_paths(lief, elf),
        exports=frozenset(str(s.name) for s in elf.dynamic_symbols if s.exported and s.name),
        soft_float=elf.header.machine_type.name == "ARM" and bool(elf.header.processor_flag & _SOFT_FLOAT),
    )


def version_key(version: str) -> tuple[int, ...]:
    """A dotted version as numbers, for comparing: 2.9 lies before 2.17."""
    return tuple(int(part) for part in version.split(".") if part.isdecimal())


def _whole(elf: Any, size: int) -> None:
    header = elf.header
    ends = [
        header.section_header_offset + header.numberof_sections * header.section_header_size,
        header.program_header_offset + header.numberof_segments * header.program_header_size,
        *(s.file_offset + s.physical_size for s in elf.segments),
    ]
    if max(ends) > size or header.numberof_sections != len(elf.sections):
        raise FormatError(f"truncated: its headers speak of {max(ends)} bytes, the file has {size}")
    if header.numberof_segments == 0 and header.numberof_sections == 0:
        raise FormatError("an ELF header without any content")


def _role(lief: Any, elf: Any, interpreter: str) -> Literal["executable", "shared", "other"]:
    kind = elf.header.file_type.name
    if kind == "EXEC":
        return "executable"
    if kind != "DYN":
        return "other"
    flags = elf.get(lief.ELF.DynamicEntry.TAG.FLAGS_1)
    return "executable" if interpreter or (flags is not None and flags.value & _PIE) else "shared"


def _system(elf: Any, interpreter: str) -> Literal["linux", "android", "freebsd", "openharmony"]:
    sections = {str(s.name) for s in elf.sections}
    if ".note.android.ident" in sections or interpreter.startswith("/system/bin/"):
        return "android"
    if ".note.ohos.ident" in sections:
        return "openharmony"
    return "freebsd" if elf.header.identity_os_abi.name == "FREEBSD" else "linux"


def _libc(interpreter: str, needed: tuple[str, ...], glibc: str) -> Literal["glibc", "musl", "none"]:
    if "ld-musl" in interpreter or any(n == "libc.so" or n.startswith("libc.musl-") for n in needed):
        return "musl"
    if glibc or "ld-linux" in interpreter or "libc.so.6" in needed:
        return "glibc"
    return "none"


def _glibc(elf: Any) -> tuple[str, tuple[str, ...]]:
    found = {
        str(aux.name).removeprefix("GLIBC_")
        for need in elf.symbols_version_requirement
        for aux in need.get_auxiliary_symbols()
        if str(aux.name).startswith("GLIBC_")
    }
    numbers = [v for v in found if version_key(v)]
    if not numbers:
        # GLIBC_PRIVATE and the like carry no number, and no floor allows them.
        return (max(found), ()) if found else ("", ())
    highest = max(numbers, key=version_key)
    symbols = sorted(str(s.name) for s in elf.dynamic_symbols if _version_of(s) == f"GLIBC_{highest}")
    return highest, tuple(symbols)


def _version_of(symbol: Any) -> str:
    if not symbol.has_version or not symbol.symbol_version.has_auxiliary_version:
        return ""
    return str(symbol.symbol_version.symbol_version_auxiliary.name)


def _run_paths(lief: Any, elf: Any) -> tuple[str, ...]:
    tags = (lief.ELF.DynamicEntry.TAG.RPATH, lief.ELF.DynamicEntry.TAG.RUNPATH)
    entries = [elf.get(tag) for tag in tags]
    return tuple(str(path) for entry in entries if entry is not None for path in entry.paths)
