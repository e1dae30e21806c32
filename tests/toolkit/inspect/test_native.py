"""Programs, libraries and addons: the right ones pass, everything wrong is named."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rva.inspect import codesign, elf, macho, pe
from rva.inspect.sniff import FormatError

TRIPLES = (
    "x86_64-unknown-linux-gnu",
    "aarch64-unknown-linux-gnu",
    "armv7-unknown-linux-gnueabihf",
    "x86_64-unknown-linux-musl",
    "aarch64-unknown-linux-musl",
    "x86_64-apple-darwin",
    "aarch64-apple-darwin",
    "x86_64-pc-windows-msvc",
    "aarch64-pc-windows-msvc",
)
# kind, prefix of the row's id, which sample
FILES = (
    ("addon", "napi", "shared"),
    ("executable", "cli", "executable"),
    ("shared", "native-c", "shared"),
    ("static", "native-c", "static"),
)
LINUX, ARM, MUSL, MAC = TRIPLES[0], TRIPLES[2], TRIPLES[3], TRIPLES[6]

Inspect = Callable[..., tuple[str, ...]]
Samples = dict[str, bytes]


@pytest.mark.parametrize("triple", TRIPLES)
@pytest.mark.parametrize(("kind", "family", "sample"), FILES)
def test_the_right_file_has_no_fault(
    inspect: Inspect, samples: Samples, triple: str, kind: str, family: str, sample: str
) -> None:
    assert inspect(samples[f"{triple}/{sample}"], kind, f"{family}-{triple}") == ()


@pytest.mark.parametrize("triple", TRIPLES)
@pytest.mark.parametrize(("kind", "family", "sample"), FILES)
def test_every_other_platforms_file_is_refused(
    inspect: Inspect, samples: Samples, triple: str, kind: str, family: str, sample: str
) -> None:
    """The full cross matrix: 9 rows x 8 wrong files x 4 kinds."""
    for other in TRIPLES:
        # An object file says nothing of its C library: glibc and musl static libraries read the same.
        same_objects = sample == "static" and other.split("-")[:3] == triple.split("-")[:3]
        if other != triple and not same_objects:
            assert inspect(samples[f"{other}/{sample}"], kind, f"{family}-{triple}"), f"{other} passed as {triple}"


@pytest.mark.parametrize("triple", TRIPLES)
def test_a_file_of_another_kind_is_refused(inspect: Inspect, samples: Samples, triple: str) -> None:
    program, library, archive = (samples[f"{triple}/{s}"] for s in ("executable", "shared", "static"))
    for data in (library, archive):
        assert inspect(data, "executable", f"cli-{triple}")
    for data in (program, archive):
        assert inspect(data, "addon", f"napi-{triple}")
        assert inspect(data, "shared", f"native-c-{triple}")
    for data in (program, library):
        assert inspect(data, "static", f"native-c-{triple}")


@pytest.mark.parametrize("triple", TRIPLES)
@pytest.mark.parametrize(("kind", "family", "sample"), FILES)
def test_a_truncated_file_is_refused(
    inspect: Inspect, samples: Samples, triple: str, kind: str, family: str, sample: str
) -> None:
    whole = samples[f"{triple}/{sample}"]
    # The last byte of a static library may be mere padding.
    for keep in (0, 1, 2, 4, 8, 20, 64, 200, len(whole) // 2, len(whole) - (2 if sample == "static" else 1)):
        assert inspect(whole[:keep], kind, f"{family}-{triple}"), f"{keep} of {len(whole)} bytes passed"


@pytest.mark.parametrize("triple", TRIPLES[7:])
def test_a_stand_in_is_held_against_its_own_triple(inspect: Inspect, samples: Samples, triple: str) -> None:
    real = triple.replace("msvc", "gnullvm")
    assert inspect(samples[f"{triple}/shared"], "addon", f"napi-{triple}", triple=real) == ()


def test_an_addon_exports_its_entry(inspect: Inspect, samples: Samples) -> None:
    for triple in TRIPLES:
        data = samples[f"{triple}/shared"].replace(b"napi_register_module_v1", b"napi_register_module_v9")
        assert "does not export napi_register_module_v1" in inspect(data, "addon", f"napi-{triple}")


def test_glibc_above_the_floor(inspect: Inspect, samples: Samples) -> None:
    faults = inspect(samples["odd/glibc-2.34"], "addon", f"napi-{LINUX}")
    assert "needs glibc 2.34 (pthread_create); the floor is 2.17" in faults


@pytest.mark.parametrize(("version", "fine"), [(b"2.9", True), (b"2.2.5", True), (b"2.17", True), (b"2.18", False)])
def test_glibc_versions_compare_as_numbers(version: bytes, fine: bool) -> None:
    assert (elf.version_key(version.decode()) <= elf.version_key("2.17")) is fine


def test_a_private_glibc_version_is_refused(inspect: Inspect, samples: Samples) -> None:
    whole = samples[f"{LINUX}/shared"]
    data = whole.replace(b"GLIBC_2.2.5", b"GLIBC_PRIVA")
    assert data != whole
    assert "needs GLIBC_PRIVA, which no release promises" in inspect(data, "addon", f"napi-{LINUX}")


def test_a_musl_program_is_static(inspect: Inspect, samples: Samples) -> None:
    faults = inspect(samples["odd/musl-dynamic"], "executable", f"cli-{MUSL}")
    assert len(faults) == 1 and faults[0].endswith("a static one was wanted")


def test_an_unknown_needed_library(inspect: Inspect, samples: Samples) -> None:
    data = samples[f"{LINUX}/shared"].replace(b"libc.so.6\0", b"libz.so.1\0")
    assert "needs libz.so.1, which not every machine of the row has" in inspect(data, "addon", f"napi-{LINUX}")
    data = samples[f"{MUSL}/shared"].replace(b"\0libc.so\0", b"\0libz.so\0")
    assert "needs libz.so, which not every machine of the row has" in inspect(data, "addon", f"napi-{MUSL}")


def test_an_elf_run_path(inspect: Inspect, samples: Samples) -> None:
    import lief

    parsed: Any = lief.ELF.parse(samples[f"{LINUX}/shared"])
    parsed.add(lief.ELF.DynamicEntryRunPath(["/opt/lib"]))
    faults = inspect(bytes(parsed.write_to_bytes()), "addon", f"napi-{LINUX}")
    assert "looks for libraries in /opt/lib; no run path was wanted" in faults


def test_software_floating_point(inspect: Inspect, samples: Samples) -> None:
    data = bytearray(samples[f"{ARM}/shared"])
    data[36:40] = (0x05000200).to_bytes(4, "little")  # e_flags: EABI 5, soft float
    assert "built for software floating point; the hard-float ABI was wanted" in inspect(
        bytes(data), "addon", f"napi-{ARM}"
    )


def test_the_interpreter(inspect: Inspect, samples: Samples) -> None:
    data = samples[f"{LINUX}/executable"].replace(b"/lib64/ld-linux-x86-64.so.2", b"/nix/64/ld-linux-x86-64.so9")
    assert any(
        "its interpreter is /nix/64/ld-linux-x86-64.so9" in f for f in inspect(data, "executable", f"cli-{LINUX}")
    )


def test_macos_above_the_floor(inspect: Inspect, samples: Samples) -> None:
    assert "asks for macOS 15.0; the floor is 11.0" in inspect(samples["odd/macos-15"], "shared", f"native-c-{MAC}")


def test_macos_install_name(inspect: Inspect, samples: Samples) -> None:
    faults = inspect(samples["odd/macos-build-path"], "shared", f"native-c-{MAC}")
    assert faults == (
        "its install name is /build/deps/libruvector_attention.dylib; one that starts with @rpath/ was wanted",
    )
    # An addon is opened by its path: what it calls itself is of no use, so it is held only against build paths.
    assert inspect(samples["odd/macos-build-path"], "addon", f"napi-{MAC}") == ()
    assert inspect(samples["odd/macos-build-path"], "addon", f"napi-{MAC}", forbidden=(b"/build/deps",))


def test_macos_run_path(inspect: Inspect, samples: Samples) -> None:
    faults = inspect(samples["odd/macos-run-path"], "executable", f"cli-{MAC}")
    assert faults == ("looks for libraries in /opt/lib; no run path was wanted",)


def test_macos_foreign_library(inspect: Inspect, samples: Samples) -> None:
    data = samples[f"{MAC}/shared"].replace(b"/usr/lib/libSystem.B.dylib", b"/opt/lib/libSystem.B.dylib")
    assert "needs /opt/lib/libSystem.B.dylib, which is not a part of macOS" in inspect(data, "addon", f"napi-{MAC}")


def test_macos_signature(inspect: Inspect, samples: Samples) -> None:
    import lief

    parsed: Any = lief.MachO.parse(samples[f"{MAC}/shared"])
    parsed[0].remove_signature()
    faults = inspect(bytes(parsed[0].write_to_bytes()), "addon", f"napi-{MAC}")
    assert "has no code signature; macOS on arm64 runs nothing without one" in faults


def test_a_flipped_byte_breaks_the_signature(inspect: Inspect, samples: Samples) -> None:
    """Wherever it is flipped, in every page that is signed."""
    import lief

    whole = samples[f"{MAC}/shared"]
    parsed: Any = lief.MachO.parse(whole)
    signature = parsed[0].code_signature.data_offset
    for at in range(0x1000, signature, 0x1000):
        data = bytearray(whole)
        data[at] ^= 1
        faults = inspect(bytes(data), "addon", f"napi-{MAC}")
        assert any("pages were changed after signing" in f for f in faults), hex(at)


@pytest.mark.parametrize(
    ("at", "new", "said"),
    [
        (0, b"\xfa\xde\x0c\xc1", "begins with 0xfade0cc1"),
        (8, b"\0\0\0\0", "holds no hashes"),
        (16, b"\x00\xff\xff\xff", "is cut short"),
    ],
)
def test_a_damaged_signature(inspect: Inspect, samples: Samples, at: int, new: bytes, said: str) -> None:
    whole = samples[f"{MAC}/shared"]
    place = whole.rindex(b"\xfa\xde\x0c\xc0") + at
    data = whole[:place] + new + whole[place + len(new) :]
    assert any(said in f for f in inspect(data, "addon", f"napi-{MAC}"))


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        (0, 0xFADE0C03, "unknown kind"),
        (28, 1, "covers"),
        (32, 0x7FFFFFFF, "covers"),
        (32, 0x1000, "covers"),
    ],
)
def test_a_damaged_code_directory(samples: Samples, field: int, value: int, said: str) -> None:
    whole = samples[f"{MAC}/shared"]
    start = whole.rindex(b"\xfa\xde\x0c\xc0")
    place = whole.index(b"\xfa\xde\x0c\x02", start) + field
    data = whole[:place] + value.to_bytes(4, "big") + whole[place + 4 :]
    [fault] = codesign.faults(data, start, len(data) - start)
    assert said in fault


def test_bytes_that_the_signature_leaves_out(samples: Samples) -> None:
    whole = samples[f"{MAC}/shared"]
    start = whole.rindex(b"\xfa\xde\x0c\xc0")
    padded = whole[:start] + bytes(64) + whole[start:]
    [fault] = codesign.faults(padded, start + 64, len(whole) - start)
    assert fault == "its code signature leaves out the last 64 bytes before it"


def test_another_apple_platform(inspect: Inspect, samples: Samples) -> None:
    import lief

    parsed: Any = lief.MachO.parse(samples[f"{MAC}/shared"])
    parsed[0].build_version.platform = lief.MachO.BuildVersion.PLATFORMS.IOS
    ios = bytes(parsed[0].write_to_bytes())
    # Changing a load command breaks the signature of its page too.
    assert "platform IOS; MACOS was wanted" in inspect(ios, "addon", f"napi-{MAC}")


def test_a_header_that_hides_a_load_command(samples: Samples) -> None:
    data = bytearray(samples[f"{MAC}/shared"])
    data[16] -= 1  # ncmds
    with pytest.raises(FormatError, match=r"its load commands take \d+ bytes, its header says \d+"):
        macho.read(bytes(data))


def test_a_universal_file(inspect: Inspect, samples: Samples) -> None:
    parts = [samples["x86_64-apple-darwin/shared"], samples[f"{MAC}/shared"]]
    head, body, at = bytearray(b"\xca\xfe\xba\xbe" + (2).to_bytes(4, "big")), b"", 0x4000
    for cpu, part in zip((0x01000007, 0x0100000C), parts, strict=True):
        head += b"".join(n.to_bytes(4, "big") for n in (cpu, 0, at, len(part), 14))
        padded = part + bytes(-len(part) % 0x4000)
        body, at = body + padded, at + len(padded)
    whole = bytes(head) + bytes(0x4000 - len(head)) + body
    with pytest.raises(FormatError, match="universal file for x64, arm64"):
        macho.read(whole)
    assert inspect(whole, "addon", f"napi-{MAC}") == (
        "format Mach-O universal; Mach-O was wanted for aarch64-apple-darwin",
    )


def test_a_mingw_library(inspect: Inspect, samples: Samples) -> None:
    triple = "x86_64-pc-windows-msvc"
    data = samples[f"{triple}/shared"].replace(b"KERNEL32.dll", b"libgccsn.dll")
    assert "needs libgccsn.dll, which not every machine of the row has" in inspect(data, "addon", f"napi-{triple}")


def test_the_visual_c_runtime_is_for_msvc_alone(inspect: Inspect, samples: Samples) -> None:
    import lief

    triple = "x86_64-pc-windows-msvc"
    parsed: Any = lief.PE.parse(samples[f"{triple}/executable"])
    parsed.add_import("VCRUNTIME140.dll").add_entry("memcpy")
    config = lief.PE.Builder.config_t()
    config.imports = True
    data = bytes(parsed.write_to_bytes(config))
    assert "vcruntime140.dll" in pe.read(data).needed
    assert inspect(data, "executable", f"cli-{triple}") == ()
    assert inspect(data, "executable", f"cli-{triple}", triple="x86_64-pc-windows-gnullvm")


@pytest.mark.parametrize("reader", [elf.read, macho.read, pe.read])
def test_readers_refuse_what_is_no_file_of_theirs(reader: Callable[[bytes], object]) -> None:
    for data in (b"", b"MZ", b"\x7fELF", b"\xcf\xfa\xed\xfe", b"nonsense" * 100):
        with pytest.raises(FormatError):
            reader(data)


@pytest.mark.skipif(sys.platform != "linux", reason="reads this Python's own executable as an ELF file")
def test_a_real_program_of_this_machine() -> None:
    facts = elf.read(Path(sys.executable).resolve().read_bytes())
    assert facts.role == "executable"
    assert facts.libc in ("glibc", "musl")
    assert facts.interpreter.startswith("/")


@pytest.mark.process
def test_lief_is_not_imported_before_it_is_needed() -> None:
    """Importing lief costs a quarter of a second, which `rva plan` has no use for."""
    code = "import sys; import rva.inspect.check; sys.exit('lief' in sys.modules)"
    env = {"PYTHONPATH": str(Path(__file__).parents[3] / "toolkit")}
    assert subprocess.run([sys.executable, "-c", code], env=env, check=False).returncode == 0
