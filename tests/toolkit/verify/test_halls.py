"""Which row, files and lanes a package stands for, and what is said of it, with nothing really installed or run."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from rva import replay
from rva.errors import CheckFailed, Interrupted
from rva.log import Log
from rva.model import Lane, Manifest, Matrix, PackageManifest, Packed, Smoke
from rva.replay import Job, Runner
from rva.verified import Cell
from rva.verify import installed, rooms

from tests.toolkit.verify.test_installed import ARM, CLI, HERE, NAPI, WHEEL, Place, taken

MUSL, WINDOWS = "cli-x86_64-unknown-linux-musl", "cli-x86_64-pc-windows-msvc"
OWN_WHEEL = "native-wheel-x86_64-unknown-linux-gnu"
EMULATED = Lane("qemu", "cli", "aarch64-unknown-linux-gnu", ("{python}", "x.py"), how="emulated", runner=("qemu",))


@pytest.fixture
def place(tmp_path: Path, table: Matrix) -> Place:
    return Place(tmp_path, table)


@pytest.fixture
def ran(jobs: list[Job], monkeypatch: pytest.MonkeyPatch) -> list[Job]:
    """The jobs that would have run, in rooms that hold the package itself."""

    def filling(name: str) -> Callable[..., Path]:
        def fill(packed: Packed, *arguments: Any) -> Path:
            shop, room = arguments[-2:]
            data = (shop.packages / packed.file).read_bytes()
            (room / "file").write_bytes(data)
            taken(packed, shop, room, data)
            return Path(f"/from/{name}")

        return fill

    monkeypatch.setattr(installed, "lacking_programs", lambda programs: "")
    for name in ("npm", "cargo", "venv", "python", "script", "unpack"):
        monkeypatch.setattr(rooms, name, filling(name))
    return jobs


def hall(place: Place, *direct: str, published: bool = False) -> installed.Hall:
    """What was built and packed in a place."""
    shop = rooms.Shop(place.root / "dist" / "packages", "1.2.3", {}, place.root / "log", published=published)
    packages = PackageManifest("1.2.3", "c0ffee", tuple(place.packed), ())
    runner = Runner(place.root, place.table, {"python": ["python"]}, {}, Log(0))
    manifest = Manifest("1.2.3", "c0ffee", tuple(place.artifacts))
    return installed.Hall(manifest, packages, place.table, HERE, frozenset(direct), runner, shop)


def pack(place: Place, file: str, kind: str, *rows: str, build: str = "release", name: str = "p") -> Packed:
    """A package whose only file is what its rows were built as."""
    place.pack(file, kind, name, rows, b"built")
    place.packed[-1] = msgspec.structs.replace(place.packed[-1], build=build)
    return place.packed[-1]


def smoke(place: Place, recipe: str, *words: str) -> None:
    """Change a recipe's smoke test."""
    changed = msgspec.structs.replace(place.table.recipes[recipe], smoke=words)  # type: ignore[index]
    place.table = msgspec.structs.replace(place.table, recipes={**place.table.recipes, recipe: changed})


@pytest.mark.parametrize(
    ("kind", "rows", "direct", "row"),
    [
        ("cli", (ARM,), (CLI,), ARM),
        ("installer", (ARM, CLI, MUSL), (CLI, MUSL), MUSL),  # static programs run everywhere
        ("installer", (ARM, CLI, MUSL), (CLI,), CLI),
        ("installer", (WINDOWS, ARM), (CLI,), ARM),  # in the table's order
        ("npm", ("wasm-js", "wasm-web-simd128"), (), "wasm-js"),  # its lanes are for packages
        ("crate", ("native-sdist", "native-crate"), (), "native-crate"),
    ],
)
def test_the_row_that_a_package_stands_with(
    place: Place, kind: str, rows: tuple[str, ...], direct: tuple[str, ...], row: str
) -> None:
    place.table = msgspec.structs.replace(place.table, lanes=(Lane("node", "wasm-js", "any", ("node",)),))
    assert hall(place, *direct).row(pack(place, "a", kind, *rows)).id == row


