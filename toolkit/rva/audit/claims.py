"""What a package says that it is for - by its fields, its name or its tags - against what its binaries were built for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from msgspec import Struct

from rva import naming
from rva.inspect.elf import version_key
from rva.inspect.machine import Machine

_SYSTEMS: Final = ("linux", "darwin", "win32", "android", "freebsd", "openharmony")
_PROCESSORS: Final = {
    "x64": "x64", "arm64": "arm64", "arm": "arm", "ia32": "ia32", "ppc64": "ppc64", "s390x": "s390x", "riscv64": "riscv64", "loong64": "loong64",
}  # fmt: skip
_LIBCS: Final = {"gnu": "glibc", "gnueabihf": "glibc", "musl": "musl", "musleabihf": "musl"}
_TRIPLE: Final = re.compile(r"(?:x86_64|aarch64|armv7)-(?:unknown|apple|pc)-[a-z]+(?:-[a-z]+)?")
# Python's words for processors.
_MACHINES: Final = {
    "x86_64": "x64", "amd64": "x64", "aarch64": "arm64", "arm64": "arm64", "armv6l": "arm", "armv7l": "arm", "i386": "ia32", "i686": "ia32",
    "ppc64le": "ppc64", "s390x": "s390x", "riscv64": "riscv64", "loongarch64": "loong64",
}  # fmt: skip
# PEP 513, 571 and 599: names from before the glibc version stood in the tag.
_MANYLINUX: Final = {"manylinux1": "2.5", "manylinux2010": "2.12", "manylinux2014": "2.17"}
# No macOS before this one runs on the processor, whatever a tag says.
_FIRST_MACOS: Final = {"arm64": "11.0"}


class Claim(Struct, frozen=True):
    """What is claimed, and by what. Nothing is claimed where a field is empty; ``cpus`` are wanted all."""

    by: str
    os: str = ""
    cpus: tuple[str, ...] = ()
    libc: str = ""
    floor: str = ""

    def contradictions(self, found: Machine) -> Iterator[str]:
        """Where a binary is not what is claimed."""
        if self.os and found.os != self.os:
            yield f"is for {found.words}; {self.by} says {self.os}"
        elif missing := [cpu for cpu in self.cpus if cpu not in found.cpus]:
            yield f"is for {found.words}; {self.by} says {' and '.join(missing)}"
        elif self.libc and found.libc and found.libc != self.libc:
            yield f"is for {found.words}; {self.by} says {self.libc}"
        elif self.floor:
            yield from self._above(found)

    def _above(self, found: Machine) -> Iterator[str]:
        if found.os == "linux" and version_key(found.glibc) > version_key(self.floor):
            yield f"needs glibc {found.glibc}; {self.by} promises {self.floor}"
        for cpu, least in found.macos:
            floor = max(self.floor, _FIRST_MACOS.get(cpu, "0"), key=version_key)
            if cpu in self.cpus and version_key(least) > version_key(floor):
                yield f"asks for macOS {least} on {cpu}; {self.by} promises {floor}"


def of_npm_fields(manifest: Mapping[str, Any]) -> Claim | None:
    """os, cpu and libc of a package.json, where each names one; None where they narrow nothing."""
    os, cpu, libc = (_only(manifest.get(field)) for field in ("os", "cpu", "libc"))
    return Claim("package.json", os, (cpu,) if cpu else (), libc) if os or cpu or libc else None


def of_npm_name(name: str) -> Claim | None:
    """What a platform package's name says, by the words at its end, such as -linux-x64-gnu."""
    words = re.split(r"[-./@_]", name)
    for at in range(len(words) - 1):
        if words[at] in _SYSTEMS and words[at + 1] in _PROCESSORS:
            libc = _LIBCS.get(words[at + 2], "") if at + 2 < len(words) and words[at] == "linux" else ""
            return Claim("its name", words[at], (_PROCESSORS[words[at + 1]],), libc)
    return None


def of_triple(file_name: str) -> Claim | None:
    """What an archive's name says, where a Rust target triple stands in it."""
    found = _TRIPLE.search(file_name)
    parts = naming.split(found[0]) if found else None
    if parts is None or parts.os == "unknown":
        return None
    return Claim("its name", parts.os, (parts.cpu,), parts.libc if parts.os == "linux" else "")


def of_wheel_tags(platforms: Iterable[str]) -> Iterator[Claim]:
    """A claim for each platform tag of a wheel that one can be read from."""
    for tag in platforms:
        claim = _of_tag(tag)
        if claim is not None:
            yield claim


def _of_tag(tag: str) -> Claim | None:
    by = f"the tag {tag}"
    if found := re.fullmatch(r"manylinux_(\d+)_(\d+)_(\w+)", tag):
        return Claim(by, "linux", _machine(found[3]), "glibc", f"{found[1]}.{found[2]}")
    if found := re.fullmatch(r"(manylinux1|manylinux2010|manylinux2014)_(\w+)", tag):
        return Claim(by, "linux", _machine(found[2]), "glibc", _MANYLINUX[found[1]])
    if found := re.fullmatch(r"musllinux_\d+_\d+_(\w+)", tag):
        return Claim(by, "linux", _machine(found[1]), "musl")
    if found := re.fullmatch(r"linux_(\w+)", tag):
        return Claim(by, "linux", _machine(found[1]))
    if found := re.fullmatch(r"macosx_(\d+)_(\d+)_(\w+)", tag):
        cpus = ("x64", "arm64") if found[3] == "universal2" else _machine(found[3])
        return Claim(by, "darwin", cpus, "", f"{found[1]}.{found[2]}")
    if tag == "win32" or (found := re.fullmatch(r"win_(\w+)", tag)):
        return Claim(by, "win32", ("ia32",) if tag == "win32" else _machine(tag.removeprefix("win_")))
    return None


def _machine(word: str) -> tuple[str, ...]:
    return (_MACHINES[word],) if word in _MACHINES else ()


def _only(value: object) -> str:
    """The one word of a list such as ["linux"]; nothing for several, and for those that exclude (!win32)."""
    words = [value] if isinstance(value, str) else value
    if not isinstance(words, list) or len(words) != 1 or not isinstance(words[0], str) or words[0].startswith("!"):
        return ""
    return "" if words[0] == "any" else words[0]
