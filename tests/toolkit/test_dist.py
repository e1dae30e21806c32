"""The store of finished rows, and dist/ with the manifest that is written last."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from rva import content, files
from rva.dist import Dist
from rva.errors import RvaError
from rva.model import Build, Manifest, RowPlan
from rva.store import Store, StoredFile, StoredRow

KEY = "a" * 64


def finish(store: Store, work: Path, key: str, row: str, **contents: bytes) -> None:
    """Put a row with these files into the store."""
    folder = work / f"finished-{key[:6]}"
    folder.mkdir(parents=True)
    kept = []
    for name, data in contents.items():
        (folder / name).write_bytes(data)
        kept.append(StoredFile(name, "executable", len(data), content.sha256(folder / name)))
    store.put(key, folder, StoredRow(row, "t", "cargo", 1.25, tuple(kept)))


def plan_row(row: str, key: str, build: Build = "native") -> RowPlan:
    return RowPlan(row, "cli", "cli", "t", build, "current", "cargo", "x", "t", (), (), (), key)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def listing(root: Path) -> dict[str, bytes]:
    return {p.relative_to(root).as_posix(): p.read_bytes() for p in root.rglob("*") if p.is_file()}


def test_a_row_is_found_by_its_key(store: Store, tmp_path: Path) -> None:
    assert store.find(KEY) is None
    finish(store, tmp_path, KEY, "r", tool=b"one")
    found = store.find(KEY)
    assert found is not None and found.id == "r" and found.files[0].name == "tool"
    assert store.find("b" * 64) is None


@pytest.mark.parametrize("damage", ["missing", "short", "record", "half a record"])
def test_a_damaged_row_counts_as_absent_and_is_replaced(store: Store, tmp_path: Path, damage: str) -> None:
    finish(store, tmp_path, KEY, "r", tool=b"one", other=b"two")
    folder = store.folder(KEY)
    if damage == "missing":
        (folder / "tool").unlink()
    elif damage == "short":
        (folder / "tool").write_bytes(b"on")
    elif damage == "record":
        (folder / "row.json").unlink()
    else:
        (folder / "row.json").write_text((folder / "row.json").read_text()[:40])
    assert store.find(KEY) is None
    finish(store, tmp_path / "again", KEY, "r", tool=b"one", other=b"two")
    assert store.find(KEY) is not None


def test_two_runs_may_finish_the_same_row(store: Store, tmp_path: Path) -> None:
    finish(store, tmp_path / "1", KEY, "r", tool=b"one")
    finish(store, tmp_path / "2", KEY, "r", tool=b"one")
    assert store.find(KEY) is not None


def update(root: Path, store: Store, *rows: RowPlan) -> Manifest:
    return Dist(root).update(rows, store, "1.2.3", "abc")


def test_dist_holds_what_the_manifest_says(store: Store, tmp_path: Path) -> None:
    root = tmp_path / "root"
    finish(store, tmp_path, KEY, "cli-t", tool=b"program", notes=b"text")
    finish(store, tmp_path, "b" * 64, "cli-w", tool=b"other")
    manifest = update(root, store, plan_row("cli-t", KEY), plan_row("cli-w", "b" * 64, "stand-in"))
    assert [a.path for a in manifest.artifacts] == ["cli/cli-t/tool", "cli/cli-t/notes", "stand-in/cli-w/tool"]
    written = json.loads((root / "dist/manifest.json").read_text())
    assert written["schema_version"] == 1 and written["version"] == "1.2.3" and written["commit"] == "abc"
    assert set(written["artifacts"][0]) == {
        "id", "family", "triple", "path", "size", "sha256", "kind", "build", "tool", "duration_s",
    }  # fmt: skip
    for entry in written["artifacts"]:
        path = root / "dist" / entry["path"]
        assert (path.stat().st_size, content.sha256(path)) == (entry["size"], entry["sha256"])
    assert len(listing(root / "dist")) == len(written["artifacts"]) + 1


def test_nothing_changes_where_all_is_right(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "root"
    finish(store, tmp_path, KEY, "cli-t", tool=b"program")
    first = update(root, store, plan_row("cli-t", KEY))

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("something was written or read again")

    monkeypatch.setattr(files, "write", refuse)
    monkeypatch.setattr(files, "copy", refuse)
    monkeypatch.setattr(content, "sha256", refuse)
    assert update(root, store, plan_row("cli-t", KEY)) == first


@pytest.mark.parametrize("damage", ["changed", "same size", "missing", "manifest"])
def test_a_damaged_dist_is_mended(store: Store, tmp_path: Path, damage: str) -> None:
    root = tmp_path / "root"
    finish(store, tmp_path, KEY, "cli-t", tool=b"program")
    update(root, store, plan_row("cli-t", KEY))
    right = listing(root / "dist")
    path = root / "dist/cli/cli-t/tool"
    if damage == "changed":
        path.write_bytes(b"something else")
    elif damage == "same size":
        path.write_bytes(b"PROGRAM")
    elif damage == "missing":
        path.unlink()
    else:
        (root / "dist/manifest.json").write_text("{")
    update(root, store, plan_row("cli-t", KEY))
    assert listing(root / "dist") == right


def test_what_no_row_owns_is_removed(store: Store, tmp_path: Path) -> None:
    root = tmp_path / "root"
    finish(store, tmp_path, KEY, "cli-t", tool=b"program")
    finish(store, tmp_path, "b" * 64, "cli-u", tool=b"program")
    update(root, store, plan_row("cli-t", KEY), plan_row("cli-u", "b" * 64))
    (root / "dist/cli/cli-t/.rva-part-99-tool").write_bytes(b"half")
    update(root, store, plan_row("cli-t", KEY))
    assert sorted(listing(root / "dist")) == ["cli/cli-t/tool", "manifest.json"]
    assert not (root / "dist/cli/cli-u").exists()


def test_a_row_that_was_not_finished_is_not_listed(store: Store, tmp_path: Path) -> None:
    manifest = update(tmp_path / "root", store, plan_row("cli-t", KEY), plan_row("cli-u", ""))
    assert manifest.artifacts == ()


def test_no_manifest_stands_while_files_change(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that is killed half-way leaves no manifest that describes what is not there."""
    root = tmp_path / "root"
    finish(store, tmp_path, KEY, "cli-t", tool=b"program")
    update(root, store, plan_row("cli-t", KEY))
    finish(store, tmp_path, "b" * 64, "cli-t", tool=b"changed")

    class Killed(BaseException):
        pass

    def killed(*_: object, **__: object) -> None:
        raise Killed

    monkeypatch.setattr(files, "copy", killed)
    with pytest.raises(Killed):
        update(root, store, plan_row("cli-t", "b" * 64))
    assert not (root / "dist/manifest.json").exists()
    monkeypatch.undo()
    update(root, store, plan_row("cli-t", "b" * 64))
    assert (root / "dist/cli/cli-t/tool").read_bytes() == b"changed"


