"""Shows the runner red: a wrong value, a consumer that dies, an artifact that is absent."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import conformance
import pytest

import bindings
from bindings import VECTORS, Binding

CONSUMER = """
import sys
sys.path.insert(0, {smoke!r})
import cases
folder, vectors = cases.arguments(sys.argv)
{body}
"""


@pytest.fixture
def dist(tmp_path: Path) -> Path:
    (tmp_path / "dist" / "native" / "row").mkdir(parents=True)
    return tmp_path / "dist"


def _run(
    monkeypatch: pytest.MonkeyPatch, dist: Path, body: str, *, row: str = "row", vectors: Path = VECTORS
) -> tuple[int, dict[str, dict[str, str]]]:
    """The exit code, and the cells of a good binding and of one whose consumer has this body."""
    good = "sys.exit(cases.replay(cases.load(vectors), lambda case: case.expected))"
    chosen = []
    for name, text in (("good", good), ("other", body)):
        script = dist.parent / f"{name}.py"
        script.write_text(CONSUMER.format(smoke=str(bindings.SMOKE), body=text), "utf-8")
        chosen.append(Binding(name, name, "row" if name == "good" else row, str(script)))
    monkeypatch.setattr(conformance, "BINDINGS", tuple(chosen))
    output = dist.parent / "out"
    argv = ["conformance.py", "--dist", str(dist), "--vectors", str(vectors), "--output", str(output)]
    monkeypatch.setattr(sys, "argv", argv)
    code = conformance.main()
    data = json.loads((output / "conformance.json").read_text("utf-8"))
    return code, {name: binding["cases"] for name, binding in data["bindings"].items()}


def test_all_green(monkeypatch: pytest.MonkeyPatch, dist: Path) -> None:
    code, cells = _run(
        monkeypatch, dist, "sys.exit(cases.replay(cases.load(vectors), lambda case: [x + 1e-5 for x in case.expected]))"
    )
    assert code == 0
    assert set(cells["other"].values()) == {"pass"}


def test_one_wrong_number_is_found(monkeypatch: pytest.MonkeyPatch, dist: Path) -> None:
    body = """
def off(case):
    return [x + 1e-4 * (case.kind == "cross" and i == 0) for i, x in enumerate(case.expected)]
sys.exit(cases.replay(cases.load(vectors), off))
"""
    code, cells = _run(monkeypatch, dist, body)
    assert code == 1
    assert [name.split("/")[0] for name, cell in cells["other"].items() if cell != "pass"] == ["cross"]
    assert set(cells["good"].values()) == {"pass"}


def test_a_consumer_that_dies_is_a_failure(monkeypatch: pytest.MonkeyPatch, dist: Path) -> None:
    code, cells = _run(monkeypatch, dist, "sys.exit(3)")
    assert code == 1
    assert set(cells["other"].values()) == {"FAIL"}


def test_what_was_not_built_is_not_run(
    monkeypatch: pytest.MonkeyPatch, dist: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, cells = _run(monkeypatch, dist, "", row="absent")
    assert code == 0
    assert set(cells["other"].values()) == {"not run"}
    assert "absent is not in dist/" in capsys.readouterr().out


def test_no_case_is_a_failure(monkeypatch: pytest.MonkeyPatch, dist: Path) -> None:
    code, _ = _run(monkeypatch, dist, "cases.judge([], []); sys.exit(0)")
    assert code == 1


def test_a_runtime_that_npm_lacks_is_not_run(
    monkeypatch: pytest.MonkeyPatch, dist: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bindings.runtimes, "provide", lambda: "npm was not found")
    chosen = Binding("old", "old", "row", "node.cjs", runtime="node-18")
    assert bindings.run(chosen, dist, VECTORS).not_run == "npm was not found"
    monkeypatch.setattr(bindings.runtimes, "provide", lambda: dist)
    assert bindings.run(chosen, dist, VECTORS).not_run == "npm has no node-18 for this system"
