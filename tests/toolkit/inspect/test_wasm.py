"""WebAssembly modules: sections, instruction levels, WASI's rules."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from rva.inspect import wasm
from rva.inspect.sniff import FormatError

Inspect = Callable[..., tuple[str, ...]]
Samples = dict[str, bytes]

LEVELS = ("baseline", "simd128", "relaxed-simd")
HOMES = ("web", "nodejs", "bundler")
HEADER = b"\0asm\x01\0\0\0"


def leb(number: int) -> bytes:
    out = b""
    while number > 0x7F:
        out, number = out + bytes([number & 0x7F | 0x80]), number >> 7
    return out + bytes([number])


def section(number: int, body: bytes) -> bytes:
    return bytes([number]) + leb(len(body)) + body


def text(name: str) -> bytes:
    return leb(len(name)) + name.encode()


def vector(items: list[bytes]) -> bytes:
    return leb(len(items)) + b"".join(items)


def module(
    *, code: bytes = b"", imports: tuple[str, ...] = (), exports: tuple[str, ...] = (), memory: bool = True
) -> bytes:
    """A module of one function () -> () with this body, some imported and exported functions, and a memory."""
    listed = [text(n) + b"\0" + leb(len(imports)) for n in exports]
    if memory:
        listed.append(text("memory") + b"\x02\0")
    parts = [
        section(1, vector([b"\x60\0\0"])),
        section(2, vector([text(m) + text("f") + b"\0\0" for m in imports])) if imports else b"",
        section(3, vector([b"\0"])),
        section(5, vector([b"\0\x01"])),
        section(7, vector(listed)),
        section(10, vector([leb(len(code) + 2) + b"\0" + code + b"\x0b"])),
    ]
    return HEADER + b"".join(parts)


@pytest.mark.parametrize("home", HOMES)
@pytest.mark.parametrize("level", LEVELS)
def test_each_level_has_its_own_module(inspect: Inspect, samples: Samples, home: str, level: str) -> None:
    assert inspect(samples[f"wasm/{level}"], "module", f"wasm-{home}-{level}") == ()


@pytest.mark.parametrize(
    ("level", "sample", "fault"),
    [
        ("baseline", "simd128", "holds SIMD instructions; the level baseline was wanted"),
        ("baseline", "relaxed-simd", "holds relaxed SIMD instructions; the level baseline was wanted"),
        ("simd128", "baseline", "holds no SIMD instruction; the level simd128 was wanted"),
        ("simd128", "relaxed-simd", "holds relaxed SIMD instructions; the level simd128 was wanted"),
        ("relaxed-simd", "baseline", "holds no relaxed SIMD instruction; the level relaxed-simd was wanted"),
        ("relaxed-simd", "simd128", "holds no relaxed SIMD instruction; the level relaxed-simd was wanted"),
        ("baseline", "threads", "holds thread instructions, which the row does not promise"),
    ],
)
def test_a_module_of_another_level(inspect: Inspect, samples: Samples, level: str, sample: str, fault: str) -> None:
    assert fault in inspect(samples[f"wasm/{sample}"], "module", f"wasm-web-{level}")


def test_wasi_modules(inspect: Inspect, samples: Samples) -> None:
    command, reactor = samples["wasi/command"], samples["wasi/reactor"]
    assert inspect(command, "module", "wasm-wasip1-cli") == ()
    assert inspect(reactor, "module", "wasm-wasip1-reactor") == ()
    assert inspect(reactor, "module", "wasm-wasip1-cli") == ("does not export _start; a WASI command was wanted",)
    assert inspect(command, "module", "wasm-wasip1-reactor") == (
        "exports _start; a WASI reactor was wanted, which is called by function",
    )
    assert "imports WASI functions, which a browser does not have" in inspect(command, "module", "wasm-web-baseline")


def test_wasi_imports_and_memory(inspect: Inspect) -> None:
    wasi = "wasi_snapshot_preview1"
    assert inspect(module(imports=(wasi,), exports=("_start",)), "module", "wasm-wasip1-cli") == ()
    assert inspect(module(imports=("env",), exports=("_start",)), "module", "wasm-wasip1-cli") == (
        "imports from 'env'; only 'wasi_snapshot_preview1' is there",
    )
    assert inspect(module(exports=("_start",), memory=False), "module", "wasm-wasip1-cli") == (
        "does not export its memory, which WASI functions need",
    )
    assert inspect(module(), "module", "wasm-wasip1-reactor") == ("exports no function",)


def test_a_module_for_a_row_that_has_none(inspect: Inspect, samples: Samples) -> None:
    assert inspect(samples["wasm/baseline"], "module", "cli-x86_64-apple-darwin") == (
        "row cli-x86_64-apple-darwin is for x64, which has no files of the kind module",
    )


def test_facts(samples: Samples) -> None:
    facts = wasm.read(samples["wasi/command"], code=True)
    assert facts.imports == (("wasi_snapshot_preview1", "proc_exit"),)
    assert facts.exports["_start"] == "func" and facts.exports["memory"] == "memory"
    assert (facts.simd, facts.relaxed_simd, facts.threads) == (False, False, False)
    assert wasm.read(samples["wasm/simd128"]).simd is None  # not read unless asked for


def test_target_features_section() -> None:
    marks = (b"+", "simd128"), (b"-", "atomics"), (b"=", "bulk-memory"), (b"X", "unknown")
    body = vector([mark + text(name) for mark, name in marks])
    data = module() + section(0, text("target_features") + body)
    assert wasm.read(data).features == {"simd128", "bulk-memory"}


@pytest.mark.parametrize(
    ("code", "used"),
    [
        (b"\x41\x00\x1a", set()),
        (b"\x43\xfd\xfd\xfd\xfd\x1a", set()),  # f32.const whose bytes look like SIMD
        (b"\x44" + b"\xfd" * 8 + b"\x1a", set()),
        (b"\x42\xfd\x01\x1a", set()),  # i64.const 253
        (b"\xfd\x0c" + b"\xfe" * 16 + b"\x1a", {"simd"}),  # v128.const whose bytes look like threads
        (b"\xfd\x0d" + b"\xfe" * 16, {"simd"}),
        (b"\xfd\x15\xfe", {"simd"}),  # i8x16.extract_lane whose lane looks like threads
        (b"\xfd\x85\x02", {"relaxed-simd"}),
        (b"\xfe\x03\x00", {"threads"}),
        (b"\xfe\x00\x02\x00", {"threads"}),
        (b"\x02\x40\x0b", set()),
        (b"\x0e\x02\x00\x01\x02", set()),
        (b"\x1c\x01\x7b", set()),
        *(
            (b"\x1f\x40\x01" + bytes([kind]) + b"\xfd\x01" * 2 + b"\x0b", set()) for kind in (0, 1)
        ),  # try_table: tag, label
        *(
            (b"\x1f\x40\x01" + bytes([kind]) + b"\xfd\x01\xfe\x03\x00\x0b", {"threads"}) for kind in (2, 3)
        ),  # all tags: a label
        (b"\x1f\x40\x02\x00\xfd\x01\x00\x02\x00\x0b", set()),  # two clauses
        (b"\xfc\x0a\x00\x00", set()),
        (b"\x28\x42\x01\x7d", set()),  # i32.load from memory 1: a third number follows
        (b"\x20\xfd\xfd\x01", set()),
    ],
)
def test_instructions_are_told_from_their_operands(code: bytes, used: set[str]) -> None:
    facts = wasm.read(module(code=code), code=True)
    found = {
        n for n, v in (("simd", facts.simd), ("relaxed-simd", facts.relaxed_simd), ("threads", facts.threads)) if v
    }
    assert found == used


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0asm",
        b"\0asm\x02\0\0\0",
        HEADER + b"\x01",
        HEADER + section(99, b""),
        HEADER + section(3, b"\0") + section(1, b"\0"),
        HEADER + section(1, b"\0") + section(1, b"\0"),
        HEADER + b"\x01\xff\xff\xff\xff\x0f",
        HEADER + section(0, b"\x05ab"),
        HEADER + section(0, b"\x02\xff\xfe"),
        HEADER + section(2, vector([text("m") + text("f") + b"\x09\0"])),
        HEADER + section(7, vector([text("f") + b"\x09\0"])),
        HEADER + section(2, b"\x7f"),
        HEADER + b"\x0a" + b"\xff" * 12,
        module(code=b"\xff"),
        module(code=b"\x17"),
        module(code=b"\xfc\x7f"),
        module(code=b"\xfd\xff\x7f"),
        module(code=b"\xfd" + leb(0x114)),
        module(code=b"\x43\x00"),
    ],
)
def test_a_damaged_module_is_refused(inspect: Inspect, data: bytes) -> None:
    with pytest.raises(FormatError):
        wasm.read(data, code=True)
    assert len(inspect(data, "module", "wasm-web-baseline")) == 1


def test_no_truncation_passes(samples: Samples) -> None:
    whole = samples["wasm/simd128"]
    sound = 0
    for keep in range(len(whole)):
        try:
            facts = wasm.read(whole[:keep], code=True)
        except FormatError:
            continue
        # A module that ends between two sections is well-formed; it then lacks what came after.
        sound += 1
        assert not (facts.exports and facts.simd)
    assert sound <= 8


def test_tables_globals_and_memories_among_the_imports() -> None:
    entries = [
        text("env") + text("f") + b"\0\x05",
        text("env") + text("t") + b"\x01\x70\x01\x01\x02",
        text("env") + text("m") + b"\x02\x01\x80\x01\x80\x02",
        text("env") + text("l") + b"\x02\x00\x80\x01",  # without a maximum
        text("env") + text("g") + b"\x03\x7f\x01",
        text("env") + text("e") + b"\x04\0\x00",
    ]
    facts = wasm.read(HEADER + section(2, vector(entries)))
    assert [n for _, n in facts.imports] == ["f", "t", "m", "l", "g", "e"]


# Numbers after each opcode, from the specification's index of instructions and its exception-handling appendix.
NO_NUMBER = (0x00, 0x01, 0x05, 0x0A, 0x0B, 0x0F, 0x19, 0x1A, 0x1B, *range(0x45, 0xC5), 0xD1)
ONE_NUMBER = (
    0x02, 0x03, 0x04, 0x06, 0x07, 0x08, 0x09, 0x0C, 0x0D, 0x10, 0x12, 0x14, 0x15, 0x18,
    0x20, 0x21, 0x22, 0x23, 0x24, 0x25, 0x26, 0x3F, 0x40, 0x41, 0x42, 0xD0, 0xD2,
)  # fmt: skip
TWO_NUMBERS = (0x11, 0x13)
BULK = {
    0: 0,
    1: 0,
    2: 0,
    3: 0,
    4: 0,
    5: 0,
    6: 0,
    7: 0,
    8: 2,
    9: 1,
    10: 2,
    11: 1,
    12: 2,
    13: 1,
    14: 2,
    15: 1,
    16: 1,
    17: 1,
}
NUMBER = b"\xfd\x01"  # 253; read as an instruction it would be v128.load8x8_s
PLACE = b"\x02\xfd\x01"  # alignment and offset
CASES = [
    *((bytes([op]), b"") for op in NO_NUMBER),
    *((bytes([op]), NUMBER) for op in ONE_NUMBER),
    *((bytes([op]), NUMBER * 2) for op in TWO_NUMBERS),
    *((bytes([op]), PLACE) for op in range(0x28, 0x3F)),
    *((bytes([0xFC, op]), NUMBER * n) for op, n in BULK.items()),
]


def read_function(code: bytes) -> wasm.WasmFacts:
    return wasm.read(module(code=code), code=True)


@pytest.mark.parametrize(("opcode", "operands"), CASES, ids=[c[0].hex() for c in CASES])
def test_each_instruction_takes_its_own_numbers(opcode: bytes, operands: bytes) -> None:
    """One too few and an operand would look like SIMD; one too many and the function's end would be missing."""
    facts = read_function(opcode + operands)
    assert (facts.simd, facts.threads) == (False, False)
    # The next instruction is read as one, so nothing of it was taken for an operand.
    assert read_function(opcode + operands + b"\xfe\x03\x00").threads
    if operands:
        with pytest.raises(FormatError):
            read_function(opcode + operands[:-2] + b"\x80\x80")


@pytest.mark.parametrize("operation", [*range(0x114)])
def test_each_vector_instruction_takes_its_own_operands(operation: int) -> None:
    if operation <= 11 or operation in (92, 93):
        operands = b"\x17\xfe\x01"  # an alignment that is no instruction
    elif 84 <= operation <= 91:
        operands = b"\x17\xfe\x01\xfe"
    elif operation in (12, 13):
        operands = b"\xfe" * 16
    elif 21 <= operation <= 34:
        operands = b"\xfe"
    else:
        operands = b""
    facts = read_function(b"\xfd" + leb(operation) + operands)
    assert (facts.simd, facts.relaxed_simd) == (operation < 0x100, operation >= 0x100)
    assert not facts.threads
    assert read_function(b"\xfd" + leb(operation) + operands + b"\xfe\x03\x00").threads


def test_code_is_not_read_unless_asked(samples: Samples) -> None:
    facts = wasm.read(samples["wasm/threads"])
    assert (facts.simd, facts.relaxed_simd, facts.threads) == (None, None, None)
