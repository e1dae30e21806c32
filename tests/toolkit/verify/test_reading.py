"""Files of dist/ held against their rows."""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec
import pytest
from rva import naming
from rva.model import Artifact, Manifest, Matrix, Target
from rva.verify import reading

ROW = "cli-x86_64-unknown-linux-gnu"


def placed(data: bytes, target: Target, root: Path, build: str = "native") -> Manifest:
    """A dist/ with one file, and its manifest."""
    folder = naming.dist_folder(target.family, target.id, stand_in=build == "stand-in")
    path = root / "dist" / folder / "ruvector-attention"
    path.parent.mkdir(parents=True)
    path.write_bytes(data)
    path.chmod(0o755)
    digest = hashlib.sha256(data).hexdigest()
    made = Artifact(
        target.id, target.family, target.triple, f"{folder}/{path.name}", len(data), digest, "executable", build, "c", 1.0  # type: ignore[arg-type]
    )  # fmt: skip
    return Manifest("0.1.0", "c0ffee", (made,))


@pytest.mark.parametrize(
    ("sample", "status", "said"),
    [
        ("x86_64-unknown-linux-gnu", "pass", ""),
        ("aarch64-unknown-linux-gnu", "fail", "built for the processor arm64; x64 was wanted"),
        ("x86_64-apple-darwin", "fail", "format Mach-O; ELF was wanted for x86_64-unknown-linux-gnu"),
    ],
)
def test_a_file_is_what_its_row_promises(
    table: Matrix,
    rows: dict[str, Target],
    samples: dict[str, bytes],
    tmp_path: Path,
    sample: str,
    status: str,
    said: str,
) -> None:
    manifest = placed(samples[f"{sample}/executable"], rows[ROW], tmp_path)
    [cell] = reading.cells(manifest, [rows[ROW]], table, tmp_path)
    assert (cell.row, cell.check, cell.status, cell.stand_in) == (ROW, "files", status, False)
    assert said in cell.reason
    assert manifest.artifacts[0].sha256[:12] in cell.evidence


def test_a_file_that_changed_or_is_gone(
    table: Matrix, rows: dict[str, Target], samples: dict[str, bytes], tmp_path: Path
) -> None:
    manifest = placed(samples["x86_64-unknown-linux-gnu/executable"], rows[ROW], tmp_path)
    path = tmp_path / "dist" / manifest.artifacts[0].path
    path.write_bytes(path.read_bytes() + b"\0")
    [cell] = reading.cells(manifest, [rows[ROW]], table, tmp_path)
    assert cell.status == "fail"
    assert "is not the file that was built: its SHA-256 differs from the manifest's" in cell.reason
    path.unlink()
    [cell] = reading.cells(manifest, [rows[ROW]], table, tmp_path)
    assert cell.reason.endswith("is missing")


def test_rows_that_were_not_built_have_no_cell(table: Matrix, rows: dict[str, Target], tmp_path: Path) -> None:
    assert reading.cells(Manifest("0.1.0", "c0ffee", ()), [rows[ROW]], table, tmp_path) == ()


def test_a_rows_files_are_one_cell_and_its_stand_ins_another(
    table: Matrix, rows: dict[str, Target], samples: dict[str, bytes], tmp_path: Path
) -> None:
    data = samples["x86_64-unknown-linux-gnu/executable"]
    [real] = placed(data, rows[ROW], tmp_path).artifacts
    [double] = placed(data, rows[ROW], tmp_path, "stand-in").artifacts
    gone = [msgspec.structs.replace(real, path=f"cli/gone{n}", sha256=f"{n}" * 64) for n in range(2)]
    other = msgspec.structs.replace(real, id="another")
    manifest = Manifest("0.1.0", "c0ffee", (real, *gone, double, other))
    first, second = reading.cells(manifest, [rows[ROW]], table, tmp_path)
    digest = real.sha256[:12]
    assert (first.stand_in, first.status, first.evidence) == (False, "fail", f"3 files, SHA-256 {digest}, 000000000000, 111111111111")  # fmt: skip
    assert first.reason == "cli/gone0: is missing; cli/gone1: is missing"
    assert (second.stand_in, second.status, second.evidence) == (True, "pass", f"1 files, SHA-256 {digest}")
    assert (second.reason, second.row, second.check) == ("", ROW, "files")
    assert 0 <= second.duration_s < 60


@pytest.mark.parametrize("place", ["root", "home"])
def test_no_file_holds_the_checkouts_place_or_the_users(
    table: Matrix, rows: dict[str, Target], samples: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:  # fmt: skip
    monkeypatch.setattr(Path, "home", lambda: Path("/home/somebody"))
    held = {"root": str(tmp_path), "home": "/home/somebody"}[place]
    data = samples["x86_64-unknown-linux-gnu/executable"]
    manifest = placed(data + f"\0{held}/x".encode(), rows[ROW], tmp_path)
    [cell] = reading.cells(manifest, [rows[ROW]], table, tmp_path)
    path = manifest.artifacts[0].path
    assert cell.reason == f"{path}: holds the path {held!r} of the building machine (byte {len(data) + 1})"
