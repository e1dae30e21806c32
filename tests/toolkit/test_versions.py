"""One version in every place; a place that says another is found."""

from __future__ import annotations

import hashlib
import io
import json
import re
import tarfile
from pathlib import Path

import msgspec
import pytest
from rva import matrix, versions
from rva.errors import CheckFailed, UsageError
from rva.model import Matrix, PackageManifest, Packed, Place, to_json

OTHER = "9.8.7"
PLACES = matrix.load(Path(__file__).resolve().parents[2]).release.places


@pytest.fixture
def copied(tmp_path: Path, root: Path, table: Matrix) -> Path:
    """The files that hold the version, and nothing else."""
    for name in {p.file for p in table.release.places} | {str(table.release.changelog)}:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes((root / name).read_bytes())
    (tmp_path / versions.FRAGMENTS).mkdir()
    (tmp_path / versions.FRAGMENTS / "+x.added.md").write_text("x")
    return tmp_path


def test_the_checkout_agrees(copied: Path, table: Matrix) -> None:
    assert len(table.release.places) > 20
    assert versions.check(copied, table) == ()


@pytest.mark.parametrize("place", PLACES, ids=lambda p: f"{p.file}-{p.below or p.text}")
def test_skew_by_hand_at_any_place_is_found(copied: Path, table: Matrix, place: Place) -> None:
    """In each line where the place is, one by one."""
    path = copied / place.file
    text = path.read_text("utf-8")
    found = list(versions._pattern(place).finditer(text))
    assert len(found) == place.count
    for match in found:
        path.write_text(text[: match.end(1)] + OTHER + text[match.start(2) :], "utf-8")
        [skew] = versions.check(copied, table)
        line = text[: match.end(1)].count("\n") + 1
        assert skew == versions.Skew(f"{place.file}:{line}", OTHER)
    path.write_text("")
    assert any(skew.where == place.file for skew in versions.check(copied, table))
    path.unlink()
    assert any(skew.where == place.file for skew in versions.check(copied, table))


def test_no_file_of_the_checkout_holds_the_version_beside_the_places(root: Path, table: Matrix) -> None:
    """Of the files that name packages with a version; measurements and tests may speak of any."""
    known = {p.file for p in table.release.places} | {str(table.release.changelog)}
    pattern = re.compile(rf'(?:version"?\s*[=:]\s*"|@|==){re.escape(table.version)}"?')
    folders = ("core", "bindings", "bench", "templates", "toolkit", "docs")
    names = [
        p for f in folders for p in (root / f).rglob("*") if p.suffix in (".toml", ".json", ".md", ".js", ".py", ".j2")
    ]
    found = set()
    for path in [*names, root / "README.md", root / "pyproject.toml"]:
        name = path.relative_to(root).as_posix()
        if (
            path.is_file()
            and not {"node_modules", "target", "measured", "peers"} & set(path.parts)
            and name not in known
        ):
            text = path.read_text("utf-8", "replace")
            found |= {
                name for m in pattern.finditer(text) if table.project.name in text[max(0, m.start() - 80) : m.end()]
            }
    assert found == set()


def test_a_version_is_written_everywhere_and_again_over_skew(copied: Path, table: Matrix) -> None:
    changed = versions.write(copied, table, "1.2.3-rc.4")
    assert set(changed) == {p.file for p in table.release.places}
    after = msgspec.structs.replace(table, version="1.2.3-rc.4")
    assert versions.check(copied, after) == ()
    assert versions.write(copied, after, "1.2.3-rc.4") == ()
    # A run that was ended in the middle: the same command mends it.
    path = copied / PLACES[-1].file
    path.write_text(path.read_text("utf-8").replace("1.2.3-rc.4", OTHER), "utf-8")
    assert versions.write(copied, after, "1.2.3-rc.4") == (PLACES[-1].file,)


def test_nothing_is_written_where_a_place_is_lost(copied: Path, table: Matrix) -> None:
    last = copied / PLACES[-1].file
    last.write_text("nothing")
    before = (copied / PLACES[0].file).read_text("utf-8")
    with pytest.raises(CheckFailed, match="0 times, 1 wanted"):
        versions.write(copied, table, "1.2.3")
    assert (copied / PLACES[0].file).read_text("utf-8") == before


@pytest.mark.parametrize(
    "bad", ["1.2", "v1.2.3", "1.2.3+build", "01.2.3", "1.2.3-beta", "1.2.3-x.1", "1.2.3\n", "$(id)"]
)
def test_what_not_every_registry_can_say_is_no_version(copied: Path, table: Matrix, bad: str) -> None:
    with pytest.raises(UsageError):
        versions.write(copied, table, bad)


