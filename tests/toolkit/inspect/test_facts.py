"""What the readers say of files that are unusual, and sound: by their headers, one change at a time."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from rva.inspect import codesign, elf, machine, macho, pe, sniff, unpack
from rva.inspect.sniff import FormatError

Samples = dict[str, bytes]
LINUX, ARM, MAC, WINDOWS = (
    "x86_64-unknown-linux-gnu", "armv7-unknown-linux-gnueabihf", "aarch64-apple-darwin", "x86_64-pc-windows-msvc",
)  # fmt: skip


def patched(data: bytes, at: int, number: int, size: int = 4) -> bytes:
    return data[:at] + number.to_bytes(size, "little") + data[at + size :]


def edited(data: bytes, form: str, edit: Callable[[Any, Any], object]) -> bytes:
    """A file after a change by lief."""
    import lief

    parsed = getattr(lief, form).parse(data)
    parsed = parsed[0] if form == "MachO" else parsed
    edit(parsed, lief)
    return bytes(parsed.write_to_bytes())


def named(name: str) -> Callable[[Any, Any], object]:
    return lambda parsed, _: setattr(parsed.sections[-2], "name", name)


@pytest.mark.parametrize(
    ("change", "system", "libc"),
    [
        (lambda d: d, "linux", "glibc"),
        (lambda d: patched(d, 7, 9, 1), "freebsd", "none"),
        (lambda d: patched(d, 7, 3, 1), "linux", "glibc"),  # GNU's own number for Linux
        (lambda d: edited(d, "ELF", named(".note.android.ident")), "android", "none"),
        (lambda d: edited(d, "ELF", named(".note.ohos.ident")), "openharmony", "none"),
    ],
)
def test_the_system_of_an_elf_file(samples: Samples, change: Callable[[bytes], bytes], system: str, libc: str) -> None:
    facts = elf.read(change(samples[f"{LINUX}/shared"]))
    assert (facts.system, facts.libc) == (system, libc)


def test_android_by_its_loader(samples: Samples) -> None:
    old = b"/lib64/ld-linux-x86-64.so.2"
    data = samples[f"{LINUX}/executable"].replace(old, b"/system/bin/linker64".ljust(len(old), b"\0"))
    assert (elf.read(data).system, elf.read(data).interpreter) == ("android", "/system/bin/linker64")


@pytest.mark.parametrize(
    ("interpreter", "needed", "glibc", "libc"),
    [
        ("", (), "", "none"),
        ("", ("libm.so.6",), "", "none"),
        ("", ("libc.so.6",), "", "glibc"),
        ("", ("libm.so.6", "libc.so.6"), "", "glibc"),
        ("", (), "2.17", "glibc"),
        ("/lib64/ld-linux-x86-64.so.2", (), "", "glibc"),
        ("/lib/ld-musl-x86_64.so.1", (), "", "musl"),
        ("", ("libc.so",), "", "musl"),
        ("", ("libm.so", "libc.musl-x86_64.so.1"), "", "musl"),
        ("", ("xlibc.musl-x86_64.so.1",), "", "none"),
    ],
)
def test_the_c_library_that_an_elf_file_was_linked_against(
    interpreter: str, needed: tuple[str, ...], glibc: str, libc: str
) -> None:
    assert elf._libc(interpreter, needed, glibc) == libc


@pytest.mark.parametrize(("kind", "role"), [(1, "other"), (2, "executable"), (3, "shared"), (4, "other")])
def test_the_role_of_an_elf_file(samples: Samples, kind: int, role: str) -> None:
    assert elf.read(patched(samples[f"{LINUX}/shared"], 16, kind, 2)).role == role


def test_position_independent_programs_are_programs(samples: Samples) -> None:
    """By their loader, and static ones by a flag."""
    import lief

    assert elf.read(patched(samples[f"{LINUX}/executable"], 16, 3, 2)).role == "executable"
    header = SimpleNamespace(file_type=SimpleNamespace(name="DYN"))
    for flags, role in ((None, "shared"), (1, "shared"), (0x08000000, "executable"), (0x08000001, "executable")):
        entry = None if flags is None else SimpleNamespace(value=flags)
        made = SimpleNamespace(header=header, get=lambda tag, entry=entry: entry if tag.name == "FLAGS_1" else None)
        assert elf._role(lief, made, "") == role


def test_processors_that_have_no_name_here(samples: Samples) -> None:
    assert elf.read(patched(samples[f"{LINUX}/shared"], 18, 94, 2)).machine == "machine 94"
    assert macho.read(patched(samples[f"{MAC}/shared"], 4, 0x01000012)).machine == "machine 0x1000012"
    start = int.from_bytes(samples[f"{WINDOWS}/shared"][0x3C:0x40], "little")
    assert pe.read(patched(samples[f"{WINDOWS}/shared"], start + 4, 0x200, 2)).machine == "machine 0x200"
    assert sniff.object_facts(patched(b"\xcf\xfa\xed\xfe" + bytes(4), 4, 18)).machine == "machine 0x12"


def test_soft_float_is_a_matter_of_arm_alone(samples: Samples) -> None:
    assert elf.read(patched(samples[f"{ARM}/shared"], 36, 0x05000200)).soft_float
    assert not elf.read(patched(samples[f"{ARM}/shared"], 36, 0x05000400)).soft_float
    assert not elf.read(patched(samples[f"{LINUX}/shared"], 48, 0x05000200)).soft_float


def test_both_kinds_of_run_paths(samples: Samples) -> None:
    def add(parsed: Any, lief: Any) -> None:
        parsed.add(lief.ELF.DynamicEntryRpath(["/a", "/b"]))
        parsed.add(lief.ELF.DynamicEntryRunPath(["/c"]))

    assert elf.read(edited(samples[f"{LINUX}/shared"], "ELF", add)).run_paths == ("/a", "/b", "/c")
    assert elf.read(samples[f"{LINUX}/shared"]).run_paths == ()


def test_what_an_elf_file_needs_and_gives(samples: Samples) -> None:
    facts = elf.read(samples[f"{LINUX}/shared"])
    assert (facts.machine, facts.needed, facts.glibc, facts.interpreter) == ("x64", ("libc.so.6",), "2.2.5", "")
    assert "napi_register_module_v1" in facts.exports and "" not in facts.exports
    assert facts.glibc_symbols and not set(facts.glibc_symbols) & facts.exports
    odd = elf.read(samples["odd/glibc-2.34"])
    assert (odd.glibc, odd.glibc_symbols) == ("2.34", ("pthread_create",))


@pytest.mark.parametrize(
    ("sections", "segments", "ends", "size", "fine"),
    [
        (2, 1, 100, 200, True),
        (2, 1, 200, 200, True),
        (2, 1, 201, 200, False),  # a segment that ends beyond the file
        (5, 1, 100, 200, False),  # the table of sections does
        (2, 9, 100, 200, False),  # the table of segments does
        (0, 1, 100, 200, True),
        (2, 0, 100, 200, True),
        (0, 0, 100, 200, False),
    ],
)
def test_headers_that_speak_of_more_than_there_is(
    sections: int, segments: int, ends: int, size: int, fine: bool
) -> None:
    header = SimpleNamespace(
        section_header_offset=100, numberof_sections=sections, section_header_size=40,
        program_header_offset=64, numberof_segments=segments, program_header_size=20,
    )  # fmt: skip
    made = SimpleNamespace(
        header=header, sections=[None] * sections, segments=[SimpleNamespace(file_offset=ends - 50, physical_size=50)]
    )
    if fine:
        elf._whole(made, size)
        made.sections.append(None)  # more than were announced
    with pytest.raises(FormatError):
        elf._whole(made, size)


@pytest.mark.parametrize(("kind", "role"), [(2, "executable"), (6, "shared"), (8, "shared"), (1, "other")])
def test_the_role_of_a_macos_file(samples: Samples, kind: int, role: str) -> None:
    assert macho.read(patched(samples[f"{MAC}/shared"], 12, kind)).role == role


@pytest.mark.parametrize(
    ("version", "text"), [([11, 0, 0], "11.0"), ([10, 12, 1], "10.12.1"), ([11, 0], "11.0"), ([10, 12, 0], "10.12")]
)
def test_versions_of_macos(version: list[int], text: str) -> None:
    assert macho._dotted(version) == text


@pytest.mark.parametrize(
    ("build", "least", "found"),
    [
        ("", "", ("none", "")),
        ("MACOS", "", ("MACOS", "11.0")),
        ("IOS", "", ("IOS", "11.0")),
        ("", "VERSION_MIN_MACOSX", ("MACOS", "10.9")),
        ("", "VERSION_MIN_IPHONEOS", ("VERSION_MIN_IPHONEOS", "10.9")),
        ("MACOS", "VERSION_MIN_IPHONEOS", ("MACOS", "11.0")),
    ],
)
def test_the_platform_of_a_macos_file(build: str, least: str, found: tuple[str, str]) -> None:
    """Old files name it by another load command."""
    made = SimpleNamespace(
        has_build_version=bool(build), build_version=SimpleNamespace(platform=SimpleNamespace(name=build), minos=[11, 0, 0]),
        has_version_min=bool(least), version_min=SimpleNamespace(command=SimpleNamespace(name=least), version=[10, 9, 0]),
    )  # fmt: skip
    assert macho._platform(made) == found


def test_what_a_macos_library_calls_itself_and_needs(samples: Samples) -> None:
    library, program = macho.read(samples[f"{MAC}/shared"]), macho.read(samples[f"{MAC}/executable"])
    assert library.install_name.startswith("@rpath/") and library.install_name not in library.needed
    assert library.needed == ("/usr/lib/libSystem.B.dylib",)
    assert (program.install_name, program.role, program.signed) == ("", "executable", True)
    assert "napi_register_module_v1" in library.exports


def test_a_cut_macos_file_without_a_signature() -> None:
    made = SimpleNamespace(
        commands=[SimpleNamespace(size=8)] * 2, header=SimpleNamespace(nb_cmds=2, sizeof_cmds=16), segments=[SimpleNamespace(file_offset=10, file_size=90)],
        has_code_signature=False, code_signature=SimpleNamespace(data_offset=100, data_size=20),
    )  # fmt: skip
    macho._whole(made, 100)
    with pytest.raises(FormatError, match="its headers speak of 100 bytes, the file has 99"):
        macho._whole(made, 99)
    made.has_code_signature = True
    macho._whole(made, 120)
    with pytest.raises(FormatError, match="its headers speak of 120 bytes, the file has 119"):
        macho._whole(made, 119)
    macho._whole(SimpleNamespace(**{**vars(made), "segments": [], "has_code_signature": False}), 0)


def test_the_role_of_a_windows_file(samples: Samples) -> None:
    for sample, dll, role in (("shared", 0x2000, "shared"), ("executable", 0, "executable")):
        data = samples[f"{WINDOWS}/{sample}"]
        at = int.from_bytes(data[0x3C:0x40], "little") + 22  # Characteristics
        assert pe.read(data).role == role
        flags = int.from_bytes(data[at : at + 2], "little")
        assert flags & 0x2000 == dll
        assert (
            pe.read(patched(data, at, flags ^ 0x2000, 2)).role == {"shared": "executable", "executable": "shared"}[role]
        )
        assert pe.read(patched(data, at, flags & ~2, 2)).role == "other"


def test_a_windows_file_with_a_section_too_many(samples: Samples) -> None:
    data = samples[f"{WINDOWS}/shared"]
    at = int.from_bytes(data[0x3C:0x40], "little") + 6
    count = int.from_bytes(data[at : at + 2], "little")
    with pytest.raises(FormatError, match="truncated: its headers speak of"):
        pe.read(patched(data, at, count + 40, 2))
    facts = pe.read(data)
    assert facts.needed == tuple(sorted(facts.needed)) and all(name == name.lower() for name in facts.needed)
    assert "napi_register_module_v1" in facts.exports


@pytest.mark.parametrize(
    ("sample", "words"),
    [
        (f"{LINUX}/shared", "linux x64 glibc 2.2.5"),
        ("x86_64-unknown-linux-musl/shared", "linux x64 musl"),
        ("x86_64-unknown-linux-musl/executable", "linux x64"),
        (f"{ARM}/shared", "linux arm glibc 2.4"),
        (f"{MAC}/executable", "darwin arm64 11.0"),
        ("x86_64-apple-darwin/shared", "darwin x64 10.12"),
        (f"{WINDOWS}/shared", "win32 x64"),
        ("aarch64-pc-windows-msvc/executable", "win32 arm64"),
    ],
)
def test_a_binary_in_a_line(samples: Samples, sample: str, words: str) -> None:
    found = machine.read(samples[sample])
    assert found.words == words
    assert found.signature_faults == ()
    if sample.endswith("shared"):
        assert "napi_register_module_v1" in found.exports and found.needed


def part(cpu: str, **changes: object) -> macho.MachOFacts:
    wanted = {"platform": "MACOS", "minimum": "11.0", "exports": frozenset({"f"}), "signed": True, "needed": ("a",)}
    own = {**wanted, "signature_faults": (), **changes}
    return macho.MachOFacts(machine=cpu, role="shared", install_name="", run_paths=(), **own)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("parts", "words", "faults"),
    [
        ([part("x64"), part("arm64")], "darwin x64+arm64 11.0", ()),
        ([part("x64", minimum="10.12"), part("arm64")], "darwin x64+arm64 10.12 11.0", ()),
        ([part("x64", platform="none", minimum="")], "darwin x64", ()),
        ([part("arm64", platform="IOS")], "ios arm64 11.0", ()),
        ([part("x64", signed=False)], "darwin x64 11.0", ()),
        ([part("arm64", signed=False)], "darwin arm64 11.0", (macho.UNSIGNED,)),
        ([part("x64"), part("arm64", signature_faults=("cut",))], "darwin x64+arm64 11.0", ("cut",)),
    ],
)
def test_files_for_several_processors(
    monkeypatch: pytest.MonkeyPatch, parts: list[macho.MachOFacts], words: str, faults: tuple[str, ...]
) -> None:
    monkeypatch.setattr(macho, "read_all", lambda _: tuple(parts))
    found = machine.read(b"\xca\xfe\xba\xbe")
    assert (found.words, found.signature_faults) == (words, faults)


def test_a_file_for_several_processors_gives_what_all_give(monkeypatch: pytest.MonkeyPatch) -> None:
    both = (
        part("x64", exports=frozenset("fg"), needed=("b", "a")),
        part("arm64", exports=frozenset("fh"), needed=("c",)),
    )
    monkeypatch.setattr(macho, "read_all", lambda _: both)
    found = machine.read(b"\xca\xfe\xba\xbe")
    assert (found.exports, found.needed) == (frozenset("f"), ("a", "b", "c"))
    assert found.macos == (("x64", "11.0"), ("arm64", "11.0"))


@pytest.mark.parametrize(("head", "binary"), [
    (b"\xca\xfe\xba\xbe\0\0\0\x02", True), (b"\xca\xfe\xba\xbe\0\0\0\x14", True), (b"\xca\xfe\xba\xbe\0\0\0\x15", False),
    (b"\x7fELF\0\0\0\xff", True), (b"MZ\0\0\0\0\0\xff", True), (b"\xcf\xfa\xed\xfe\0\0\0\xff", True), (b"\0asm\x01\0\0\0", False),
    (b"#!/bin/sh", False),
])  # fmt: skip
def test_what_begins_like_a_program(head: bytes, binary: bool) -> None:
    """A class file of Java begins as a universal file does."""
    assert machine.is_binary(head) is binary


def blob(data: bytes, *, limit: int, pages: int, log_page: int = 12, kind: int = 2, width: int = 32) -> bytes:
    """A signature of one code directory over the first bytes of a file."""
    import hashlib

    size = 1 << log_page
    sums = b"".join(hashlib.new({1: "sha1", 2: "sha256", 4: "sha384"}[kind], data[i * size : min((i + 1) * size, limit)]).digest()[:width] for i in range(pages))  # fmt: skip
    numbers = (0xFADE0C02, 0, 0, 0, 44, 0, 0, pages, limit)
    directory = b"".join(n.to_bytes(4, "big") for n in numbers) + bytes([width, kind, 0, log_page]) + bytes(4) + sums
    return b"".join(n.to_bytes(4, "big") for n in (0xFADE0CC0, 20 + len(directory), 1, 0, 20)) + directory


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"limit": 5000, "pages": 2}, ""),
        ({"limit": 4096, "pages": 1}, "leaves out the last 904 bytes"),
        ({"limit": 4984, "pages": 2}, "leaves out the last 16 bytes"),
        ({"limit": 4985, "pages": 2}, ""),
        ({"limit": 5001, "pages": 2}, "covers 5001 bytes in 2 pages, the file has 5000 before it"),
        ({"limit": 5000, "pages": 1}, "covers 5000 bytes in 1 pages"),
        ({"limit": 5000, "pages": 3}, "covers 5000 bytes in 3 pages"),
        ({"limit": 5000, "pages": 20, "log_page": 8}, ""),
        ({"limit": 5000, "pages": 40, "log_page": 7}, "hashes of an unknown kind"),
        ({"limit": 5000, "pages": 1, "log_page": 20}, ""),
        ({"limit": 5000, "pages": 1, "log_page": 21}, "hashes of an unknown kind"),
        ({"limit": 5000, "pages": 2, "kind": 1, "width": 20}, ""),
        ({"limit": 5000, "pages": 2, "kind": 4, "width": 48}, ""),
        ({"limit": 5000, "pages": 2, "kind": 2, "width": 20}, ""),  # cut short on purpose
    ],
)
def test_the_limits_of_a_signature(options: dict[str, int], said: str) -> None:
    data = bytes(i % 251 for i in range(5000))
    whole = data + blob(data, **options)
    found = list(codesign.faults(whole, 5000, len(whole) - 5000))
    assert len(found) == bool(said) and all(said in fault for fault in found), found
    if not said:
        for at in (0, options["limit"] - 1):
            changed = patched(whole, at, whole[at] ^ 1, 1)
            [fault] = codesign.faults(changed, 5000, len(whole) - 5000)
            assert (
                fault == f"its code signature does not match: 1 of {options['pages']} pages were changed after signing"
            )
        assert list(codesign.faults(whole[:-1], 5000, len(whole) - 5001)) != []


@pytest.mark.parametrize(("kind", "said"), [(0, []), (0x1000, []), (0x1004, []), (0x1005, ["holds no hashes"]), (2, ["holds no hashes"])])  # fmt: skip
def test_where_a_signatures_hashes_are_kept(kind: int, said: list[str]) -> None:
    signature = blob(bytes(5000), limit=5000, pages=2)
    whole = bytes(5000) + signature[:12] + kind.to_bytes(4, "big") + signature[16:]
    assert [f.removeprefix("its code signature ") for f in codesign.faults(whole, 5000, len(signature))] == said


@pytest.mark.parametrize(
    ("name", "fine"),
    [
        ("a" * 255, True), ("a" * 256, False), ("é" * 127, True), ("é" * 128, False),
        ("/".join(["a" * 249] * 3 + ["a" * 250]), True), ("/".join(["a" * 249] * 3 + ["a" * 251]), False),
    ],
)  # fmt: skip
def test_how_long_a_name_may_be(name: str, fine: bool) -> None:
    if fine:
        assert unpack.safe_name(name) == name
    else:
        with pytest.raises(FormatError, match="is longer than a file system takes"):
            unpack.safe_name(name)


def test_a_long_name_is_shown_in_part() -> None:
    for name, shown in (("/" + "a" * 79, "/" + "a" * 79), ("/" + "a" * 80, "/" + "a" * 79 + "...")):
        with pytest.raises(FormatError) as caught:
            unpack.safe_name(name)
        assert str(caught.value) == f"the name {shown!r} would leave the folder it is unpacked to"


@pytest.mark.parametrize(
    ("extra", "found"),
    [
        (b"", set()), (b"\x75\x70\0", set()), (b"\x75\x70\0\0", {0x7075}), (b"\x01\0\x02\0ab\x75\x70\0\0", {1, 0x7075}),
        (b"\x01\0\x03\0ab\x75\x70\0\0", {1}), (b"\x01\x02\x00\x01", {0x201}),
    ],
)  # fmt: skip
def test_extra_fields_of_a_zip(extra: bytes, found: set[int]) -> None:
    assert unpack._extra_fields(extra) == found
