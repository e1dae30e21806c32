"""Facts of a PE file: Windows programs, libraries and addons."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct

from rva.inspect.sniff import PE_MACHINES, FormatError


class PeFacts(Struct, frozen=True):
    """What a PE file says: processor, role, the libraries it needs (lower case) and what it exports."""

    machine: str
    role: Literal["executable", "shared", "other"]
    needed: tuple[str, ...]
    exports: frozenset[str]


def read(data: bytes) -> PeFacts:
    """Read a PE file; raise FormatError where it is truncated or not one."""
    import lief

    lief.logging.disable()
    pe: Any = lief.PE.parse(data)
    if pe is None:
        raise FormatError("not a readable PE file")
    end = max((s.pointerto_raw_data + s.sizeof_raw_data for s in pe.sections), default=0)
    if end > len(data) or len(pe.sections) != pe.header.numberof_sections:
        raise FormatError(f"truncated: its headers speak of {end} bytes, the file has {len(data)}")
    number = pe.header.machine.value
    needed = {str(i.name).lower() for i in pe.imports} | {str(i.name).lower() for i in pe.delay_imports}
    return PeFacts(
        machine=PE_MACHINES.get(number, f"machine {number:#x}"),
        role=_role(pe),
        needed=tuple(sorted(needed)),
        exports=frozenset(str(e.name) for e in pe.exported_functions if e.name),
    )


def _role(pe: Any) -> Literal["executable", "shared", "other"]:
    flags = {c.name for c in pe.header.characteristics_list}
    if "EXECUTABLE_IMAGE" not in flags:
        return "other"
    return "shared" if "DLL" in flags else "executable"
