"""D49: one class of error, one exit code; each says what happened and what to do."""

from __future__ import annotations

import inspect
import json
from pathlib import Path

import pytest
from rva import errors

CODES = {
    "CheckFailed": 1,
    "UsageError": 2,
    "MatrixError": 3,
    "ToolError": 4,
    "Unavailable": 5,
    "NetworkError": 6,
    "DiskError": 7,
    "InternalError": 8,
    "Interrupted": 130,
}


def classes() -> dict[str, type[errors.RvaError]]:
    found = inspect.getmembers(errors, inspect.isclass)
    return {n: c for n, c in found if issubclass(c, errors.RvaError) and c is not errors.RvaError}


def test_one_code_a_class() -> None:
    assert {name: c.code for name, c in classes().items()} == CODES
    assert len(set(CODES.values())) == len(CODES)


@pytest.mark.parametrize("name", sorted(CODES))
def test_an_error_prints_as_json_with_its_class(name: str) -> None:
    error = classes()[name]("it broke", fix="mend it")
    assert str(error) == "it broke"
    assert json.loads(json.dumps(error.as_json())) == {
        "error": {"class": name, "message": "it broke", "fix": "mend it", "exit_code": CODES[name]}
    }


def test_no_other_file_makes_a_class_of_its_own(root: Path) -> None:
    """Errors that users see come from this one tree."""
    for path in (root / "toolkit" / "rva").rglob("*.py"):
        for line in path.read_text("utf-8").splitlines():
            if line.startswith("class ") and "RvaError)" in line:
                assert path.name == "errors.py", f"{path}: {line}"
