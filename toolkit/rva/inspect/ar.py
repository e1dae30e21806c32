"""Facts of a static library: every member's format and processor."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from rva.inspect.sniff import FormatError, object_facts

_MAGIC = b"!<arch>\n"
# Tables of symbols and of long names, in the spellings of GNU, BSD and Microsoft.
_TABLES = {"/", "//", "/SYM64/", "__.SYMDEF", "__.SYMDEF SORTED", "__.SYMDEF_64", "/<ECSYMBOLS>/", "/<XFGHASHMAP>/"}


class Member(Struct, frozen=True):
    """One member of a static library."""

    name: str
    format: str
    machine: str


class ArFacts(Struct, frozen=True):
    """What a static library holds, its tables left out."""

    members: tuple[Member, ...]


def read(data: bytes) -> ArFacts:
    """Read a static library in the GNU, BSD or Microsoft form; raise FormatError where it is truncated or not one."""
    if not data.startswith(_MAGIC):
        raise FormatError("not a static library")
    return ArFacts(tuple(_members(data)))


def _members(data: bytes) -> Iterator[Member]:
    at, names = len(_MAGIC), b""
    while at < len(data):
        header = data[at : at + 60]
        size = _number(header[48:58])
        if header[58:] != b"`\n" or size is None or at + 60 + size > len(data):
            raise FormatError(f"damaged or truncated at byte {at}")
        body = data[at + 60 : at + 60 + size]
        at += 60 + size + size % 2
        name = header[:16].rstrip(b" ").decode("latin-1")
        if name == "//":
            names = body
        if name in _TABLES:
            continue
        name, body = _long_name(name, body, names)
        if name in _TABLES:
            continue
        facts = object_facts(body[:64])
        yield Member(name, facts.format, facts.machine)


def _long_name(name: str, body: bytes, names: bytes) -> tuple[str, bytes]:
    if name.startswith("#1/") and (length := _number(name[3:].encode())) is not None:  # BSD: before the body
        return body[:length].rstrip(b"\0").decode("latin-1"), body[length:]
    if name.startswith("/") and (start := _number(name[1:].encode())) is not None:  # GNU: in the table of names
        end = min(i for i in (names.find(b"\n", start), names.find(b"\0", start), len(names)) if i >= 0)
        return names[start:end].decode("latin-1").rstrip("/"), body
    return name.rstrip("/"), body


def _number(text: bytes) -> int | None:
    digits = text.strip()
    return int(digits) if digits.isdigit() else None