def test_a_main_package_that_only_chooses(place: Place) -> None:
    main, others = place.table.recipes["napi"].package, (NAPI, "napi-x86_64-pc-windows-msvc")
    made = hall(place)
    assert made.chooses(pack(place, "a", "npm", *others, name=main))
    assert not made.chooses(pack(place, "b", "npm", *others, name="sub"))
    assert not made.chooses(pack(place, "c", "npm", *others, "napi-js", name=main))
    assert not made.chooses(pack(place, "d", "cli", *others, name=main))
    assert hall(place, NAPI).row(pack(place, "e", "npm", *reversed(others), name=main)).id == NAPI


@pytest.mark.parametrize(
    ("kind", "rows", "files"),
    [
        ("cli", (CLI,), ["cli/program"]),
        ("cli", (ARM,), []),  # not built
        ("c", ("native-c-x86_64-unknown-linux-gnu",), ["c/header"]),  # pkgconfig is rewritten for its place
        ("npm", ("wasm-web-simd128",), ["wasm/module"]),  # the glue is put together anew
        ("npm", (NAPI,), ["napi/addon"]),
        ("npm", (NAPI, "napi-js"), ["js/glue"]),  # the main package holds no addon
        ("installer", (ARM, CLI), ["cli/program"]),
    ],
)
def test_the_built_files_that_have_to_be_in_a_package(
    place: Place, kind: str, rows: tuple[str, ...], files: list[str]
) -> None:
    for row, form, name in (
        (CLI, "executable", "cli/program"), ("native-c-x86_64-unknown-linux-gnu", "header", "c/header"),
        ("native-c-x86_64-unknown-linux-gnu", "pkgconfig", "c/pc"), ("wasm-web-simd128", "module", "wasm/module"),
        ("wasm-web-simd128", "glue", "wasm/glue"), (NAPI, "addon", "napi/addon"), (NAPI, "types", "napi/types"),
        ("napi-js", "glue", "js/glue"),
    ):  # fmt: skip
        place.build(row, b"built", form, name)
        place.artifacts[-1] = msgspec.structs.replace(place.artifacts[-1], path=name)
    assert [a.path for a in hall(place, CLI).artifacts(pack(place, "a", kind, *rows, name="sub"))] == files
    assert hall(place, CLI).artifacts(pack(place, "b", kind, *rows, name="sub", build="stand-in")) == []


