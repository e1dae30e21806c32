"""platforms.toml: the project's own loads; every malformed or hostile one is refused with line, value and suggestion."""

from __future__ import annotations

import os
import random
import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from rva import matrix
from rva.errors import MatrixError
from rva.model import Matrix, to_json
from rva.tomlmap import positions

Load = Callable[[str | bytes], Matrix]
SLOW_S = 5.0


@pytest.fixture(scope="module")
def text(root: Path) -> str:
    """The project's own platforms.toml."""
    return (root / "platforms.toml").read_text("utf-8")


@pytest.fixture
def load(project: Path) -> Load:
    """Load a text or bytes as that folder's platforms.toml."""

    def run(content: str | bytes) -> Matrix:
        data = content.encode() if isinstance(content, str) else content
        (project / "platforms.toml").write_bytes(data)
        return matrix.load(project)

    return run


def refused(load: Load, content: str | bytes) -> str:
    """What the one MatrixError says; it comes soon and is no essay."""
    before = time.monotonic()
    with pytest.raises(MatrixError) as caught:
        load(content)
    assert time.monotonic() - before < SLOW_S
    assert caught.value.code == 3
    assert caught.value.as_json()["error"]
    assert len(caught.value.what) < 20_000
    return caught.value.what


def edited(text: str, old: str, new: str) -> tuple[str, int]:
    """The text with its first ``old`` replaced, and the line of the change."""
    assert old in text, f"platforms.toml no longer holds {old!r}"
    line = text[: text.index(old)].count("\n") + 1
    return text.replace(old, new, 1), line


def test_the_projects_own_file(table: Matrix) -> None:
    assert len(table.targets) == 52
    assert len({t.id for t in table.targets}) == 52
    families = [t.family for t in table.targets]
    assert {f: families.count(f) for f in sorted(set(families))} == {"cli": 9, "napi": 10, "native": 21, "wasm": 12}
    assert {t.priority for t in table.targets} == {"P0", "P1", "P2"}
    by_id = {t.id: t for t in table.targets}
    windows = by_id["napi-x86_64-pc-windows-msvc"]
    assert (windows.os, windows.cpu, windows.libc) == ("win32", "x64", "msvc")
    assert windows.stand_in == "x86_64-pc-windows-gnullvm"
    assert by_id["cli-x86_64-unknown-linux-gnu"].floor == "2.17"
    assert by_id["cli-x86_64-apple-darwin"].floor == "10.12"
    assert by_id["cli-aarch64-apple-darwin"].floor == "11.0"


def test_the_version_comes_from_cargo_toml(load: Load, text: str) -> None:
    assert load(text).version == "1.2.3"


def test_a_matrix_prints_as_json(table: Matrix) -> None:
    assert '"id": "wasm-web-baseline"' in to_json(table)


def test_a_byte_order_mark_is_allowed(load: Load, text: str) -> None:
    assert len(load("\ufeff" + text).targets) == 52


def test_windows_line_ends_are_allowed(load: Load, text: str) -> None:
    assert len(load(text.replace("\n", "\r\n")).targets) == 52


