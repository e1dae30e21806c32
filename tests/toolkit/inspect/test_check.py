"""What holds for every kind: empty, missing, too large, texts, paths of the building machine, static libraries."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from rva.inspect import ar, check
from rva.inspect.sniff import FormatError, ObjectFacts, object_facts, sniff
from rva.model import Matrix, Target

Inspect = Callable[..., tuple[str, ...]]
Samples = dict[str, bytes]
LINUX = "x86_64-unknown-linux-gnu"
PC = b"Name: x\nVersion: %s\nLibs: -lx\n"


def test_a_missing_file(tmp_path: Path, table: Matrix, rows: dict[str, Target]) -> None:
    row = rows[f"cli-{LINUX}"]
    [fault] = check.check(tmp_path / "gone", "executable", row, row.triple, table)
    assert fault == "cannot be read: No such file or directory"
    [fault] = check.check(tmp_path, "executable", row, row.triple, table)
    assert fault.startswith("cannot be read")


@pytest.mark.parametrize("kind", ["addon", "executable", "glue", "header", "wheel", "crate", "module", "static"])
def test_an_empty_file(inspect: Inspect, kind: str) -> None:
    assert inspect(b"", kind, f"native-c-{LINUX}") == ("the file is empty",)


def test_a_program_is_marked_as_one(tmp_path: Path, samples: Samples, table: Matrix, rows: dict[str, Target]) -> None:
    row, path = rows[f"cli-{LINUX}"], tmp_path / "program"
    path.write_bytes(samples[f"{LINUX}/executable"])
    path.chmod(0o644)
    assert check.check(path, "executable", row, row.triple, table) == ("not marked as executable",)


def test_texts(inspect: Inspect, table: Matrix) -> None:
    row = f"native-c-{LINUX}"
    version = table.version.encode()
    for kind in ("glue", "types", "header"):
        assert inspect("int π;\n".encode(), kind, row) == ()
        assert inspect(b" \n\t\n", kind, row) == ("holds nothing but white space",)
        assert inspect(b"int x\xff;\n", kind, row) == ("not UTF-8 text: byte 5",)
        assert inspect(b"int x;\0\n", kind, row) == ("holds a NUL character, which no text does",)
    assert inspect(PC % version, "pkgconfig", row) == ()
    assert inspect(PC % b"9.9.9", "pkgconfig", row) == (f"its version is 9.9.9; {table.version} was wanted",)
    assert inspect(b"Name: x\n", "pkgconfig", row) == (f"its version is missing; {table.version} was wanted",)
    two = b"Version: 1:2:3\nVersion: 4\n"
    assert inspect(two, "pkgconfig", row) == (f"its version is 1:2:3, 4; {table.version} was wanted",)


@pytest.mark.parametrize(
    ("held", "forbidden", "hit"),
    [
        (b"/home/me/project/core/src", b"/home/me/project", True),
        (b"/home/me/project", b"/home/me/project", True),
        (b"/home/me/project-two/x", b"/home/me/project", False),
        (b"/home/me/projects", b"/home/me/project", False),
        (b"/usr/lib", b"/", False),
        (b"C:\\Users\\me\\x", b"C:\\Users\\me", True),
    ],
)
def test_paths_of_the_building_machine(inspect: Inspect, held: bytes, forbidden: bytes, hit: bool) -> None:
    faults = inspect(b"// " + held + b"\n", "header", f"native-c-{LINUX}", forbidden=(forbidden,))
    assert bool(faults) is hit
    if hit:
        assert faults[0].endswith("of the building machine (byte 3)")


def test_secrets(inspect: Inspect) -> None:
    token = b"glpat-" + b"a1B2c" * 4
    assert inspect(b"// " + token + b"\n", "header", f"native-c-{LINUX}") == ("holds a GitLab token (byte 3)",)


def test_the_budget_of_each_kind(inspect: Inspect, samples: Samples, table: Matrix) -> None:
    budget = table.recipes["napi"].budget["addon"]
    whole = samples[f"{LINUX}/shared"]
    assert inspect(whole + bytes(budget - len(whole)), "addon", f"napi-{LINUX}") == ()
    assert inspect(whole + bytes(budget - len(whole) + 1), "addon", f"napi-{LINUX}") == (
        f"{budget + 1} bytes; the budget for addon is {budget}",
    )


def member(name: bytes, body: bytes, size: bytes = b"") -> bytes:
    head = name.ljust(16) + b"0".ljust(12) + b"0".ljust(6) * 2 + b"644".ljust(8)
    return head + (size or str(len(body)).encode()).ljust(10) + b"`\n" + body + b"\n" * (len(body) % 2)


ELF = b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x01\0" + (62).to_bytes(2, "little") + bytes(44)


def test_names_in_static_libraries() -> None:
    table = b"a_very_long_name_of_an_object.o/\n"
    gnu = b"!<arch>\n" + member(b"/", b"sym") + member(b"//", table) + member(b"/0", ELF) + member(b"short.o/", ELF)
    assert [m.name for m in ar.read(gnu).members] == ["a_very_long_name_of_an_object.o", "short.o"]
    bsd = (
        b"!<arch>\n"
        + member(b"#1/20", b"__.SYMDEF".ljust(20, b"\0") + b"x")
        + member(b"#1/12", b"object.o\0\0\0\0" + ELF)
    )
    assert [(m.name, m.machine) for m in ar.read(bsd).members] == [("object.o", "x64")]


@pytest.mark.parametrize(
    ("parts", "names"),
    [
        ([(b"//", b"first_name.obj/\nsecond.obj/\n"), (b"/0", ELF), (b"/16", ELF)], ["first_name.obj", "second.obj"]),
        ([(b"//", b"first_name.obj\0second.obj\0"), (b"/0", ELF), (b"/15", ELF)], ["first_name.obj", "second.obj"]),
        ([(b"//", b"\nX.obj/"), (b"/0", ELF), (b"/1", ELF), (b"/99", ELF)], ["", "X.obj", ""]),
        ([(b"//", b"BOX/"), (b"/0", ELF)], ["BOX"]),
        ([(b"/0", ELF)], [""]),  # no table of names
        ([(b"BOX", ELF), (b"TAX/", ELF)], ["BOX", "TAX"]),
        ([(b"#1/4", b"BOX\0" + ELF), (b"#1/x", ELF), (b"/x", ELF)], ["BOX", "#1/x", "/x"]),
    ],
)
def test_where_names_are_kept(parts: list[tuple[bytes, bytes]], names: list[str]) -> None:
    data = b"!<arch>\n" + b"".join(member(name, body) for name, body in parts)
    assert [m.name for m in ar.read(data).members] == names
    assert {(m.format, m.machine) for m in ar.read(data).members} == {("ELF", "x64")}


def test_a_member_ends_where_its_header_says() -> None:
    whole = b"!<arch>\n" + member(b"a.o/", ELF[:19]) + member(b"b.o/", ELF)
    assert [m.machine for m in ar.read(whole).members] == ["none", "x64"]
    for cut in range(9, len(whole)):
        if cut not in (8 + 60 + 20, 8 + 60 + 19):  # padding is not asked for
            with pytest.raises(FormatError, match="damaged or truncated at byte"):
                ar.read(whole[:cut])


def test_foreign_members_of_a_static_library(inspect: Inspect) -> None:
    row = f"native-c-{LINUX}"
    arm = ELF[:18] + (183).to_bytes(2, "little") + ELF[20:]
    assert inspect(b"!<arch>\n" + member(b"a.o/", ELF), "static", row) == ()
    assert inspect(b"!<arch>\n" + member(b"a.o/", ELF) + member(b"b.o/", arm), "static", row) == (
        "member 'b.o' is ELF for arm64; ELF for x64 was wanted",
    )
    assert inspect(b"!<arch>\n" + member(b"a.bc/", b"BC\xc0\xde" + bytes(60)), "static", row) == (
        "member 'a.bc' is LLVM bitcode for none; ELF for x64 was wanted",
    )
    assert inspect(b"!<arch>\n" + member(b"lib.rmeta/", b"rust" + bytes(60)), "static", row) == (
        "member 'lib.rmeta' is unknown for none; ELF for x64 was wanted",
    )
    assert inspect(b"!<arch>\n", "static", row) == ("a static library without any object file",)
    many = b"!<arch>\n" + b"".join(member(b"%d.o/" % i, arm) for i in range(9))
    assert inspect(many, "static", row)[-1] == "and 4 more members like these"
    assert inspect(b"nonsense" * 10, "static", row) == ("format unknown; a static library was wanted",)
    assert inspect(many[: -len(member(b"8.o/", arm)) * 4], "static", row)[-1].startswith("member '4.o' is ELF")
    assert inspect(b"!<arch>\n" + member(b"a.o/", ELF), "static", "wasm-web-baseline") == (
        "member 'a.o' is ELF for x64; none for wasm32 was wanted",
    )


@pytest.mark.parametrize(
    "data",
    [
        b"!<arch>\nx",
        b"!<arch>\n" + b" " * 60,
        b"!<arch>\n" + member(b"a/", b"", b"-5"),
        b"!<arch>\n" + member(b"a/", b"x", b"999"),
        b"no",
    ],
)
def test_damaged_static_libraries(data: bytes) -> None:
    with pytest.raises(FormatError):
        ar.read(data)


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"", "unknown"),
        (b"\x7fELF", "ELF"),
        (b"MZ\x90\0", "PE"),
        (b"\xcf\xfa\xed\xfe", "Mach-O"),
        (b"\xce\xfa\xed\xfe", "Mach-O"),
        (b"\xca\xfe\xba\xbe", "Mach-O universal"),
        (b"\0asm\x01\0\0\0", "WebAssembly"),
        (b"!<arch>\n", "static library"),
        (b"PK\x03\x04", "zip"),
        (b"\x1f\x8b\x08", "gzip"),
        (b"BC\xc0\xde", "LLVM bitcode"),
        (b"\x64\x86\x02\0", "COFF"),
        (b"\x64\xaa\x02\0", "COFF"),
        (b"\0\0\xff\xff\0\0\x64\x86", "COFF"),
        (b"#!/bin/sh\n", "unknown"),
    ],
)
def test_formats_by_their_first_bytes(head: bytes, name: str) -> None:
    assert sniff(head) == name


def test_processors_of_object_files() -> None:
    # An import library's member
    assert object_facts(b"\0\0\xff\xff\0\0\x64\xaa\x01") == ObjectFacts("COFF", "arm64")
    assert object_facts(b"\x64\x86\x02\0").machine == "x64"
    assert object_facts(ELF[:18] + b"\x08\0").machine == "machine 0x8"
    assert object_facts(b"\xcf\xfa\xed\xfe\x0c\0\0\x01").machine == "arm64"
    assert object_facts(b"\x7fELF").machine == "none"


def test_a_row_that_has_no_programs(inspect: Inspect, samples: Samples) -> None:
    assert inspect(samples[f"{LINUX}/executable"], "executable", "wasm-web-baseline") == (
        "row wasm-web-baseline is for web, which has no files of the kind executable",
    )
