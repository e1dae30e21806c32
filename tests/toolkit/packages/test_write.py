"""From plan to files: whole or absent, sizes held to their budget, checksums that others can read."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from rva import report
from rva.content import sha256
from rva.errors import CheckFailed
from rva.log import Log
from rva.model import Gap, Package, PackageManifest, Packed, Part, to_json
from rva.packages import sizes, write
from rva.packages.plan import PackagePlan

PLAN = PackagePlan(
    "1.2.3",
    "c",
    (
        Package("c/a-1.2.3.tar.gz", "c", "a", ("r",), (Part("x", text="text"),), "tar.gz", "a-1.2.3"),
        Package("stand-in/c/b-1.2.3.zip", "c", "b", ("r",), (Part("x", source="file"),), "zip", "b-1.2.3", "stand-in"),
    ),
    (Gap("d", "why"),),
    ("r", "s"),
)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    (tmp_path / "file").write_text("from the checkout")
    (tmp_path / "dist").mkdir()
    return tmp_path


def bench(root: Path, **more: object) -> write.Bench:
    return write.Bench(root, {}, 1_700_000_000, Log(0), **more)  # type: ignore[arg-type]


def listing(root: Path) -> dict[str, bytes]:
    folder = root / "dist" / "packages"
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_the_folder_holds_what_its_manifest_says(checkout: Path) -> None:
    made = write.write(PLAN, lambda _: [], bench(checkout))
    assert set(listing(checkout)) == {*(p.file for p in made.packages), "SHA256SUMS", "manifest.json"}
    for packed in made.packages:
        assert packed.sha256 == sha256(checkout / "dist" / "packages" / packed.file)
    assert msgspec.json.decode(listing(checkout)["manifest.json"], type=PackageManifest) == made
    assert made.rows == ("r", "s")
    assert not any((checkout / ".rva" / "stage").iterdir())


def test_checksums_are_of_what_is_published(checkout: Path) -> None:
    made = write.write(PLAN, lambda _: [], bench(checkout))
    assert listing(checkout)["SHA256SUMS"].decode() == f"{made.packages[0].sha256}  c/a-1.2.3.tar.gz\n"


def test_what_speaks_of_packages_sees_them_finished(checkout: Path) -> None:
    def later(packed: object) -> list[Package | Gap]:
        [first, *_] = packed  # type: ignore[misc]
        part = Part("names", text=first.sha256)
        return [Package("manager/names", "manager", "names", (), (part,), "copy"), Gap("e", "why")]

    made = write.write(PLAN, later, bench(checkout))
    assert listing(checkout)["manager/names"].decode() == made.packages[0].sha256
    assert [g.package for g in made.gaps] == ["d", "e"]


def test_twice_gives_the_same_bytes(checkout: Path) -> None:
    write.write(PLAN, lambda _: [], bench(checkout))
    first = listing(checkout)
    (checkout / "file").touch()
    write.write(PLAN, lambda _: [], bench(checkout))
    assert listing(checkout) == first


def test_a_fault_leaves_what_was_there(checkout: Path) -> None:
    write.write(PLAN, lambda _: [], bench(checkout))
    first = listing(checkout)
    (checkout / "file").unlink()
    with pytest.raises(Exception, match="file"):
        write.write(PLAN, lambda _: [], bench(checkout))
    with pytest.raises(CheckFailed, match="one name"):
        write.write(msgspec.structs.replace(PLAN, packages=PLAN.packages[:1] * 2), lambda _: [], bench(checkout))
    assert listing(checkout) == first


def test_a_package_over_its_budget_is_refused(checkout: Path) -> None:
    with pytest.raises(CheckFailed, match=r"c/a-1.2.3.tar.gz: [0-9]+ bytes; the budget for c is 10"):
        write.write(PLAN, lambda _: [], bench(checkout, budget={"c": 10}))
    assert not (checkout / "dist" / "packages").exists()
    small = [Packed("stand-in/c/b", "c", "b", (), "stand-in", 11, "s"), Packed("c/a", "c", "a", (), "release", 10, "s")]
    assert sizes.over(small, {"c": 10}) == []


def test_sizes_are_held_against_the_last_release(checkout: Path) -> None:
    last = PackageManifest("1.2.2", "b", (Packed("c/a-1.2.2.tar.gz", "c", "a", (), "release", 100, "s"),), ())
    (checkout / "docs" / "measured").mkdir(parents=True)
    (checkout / sizes.LAST).write_text(to_json(last))
    made = write.write(PLAN, lambda _: [], bench(checkout, last=sizes.last_release(checkout)))
    assert [p.last for p in made.packages] == [100, 0]
    shown = report.package_table(made, colour=False, width=200)
    change = made.packages[0].size - 100
    assert f"{change:+d} B ({change:+.1f} %)" in shown and "not in it" in shown


def test_a_damaged_record_of_the_last_release_is_told(checkout: Path) -> None:
    assert sizes.last_release(checkout) is None
    (checkout / "docs" / "measured").mkdir(parents=True)
    (checkout / sizes.LAST).write_text("{")
    with pytest.raises(CheckFailed, match="no manifest"):
        sizes.last_release(checkout)