# What is changed, into what, and what the message has to hold. The message names the line of the change.
SOURCES = 'sources = ["core/src", "core/Cargo.toml", "core/README.md", "bindings/wasm"]'
EDITS: list[tuple[str, str, str]] = [
    # unknown keys, each with a suggestion
    ("schema_version = 1", "schema_version = 1\nrow = 1", "unknown key 'row'; did you mean rows"),
    ('name = "ruvector-attention"', 'nmae = "ruvector-attention"', "unknown key 'nmae'; did you mean name"),
    ("[recipes.wasm]", "[recipe.wasm]", "unknown key 'recipe'; did you mean recipes"),
    ("[recipes.cli]", "[recipes.clli]", "'clli' is not one of"),
    ('priority = "P0"', 'prioirty = "P0"', "unknown key 'prioirty'; did you mean priority"),
    ('wasm-pack = "', 'wasm-pakc = "', "unknown tool 'wasm-pakc'; did you mean wasm-pack"),
    ('floor = "2.17"', 'flor = "2.17"', "unknown key 'flor'; did you mean floor"),
    ('stage = "lint"', 'stage = "lint"\nshell = true', "unknown key 'shell'"),
    # wrong types
    ("schema_version = 1", 'schema_version = "1"', "schema_version: '1' is not one of 1"),
    ("schema_version = 1", "schema_version = 2", "schema_version: 2 is not one of 1"),
    ("schema_version = 1", "schema_version = true", "schema_version: True"),
    ("schema_version = 1", "schema_version = 1.5", "1.5 is not one of 1"),
    ("schema_version = 1", "schema_version = nan", "nan is not one of 1"),
    ("schema_version = 1", "schema_version = -inf", "-inf is not one of 1"),
    ("schema_version = 1", "schema_version = 1979-05-27", "1979-05-27 is not one of 1"),
    ("schema_version = 1", "schema_version = 07:32:00", "07:32:00 is not one of 1"),
    ("schema_version = 1", "schema_version = 1979-05-27T07:32:00Z", "1979-05-27 07:32:00+00:00 is not one of 1"),
    ("schema_version = 1", "schema_version = 9223372036854775808", "9223372036854775808 is not one of 1"),
    ("schema_version = 1", "schema_version = []", "[] is not one of 1"),
    ('rust = "1.96.0"', "rust = 1.96", "tools.rust: 1.96"),
    ('rust = "1.96.0"', 'rust = ["1.96.0"]', "tools.rust: ['1.96.0']"),
    ('rust = "1.96.0"', "rust = 2026-01-01", "tools.rust: "),
    (
        SOURCES,
        'sources = "core"',
        "recipes.wasm.sources: 'core'",
    ),
    (
        SOURCES,
        "sources = [1, 2]",
        "recipes.wasm.sources[0]: 1",
    ),
    (
        SOURCES,
        'sources = { a = "core" }',
        "recipes.wasm.sources",
    ),
    ("budget = { module = 240_000", "budget = { module = 0", "recipes.wasm.budget.module: 0"),
    ("budget = { module = 240_000", "budget = { module = -1", "recipes.wasm.budget.module: -1"),
    ("budget = { module = 240_000", "budget = { module = 1e9", "recipes.wasm.budget.module"),
    ("budget = { module = 240_000", "budget = { module = true", "recipes.wasm.budget.module: True"),
    ("budget = { module = 240_000", "budget = { module = 99999999999", "recipes.wasm.budget.module"),
    ("budget = { module = 240_000", "budget = { modul = 300_000", "'modul' is not one of"),
    # values outside the known ones
    ('family = "wasm"', 'family = "wasn"', "'wasn' is not one of cli, napi, native, wasm; did you mean wasm"),
    ('family = "wasm"', 'family = "cli"', "wasm belongs to 'wasm', not to 'cli'"),
    ('priority = "P0"', 'priority = "P9"', "'P9' is not one of P0, P1, P2"),
    ('recipe = "napi"', 'recipe = "npai"', "'npai' is not one of"),
    ('os = "web"', 'os = "webb"', "'webb' is not one of"),
    ('stage = "lint"', 'stage = "lnit"', "'lnit' is not one of"),
    # a shell's characters, options, paths that leave the checkout
    ('rust = "1.96.0"', 'rust = "1.96.0; rm -rf /"', "numbers and dots"),
    ('rust = "1.96.0"', 'rust = "$(id)"', "numbers and dots"),
    ('rust = "1.96.0"', 'rust = "`id`"', "numbers and dots"),
    ('rust = "1.96.0"', 'rust = "1.96.0 --config evil"', "numbers and dots"),
    ('rust = "1.96.0"', 'rust = ""', "numbers and dots"),
    ('rust = "1.96.0"', 'rust = "-1"', "numbers and dots"),
    ('rust = "1.96.0"', 'rust = "1..96"', "numbers and dots"),
    ('rust = "1.96.0"', 'rust = "１.96.0"', "numbers and dots"),  # noqa: RUF001
    ('crate = "ruvector-attention-wasm"', 'crate = "--config=evil"', "letters, digits, dot"),
    ('crate = "ruvector-attention-wasm"', 'crate = "a b"', "letters, digits, dot"),
    ('crate = "ruvector-attention-wasm"', 'crate = "a|b"', "letters, digits, dot"),
    ('crate = "ruvector-attention-wasm"', 'crate = "a&&b"', "letters, digits, dot"),
    ('crate = "ruvector-attention-wasm"', 'crate = "ruvector\u2010attention"', "letters, digits, dot"),
    ('crate = "ruvector-attention-wasm"', f'crate = "{"a" * 101}"', "letters, digits, dot"),
    ('package = "ruvector-attention-wasm"', 'package = "@../x"', "a package name"),
    ('package = "ruvector-attention-wasm"', 'package = "a/b/c"', "a package name"),
    ('folder = "bindings/wasm"', 'folder = "../outside"', "a path below the checkout"),
    ('folder = "bindings/wasm"', 'folder = "bindings/../../outside"', "a path below the checkout"),
    ('folder = "bindings/wasm"', 'folder = "/etc"', "a path below the checkout"),
    ('folder = "bindings/wasm"', 'folder = "-rf"', "a path below the checkout"),
    ('folder = "bindings/wasm"', "folder = 'C:\\Windows'", "a path below the checkout"),
    ('folder = "bindings/wasm"', 'folder = "~/x"', "a path below the checkout"),
    ('folder = "bindings/wasm"', 'folder = "$HOME"', "a path below the checkout"),
    ('folder = "bindings/wasm"', 'folder = "bindings/gone"', "'bindings/gone' does not exist"),
    ('vectors = "tests/vectors/attention.json"', 'vectors = "tests/gone.json"', "'tests/gone.json' does not exist"),
    ('repository = "https://', 'repository = "http://', "an https address"),
    ('repository = "https://', 'repository = "https://u:p@', "an https address"),
    ('repository = "https://', 'repository = "javascript:', "an https address"),
    ('argv = ["{dev}/mypy"]', 'argv = ["a; b"]', "one argument of a command"),
    ('argv = ["{dev}/mypy"]', 'argv = ["$(id)"]', "one argument of a command"),
    ('argv = ["{dev}/mypy"]', 'argv = ["../../x"]', "one argument of a command"),
    ('argv = ["{dev}/mypy"]', 'argv = ["/bin/sh"]', "one argument of a command"),
    ('argv = ["{dev}/mypy"]', 'argv = ["sh", "-c", "id"]', "'sh' would run its arguments as commands"),
    ('argv = ["{dev}/mypy"]', 'argv = ["cmd.exe", "x"]', "'cmd.exe' would run its arguments as commands"),
    ('argv = ["{dev}/mypy"]', "argv = []", "a command without a program"),
    ('smoke = ["{node}", "tests/smoke/wasm.mjs"]', 'smoke = ["bash", "x"]', "'bash' would run its arguments"),
    # characters that cannot be seen
    ('rust = "1.96.0"', 'rust = "1.96.0\\n"', "cannot be seen"),
    ('folder = "bindings/wasm"', 'folder = "bindings/wasm\\u0000"', "a path below the checkout"),
    ('licence = "MIT OR', 'licence = "MIT \\u001b[31mOR', "cannot be seen"),
    ('licence = "MIT OR', 'licence = "MIT \\u202eOR', "cannot be seen"),
    ('licence = "MIT OR', 'licence = "MIT \\u200bOR', "cannot be seen"),
    ('licence = "MIT OR', 'licence = "MIT \\u2028OR', "cannot be seen"),
    ('licence = "MIT OR', 'licence = "MIT \\u0085OR', "cannot be seen"),
    # rows that do not fit the rest
    ('id = "wasm-web-simd128"', 'id = "wasm-web-simd"', "does not follow the scheme"),
    ('id = "wasm-web-simd128"', 'id = "WASM-WEB-BASELINE"', "does not follow the scheme"),
    ('variant = "web-simd128"', 'variant = "web-smid128"', "has no variant 'web-smid128'; did you mean web-simd128"),
    ('variant = "web-simd128"', 'variant = "../../x"', "letters, digits, dot"),
    (
        'recipe = "napi", triple = "x86_64-unknown-linux-gnu"',
        'recipe = "napi", triple = "x86_64-unknown-linux-gnuu"',
        "has no line in [triples]; did you mean x86_64-unknown-linux-gnu",
    ),
    (
        'recipe = "napi", triple = "x86_64-unknown-linux-gnu"',
        'recipe = "napi", triple = "wasm32-wasip1"',
        "napi does not serve 'wasm32-wasip1'",
    ),
    (
        'recipe = "napi", triple = "x86_64-unknown-linux-gnu"',
        'recipe = "napi", triple = "--target"',
        "a Rust target triple",
    ),
    # triples that mean something else than their line says
    ('cpu = "x64", libc = "glibc"', 'cpu = "arm64", libc = "glibc"', "means os 'linux', cpu 'x64', libc 'glibc'"),
    ('cpu = "x64", libc = "glibc"', 'cpu = "x64", libc = "musl"', "means os 'linux', cpu 'x64', libc 'glibc'"),
    ('libc = "glibc", floor = "2.17"', 'libc = "glibc"', "has no floor"),
    (
        'stand_in = "x86_64-pc-windows-gnullvm"',
        'stand_in = "aarch64-pc-windows-gnullvm"',
        "another system or processor",
    ),
    ('stand_in = "x86_64-pc-windows-gnullvm"', 'stand_in = "x86_64-unknown-linux-gnu"', "cannot stand in"),
    ('floor = "10.12"', 'floor = "Sierra"', "numbers and dots"),
    ('runner = "macos-15-intel"', 'runner = "${{ secrets.X }}"', "letters, digits, dot"),
]


