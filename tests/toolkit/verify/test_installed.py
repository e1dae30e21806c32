"""Packages in clean rooms: what is installed has to be what was built, and to work."""

from __future__ import annotations

import hashlib
import io
import json
import sys
import zipfile
from pathlib import Path

import msgspec
import pytest
from rva import archive, loopback
from rva.log import Log
from rva.model import Artifact, Host, Manifest, Matrix, PackageManifest, Packed, Target
from rva.replay import Runner
from rva.verified import Cell
from rva.verify import installed, rooms, running

HERE = Host("x86_64-unknown-linux-gnu", "linux", "x64", "glibc", 2)
CLI, ARM = "cli-x86_64-unknown-linux-gnu", "cli-aarch64-unknown-linux-gnu"
NAPI = "napi-x86_64-unknown-linux-gnu"
WHEEL = "native-wheel-aarch64-unknown-linux-gnu"
PROGRAM = "program"
# Passes where the installed program says what the built one does.
CONSUMER = """
import json, pathlib, sys
[program] = [p for p in pathlib.Path(sys.argv[1]).rglob("program") if p.is_file()]
good = program.read_bytes() == b"built"
print(json.dumps({"passed": int(good), "failed": int(not good)}))
sys.exit(not good)
"""


class Place:
    """A checkout with finished files and packages, which tests then spoil."""

    def __init__(self, root: Path, table: Matrix) -> None:
        self.root = root
        for path, text in ((table.project.vectors, "{}"), ("tests/smoke/x.py", ""), ("consumer.py", CONSUMER)):
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text)
        cli = msgspec.structs.replace(table.recipes["cli"], smoke=("{python}", "{root}/consumer.py"))
        self.table = msgspec.structs.replace(table, recipes={**table.recipes, "cli": cli}, lanes=())
        self.artifacts: list[Artifact] = []
        self.packed: list[Packed] = []

    def build(self, row: str, data: bytes, kind: str, name: str) -> None:
        """A finished file."""
        target = next(t for t in self.table.targets if t.id == row)
        digest = hashlib.sha256(data).hexdigest()
        path = f"{target.family}/{row}/{name}"
        self.artifacts.append(
            Artifact(row, target.family, target.triple, path, len(data), digest, kind, "native", "c", 1.0)  # type: ignore[arg-type]
        )

    def pack(self, file: str, kind: str, name: str, rows: tuple[str, ...], data: bytes) -> Path:
        """A package."""
        path = self.root / "dist" / "packages" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        digest = hashlib.sha256(data).hexdigest()
        self.packed.append(Packed(file, kind, name, rows, "release", len(data), digest))  # type: ignore[arg-type]
        return path

    def cells(self, *direct: str, published: bool = False) -> list[Cell]:
        """What installing all of them says."""
        folder = self.root / "dist" / "packages"
        shop = rooms.Shop(folder, "1.2.3", {}, self.root / "install.log", published=published)
        runner = Runner(self.root, self.table, {"python": [sys.executable]}, {}, Log(0))
        hall = installed.Hall(
            Manifest("1.2.3", "c0ffee", tuple(self.artifacts)), PackageManifest("1.2.3", "c0ffee", tuple(self.packed), ()),
            self.table, HERE, frozenset(direct), runner, shop,
        )  # fmt: skip
        return list(installed.cells(hall, self.table.targets))


@pytest.fixture
def place(tmp_path: Path, table: Matrix) -> Place:
    return Place(tmp_path, table)


def program(data: bytes = b"built", name: str = PROGRAM) -> bytes:
    """An archive of the program."""
    return archive.tar_gz([archive.Member(name, data, executable=True), archive.Member("README.md", b"r")], "top", 0)


@pytest.mark.process
@pytest.mark.parametrize(("row", "direct", "word"), [(CLI, (CLI,), "pass"), (ARM, (), "installs")])
def test_a_sound_archive(place: Place, row: str, direct: tuple[str, ...], word: str) -> None:
    place.build(row, b"built", "executable", PROGRAM)
    place.pack("cli/top.tar.gz", "cli", "p", (row,), program())
    [cell] = place.cells(*direct)
    assert (cell.row, cell.check, cell.word, cell.package, cell.cached) == (
        row,
        "tar.gz",
        word,
        "cli/top.tar.gz",
        False,
    )
    [again] = place.cells(*direct)
    assert (again.word, again.cached) == (word, True)


