"""What the readers found, held against a row: each limit from both sides."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from rva.inspect import elf, macho, native, pe
from rva.inspect.wanted import Wanted
from rva.model import Matrix, Target

LINUX, MUSL, MAC, WINDOWS = (
    "x86_64-unknown-linux-gnu", "x86_64-unknown-linux-musl", "aarch64-apple-darwin", "x86_64-pc-windows-msvc",
)  # fmt: skip
SYSTEM = "/usr/lib/libSystem.B.dylib"
BASES: dict[str, tuple[Any, bytes, Any]] = {
    LINUX: (elf, b"\x7fELF", elf.ElfFacts("x64", "linux", "shared", "", "glibc", "2.17", ("f",), ("libc.so.6",), (), frozenset({"f"}), False)),
    MUSL: (elf, b"\x7fELF", elf.ElfFacts("x64", "linux", "shared", "", "musl", "", (), ("libc.so",), (), frozenset({"f"}), False)),
    MAC: (macho, b"\xcf\xfa\xed\xfe", macho.MachOFacts("arm64", "shared", "MACOS", "11.0", "@rpath/x", (SYSTEM,), (), frozenset({"f"}), True, ())),
    WINDOWS: (pe, b"MZ", pe.PeFacts("x64", "shared", ("kernel32.dll",), frozenset({"f"}))),
}  # fmt: skip
Judge = Callable[..., list[str]]


@pytest.fixture
def judge(table: Matrix, rows: dict[str, Target], monkeypatch: pytest.MonkeyPatch) -> Judge:
    """The faults of a file whose facts are a sound one's but for some."""

    def run(triple: str, kind: str, *, built: str = "", entry: str = "", row: str = "", **changes: object) -> list[str]:
        reader, data, facts = BASES[triple]
        monkeypatch.setattr(reader, "read", lambda _: msgspec.structs.replace(facts, **changes))
        target = rows[row or f"{'cli' if kind == 'executable' else 'native-c'}-{triple}"]
        return list(native.check(data, Wanted(kind, target, built or triple, table), entry))  # type: ignore[arg-type]

    return run


LOADER = {"role": "executable", "interpreter": "/lib64/ld-linux-x86-64.so.2"}