@pytest.mark.parametrize(("old", "new", "said"), EDITS)
def test_one_wrong_value(load: Load, text: str, old: str, new: str, said: str) -> None:
    changed, line = edited(text, old, new)
    message = refused(load, changed)
    assert said in message
    # A missing key, a wrong name of a table and a key that was added stand at that line or the one below.
    assert re.search(rf"platforms\.toml:(?:{line}|{line + 1}): [^\n]*{re.escape(said)}", message), message


def test_there_are_enough_hostile_cases() -> None:
    assert len(EDITS) >= 60


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "the key 'schema_version' is missing"),
        ("\n\n# nothing\n", "the key 'rows' is missing"),
        ("schema_version = 1", "the key 'project' is missing"),
        ("rows = 'x'", "is not of type 'array'"),
        ("rows = []\nschema_version = 1", "rows"),
        ("rows = [1, 2]", "rows[0]: 1 is not of type 'object'"),
        ("recipes = []", "recipes: [] is not of type 'object'"),
        ('"" = 1', "unknown key ''"),
        ('"\\u202e" = 1', "unknown key"),
        ("[a.b.c.d.e.f.g.h.i.j.k.l.m.n]\nx = 1", "nested deeper than 12 levels"),
        ("[project]\nname = [[[[[[[[[[[[[['x']]]]]]]]]]]]]]", ":2: nested deeper than 12 levels"),
        ("x = " + "[" * 400 + "]" * 400, ":1: nested deeper than 12 levels"),
        ("x = " + "[\n" * 2000 + "]\n" * 2000, ":13: nested deeper than 12 levels"),
        ("x = " + "{a=" * 200 + "1" + "}" * 200, ":1: nested deeper than 12 levels"),
        ("a" + ".a" * 400 + " = 1", ":1: nested deeper than 12 levels"),
        ("a" + ".a" * 5000 + " = 1", ":1: a line of 10005 bytes; 1000 is the limit"),
        ("x = " + "9" * 5000, "a line of 5004 bytes"),
        ("x = 0x" + "f" * 900, "unknown key 'x'"),
        ("# " + "x" * 2000, ":1: a line of 2002 bytes"),
        ("x = 1\n" * 40_000, "has more than 200000 bytes"),
        ("x = ", ":1: not valid TOML"),
        ("x = 1\nx = 2", ":2: not valid TOML"),
        ("[a]\n[a]", ":2: not valid TOML"),
        ("x = [1, 2", ":1: not valid TOML"),
        ("\n\nx = 'open", ":3: not valid TOML"),
        ('x = """open\n\n', ":3: not valid TOML"),
        ("x = 2026-13-45", ":1: not valid TOML"),
        ('x = "\\ud800"', ":1: not valid TOML"),
        ("x = \x00", ":1: not valid TOML"),
        ("schema_version: 1", ":1: not valid TOML"),
        ('{"schema_version": 1}', ":1: not valid TOML"),
        ("<<<<<<< HEAD", ":1: not valid TOML"),
        (b"\xff\xfe\x00x", ":1: not UTF-8 text"),
        ("a = 1\nb = 'x'".encode("utf-16"), "not UTF-8 text"),
        (b"a = 1\nb = '\xe9'", ":2: not UTF-8 text"),
        (b"\x7fELF" + bytes(200), "not valid TOML"),
        (bytes(500), "not valid TOML"),
    ],
)
def test_a_file_that_is_wrong_as_a_whole(load: Load, content: str | bytes, said: str) -> None:
    message = refused(load, content)
    assert said in message
    assert re.search(r"platforms\.toml(:[0-9]+: | has more)", message)