@pytest.mark.process
@pytest.mark.parametrize(
    ("data", "said"),
    [
        (program(b"for another processor"), "program is not in what cli/top.tar.gz installs"),
        (program(name="elsewhere", data=b""), "program is not in what cli/top.tar.gz installs"),
        (b"no archive", "ended with exit status"),
    ],
)
def test_an_archive_of_other_bytes(place: Place, data: bytes, said: str) -> None:
    place.build(CLI, b"built", "executable", PROGRAM)
    place.pack("cli/top.tar.gz", "cli", "p", (CLI,), data)
    [cell] = place.cells(CLI)
    assert cell.status == "fail"
    assert said in cell.reason


@pytest.mark.process
def test_an_installed_program_that_computes_something_else(place: Place) -> None:
    place.build(CLI, b"wrong", "executable", PROGRAM)
    place.pack("cli/top.tar.gz", "cli", "p", (CLI,), program(b"wrong"))
    [cell] = place.cells(CLI)
    assert (cell.status, cell.reason[:6]) == ("fail", "1 of 1")


@pytest.mark.parametrize(("spoil", "said"), [(b"other", "not the file that was packed"), (None, "is missing")])
def test_a_package_that_changed_after_it_was_packed(place: Place, spoil: bytes | None, said: str) -> None:
    path = place.pack("cli/top.tar.gz", "cli", "p", (CLI,), program())
    path.write_bytes(spoil) if spoil else path.unlink()
    [cell] = place.cells(CLI)
    assert cell.status == "fail"
    assert said in cell.reason


def addon(name: str, data: bytes, **more: object) -> bytes:
    """A platform package as npm packs one."""
    text = json.dumps({"name": name, "version": "1.2.3", **more}).encode()
    return archive.tar_gz([archive.Member("package.json", text), archive.Member("a.node", data)], "package", 0)


FITS = {"os": ["linux"], "cpu": ["x64"], "libc": ["glibc"]}


@pytest.mark.process
@pytest.mark.parametrize(
    ("data", "fields", "word", "said"),
    [
        (b"built", FITS, "installs", ""),
        (b"for another processor", FITS, "fail", "a.node is not in what npm/sub.tgz installs"),
        (b"built", {**FITS, "cpu": ["arm64"]}, "fail", "npm installed no platform package"),
        (b"built", {**FITS, "libc": ["musl"]}, "fail", "npm installed no platform package"),
    ],
)
def test_npm_takes_the_package_of_this_system(
    place: Place, data: bytes, fields: dict[str, object], word: str, said: str
) -> None:
    main = place.table.recipes["napi"].package
    place.build(NAPI, b"built", "addon", "a.node")
    place.build("napi-js", b"text", "glue", "index.js")
    text = json.dumps({"name": main, "version": "1.2.3"}).encode()
    members = [archive.Member("package.json", text), archive.Member("index.js", b"text")]
    place.pack("npm/main.tgz", "npm", main, (NAPI, "napi-js"), archive.tar_gz(members, "package", 0))
    place.pack("npm/sub.tgz", "npm", "sub", (NAPI,), addon("sub", data, **fields))
    cells = {cell.package: cell for cell in place.cells()}
    assert cells["npm/main.tgz"].word == "installs"
    assert cells["npm/sub.tgz"].word == word
    assert said in cells["npm/sub.tgz"].reason