@pytest.mark.parametrize(
    ("triple", "kind", "changes", "said"),
    [
        (LINUX, "shared", {}, ""),
        (LINUX, "shared", {"machine": "arm64"}, "built for the processor arm64; x64 was wanted"),
        (LINUX, "shared", {"role": "executable", **LOADER}, "the file is a program; a shared library was wanted"),
        (LINUX, "executable", {}, "the file is a shared library; a program was wanted"),
        (LINUX, "executable", {"role": "other"}, "the file is neither program nor shared library; a program was wanted"),
        (LINUX, "shared", {"exports": frozenset()}, "a shared library that exports nothing"),
        (LINUX, "addon", {"exports": frozenset()}, ""),
        (LINUX, "shared", {"libc": "none"}, "C library none; glibc was wanted"),
        (LINUX, "shared", {"needed": ("libm.so.6", "ld-linux-x86-64.so.2")}, ""),
        (LINUX, "shared", {"needed": ("libstdc++.so.6",)}, "needs libstdc++.so.6, which not every machine of the row has"),
        (LINUX, "shared", {"glibc": "2.18"}, "needs glibc 2.18 (f); the floor is 2.17"),
        (LINUX, "shared", {"glibc": "2.18", "glibc_symbols": tuple("abcdef")}, "needs glibc 2.18 (a, b, c, d, e); the floor"),
        (LINUX, "shared", {"glibc": "2.18", "glibc_symbols": ()}, "needs glibc 2.18 (no named symbol); the floor is 2.17"),
        (LINUX, "shared", {"glibc": ""}, ""),
        (LINUX, "shared", {"glibc": "PRIVATE"}, "needs GLIBC_PRIVATE, which no release promises"),
        (LINUX, "executable", LOADER, ""),
        (LINUX, "executable", {"role": "executable"}, "its interpreter is none; ld-linux-x86-64.so.2 was wanted"),
        (LINUX, "executable", {**LOADER, "interpreter": "/x/old-ld-linux-x86-64.so.2"}, "its interpreter is /x/old-ld"),
        (LINUX, "shared", {"soft_float": True}, "built for software floating point; the hard-float ABI was wanted"),
        (LINUX, "shared", {"run_paths": ("/a", "/b")}, "looks for libraries in /a, /b; no run path was wanted"),
        (MUSL, "shared", {}, ""),
        (MUSL, "shared", {"needed": ("libc.musl-x86_64.so.1",)}, ""),
        (MUSL, "shared", {"libc": "none", "needed": ("libz.so",)}, "needs libz.so, which not every machine of the row has"),
        (MUSL, "shared", {"libc": "glibc", "needed": ("libc.so.6",)}, "C library glibc; musl was wanted"),
        (MUSL, "executable", {"role": "executable", "needed": ()}, ""),
        (MUSL, "executable", {"role": "executable"}, "a program that needs libc.so; a static one was wanted"),
        (MUSL, "executable", {"role": "executable", "needed": (), "interpreter": "/lib/ld-musl"}, "a program that needs /lib/ld-musl; a"),
        (MUSL, "executable", {"role": "executable", "interpreter": "/lib/ld-musl"}, "a program that needs /lib/ld-musl, libc.so; a"),
        (MAC, "shared", {}, ""),
        (MAC, "shared", {"platform": "IOS"}, "platform IOS; MACOS was wanted"),
        (MAC, "shared", {"minimum": ""}, "names no least macOS version; 11.0 was wanted"),
        (MAC, "shared", {"minimum": "10.12"}, ""),
        (MAC, "shared", {"minimum": "11.1"}, "asks for macOS 11.1; the floor is 11.0"),
        (MAC, "shared", {"needed": (SYSTEM, "/System/Library/x")}, ""),
        (MAC, "shared", {"needed": ("/opt/lib/x",)}, "needs /opt/lib/x, which is not a part of macOS"),
        (MAC, "shared", {"run_paths": ("/a", "/b")}, "looks for libraries in /a, /b; no run path was wanted"),
        (MAC, "shared", {"install_name": "@loader_path/x"}, ""),
        (MAC, "shared", {"install_name": ""}, "its install name is missing; one that starts with @rpath/ was wanted"),
        (MAC, "addon", {"install_name": ""}, ""),
        (MAC, "shared", {"signed": False}, "has no code signature; macOS on arm64 runs nothing without one"),
        (MAC, "shared", {"signature_faults": ("its code signature is cut short",)}, "its code signature is cut short"),
        (WINDOWS, "shared", {}, ""),
        (WINDOWS, "shared", {"needed": ("api-ms-win-core-path-l1-1-0.dll", "vcruntime140.dll")}, ""),
        (WINDOWS, "shared", {"needed": ("libgcc_s_seh-1.dll",)}, "needs libgcc_s_seh-1.dll, which not every machine"),
        (WINDOWS, "shared", {"needed": ("python3.dll",)}, "needs python3.dll, which not every machine of the row has"),
        (WINDOWS, "wheel", {"needed": ("python3.dll",)}, ""),
    ],
)  # fmt: skip
def test_a_file_against_its_row(judge: Judge, triple: str, kind: str, changes: dict[str, Any], said: str) -> None:
    faults = judge(triple, kind, **changes)
    assert [fault for fault in faults if not fault.startswith(said or "any")] == []
    assert len(faults) == bool(said), faults


def test_a_file_of_another_role(judge: Judge) -> None:
    words = {"executable": "a program", "shared": "a shared library", "other": "neither program nor shared library"}
    for role, found in words.items():
        for kind, wanted in (("executable", "executable"), ("addon", "shared")):
            faults = [f for f in judge(LINUX, kind, role=role, interpreter=LOADER["interpreter"])]
            assert faults == ([f"the file is {found}; {words[wanted]} was wanted"] if role != wanted else [])


def test_the_entry_that_a_file_exports(judge: Judge) -> None:
    for triple in BASES:
        assert judge(triple, "addon", entry="f") == []
        assert judge(triple, "addon", entry="g") == ["does not export g"]


def test_a_stand_in_needs_nothing_of_the_real_compilers(judge: Judge) -> None:
    needed = ("vcruntime140.dll",)
    assert judge(WINDOWS, "shared", needed=needed) == []
    assert len(judge(WINDOWS, "shared", needed=needed, built="x86_64-pc-windows-gnullvm")) == 1


def test_an_intel_mac_runs_what_is_not_signed(judge: Judge) -> None:
    changes = {"machine": "x64", "minimum": "10.12", "signed": False}
    assert judge(MAC, "shared", row="native-c-x86_64-apple-darwin", **changes) == []