def test_one_package_of_a_row_is_run_in_all_its_lanes(place: Place) -> None:
    place.table = msgspec.structs.replace(place.table, lanes=(EMULATED, Lane("node", "wasm-js", "any", ("node",))))
    first, second = pack(place, "a.tar.gz", "cli", ARM), pack(place, "a.zip", "cli", ARM)
    system, several = pack(place, "a.deb", "system", ARM), pack(place, "b.tar.gz", "cli", ARM, CLI)
    main = pack(place, "a.tgz", "npm", "wasm-web-simd128", "wasm-js")
    made = hall(place)
    assert [[lane.name for lane in made.lanes(p)] for p in (first, second, system, several, main)] == [
        ["qemu"], [], [], [], ["node"],
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "file", "check"),
    [
        ("npm", "npm/a.tgz", "npm"),
        ("python", "python/a.whl", "pip"),
        ("crate", "crate/a.crate", "cargo"),
        ("installer", "installer/install.sh", "install.sh"),
        ("manager", "manager/a.rb", "brew"),
        ("manager", "manager/a.json", "scoop"),
        ("cli", "cli/a-1.2.tar.gz", "tar.gz"),
        ("c", "c/a-1.2.tar.zst", "tar.zst"),
        ("cli", "cli/a-1.2.zip", "zip"),
        ("system", "system/a_1.2_amd64.deb", "deb"),
    ],
)
def test_what_the_table_calls_an_installation(kind: str, file: str, check: str) -> None:
    assert installed.check_of(Packed(file, kind, "a", (), "release", 1, "0")) == check  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kind", "file", "row", "form", "published", "maker"),
    [
        ("npm", "a.tgz", "wasm-web-simd128", "module", False, "npm"),
        ("crate", "a.crate", "native-crate", "crate", True, "cargo"),
        ("python", "a.whl", OWN_WHEEL, "wheel", True, "venv"),
        ("python", "b.whl", WHEEL, "wheel", False, "python"),
        ("installer", "install.sh", CLI, "executable", False, "script"),
        ("cli", "a.tar.gz", CLI, "executable", False, "unpack"),
        ("system", "a.deb", CLI, "executable", False, "unpack"),
    ],
)
def test_what_is_installed_is_run_where_it_lies(
    place: Place, ran: list[Job], kind: str, file: str, row: str, form: str, published: bool, maker: str
) -> None:
    for recipe in place.table.recipes:
        smoke(place, recipe, "{python}", "direct.py")
    place.build(row, b"built", form, "thing")
    packed = pack(place, file, kind, row)
    made = hall(place, row, OWN_WHEEL, published=published)
    if maker == "python":  # a wheel for another machine: nothing here runs it
        made = hall(place)
    [cell] = installed.cells(made, place.table.targets)
    assert (cell.row, cell.check, cell.status, cell.package) == (row, installed.check_of(packed), "pass", file)
    if maker == "python":
        assert (cell.how, cell.evidence, ran) == ("installs", "every file that was built is in it", [])
    else:
        assert (cell.how, cell.evidence, cell.duration_s, cell.lane) == ("run", "5 reference cases", 1.5, "")
        digest = hashlib.sha256(b"built").hexdigest()
        wanted = Job(row, cell.check, ((file, digest),), Path(f"/from/{maker}"), ("{python}", "direct.py"))
        assert ran == [wanted]


def test_a_verdict_on_the_same_bytes_is_kept(place: Place, ran: list[Job], monkeypatch: pytest.MonkeyPatch) -> None:
    """Of what ran and of what was only installed: nothing is installed again."""
    place.build(CLI, b"built", "executable", "program")
    place.build(ARM, b"built", "executable", "program")
    pack(place, "a.tar.gz", "cli", CLI)
    pack(place, "b.tar.gz", "cli", ARM)
    first = installed.cells(hall(place, CLI), place.table.targets)
    assert [(c.word, c.cached) for c in first] == [("pass", False), ("installs", False)]
    monkeypatch.setattr(rooms, "unpack", None)
    again = installed.cells(hall(place, CLI), place.table.targets)
    assert [(c.word, c.cached) for c in again] == [("pass", True), ("installs", True)]
    assert [c.evidence for c in again] == ["5 reference cases", "every file that was built is in it"]
    assert [job.label for job in ran] == [f"{CLI}.tar.gz"]


def test_a_package_in_its_lanes(place: Place, ran: list[Job]) -> None:
    """Each is told its runner, and one that this machine lacks is not run, with the reason."""
    away = msgspec.structs.replace(EMULATED, name="far", host="aarch64-apple-darwin")
    place.table = msgspec.structs.replace(place.table, lanes=(EMULATED, away))
    place.build(ARM, b"built", "executable", "program")
    pack(place, "a.tar.gz", "cli", ARM)
    lacking, cell = installed.cells(hall(place), place.table.targets)
    assert (cell.name, cell.word, cell.evidence) == ("tar.gz qemu", "emulated", "5 reference cases")
    [job] = ran
    assert (job.label, job.argv, job.folder) == (f"{ARM}.tar.gz-qemu", EMULATED.argv, Path("/from/unpack"))
    assert job.env["RVA_SMOKE_RUNNER"] == '["qemu"]'
    assert lacking == Cell(
        ARM, "tar.gz", "not-run", package="a.tar.gz", lane="far",
        reason="runs on aarch64-apple-darwin, this is x86_64-unknown-linux-gnu",
    )  # fmt: skip