def test_no_file_at_all(tmp_path: Path) -> None:
    with pytest.raises(MatrixError, match=r"there is no platforms\.toml in"):
        matrix.load(tmp_path)


def test_a_folder_in_place_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "platforms.toml").mkdir()
    with pytest.raises(MatrixError, match="is not a file"):
        matrix.load(tmp_path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_pipes_devices_and_link_loops_do_not_hang(tmp_path: Path) -> None:
    path = tmp_path / "platforms.toml"
    os.mkfifo(path)
    with pytest.raises(MatrixError, match="is not a file"):
        matrix.load(tmp_path)
    path.unlink()
    path.symlink_to("/dev/zero")
    with pytest.raises(MatrixError, match="is not a file"):
        matrix.load(tmp_path)
    path.unlink()
    path.symlink_to(path)
    with pytest.raises(MatrixError):
        matrix.load(tmp_path)


@pytest.mark.parametrize(
    "cargo",
    [
        None,
        "",
        "nonsense",
        "[workspace.package]\nversion = 1",
        '[workspace.package]\nversion = "one"',
        '[workspace.package]\nversion = "1.2.3; id"',
        '[workspace]\npackage = "x"',
        "x = " + "[" * 900,
    ],
)
def test_the_version_source_may_be_wrong_too(load: Load, project: Path, text: str, cargo: str | None) -> None:
    (project / "Cargo.toml").unlink()
    if cargo is None:
        (project / "Cargo.toml").mkdir()
    else:
        (project / "Cargo.toml").write_text(cargo)
    assert "Cargo.toml" in refused(load, text)


def test_every_fault_is_reported_at_once(load: Load, text: str) -> None:
    """Faults of shape and of meaning come out together, each with its own line."""
    lines = []
    for old, new in (
        ('priority = "P0"', 'priority = "P7"'),
        ('id = "wasm-web-simd128"', 'id = "wasm-web-baseline"'),
        ('variant = "nodejs-baseline"', 'variant = "nodejs-basline"'),
        ('rust = "1.96.0"', 'rust = "1.96.0;"'),
        ('maturin = "', 'maturni = "'),
        ('folder = "bindings/node"', 'folder = "bindings/gone"'),
        ('floor = "10.12"', "floor = 10.12"),
    ):
        text, line = edited(text, old, new)
        lines.append(line)
    message = refused(load, text)
    for line in lines:
        assert f"platforms.toml:{line}: " in message
    assert int(re.findall(r"([0-9]+) faults in", message)[0]) >= len(lines)
    numbers = [int(n) for n in re.findall(r"platforms\.toml:([0-9]+): ", message)]
    assert numbers == sorted(numbers)


def test_what_is_compiled_names_its_crate_and_a_tool_has_none(load: Load, text: str) -> None:
    without, _ = edited(text, 'crate = "ruvector-attention-node"\n', "")
    assert "napi names no crate" in refused(load, without)
    with_one, _ = edited(text, 'package = "rva"', 'package = "rva"\ncrate = "rva"')
    assert "tool is Python alone: it has no crate" in refused(load, with_one)


def test_many_faults_are_counted_but_not_all_printed(load: Load, text: str) -> None:
    message = refused(load, re.sub(r'priority = "P\d"', 'priority = "P9"', text))
    assert "52 faults in" in message and "and 12 more" in message
    assert len(message.splitlines()) == 42


@pytest.mark.parametrize(
    ("copy", "said"),
    [
        ('id = "cli-x86_64-apple-darwin", recipe = "cli", triple = "x86_64-apple-darwin"', "is used more than once"),
        ('id = "CLI-X86_64-apple-darwin", recipe = "cli", triple = "x86_64-apple-darwin"', "is used more than once"),
        ('id = "other", recipe = "cli", triple = "x86_64-apple-darwin"', "builds the same thing as another row"),
    ],
)
def test_doubles(load: Load, text: str, copy: str, said: str) -> None:
    changed, line = edited(text, "rows = [", f"rows = [\n    {{ {copy} }},")
    message = refused(load, changed)
    assert f"platforms.toml:{line + 1}: " in message
    assert said in message


@pytest.mark.parametrize("table", ["project", "tools", "recipes.napi", "triples"])
def test_a_missing_table(load: Load, text: str, table: str) -> None:
    start = text.index(f"[{table}]\n")
    end = text.index("\n[", start)
    message = refused(load, text[:start] + text[end + 1 :])
    assert table.split(".")[-1] in message


def test_the_lines_of_a_file(text: str) -> None:
    found = positions('a = 1\n[b]\n"c d" = [\n  1,\n  { e = 2 },\n]\n[[f]]\ng.h = 3\n[[f]]\n')
    assert found[("a",)] == 1
    assert found[("b", "c d", 1, "e")] == 5
    assert found[("f", 0, "g", "h")] == 8
    assert found[("f", 1)] == 9
    lines = text.splitlines()
    for where, line in positions(text).items():
        if where[-1] == "id":
            assert "id = " in lines[line - 1]


def test_random_damage_never_escapes_the_one_error(load: Load, text: str) -> None:
    """Bytes changed, lines dropped, doubled and swapped: a Matrix or a MatrixError, nothing else."""
    source = random.Random(7)
    pieces = [
        "[",
        "]",
        "{",
        "}",
        "'",
        '"',
        "=",
        ".",
        ",",
        "\n",
        "\\",
        "\x00",
        "#",
        "1e999",
        "true",
        "é",
        "\u202e",
        "[[",
    ]
    for _ in range(150):
        lines = text.splitlines(True)
        for _ in range(source.randint(1, 4)):
            at = source.randrange(len(lines))
            line = lines[at]
            spot = source.randrange(len(line) + 1)
            lines[at] = source.choice(
                [
                    "",
                    line + line,
                    lines[source.randrange(len(lines))],
                    line[:spot] + source.choice(pieces) + line[spot:],
                    line[:spot] + line[spot + source.randint(1, 9) :],
                ]
            )
        try:
            load("".join(lines))
        except MatrixError as error:
            assert re.search(r"platforms\.toml:[0-9]+: ", error.what), error.what