def test_a_store_whose_bytes_turned_is_noticed(store: Store, tmp_path: Path) -> None:
    """Same size, other content: a manifest must never vouch for it."""
    root = tmp_path / "root"
    finish(store, tmp_path, KEY, "cli-t", tool=b"program")
    (store.folder(KEY) / "tool").write_bytes(b"PROGRAM")
    with pytest.raises(RvaError, match="damaged"):
        update(root, store, plan_row("cli-t", KEY))
    assert not (root / "dist/manifest.json").exists()
    assert not (root / "dist/cli/cli-t/tool").exists()
    assert store.find(KEY) is None  # so that the next run builds it again


def test_packages_go_when_what_they_were_made_from_changes(store: Store, tmp_path: Path) -> None:
    finish(store, tmp_path, KEY, "cli-a", a=b"1")
    rows = [plan_row("cli-a", KEY)]
    Dist(tmp_path).update(rows, store, "1", "c")
    packed = tmp_path / "dist" / "packages" / "manifest.json"
    packed.parent.mkdir()
    packed.write_text("{}")
    Dist(tmp_path).update(rows, store, "1", "c")
    assert packed.is_file(), "nothing changed"
    (tmp_path / "dist" / "cli" / "cli-a" / "a").write_bytes(b"2")
    Dist(tmp_path).update(rows, store, "1", "c")
    assert not packed.parent.exists()
