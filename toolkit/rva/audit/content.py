"""What holds for the files of every package: its binaries are readable, and nothing in it is the maker's secret or place."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePosixPath
from typing import Final

from rva.audit.claims import Claim
from rva.audited import Finding, Level
from rva.inspect import machine, secrets
from rva.inspect.machine import Machine
from rva.inspect.sniff import FormatError

Files = Mapping[str, bytes]

# Loaded or started by their package. Other binaries, such as test data, may be for any machine.
_LOADED: Final = (".node", ".so", ".dylib", ".dll", ".exe", ".pyd")
_HOMES: Final = re.compile(rb"(?:/home|/Users|[A-Za-z]:\\Users)[/\\][A-Za-z0-9_.-]+[/\\][A-Za-z0-9_.-]+")
_MOST_PATHS: Final = 3


def error(check: str, message: str) -> Finding:
    """A fault: it fails the audit."""
    return Finding("error", check, message)


def warning(check: str, message: str) -> Finding:
    """Something to look at, which sound packages have too."""
    return Finding("warning", check, message)


def binaries(files: Files) -> tuple[dict[str, Machine], list[Finding]]:
    """What each program, library and addon was built for, and a fault for each that cannot be read."""
    found, faults = {}, []
    for name, body in files.items():
        if not machine.is_binary(body):
            if PurePosixPath(name).suffix in (".node", ".pyd"):
                faults.append(error("no-binary", f"{name} is no program, library or addon of any system"))
            continue
        try:
            found[name] = machine.read(body)
        except FormatError as fault:
            faults.append(error("damaged", f"{name}: {fault}"))
            continue
        faults += [error("signature", f"{name}: {fault}") for fault in found[name].signature_faults]
    return found, faults


def against(claims: Iterable[Claim], found: Mapping[str, Machine]) -> Iterator[Finding]:
    """Binaries that are not what the package claims."""
    said = set()
    for claim in claims:
        for name, facts in found.items():
            if facts.os == claim.os == "linux" and claim.libc == "glibc" and not facts.libc and not facts.needed:
                yield warning("static", f"{name} is static, so it runs beside any C library; {claim.by} says glibc")
            for words in claim.contradictions(facts):
                level: Level = "error" if loaded(name) else "warning"
                finding = Finding(level, "wrong-binary", f"{name} {words}")
                if (name, words.split(";")[0]) not in said:
                    yield finding
                said.add((name, words.split(";")[0]))


def loaded(name: str) -> bool:
    """Whether a file's name is that of something which is loaded or started."""
    path = PurePosixPath(name)
    return path.suffix in _LOADED or path.suffix == "" or ".so." in path.name


def leaks(files: Files) -> Iterator[Finding]:
    """Secrets, and places of the building machine."""
    for name, body in files.items():
        yield from (error("secret", f"{name} holds {what}") for what in secrets.found(name, body))
        if machine.is_binary(body):
            homes = sorted({match[0].decode("ascii") for match in _HOMES.finditer(body)})
            if homes:
                more = f" and {len(homes) - _MOST_PATHS} more" if len(homes) > _MOST_PATHS else ""
                paths = ", ".join(homes[:_MOST_PATHS])
                yield warning("path", f"{name} holds paths of the building machine: {paths}{more}")
