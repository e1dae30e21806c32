"""The check of the WebAssembly package can fail."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "package"))
import wasm


def test_every_fault_is_told() -> None:
    good = {"level": "simd128", "found": {"a": None}}
    assert wasm.failures({"baseline": "pass", "simd128": "not run: old"}, {"page": good}) == []
    assert wasm.failures({"baseline": "fail"}, {}) == ["node baseline: fail"]
    assert wasm.failures({}, {"page": {"fault": "no module"}}) == ["page page: no module"]
    assert wasm.failures({}, {"page": {"level": "simd128", "found": {}}}) == ["page page: it ran no test"]
    assert wasm.failures({}, {"page": {"found": {"a": None, "b": "other bits"}}}) == ["page page: b: other bits"]


def test_a_module_that_is_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "wasm").mkdir()
    for level in wasm.LEVELS:
        (tmp_path / "wasm" / f"{level}.wasm").write_bytes(bytes(1000))
    assert wasm.sizes(tmp_path).keys() == set(wasm.LEVELS)
    monkeypatch.setattr(wasm, "GZIPPED", 5)
    with pytest.raises(AssertionError):
        wasm.sizes(tmp_path)
