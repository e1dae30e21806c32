"""Shows each consumer red: on wrong expectations, kind by kind, and on a damaged artifact.

The artifacts are those of dist/ for this machine. A consumer whose artifact was not built is skipped, and says so;
with RVA_SMOKE_PYTHON, the interpreter that runs the consumers as the check does, that fails.
"""

from __future__ import annotations

import importlib.util
import json
import math
import os
import platform
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
DIST = Path(os.environ.get("RVA_SMOKE_DIST") or ROOT / "dist")
PYTHON = os.environ.get("RVA_SMOKE_PYTHON")
VECTORS = ROOT / "tests" / "vectors" / "attention.json"
TRIPLE = {
    ("Linux", "x86_64"): "x86_64-unknown-linux-gnu",
    ("Linux", "aarch64"): "aarch64-unknown-linux-gnu",
    ("Darwin", "x86_64"): "x86_64-apple-darwin",
    ("Darwin", "arm64"): "aarch64-apple-darwin",
}.get((platform.system(), platform.machine()), "none")


def _lacks(what: str) -> NoReturn:
    pytest.fail(what) if PYTHON else pytest.skip(what)


def _load(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(f"smoke_{name}", HERE / f"{name}.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


cases = _load("cases")


@dataclass(frozen=True)
class Consumer:
    """A consumer, a row of dist/ that it takes, and the file whose damage it has to notice."""

    script: str
    row: str
    file: str
    points: bool = True
    """Whether its surface has the maps and the distance of the ball."""
    factor: int = 1
    """How often it runs each case."""

    def folder(self) -> Path:
        found = [path for path in DIST.glob(f"*/{self.row}") if path.is_dir()]
        if not found:
            _lacks(f"{self.row} is not in dist/")
        return found[0]

    def run(self, folder: Path, vectors: Path) -> tuple[int, dict[str, Any] | None]:
        """The exit code and the verdict, if there is one."""
        launcher = (PYTHON or sys.executable) if self.script.endswith(".py") else "node"
        if shutil.which(launcher) is None:
            _lacks(f"{launcher} was not found")
        if "wasi" in self.script and not PYTHON and importlib.util.find_spec("wasmtime") is None:
            _lacks("the Python package wasmtime is not installed")
        command = [launcher, str(HERE / self.script), str(folder), str(vectors)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
        lines = done.stdout.strip().splitlines()
        return done.returncode, json.loads(lines[-1]) if lines and lines[-1].startswith("{") else None


CONSUMERS = (
    Consumer("node.cjs", f"napi-{TRIPLE}", "*.node"),
    Consumer("wasm.mjs", "wasm-web-baseline", "*_bg.wasm"),
    Consumer("wasm.mjs", "wasm-nodejs-simd128", "*_bg.wasm"),
    Consumer("wasm.mjs", "wasm-bundler-relaxed-simd", "*_bg.wasm"),
    Consumer("cli.py", f"cli-{TRIPLE}", "ruvector-attention", points=False),
    Consumer("wasi_cli.py", "wasm-wasip1-cli", "*.wasm", points=False),
    Consumer("wasi_reactor.py", "wasm-wasip1-reactor", "*.wasm"),
    Consumer("reactor.mjs", "wasm-wasip1-reactor", "*.wasm"),
    Consumer("wheel.py", f"native-wheel-{TRIPLE}", "*.whl"),
    Consumer("c.py", f"native-c-{TRIPLE}", "libruvector_attention.a", factor=2),
    Consumer("c.py", f"native-c-{TRIPLE}", "libruvector_attention.[sd]*", factor=2),
    Consumer("crate.py", "native-crate", "*.crate"),
)
# It uses the tool, and knows no cases.
TOOL = Consumer("tool.py", "native-tool", "*.whl")


def _each(*consumers: Consumer) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("consumer", consumers, ids=lambda c: f"{c.script}-{c.row}-{c.file.strip('*._')}")


def _off(output: Any) -> Any:
    """An expected output with one number off by far more than the tolerance, far less than a rough look would see."""
    if isinstance(output[0], list):
        return [_off(output[0]), *output[1:]]
    return [*output[:-1], output[-1] + 1e-3 * (1 + abs(output[-1]))]


def _two_of_each_kind() -> list[dict[str, Any]]:
    chosen: dict[str, list[dict[str, Any]]] = {}
    for case in json.loads(VECTORS.read_text(encoding="utf-8"))["cases"]:
        chosen.setdefault(case["kind"], []).append(case)
    # A kind with a single case gives it twice.
    return [case for found in chosen.values() for case in (found[0], found[-1])]


@_each(*CONSUMERS)
def test_wrong_expectations_are_found_in_every_kind(consumer: Consumer, tmp_path: Path) -> None:
    chosen = _two_of_each_kind()
    wrong = [case | {"output": _off(case["output"]), "name": f"off_{case['name']}"} for case in chosen[1::2]]
    vectors = tmp_path / "vectors.json"
    vectors.write_text(json.dumps({"cases": [*chosen[::2], *wrong]}), encoding="utf-8")

    code, verdict = consumer.run(consumer.folder(), vectors)

    expected = sum(consumer.points or "poincare" not in case["kind"] for case in wrong) * consumer.factor
    assert code == 1
    assert verdict is not None
    assert (verdict["passed"], verdict["failed"], verdict["cases"]) == (expected, expected, 2 * expected)
    assert all("/off_" in name for name in verdict["failures"])


@_each(*CONSUMERS, TOOL)
def test_a_damaged_artifact_is_found(consumer: Consumer, tmp_path: Path) -> None:
    folder = tmp_path / "artifact"
    shutil.copytree(consumer.folder(), folder)
    (damaged,) = (path for path in folder.rglob(consumer.file) if path.is_file())
    damaged.write_bytes(damaged.read_bytes()[: damaged.stat().st_size // 3])

    code, verdict = consumer.run(folder, VECTORS)

    assert code != 0
    assert verdict is None or verdict["failed"] > 0


@_each(*CONSUMERS, TOOL)
def test_a_missing_artifact_is_found(consumer: Consumer, tmp_path: Path) -> None:
    code, verdict = consumer.run(tmp_path, VECTORS)
    assert code != 0
    assert verdict is None


def test_a_tool_without_its_templates_is_found(tmp_path: Path) -> None:
    (wheel,) = TOOL.folder().glob(TOOL.file)
    with zipfile.ZipFile(wheel) as whole, zipfile.ZipFile(tmp_path / wheel.name, "w") as spoilt:
        for entry in whole.infolist():
            if "/templates/" not in entry.filename:
                spoilt.writestr(entry, whole.read(entry))

    code, verdict = TOOL.run(tmp_path, VECTORS)

    assert code == 1
    assert verdict is not None and "begin" in verdict["failures"] and verdict["passed"] == 1


@pytest.mark.parametrize("got", [[], [1.0], [1.0, 2.0, 3.0], [1.0, math.nan], [1.0, math.inf], [1.0, 2.0001]])
def test_a_result_that_differs_does_not_agree(got: list[float]) -> None:
    assert cases.agrees([1.0, 2.00005], [1.0, 2.0])
    assert not cases.agrees(got, [1.0, 2.0])


def test_no_cases_is_no_pass(capsys: pytest.CaptureFixture[str]) -> None:
    assert cases.replay([], lambda case: case.expected) == 1
    assert cases.judge([], []) == 1
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["cases"] == 0


def test_missing_results_fail(capsys: pytest.CaptureFixture[str]) -> None:
    loaded = cases.load(VECTORS)
    assert cases.judge(loaded, [case.expected for case in loaded]) == 0
    assert cases.judge(loaded, [case.expected for case in loaded[:-1]]) == 1
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["failures"] == [loaded[-1].label]


def test_javascript_judges_alike(tmp_path: Path) -> None:
    if shutil.which("node") is None:
        _lacks("node was not found")
    program = "const c = require(process.argv[1]); c.replay(JSON.parse(process.argv[2]), () => Float64Array.from(JSON.parse(process.argv[3])));"

    def exit_code(outputs: list[list[float]], got: str) -> int:
        given = json.dumps([{"kind": "k", "name": "n", "output": output} for output in outputs])
        command = ["node", "-e", program, str(HERE / "cases.cjs"), given, got]
        return subprocess.run(command, capture_output=True, check=False, timeout=60).returncode

    assert exit_code([[1, 2]], "[1, 2.00005]") == 0
    assert exit_code([], "[1, 2]") == 1
    for wrong in ("[]", "[1]", "[1, 2, 3]", "[1, null]", "[1, 2.0001]"):
        assert exit_code([[1, 2]], wrong) == 1, wrong


def test_the_licences_beside_the_python_package_are_the_projects() -> None:
    for name in ("LICENSE-MIT", "LICENSE-APACHE"):
        assert (ROOT / "bindings" / "python" / name).read_bytes() == (ROOT / name).read_bytes()