def test_a_stand_in_is_run_in_lanes_alone_and_says_so(place: Place, ran: list[Job]) -> None:
    lane = msgspec.structs.replace(EMULATED, name="wine", triple="x86_64-pc-windows-msvc")
    gone = msgspec.structs.replace(lane, name="far", host="aarch64-apple-darwin")
    place.table = msgspec.structs.replace(place.table, lanes=(lane, gone))
    place.build(WINDOWS, b"built", "executable", "program.exe")
    place.artifacts[-1] = msgspec.structs.replace(place.artifacts[-1], build="stand-in")
    pack(place, "a.zip", "cli", WINDOWS, build="stand-in")
    lacking, cell = installed.cells(hall(place, WINDOWS), place.table.targets)
    assert (cell.word, cell.lane, lacking.stand_in, lacking.lane) == ("stand-in", "wine", True, "far")
    assert [job.lane for job in ran] == ["zip-wine"]


def test_a_failure_is_no_evidence(place: Place, ran: list[Job], monkeypatch: pytest.MonkeyPatch) -> None:
    place.build(CLI, b"built", "executable", "program")
    pack(place, "a.tar.gz", "cli", CLI)
    monkeypatch.setattr(Runner, "_run", lambda _, job: Smoke(job.row, "fail", 4, 1, reason="1 of 5 cases failed"))
    [cell] = installed.cells(hall(place, CLI), place.table.targets)
    assert (cell.status, cell.evidence, cell.reason) == ("fail", "", "1 of 5 cases failed")
    assert not replay._read(place.root)


