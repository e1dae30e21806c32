"""What a smoke test's end means: cases that ran, cases that failed, and a disk that was full."""

from __future__ import annotations

from pathlib import Path

import pytest
from rva import replay
from rva.shell import Result

GOOD = '{"passed": 3, "failed": 0}\n'
FULL = "disk is full or cannot be written; the artifact was not judged"


@pytest.mark.parametrize(
    ("status", "output", "log", "verdict", "said"),
    [
        (0, GOOD, "", "pass", ""),
        (0, "words\n" + GOOD, "No space left on device", "pass", ""),
        (1, GOOD, "", "fail", "0 of 3 cases failed"),
        (0, '{"passed": 0, "failed": 0}', "", "fail", "0 of 0 cases failed"),
        (0, '{"passed": 2, "failed": 1}', "", "fail", "1 of 3 cases failed"),
        (0, "", "", "fail", "gave no summary (exit status 0)"),
        (7, "[]", "", "fail", "gave no summary (exit status 7)"),
        (1, "", "OSError: [Errno 28] No space left on device: 'x'", "fail", FULL),
        (1, "Error: ENOSPC: no space left", "", "fail", FULL),
        (1, '{"passed": 2, "failed": 1}', "write: Disk quota exceeded", "fail", FULL),
    ],
)
def test_verdicts(tmp_path: Path, status: int, output: str, log: str, verdict: str, said: str) -> None:
    record = tmp_path / "row.smoke.log"
    record.write_text(log)
    made = replay._judge("row", Result(("x",), status, output, 1.25), record)
    assert (made.id, made.status, made.duration_s) == ("row", verdict, 1.2)
    assert said in made.reason and bool(made.reason) == (verdict == "fail")
    if verdict == "pass":
        assert (made.passed, made.failed) == (3, 0)


def test_a_record_that_was_never_written(tmp_path: Path) -> None:
    made = replay._judge("row", Result(("x",), 1, "", 0.0), tmp_path / "gone")
    assert made.reason.startswith("the smoke test gave no summary")
