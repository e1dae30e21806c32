"""Holds programs, libraries and addons for Linux, macOS and Windows against their row."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from rva.inspect import ar, elf, macho, pe
from rva.inspect.sniff import FormatError, sniff
from rva.inspect.wanted import Wanted

FORMATS: Final = {"linux": "ELF", "darwin": "Mach-O", "win32": "PE"}
_OBJECTS: Final = {"linux": "ELF", "darwin": "Mach-O", "win32": "COFF"}
_ROLES: Final = {"executable": "executable", "shared": "shared", "addon": "shared", "wheel": "shared"}

# What may be needed from the system: nothing else is there on every machine of the row.
_GLIBC: Final = {
    "libc.so.6", "libm.so.6", "libpthread.so.0", "libdl.so.2", "librt.so.1", "libutil.so.1", "libgcc_s.so.1",
    "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1", "ld-linux-armhf.so.3",
}  # fmt: skip
_MUSL: Final = {"libc.so", "libc.musl-x86_64.so.1", "libc.musl-aarch64.so.1", "libc.musl-armv7.so.1"}
_WINDOWS: Final = {
    f"{name}.dll"
    for name in (
        "advapi32", "bcrypt", "bcryptprimitives", "cfgmgr32", "combase", "comctl32", "crypt32", "dbghelp", "gdi32",
        "iphlpapi", "kernel32", "kernelbase", "msvcrt", "netapi32", "ntdll", "ole32", "oleaut32", "powrprof", "psapi",
        "rpcrt4", "secur32", "setupapi", "shell32", "shlwapi", "synchronization", "ucrtbase", "user32", "userenv",
        "version", "winmm", "ws2_32",
    )
}  # fmt: skip
_INTERPRETERS: Final = {"x64": "ld-linux-x86-64.so.2", "arm64": "ld-linux-aarch64.so.1", "arm": "ld-linux-armhf.so.3"}


def check(data: bytes, wanted: Wanted, entry: str = "") -> Iterator[str]:
    """The faults of one program, library or addon. ``entry`` is a symbol that it has to export."""
    system = wanted.target.os
    form = FORMATS.get(system)
    if form is None:
        yield f"row {wanted.target.id} is for {system}, which has no files of the kind {wanted.kind}"
    elif sniff(data) != form:
        yield f"format {sniff(data)}; {form} was wanted for {wanted.triple}"
    elif form == "ELF":
        yield from _elf(elf.read(data), wanted, entry)
    elif form == "Mach-O":
        yield from _macho(macho.read(data), wanted, entry)
    else:
        yield from _pe(pe.read(data), wanted, entry)


def check_static(data: bytes, wanted: Wanted) -> Iterator[str]:
    """The faults of a static library: every member is an object file for the row's system and processor."""
    if sniff(data) != "static library":
        raise FormatError(f"format {sniff(data)}; a static library was wanted")
    form, cpu = _OBJECTS.get(wanted.target.os, "none"), wanted.target.cpu
    members = ar.read(data).members
    if not members:
        yield "a static library without any object file"
    wrong = [m for m in members if (m.format, m.machine) != (form, cpu)]
    for member in wrong[:5]:
        yield f"member {member.name!r} is {member.format} for {member.machine}; {form} for {cpu} was wanted"
    if len(wrong) > 5:
        yield f"and {len(wrong) - 5} more members like these"


def _common(machine: str, role: str, exports: frozenset[str], wanted: Wanted, entry: str) -> Iterator[str]:
    if machine != wanted.target.cpu:
        yield f"built for the processor {machine}; {wanted.target.cpu} was wanted"
    if role != _ROLES[wanted.kind]:
        names = {"executable": "a program", "shared": "a shared library", "other": "neither program nor shared library"}
        yield f"the file is {names[role]}; {names[_ROLES[wanted.kind]]} was wanted"
    if entry and entry not in exports:
        yield f"does not export {entry}"
    if wanted.kind == "shared" and not exports:
        yield "a shared library that exports nothing"