@pytest.mark.process
@pytest.mark.parametrize(
    ("rows", "data", "word", "said"),
    [
        ((NAPI,), b"built", "installs", ""),
        ((NAPI, "napi-x86_64-pc-windows-msvc"), b"built", "installs", ""),
        ((NAPI, "napi-x86_64-pc-windows-msvc"), b"other", "fail", "a.node is not in what npm/main.tgz installs"),
        (
            (NAPI, "napi-x86_64-pc-windows-msvc"),
            b"",
            "fail",
            "which the main one asks for, was not packed",
        ),
    ],
)
def test_a_main_package_without_code_of_its_own_brings_this_systems_addon(
    place: Place, rows: tuple[str, ...], data: bytes, word: str, said: str
) -> None:
    """As `rva init` gives it: all its rows are addons, and it is installed for the one that runs here."""
    silent = msgspec.structs.replace(place.table.recipes["napi"], smoke=())
    place.table = msgspec.structs.replace(place.table, recipes={**place.table.recipes, "napi": silent})
    main = silent.package
    place.build(NAPI, b"built", "addon", "a.node")
    place.pack("npm/main.tgz", "npm", main, rows, plain(main))
    if data:
        place.pack("npm/sub.tgz", "npm", "sub", (NAPI,), addon("sub", data, **FITS))
    cells = {cell.package: cell for cell in place.cells(NAPI)}
    assert (cells["npm/main.tgz"].row, cells["npm/main.tgz"].word) == (NAPI, word)
    assert said in cells["npm/main.tgz"].reason


def plain(name: str) -> bytes:
    """An npm package that only names others."""
    text = json.dumps({"name": name, "version": "1.2.3"}).encode()
    return archive.tar_gz([archive.Member("package.json", text), archive.Member("native.js", b"")], "package", 0)


@pytest.mark.parametrize("recipe", ["sdist", "crate"])
def test_without_a_smoke_test_what_it_alone_installs_is_not_run(place: Place, recipe: str) -> None:
    place.build(f"native-{recipe}", b"built", recipe, "thing.tar.gz")
    place.pack("python/thing.tar.gz", "python", "thing", (f"native-{recipe}",), b"built")
    silent = msgspec.structs.replace(place.table.recipes[recipe], smoke=())  # type: ignore[index]
    place.table = msgspec.structs.replace(place.table, recipes={**place.table.recipes, recipe: silent})
    [cell] = place.cells(f"native-{recipe}")
    assert (cell.status, cell.reason[:25]) == ("not-run", "no smoke test is defined ")


def wheel(tag: str) -> bytes:
    """A wheel of one module."""
    info = "thing-1.2.3.dist-info"
    texts = {
        "thing.py": "", f"{info}/METADATA": "Metadata-Version: 2.1\nName: thing\nVersion: 1.2.3\n",
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: cp39-abi3-{tag}\n", f"{info}/RECORD": "",
    }  # fmt: skip
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as file:
        for name, text in texts.items():
            file.writestr(name, text)
    return sink.getvalue()


@pytest.mark.process
@pytest.mark.parametrize(("tag", "word"), [("manylinux_2_17_aarch64", "installs"), ("manylinux_2_28_aarch64", "fail")])
def test_pip_takes_a_wheel_for_the_systems_that_its_row_promises(place: Place, tag: str, word: str) -> None:
    place.build(WHEEL, wheel(tag), "wheel", "thing.whl")
    place.pack(f"python/thing-1.2.3-cp39-abi3-{tag}.whl", "python", "thing", (WHEEL,), wheel(tag))
    [cell] = place.cells()
    assert (cell.check, cell.word) == ("pip", word), cell.reason
    assert word != "fail" or "not a supported wheel" in cell.reason


def test_a_wheel_that_is_not_the_built_one(place: Place) -> None:
    row = "native-wheel-x86_64-unknown-linux-gnu"
    place.build(row, b"built", "wheel", "thing.whl")
    place.pack("python/thing.whl", "python", "thing", (row,), b"other")
    [cell] = place.cells(row)
    assert (cell.status, cell.reason) == ("fail", "python/thing.whl is not the file that was built")


