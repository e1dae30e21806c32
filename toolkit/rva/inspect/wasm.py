"""Facts of a WebAssembly module: sections, imports, exports and the instruction sets that its code uses.

Binary format: https://webassembly.github.io/spec/core/binary/ (2.0 with SIMD, threads and relaxed SIMD).
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from rva.inspect.sniff import FormatError

_HEADER: Final = b"\0asm\x01\0\0\0"
_EXTERNAL: Final = ("func", "table", "memory", "global", "tag")
# Sections come in this order; custom sections (0) may stand anywhere. 13 is tags, 12 the number of data segments.
_ORDER: Final = {number: place for place, number in enumerate((1, 2, 3, 4, 5, 13, 6, 7, 8, 9, 12, 10, 11))}

_END: Final = 0x0B

# How many LEB128 numbers follow an opcode. Opcodes with other immediates are handled by name below.
_LEBS: Final = {
    **dict.fromkeys((0x02, 0x03, 0x04, 0x06, 0x07, 0x08, 0x09, 0x0C, 0x0D, 0x10, 0x12, 0x14, 0x15, 0x18), 1),
    **dict.fromkeys((0x11, 0x13), 2),
    **dict.fromkeys((*range(0x20, 0x27), 0x3F, 0x40, 0x41, 0x42, 0xD0, 0xD2), 1),
    **dict.fromkeys((0x00, 0x01, 0x05, 0x0A, 0x0B, 0x0F, 0x19, 0x1A, 0x1B, *range(0x45, 0xC5), 0xD1), 0),
}
_BULK_LEBS: Final = {**dict.fromkeys(range(8), 0), 8: 2, 9: 1, 10: 2, 11: 1, 12: 2, 13: 1, 14: 2, 15: 1, 16: 1, 17: 1}


class WasmFacts(Struct, frozen=True):
    """What a module says. ``imports`` are (module, name) pairs; ``features`` is the target_features section, if any.

    ``simd``, ``relaxed_simd`` and ``threads`` tell which instructions the code holds; None where it was not read.
    """

    imports: tuple[tuple[str, str], ...]
    exports: dict[str, str]
    features: frozenset[str]
    simd: bool | None = None
    relaxed_simd: bool | None = None
    threads: bool | None = None


def read(data: bytes, *, code: bool = False) -> WasmFacts:
    """Read a module; raise FormatError where it is damaged. With ``code``, read every instruction (about 1 MB/s)."""
    if not data.startswith(_HEADER):
        raise FormatError("not a WebAssembly module of version 1")
    try:
        sections, customs = _sections(data)
        used = _instructions(sections[10]) if code and 10 in sections else set()
        return WasmFacts(
            imports=_imports(sections[2]) if 2 in sections else (),
            exports=_exports(sections[7]) if 7 in sections else {},
            features=_features(customs["target_features"]) if "target_features" in customs else frozenset(),
            simd="simd" in used if code else None,
            relaxed_simd="relaxed-simd" in used if code else None,
            threads="threads" in used if code else None,
        )
    except (IndexError, UnicodeDecodeError) as error:
        raise FormatError(f"damaged: {error}") from error


class _Reader:
    """A place in some bytes."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def byte(self) -> int:
        value = self.data[self.at]
        self.at += 1
        return value

    def leb(self) -> int:
        value = shift = 0
        while True:
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value
            if shift > 63:
                raise FormatError(f"a number longer than 64 bits at byte {self.at}")

    def take(self, size: int) -> bytes:
        if self.at + size > len(self.data):
            raise FormatError(f"truncated: {size} bytes wanted, {len(self.data) - self.at} left")
        self.at += size
        return self.data[self.at - size : self.at]

    def text(self) -> str:
        return self.take(self.leb()).decode("utf-8")

    def skip_leb(self) -> None:
        while self.byte() >= 0x80:
            pass

    def limits(self) -> None:
        for _ in range(1 + (self.byte() & 1)):
            self.skip_leb()


def _sections(data: bytes) -> tuple[dict[int, bytes], dict[str, bytes]]:
    reader, sections, customs, place = _Reader(data), {}, {}, -1
    reader.take(len(_HEADER))
    while reader.at < len(data):
        number, body = reader.byte(), reader.take(reader.leb())
        if number == 0:
            custom = _Reader(body)
            name = custom.text()
            customs[name] = body[custom.at :]
            continue
        if number not in _ORDER or _ORDER[number] <= place:
            raise FormatError(f"section {number} is unknown or out of order")
        place, sections[number] = _ORDER[number], body
    return sections, customs