def _elf(facts: elf.ElfFacts, wanted: Wanted, entry: str) -> Iterator[str]:
    yield from _common(facts.machine, facts.role, facts.exports, wanted, entry)
    yield from (_musl if wanted.target.libc == "musl" else _glibc)(facts, wanted)
    if facts.soft_float:
        yield "built for software floating point; the hard-float ABI was wanted"
    if facts.run_paths:
        yield f"looks for libraries in {', '.join(facts.run_paths)}; no run path was wanted"


def _glibc(facts: elf.ElfFacts, wanted: Wanted) -> Iterator[str]:
    if facts.libc != "glibc":
        yield f"C library {facts.libc}; glibc was wanted"
    yield from _unknown(facts.needed, _GLIBC)
    floor = wanted.target.floor
    if facts.glibc and not elf.version_key(facts.glibc):
        yield f"needs GLIBC_{facts.glibc}, which no release promises"
    elif elf.version_key(facts.glibc) > elf.version_key(floor):
        symbols = ", ".join(facts.glibc_symbols[:5]) or "no named symbol"
        yield f"needs glibc {facts.glibc} ({symbols}); the floor is {floor}"
    loader = _INTERPRETERS[wanted.target.cpu]
    if facts.role == "executable" and not facts.interpreter.endswith(f"/{loader}"):
        yield f"its interpreter is {facts.interpreter or 'none'}; {loader} was wanted"


def _musl(facts: elf.ElfFacts, wanted: Wanted) -> Iterator[str]:
    if facts.libc == "glibc":
        yield "C library glibc; musl was wanted"
    if facts.role == "executable" and (facts.interpreter or facts.needed):
        found = ", ".join(filter(None, (facts.interpreter, *facts.needed)))
        yield f"a program that needs {found}; a static one was wanted"
    elif facts.libc != "glibc":
        yield from _unknown(facts.needed, _MUSL)


def _macho(facts: macho.MachOFacts, wanted: Wanted, entry: str) -> Iterator[str]:
    yield from _common(facts.machine, facts.role, facts.exports, wanted, entry)
    floor = wanted.target.floor
    if facts.platform != "MACOS":
        yield f"platform {facts.platform}; MACOS was wanted"
    if not facts.minimum:
        yield f"names no least macOS version; {floor} was wanted"
    elif elf.version_key(facts.minimum) > elf.version_key(floor):
        yield f"asks for macOS {facts.minimum}; the floor is {floor}"
    for name in facts.needed:
        if not name.startswith(("/usr/lib/", "/System/Library/")):
            yield f"needs {name}, which is not a part of macOS"
    if facts.run_paths:
        yield f"looks for libraries in {', '.join(facts.run_paths)}; no run path was wanted"
    # An addon or extension is loaded by its path, so only a library that is linked against needs a good name.
    if wanted.kind == "shared" and not facts.install_name.startswith(("@rpath/", "@loader_path/")):
        yield f"its install name is {facts.install_name or 'missing'}; one that starts with @rpath/ was wanted"
    if facts.machine == "arm64" and not facts.signed:
        yield macho.UNSIGNED
    yield from facts.signature_faults


def _pe(facts: pe.PeFacts, wanted: Wanted, entry: str) -> Iterator[str]:
    yield from _common(facts.machine, facts.role, facts.exports, wanted, entry)
    allowed = {*_WINDOWS, *({"python3.dll"} if wanted.kind == "wheel" else ())}
    # The Visual C++ runtime is a usual companion of msvc builds; a stand-in has no reason to need it.
    if not wanted.stand_in:
        allowed.add("vcruntime140.dll")
    yield from _unknown((n for n in facts.needed if not n.startswith("api-ms-win-")), allowed)


def _unknown(needed: Iterable[str], allowed: set[str]) -> Iterator[str]:
    for name in needed:
        if name not in allowed:
            yield f"needs {name}, which not every machine of the row has"
