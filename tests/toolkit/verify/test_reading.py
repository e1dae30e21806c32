"""Files of dist/ held against their rows."""

from __future__ import annotations

import hashlib
from pathlib import Path

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
        ("x86_64-apple-darwin", "fail", "format Mach-O; ELF was wanted"),
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
