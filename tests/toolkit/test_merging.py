"""dist/ of several machines as one: what agrees is merged, what does not is refused."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import msgspec
import pytest
from rva import dist, merging
from rva.errors import CheckFailed, UsageError
from rva.model import Artifact, Manifest, Matrix, to_json

LINUX, MAC = "cli-x86_64-unknown-linux-gnu", "cli-aarch64-apple-darwin"


def part(folder: Path, table: Matrix, row: str, data: bytes = b"x", **changes: Any) -> Path:
    """A dist/ that holds one file of one row, and says of it what CHANGES say."""
    build = changes.get("build", "native")
    home = f"stand-in/{row}" if build == "stand-in" else f"cli/{row}"
    target = next(t for t in table.targets if t.id == row)
    path = folder / home / "program"
    path.parent.mkdir(parents=True)
    path.write_bytes(data)
    digest = hashlib.sha256(data).hexdigest()
    artifact = Artifact(row, "cli", target.triple, f"{home}/program", len(data), digest, "executable", build, "t", 1.0)
    known = {k: v for k, v in changes.items() if k in Artifact.__struct_fields__}
    manifest = Manifest(
        changes.get("version", table.version), changes.get("commit", "c"), (msgspec.structs.replace(artifact, **known),)
    )
    (folder / "manifest.json").write_text(to_json(manifest), "utf-8")
    return folder


def test_rows_of_two_machines_are_one_dist_in_the_order_of_the_table(tmp_path: Path, table: Matrix) -> None:
    parts = [part(tmp_path / "b", table, MAC), part(tmp_path / "a", table, LINUX)]
    (tmp_path / "root" / "dist").mkdir(parents=True)
    (tmp_path / "root" / "dist" / "old").write_text("old", "utf-8")
    merged = merging.merge(tmp_path / "root", table, parts)
    assert [a.id for a in merged.artifacts] == [LINUX, MAC]
    place = dist.Dist(tmp_path / "root")
    assert place.manifest() == merged and place.damaged(merged) == []
    assert (tmp_path / "root/dist/cli" / LINUX / "program").stat().st_mode & 0o111
    assert not (tmp_path / "root/dist/old").exists()


def test_a_real_row_takes_the_place_of_its_stand_in(tmp_path: Path, table: Matrix) -> None:
    parts = [part(tmp_path / "a", table, MAC, b"stand-in", build="stand-in"), part(tmp_path / "b", table, MAC)]
    assert [a.build for a in merging.merge(tmp_path / "root", table, parts).artifacts] == ["native"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"sha256": "0" * 64}, "not the file that was built"),
        ({"version": "9.9.9"}, "version 9.9.9"),
        ({"commit": "other"}, "commit other"),
        ({"id": "cli-nothing"}, "does not have"),
        ({"path": "../../etc/passwd"}, "is no file of"),
        ({"path": f"cli/{LINUX}/../../../x"}, "is no file of"),
        ({"path": "/etc/passwd"}, "is no file of"),
        ({"path": f"cli/{LINUX}/gone"}, "is missing"),
    ],
)
def test_what_does_not_agree_is_refused_and_dist_stays(
    tmp_path: Path, table: Matrix, changes: dict[str, Any], said: str
) -> None:
    kept = tmp_path / "root" / "dist" / "kept"
    kept.parent.mkdir(parents=True)
    kept.write_text("kept", "utf-8")
    parts = [part(tmp_path / "a", table, MAC), part(tmp_path / "b", table, LINUX, **changes)]
    with pytest.raises(CheckFailed, match=said):
        merging.merge(tmp_path / "root", table, parts)
    assert kept.read_text("utf-8") == "kept"


def test_one_row_of_two_machines_must_be_the_same_bytes(tmp_path: Path, table: Matrix) -> None:
    same = [part(tmp_path / n, table, LINUX) for n in ("a", "b")]
    assert len(merging.merge(tmp_path / "root", table, same).artifacts) == 1
    with pytest.raises(CheckFailed, match="differs"):
        merging.merge(tmp_path / "root", table, [same[0], part(tmp_path / "c", table, LINUX, b"other")])


def test_a_folder_without_a_manifest_is_refused(tmp_path: Path, table: Matrix) -> None:
    with pytest.raises(UsageError, match="no finished dist"):
        merging.merge(tmp_path / "root", table, [tmp_path])
