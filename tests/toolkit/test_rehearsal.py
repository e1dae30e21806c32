"""What a rehearsal says of rows that it has no packages of."""

from __future__ import annotations

from rva import rehearsal
from rva.model import Artifact, Manifest, PackageManifest


def test_a_built_row_that_was_not_packed_is_not_passed_over() -> None:
    files = [Artifact(row, "cli", "any", row, 1, "0", "executable", "cross", "", 0.0) for row in ("a", "a", "b", "c")]
    built = Manifest("1.0.0", "c0ffee", tuple(files))
    packed = PackageManifest("1.0.0", "c0ffee", (), (), ("a",))
    [cell] = rehearsal.left_out(packed, built, {"a", "b"})
    assert (cell.row, cell.status) == ("b", "not-run")
    assert "was not asked for it" in cell.reason