@pytest.mark.process
@pytest.mark.parametrize(("data", "word"), [(b"built", "pass"), (b"other", "fail")])
def test_the_installers_script(place: Place, data: bytes, word: str) -> None:
    place.build(CLI, b"built", "executable", PROGRAM)
    text = b'mkdir -p "$4" && cp "$(dirname "$0")/it" "$4/program"\n'
    place.pack("installer/install.sh", "installer", "install.sh", (ARM, CLI), text)
    (place.root / "dist/packages/installer/it").write_bytes(data)
    [cell] = place.cells(CLI)
    assert (cell.row, cell.check, cell.word) == (CLI, "install.sh", word)


def taken(packed: Packed, shop: rooms.Shop, room: Path, data: bytes) -> Path:
    """What pip and cargo leave where they took a file with these bytes."""
    if packed.kind == "crate":
        cache = room / "cargo-home" / "registry" / "cache" / "127.0.0.1"
        cache.mkdir(parents=True)
        (cache / "thing-1.2.3.crate").write_bytes(data)
        return room
    digest = hashlib.sha256(data).hexdigest()
    told = {"install": [{"download_info": {"archive_info": {"hashes": {"sha256": digest}}}}]}
    (room / rooms.REPORT).write_text(json.dumps(told))
    return room


@pytest.mark.process
@pytest.mark.parametrize(
    ("row", "recipe", "kind", "maker"),
    [
        ("native-wheel-x86_64-unknown-linux-gnu", "wheel", "python", "venv"),
        ("native-tool", "tool", "python", "venv"),
        ("native-crate", "crate", "crate", "cargo"),
    ],
)
@pytest.mark.parametrize(("data", "word"), [(b"built", "pass"), (b"of another", "fail")])
def test_what_a_registry_gives_has_to_be_what_was_built(
    place: Place, monkeypatch: pytest.MonkeyPatch, row: str, recipe: str, kind: str, maker: str, data: bytes, word: str
) -> None:
    monkeypatch.setattr(rooms, maker, lambda packed, shop, room: taken(packed, shop, room, data))
    (place.root / "yes.py").write_text('print(\'{"passed": 1, "failed": 0}\')')
    changed = msgspec.structs.replace(place.table.recipes[recipe], smoke=("{python}", "{root}/yes.py"))  # type: ignore[index]
    place.table = msgspec.structs.replace(place.table, recipes={**place.table.recipes, recipe: changed})
    place.build(row, b"built", recipe, "thing")
    place.pack("thing.x", kind, "thing", (row,), b"built")
    [cell] = place.cells(row, published=True)
    assert cell.word == word, cell.reason
    assert word == "pass" or cell.reason == "what was installed is not thing.x"


def test_what_is_not_published_is_not_installed_from_a_registry(place: Place) -> None:
    place.pack("stand-in/top.zip", "cli", "p", ("cli-x86_64-pc-windows-msvc",), b"x")
    place.packed[-1] = msgspec.structs.replace(place.packed[-1], build="stand-in")
    place.pack("python/thing.tar.gz", "python", "thing", ("native-sdist",), b"x")
    found = place.cells(published=True)
    assert [(c.check, c.status) for c in found] == [("zip", "not-run"), ("pip", "not-run")]
    assert found[0].reason == "what stands in for a package is never published"
    assert found[1].reason.startswith("what builds it is in no index of this machine; `rva verify` builds")


def test_lanes_of_rows_that_do_nothing_alone_are_for_packages(table: Matrix, rows: dict[str, Target]) -> None:
    alone = {row for row, target in rows.items() if running.alone(target, table)}
    assert {"wasm-js", "napi-js"}.isdisjoint(alone) and CLI in alone
    assert [lane.name for lane in table.lanes if running.serves(lane, rows["wasm-js"])]
    assert running.lanes(Manifest("1", "c", ()), [rows["wasm-js"]], table, HERE, None) == ()  # type: ignore[arg-type]


def test_a_folder_is_served_while_it_is_needed(tmp_path: Path) -> None:
    import urllib.error
    import urllib.request

    (tmp_path / "a").write_bytes(b"a")
    with loopback.served(tmp_path) as address:
        assert address.startswith("http://127.0.0.1:")
        assert urllib.request.urlopen(f"{address}/a").read() == b"a"
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(f"{address}/a")
