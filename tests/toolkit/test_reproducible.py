"""The command that builds twice sees each kind of difference."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture
def twice(script: Callable[[str], ModuleType]) -> ModuleType:
    return script("tests/package/reproducible.py")


def test_a_byte_a_mode_and_a_name_are_seen(twice: ModuleType, tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("one", "other")]
    for folder in folders:
        (folder / "packages" / "npm").mkdir(parents=True)
        for name in ("same", "byte", "mode", "packages/npm/a-1.0.0.tgz", "manifest.json", "packages/manifest.json"):
            (folder / name).write_text("content")
    one, other = (twice.digests(folder) for folder in folders)
    assert twice.differences(one, other) == [] and len(one) == 4
    # When it was made is no part of what was made.
    (folders[1] / "manifest.json").write_text("another time")
    (folders[1] / "byte").write_text("contenT")
    (folders[1] / "mode").chmod(0o755)
    (folders[1] / "more").write_text("")
    (folders[1] / "packages/npm/a-1.0.0.tgz").unlink()
    found = twice.differences(one, twice.digests(folders[1]))
    assert found == ["byte", "mode", "more", "packages/npm/a-1.0.0.tgz"]


def test_kinds(twice: ModuleType) -> None:
    assert twice.kind("cli/cli-x86_64-unknown-linux-gnu/tool") == "row cli: program"
    assert twice.kind("packages/npm/a-1.0.0.tgz") == "package npm: .tgz"


def test_what_differs_is_all_that_must_not_matter(twice: ModuleType) -> None:
    one, other = twice.ONE, twice.OTHER
    assert all(a != b for a, b in zip(one, other, strict=True))