def _imports(body: bytes) -> tuple[tuple[str, str], ...]:
    reader, found = _Reader(body), []
    for _ in range(reader.leb()):
        found.append((reader.text(), reader.text()))
        kind = reader.byte()
        if kind == 0:  # function: its type
            reader.skip_leb()
        elif kind in (1, 2):  # table: element type and limits; memory: limits
            reader.take(2 - kind)
            reader.limits()
        elif kind in (3, 4):  # global: value type, mutability; tag: attribute, type
            reader.byte()
            reader.skip_leb()
        else:
            raise FormatError(f"import of an unknown kind {kind}")
    return tuple(found)


def _exports(body: bytes) -> dict[str, str]:
    reader, found = _Reader(body), {}
    for _ in range(reader.leb()):
        name, kind = reader.text(), reader.byte()
        if kind >= len(_EXTERNAL):
            raise FormatError(f"export {name!r} of an unknown kind {kind}")
        reader.skip_leb()
        found[name] = _EXTERNAL[kind]
    return found


def _features(body: bytes) -> frozenset[str]:
    reader, found = _Reader(body), set()
    for _ in range(reader.leb()):
        prefix, name = chr(reader.byte()), reader.text()
        if prefix in "+=":
            found.add(name)
    return frozenset(found)


def _instructions(body: bytes) -> set[str]:
    """Which of simd, relaxed-simd and threads the code section uses."""
    code, used = _Reader(body), set[str]()
    for _ in range(code.leb()):
        function = _Reader(code.take(code.leb()))
        for _ in range(function.leb()):  # local variables: count and type
            function.skip_leb()
            function.skip_leb()
        last = None
        while function.at < len(function.data):
            last = _instruction(function, used)
        if last != _END:
            raise FormatError("a function without an end")
    return used


def _instruction(reader: _Reader, used: set[str]) -> int:
    opcode = reader.byte()
    lebs = _LEBS.get(opcode)
    if lebs is not None:
        for _ in range(lebs):
            reader.skip_leb()
    elif 0x28 <= opcode <= 0x3E:
        _memory_argument(reader)
    elif opcode in (0x43, 0x44):  # f32.const, f64.const
        reader.take(4 if opcode == 0x43 else 8)
    elif opcode == 0x0E:  # br_table: a list of labels and the default
        for _ in range(reader.leb() + 1):
            reader.skip_leb()
    elif opcode == 0x1C:  # select with types
        for _ in range(reader.leb()):
            reader.skip_leb()
    else:
        _prefixed(reader, opcode, used)
    return opcode


def _prefixed(reader: _Reader, prefix: int, used: set[str]) -> None:
    if prefix == 0xFC:
        operation = reader.leb()
        if operation not in _BULK_LEBS:
            raise FormatError(f"unknown instruction 0xfc {operation:#x}")
        for _ in range(_BULK_LEBS[operation]):
            reader.skip_leb()
    elif prefix == 0xFD:
        _vector(reader, reader.leb(), used)
    elif prefix == 0xFE:
        used.add("threads")
        if reader.leb() == 3:  # atomic.fence
            reader.byte()
        else:
            _memory_argument(reader)
    elif prefix == 0x1F:  # not a prefix, but as rare: try_table, a block type, then catch clauses
        _try_table(reader)
    else:
        raise FormatError(f"unknown instruction {prefix:#x}")


def _vector(reader: _Reader, operation: int, used: set[str]) -> None:
    if operation > 0x113:
        raise FormatError(f"unknown instruction 0xfd {operation:#x}")
    used.add("relaxed-simd" if operation >= 0x100 else "simd")
    if operation <= 11 or 84 <= operation <= 93:  # loads and stores
        _memory_argument(reader)
    if operation in (12, 13):  # v128.const, i8x16.shuffle
        reader.take(16)
    if 21 <= operation <= 34 or 84 <= operation <= 91:  # a lane
        reader.byte()


def _memory_argument(reader: _Reader) -> None:
    if reader.leb() & 0x40:  # an alignment with this bit is followed by the memory's index
        reader.skip_leb()
    reader.skip_leb()


def _try_table(reader: _Reader) -> None:
    reader.skip_leb()
    for _ in range(reader.leb()):
        kind = reader.byte()
        for _ in range(2 if kind in (0, 1) else 1):
            reader.skip_leb()
