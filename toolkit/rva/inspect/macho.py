"""Facts of a Mach-O file: macOS programs, libraries and addons."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct

from rva.inspect import codesign
from rva.inspect.sniff import MACHO_MACHINES, FormatError

UNSIGNED = "has no code signature; macOS on arm64 runs nothing without one"
_ROLES: dict[str, Literal["executable", "shared"]] = {"EXECUTE": "executable", "DYLIB": "shared", "BUNDLE": "shared"}


class MachOFacts(Struct, frozen=True):
    """What a Mach-O file says: processor, role, platform and least version, names, needs, exports, signature.

    ``minimum`` is the oldest system version it accepts, such as 10.12 ("" if it names none).
    """

    machine: str
    role: Literal["executable", "shared", "other"]
    platform: str
    minimum: str
    install_name: str
    needed: tuple[str, ...]
    run_paths: tuple[str, ...]
    exports: frozenset[str]
    signed: bool
    signature_faults: tuple[str, ...]


def read(data: bytes) -> MachOFacts:
    """Read a Mach-O file of one processor; raise FormatError where it is truncated, universal or not one."""
    found = read_all(data)
    if len(found) != 1:
        raise FormatError(f"a universal file for {', '.join(f.machine for f in found)}; one processor was wanted")
    return found[0]


def read_all(data: bytes) -> tuple[MachOFacts, ...]:
    """Read a Mach-O file: one for each processor of a universal file."""
    import lief

    lief.logging.disable()
    fat: Any = lief.MachO.parse(data)
    if fat is None or fat.size == 0:
        raise FormatError("not a readable Mach-O file")
    return tuple(_facts(lief, macho, data[macho.fat_offset :]) for macho in fat)


def _facts(lief: Any, macho: Any, data: bytes) -> MachOFacts:
    _whole(macho, len(data))
    platform, minimum = _platform(macho)
    dylib = lief.MachO.DylibCommand
    # The list of libraries holds the file's own install name too.
    own = [str(c.name) for c in macho.commands if isinstance(c, dylib) and c.command.name == "ID_DYLIB"]
    needed = [str(c.name) for c in macho.commands if isinstance(c, dylib) and c.command.name != "ID_DYLIB"]
    number = macho.header.cpu_type.value & 0xFFFFFFFF
    return MachOFacts(
        machine=MACHO_MACHINES.get(number, f"machine {number:#x}"),
        role=_ROLES.get(macho.header.file_type.name, "other"),
        platform=platform,
        minimum=minimum,
        install_name=own[0] if own else "",
        needed=tuple(needed),
        run_paths=tuple(str(r.path) for r in macho.rpaths),
        exports=frozenset(str(s.name).removeprefix("_") for s in macho.exported_symbols),
        signed=bool(macho.has_code_signature),
        signature_faults=_signature(macho, data),
    )


def _whole(macho: Any, size: int) -> None:
    if len(macho.commands) != macho.header.nb_cmds:
        raise FormatError(f"truncated: {macho.header.nb_cmds} load commands announced, {len(macho.commands)} found")
    read, announced = sum(command.size for command in macho.commands), macho.header.sizeof_cmds
    if read != announced:
        raise FormatError(f"its load commands take {read} bytes, its header says {announced}")
    end = max((s.file_offset + s.file_size for s in macho.segments), default=0)
    if macho.has_code_signature:
        end = max(end, macho.code_signature.data_offset + macho.code_signature.data_size)
    if end > size:
        raise FormatError(f"truncated: its headers speak of {end} bytes, the file has {size}")


def _signature(macho: Any, data: bytes) -> tuple[str, ...]:
    if not macho.has_code_signature:
        return ()
    place = macho.code_signature
    return tuple(codesign.faults(data, place.data_offset, place.data_size))


def _platform(macho: Any) -> tuple[str, str]:
    if macho.has_build_version:
        build = macho.build_version
        return build.platform.name, _dotted(build.minos)
    if macho.has_version_min:
        kind = macho.version_min.command.name  # VERSION_MIN_MACOSX, VERSION_MIN_IPHONEOS, ...
        return {"VERSION_MIN_MACOSX": "MACOS"}.get(kind, kind), _dotted(macho.version_min.version)
    return "none", ""


def _dotted(version: list[int]) -> str:
    numbers = [str(n) for n in version]
    return ".".join(numbers[:2] if numbers[2:] in ([], ["0"]) else numbers)
