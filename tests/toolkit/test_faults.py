"""The fault command sees what it looks for: each kind of leftover is shown red."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

WHOLE, HALF = b"whole file", b"whole"


@pytest.fixture
def faults(script: Callable[[str], ModuleType]) -> ModuleType:
    return script("tests/faults/runs.py")


@pytest.fixture
def checkout(tmp_path: Path, faults: ModuleType) -> Path:
    """A checkout whose dist/ holds one finished file, known to the store and to the manifest."""
    place = tmp_path / "checkout"
    (place / "dist" / "cli").mkdir(parents=True)
    file = place / "dist" / "cli" / "tool"
    file.write_bytes(WHOLE)
    digest = faults.digest(file)
    record = tmp_path / "cache" / "store" / "ab" / "abcd" / "row.json"
    record.parent.mkdir(parents=True)
    record.write_text(json.dumps({"files": [{"sha256": digest}]}))
    (place / "dist" / "manifest.json").write_text(json.dumps({"artifacts": [{"path": "cli/tool", "sha256": digest}]}))
    return place


def test_a_whole_dist_has_no_fault(faults: ModuleType, checkout: Path) -> None:
    assert faults.partial(checkout) == [] and faults.unlisted(checkout) == []


@pytest.mark.parametrize("with_manifest", [True, False])
def test_half_a_file_is_seen(faults: ModuleType, checkout: Path, with_manifest: bool) -> None:
    (checkout / "dist" / "cli" / "tool").write_bytes(HALF)
    if not with_manifest:
        (checkout / "dist" / "manifest.json").unlink()
    assert len(faults.partial(checkout)) == 1


def test_a_file_being_written_beside_its_place_is_no_fault(faults: ModuleType, checkout: Path) -> None:
    (checkout / "dist" / "cli" / f"{faults.PART}1-tool").write_bytes(HALF)
    assert faults.partial(checkout) == []


def test_what_the_manifest_does_not_list_is_seen(faults: ModuleType, checkout: Path) -> None:
    (checkout / "dist" / "cli" / "old").write_bytes(WHOLE)
    (checkout / "dist" / "cli" / "tool").unlink()
    assert len(faults.unlisted(checkout)) == 2


def test_half_packages_are_seen(faults: ModuleType, checkout: Path) -> None:
    place = checkout / "dist" / "packages"
    assert faults.half_packages(checkout) == []
    (place / "npm").mkdir(parents=True)
    (place / "npm" / "a.tgz").write_bytes(WHOLE)
    assert faults.half_packages(checkout) == ["dist/packages is there without its manifest"]
    listed = {"file": "npm/a.tgz", "sha256": faults.digest(place / "npm" / "a.tgz")}
    (place / "manifest.json").write_text(json.dumps({"packages": [listed]}))
    assert faults.half_packages(checkout) == []
    (place / "npm" / "b.tgz").write_bytes(WHOLE)
    assert faults.half_packages(checkout) == ["npm/b.tgz is not what the manifest says"]
    (place / "npm" / "b.tgz").unlink()
    (place / "npm" / "a.tgz").write_bytes(HALF)
    assert faults.half_packages(checkout) == ["npm/a.tgz is not what the manifest says"]
    (place / "npm" / "a.tgz").unlink()
    assert faults.half_packages(checkout) == ["npm/a.tgz is not what the manifest says"]