@pytest.mark.parametrize(
    ("version", "part", "after"),
    [
        ("1.2.3", "patch", "1.2.4"),
        ("1.2.3", "minor", "1.3.0"),
        ("1.2.3", "major", "2.0.0"),
        ("1.2.3", "rc", "1.2.4-rc.1"),
        ("1.2.4-rc.1", "rc", "1.2.4-rc.2"),
        ("1.2.4-rc.9", "rc", "1.2.4-rc.10"),
        ("1.2.4-alpha.3", "beta", "1.2.4-beta.1"),
        ("1.2.4-rc.1", "patch", "1.2.4"),
        ("1.3.0-rc.1", "minor", "1.3.0"),
        ("1.2.4-rc.1", "minor", "1.3.0"),
        ("2.0.0-rc.1", "major", "2.0.0"),
        ("1.3.0-rc.1", "major", "2.0.0"),
    ],
)
def test_the_next_version(version: str, part: str, after: str) -> None:
    assert versions.bumped(version, part) == after


def test_a_step_back_or_an_unknown_part_is_refused() -> None:
    for version, part in (("1.2.4-rc.1", "beta"), ("1.2.3", "rc1"), ("1.2.3", "")):
        with pytest.raises(UsageError):
            versions.bumped(version, part)


def test_a_changelog_without_the_version_and_without_fragments_is_skew(copied: Path, table: Matrix) -> None:
    (copied / versions.FRAGMENTS / "+x.added.md").unlink()
    [skew] = versions.check(copied, table)
    assert skew.where == table.release.changelog
    path = copied / str(table.release.changelog)
    path.write_text(f"# Changes\n\n## {table.version} (today)\n\n### Added\n\n- x\n\n## 0.0.1 (before)\n\n- y\n")
    assert versions.check(copied, table) == ()
    assert versions.section(path.read_text(), table.version) == "### Added\n\n- x"
    assert versions.section(path.read_text(), "0.0.1") == "- y"
    assert versions.section(path.read_text(), "0.0") == ""


def tarball(value: object) -> bytes:
    sink, data = io.BytesIO(), json.dumps(value).encode()
    with tarfile.open(fileobj=sink, mode="w:gz") as archive:
        info = tarfile.TarInfo("package/package.json")
        info.size = len(data)
        archive.addfile(info, io.BytesIO(data))
    return sink.getvalue()


def test_packages_of_another_version_are_skew(copied: Path, table: Matrix) -> None:
    """The loader, optionalDependencies, the formula: rendered into packages, and held against the version there."""
    folder = copied / "dist" / "packages"
    folder.mkdir(parents=True)

    def says(version: str, npm: object, formula: str) -> list[str]:
        packed = []
        for file, kind, data in (("p.tgz", "npm", tarball(npm)), ("f.rb", "manager", formula.encode())):
            (folder / file).write_bytes(data)
            digest = hashlib.sha256(data).hexdigest()
            packed.append(Packed(file, kind, file, (), "release", len(data), digest))  # type: ignore[arg-type]
        (folder / "manifest.json").write_text(to_json(PackageManifest(version, "", tuple(packed), ())))
        return [skew.where for skew in versions.check(copied, table)]

    good = {"version": table.version, "optionalDependencies": {"a": table.version}}
    formula = f'version "{table.version}"'
    assert says(table.version, good, formula) == []
    assert says(OTHER, good, formula) == ["dist/packages/manifest.json"]
    assert says(table.version, {**good, "version": OTHER}, formula) == ["dist/packages/p.tgz: package.json"]
    optional = {**good, "optionalDependencies": {"a": table.version, "b": OTHER}}
    assert says(table.version, optional, formula) == ["dist/packages/p.tgz: package.json"]
    assert says(table.version, good, f'version "{OTHER}"') == ["dist/packages/f.rb"]
    assert says(table.version, good, formula) == []
    (folder / "p.tgz").write_bytes(tarball({}))
    assert [skew.where for skew in versions.check(copied, table)] == ["dist/packages/p.tgz"]


def test_the_lock_file_is_still_cargos(root: Path, table: Matrix) -> None:
    """Every crate of the workspace is listed as a place."""
    names = re.findall(
        r'^name = "(.+)"\nversion = ".+"\n(?!source)', (root / "Cargo.lock").read_text("utf-8"), re.MULTILINE
    )
    listed = {p.below for p in table.release.places if p.file == "Cargo.lock"}
    assert {f'name = "{name}"' for name in names} == listed
