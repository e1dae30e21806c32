"""Shows the verdicts red: a fault that is accepted, a death, too few faults, a program that says nothing."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import robustness


def verdict(tmp_path: Path, body: str, task: str = "faults") -> dict[str, object]:
    return robustness.judge(task, robustness.run([sys.executable, "-c", body], tmp_path, 10.0))


def test_enough_refusals_pass(tmp_path: Path) -> None:
    assert verdict(tmp_path, 'print(\'{"faults": 300, "wrong": 0}\')')["status"] == "pass"


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ('print(\'{"faults": 299, "wrong": 0}\')', "300 are wanted"),
        ("print('{\"wrong\": 0}')", "300 are wanted"),
        ('print(\'{"faults": 400, "wrong": 1}\'); raise SystemExit(1)', "exit status 1"),
        ("import os; print('{\"faults\": 400}', flush=True); os.abort()", "exit status -6"),
        ("import sys; sys.stderr.write('accepted: x'); raise SystemExit(1)", "accepted: x"),
        ("pass", "exit status 0"),
    ],
)
def test_everything_else_fails(tmp_path: Path, body: str, reason: str) -> None:
    found = verdict(tmp_path, body)
    assert found["status"] == "fail" and reason in str(found["reason"])


def test_nothing_built_is_no_pass(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(robustness, "ROOT", tmp_path)
    monkeypatch.setattr(sys, "argv", ["robustness.py", "faults", "--only", "python", "--only", "c"])
    assert robustness.main() == 1
