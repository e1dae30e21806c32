"""The checks of the WebAssembly package can fail."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "package"))
import wasm
import wasm_parallel


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


def test_threads_that_are_missing_or_wrong_are_told() -> None:
    good = {"found": {"a": None}, "threads": 2}
    alone = {"found": {"a": None}, "threads": 1, "reason": f"serve it with {wasm_parallel.ISOLATION}"}
    assert wasm_parallel.failures(good, alone) == []
    assert wasm_parallel.failures({"fault": "no module"}, alone)[0] == "isolated: no module"
    assert wasm_parallel.failures({**good, "found": {"a": "other bits"}}, alone) == ["isolated: a: other bits"]
    # Without the headers an isolated page would look like this one.
    assert wasm_parallel.failures(alone, alone) == [f"isolated: 1 threads: {alone['reason']}"]
    assert len(wasm_parallel.failures(good, good)) == 1