@pytest.mark.parametrize("error", [CheckFailed("npm ended"), OSError("no room"), ValueError("no list"), KeyError("x")])
def test_an_installation_that_breaks_is_a_fault_of_the_package(
    place: Place, ran: list[Job], monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def broken(*_: object) -> Path:
        raise error

    place.build(CLI, b"built", "executable", "program")
    pack(place, "a.tar.gz", "cli", CLI)
    monkeypatch.setattr(rooms, "unpack", broken)
    [cell] = installed.cells(hall(place, CLI), place.table.targets)
    assert (cell.row, cell.check, cell.status, cell.reason) == (CLI, "tar.gz", "fail", str(error))
    error = Interrupted("stopped")
    with pytest.raises(Interrupted):
        installed.cells(hall(place, CLI), place.table.targets)


@pytest.mark.parametrize(
    ("kind", "file", "row", "built", "said"),
    [
        ("cli", "a.tar.gz", CLI, b"other", "cli/{row}/thing is not in what a.tar.gz installs"),
        ("cli", "a.tar.gz", CLI, None, "a.tar.gz: none of its rows is in dist/"),
        ("python", "a.whl", WHEEL, b"other", "a.whl is not the file that was built"),
        ("python", "a.whl", WHEEL, None, "a.whl is not the file that was built"),
    ],
)
def test_what_was_not_built_here(
    place: Place, ran: list[Job], kind: str, file: str, row: str, built: bytes | None, said: str
) -> None:
    if built is not None:
        place.build(row, built, "wheel" if kind == "python" else "executable", "thing")
    pack(place, file, kind, row)
    [cell] = installed.cells(hall(place), place.table.targets)
    assert (cell.status, cell.reason, ran) == ("fail", said.format(row=row), [])


@pytest.mark.parametrize(
    ("there", "packs", "said"),
    [
        (("sub",), True, ""),
        ((), True, "for this system npm installed no platform package, not sub"),
        (("other", "sub"), True, "for this system npm installed other, sub, not sub"),
        ((), False, "the main package, which asks for sub, was not packed"),
    ],
)
def test_npm_has_to_choose_the_platforms_package(
    place: Place, ran: list[Job], monkeypatch: pytest.MonkeyPatch, there: tuple[str, ...], packs: bool, said: str
) -> None:
    smoke(place, "napi")
    asked: list[tuple[str, list[str], str]] = []

    def npm(packed: Packed, choice: list[Packed], target: Any, shop: rooms.Shop, room: Path) -> Path:
        asked.append((packed.file, [p.file for p in choice], target.id if target else ""))
        for name in there:
            (room / "node_modules" / name).mkdir(parents=True)
        (room / "a.node").write_bytes(b"built")
        return room

    monkeypatch.setattr(rooms, "npm", npm)
    place.build(NAPI, b"built", "addon", "a.node")
    pack(place, "sub.tgz", "npm", NAPI, name="sub")
    pack(place, "other.tgz", "npm", "napi-aarch64-apple-darwin", name="other")
    if packs:
        pack(place, "main.tgz", "npm", NAPI, "napi-js", name=place.table.recipes["napi"].package)
        place.build("napi-js", b"built", "glue", "index.js")
    [cell] = [c for c in installed.cells(hall(place), place.table.targets) if c.package == "sub.tgz"]
    assert (cell.status, cell.reason) == ("fail" if said else "pass", said)
    if packs:
        assert ("main.tgz", ["sub.tgz", "other.tgz"], NAPI) in asked
        assert ("main.tgz", [], "") in asked  # by itself, on any system


@pytest.mark.parametrize(("build", "said"), [("release", ""), ("stand-in", "was not packed"), ("", "was not packed")])
def test_a_main_package_that_only_chooses_brings_this_systems_addon(
    place: Place, ran: list[Job], monkeypatch: pytest.MonkeyPatch, build: str, said: str
) -> None:
    smoke(place, "napi")
    fill = rooms.npm

    def npm(packed: Packed, choice: list[Packed], target: Any, shop: rooms.Shop, room: Path) -> Path:
        (room / "node_modules" / "sub").mkdir(parents=True)
        return fill(packed, choice, target, shop, room)

    monkeypatch.setattr(rooms, "npm", npm)
    place.build(NAPI, b"built", "addon", "a.node")
    pack(place, "main.tgz", "npm", NAPI, WINDOWS.replace("cli", "napi"), name=place.table.recipes["napi"].package)
    if build:
        pack(place, "sub.tgz", "npm", NAPI, name="sub", build=build)
    [cell] = [c for c in installed.cells(hall(place, NAPI), place.table.targets) if c.package == "main.tgz"]
    assert (cell.row, cell.status) == (NAPI, "fail" if said else "pass")
    assert cell.reason == (
        said and f"the platform package for x86_64-unknown-linux-gnu, which the main one asks for, {said}"
    )


def test_the_verdict_on_an_addon_is_one_on_its_main_package_too(place: Place, ran: list[Job]) -> None:
    place.build(NAPI, b"built", "addon", "a.node")
    sub = pack(place, "sub.tgz", "npm", NAPI, name="sub")
    main = pack(place, "main.tgz", "npm", NAPI, "napi-js", name=place.table.recipes["napi"].package)
    made = hall(place)
    assert installed._files(sub, made) == (("sub.tgz", sub.sha256), ("main.tgz", main.sha256))
    assert installed._files(main, made) == (("main.tgz", main.sha256),)


@pytest.mark.parametrize(
    ("text", "status", "said"),
    [
        ("{url} {sum}", "not-run", "there is no Homebrew here; its 1 addresses have the checksums of the packages"),
        ("{url} {sum} {url} {sum}", "not-run", "its 2 addresses"),
        ("{url} {wrong}", "fail", "a.tar.gz: an address without the package's checksum"),
        ("{url} {sum} https://x.example/b.zip {sum}", "fail", "b.zip: an address without"),
        ("{url}", "fail", "its archives: an address without the package's checksum"),
        ("{url} {sum} {sum}", "fail", "its archives: an address without"),
        ("nothing", "fail", "its archives: an address without"),
    ],
)
def test_a_formula_names_archives_by_their_checksums(
    place: Place, ran: list[Job], text: str, status: str, said: str
) -> None:
    archive = pack(place, "cli/a.tar.gz", "cli", CLI)
    words = text.format(url='"https://x.example/1/a.tar.gz"', sum=f'"{archive.sha256}"', wrong="0" * 64)
    place.pack("manager/p.rb", "manager", "p.rb", (CLI,), words.encode())
    [cell] = [c for c in installed.cells(hall(place), place.table.targets) if c.check == "brew"]
    assert (cell.status, cell.package) == (status, "manager/p.rb")
    assert said in cell.reason


def test_a_stand_ins_checksum_is_none_that_a_formula_may_name(place: Place, ran: list[Job]) -> None:
    archive = pack(place, "cli/a.zip", "cli", WINDOWS, build="stand-in")
    place.pack("manager/p.json", "manager", "p.json", (CLI,), f"https://x.example/a.zip {archive.sha256}".encode())
    [cell] = [c for c in installed.cells(hall(place), place.table.targets) if c.check == "scoop"]
    assert (cell.status, cell.reason) == ("fail", "a.zip: an address without the package's checksum")


def test_a_scoop_manifest(place: Place, ran: list[Job]) -> None:
    archive = pack(place, "cli/a.zip", "cli", WINDOWS)
    place.pack("manager/p.json", "manager", "p.json", (CLI,), f"https://x.example/a.zip {archive.sha256}".encode())
    [cell] = [c for c in installed.cells(hall(place), place.table.targets) if c.check == "scoop"]
    assert (cell.status, cell.reason[:24]) == ("not-run", "there is no Scoop here; ")


@pytest.mark.parametrize(
    ("kind", "file", "said"),
    [
        ("system", "a.rpm", "there is no RPM here"),
        ("installer", "install.ps1", "there is no PowerShell here"),
        ("system", "a.deb", "dpkg-deb was not found"),
        ("cli", "a.tar.zst", "tar zstd was not found"),
        ("installer", "install.sh", "sh was not found"),
    ],
)
def test_what_this_machine_lacks(
    place: Place, ran: list[Job], monkeypatch: pytest.MonkeyPatch, kind: str, file: str, said: str
) -> None:
    monkeypatch.setattr(installed, "lacking_programs", lambda names: f"{' '.join(names)} was not found" if names else "")  # fmt: skip
    pack(place, file, kind, CLI)
    [cell] = installed.cells(hall(place), place.table.targets)
    assert cell.status == "not-run"
    assert said in cell.reason


@pytest.mark.parametrize(("recipe", "form"), [("sdist", "sdist"), ("crate", "crate"), ("wheel", "wheel")])
def test_what_is_packed_as_it_was_built_is_run_from_dist(place: Place, ran: list[Job], recipe: str, form: str) -> None:
    row = OWN_WHEEL if recipe == "wheel" else f"native-{recipe}"
    smoke(place, recipe, "{python}", "direct.py")
    place.build(row, b"built", form, "thing")
    pack(place, "thing.x", "crate" if recipe == "crate" else "python", row)
    [cell] = installed.cells(hall(place, row), place.table.targets)
    assert (cell.how, cell.evidence, cell.lane) == ("run", "5 reference cases", "")
    digest = hashlib.sha256(b"built").hexdigest()
    folder = place.root / "dist" / "native" / row
    assert ran == [Job(row, "", ((f"native/{row}/thing", digest),), folder, ("{python}", "direct.py"))]


def test_only_packages_of_the_chosen_rows(place: Place, ran: list[Job]) -> None:
    for row in (CLI, ARM):
        place.build(row, b"built", "executable", "program")
        pack(place, f"{row}.tar.gz", "cli", row)
    pack(place, "a.json", "sbom", CLI)
    found = installed.cells(hall(place), [t for t in place.table.targets if t.id == ARM])
    assert [c.row for c in found] == [ARM]
    assert [c.row for c in installed.cells(hall(place), place.table.targets)] == [CLI, ARM]
