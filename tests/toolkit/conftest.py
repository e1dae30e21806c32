"""What the tests of rva share."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from rva import matrix as matrix_stage
from rva.inspect import check
from rva.model import Kind, Matrix, Target

ROOT = Path(__file__).resolve().parents[2]
FIXTURES = Path(__file__).parent / "fixtures"

Inspect = Callable[..., tuple[str, ...]]


def pytest_configure(config: pytest.Config) -> None:
    """Name the marker of the few tests that may start a process."""
    config.addinivalue_line("markers", "process: starts a process; every other test fails when it does")


@pytest.fixture(autouse=True)
def _no_process(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A unit test that starts a process fails."""
    if request.node.get_closest_marker("process") is None:

        def refuse(*arguments: object, **_options: object) -> None:
            raise AssertionError(f"a unit test started a process: {arguments[:1]}")

        monkeypatch.setattr(subprocess, "Popen", refuse)
        monkeypatch.setattr(os, "system", refuse)


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return ROOT


@pytest.fixture
def script(root: Path) -> Callable[[str], ModuleType]:
    """Loads a command that lies in the checkout, by its path from there."""

    def load(path: str) -> ModuleType:
        spec = importlib.util.spec_from_file_location(Path(path).stem, root / path)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load


@pytest.fixture(scope="session")
def table() -> Matrix:
    """The project's own platforms.toml."""
    return matrix_stage.load(ROOT)


@pytest.fixture(scope="session")
def rows(table: Matrix) -> dict[str, Target]:
    """Every row by its id."""
    return {t.id: t for t in table.targets}


@pytest.fixture(scope="session")
def samples() -> dict[str, bytes]:
    """The tiny files of fixtures/platforms.zip, by name; see fixtures/make.py."""
    with zipfile.ZipFile(FIXTURES / "platforms.zip") as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture
def inspect(tmp_path: Path, table: Matrix, rows: dict[str, Target]) -> Inspect:
    """Write some bytes as a file of a row and return what rva.inspect.check says of it."""

    def run(
        data: bytes, kind: Kind, row: str, *, name: str = "file", triple: str = "", forbidden: tuple[bytes, ...] = ()
    ) -> tuple[str, ...]:
        path = tmp_path / name
        path.write_bytes(data)
        path.chmod(0o755)
        target = rows[row]
        return check.check(path, kind, target, triple or target.triple, table, forbidden)

    return run


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A small checkout in which the project's own platforms.toml is valid: every path that it names exists."""
    folder = tmp_path / "project"
    text = (ROOT / "platforms.toml").read_text("utf-8")
    document = tomllib.loads(text)
    recipes = document["recipes"].values()
    paths = {*document["project"]["sources"], document["project"]["vectors"], *(r["folder"] for r in recipes)}
    paths |= {b[key] for b in document["bench"].values() for key in ("script", "packages", "modules") if key in b}
    for path in paths | {s for r in recipes for s in r["sources"]}:
        if Path(path).suffix or path.startswith("LICENSE"):
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(f"{path}\n")
        else:
            (folder / path).mkdir(parents=True, exist_ok=True)
            (folder / path / "source.txt").write_text(f"{path}\n")
    (folder / "Cargo.toml").write_text('[workspace.package]\nversion = "1.2.3"\n')
    (folder / "platforms.toml").write_text(text)
    (folder / "templates").mkdir(exist_ok=True)
    return folder


@pytest.fixture
def rva(project: Path, root: Path, tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run rva in a small checkout of its own, with an empty cache and nothing on PATH."""
    (tmp_path / "bin").mkdir()

    def run(*arguments: str, cwd: Path = project, **options: Any) -> subprocess.CompletedProcess[str]:
        env = {
            "PYTHONPATH": str(root / "toolkit"),
            "PATH": str(tmp_path / "bin"),
            "RVA_CACHE_DIR": str(tmp_path / "cache"),
            "HOME": str(tmp_path),
            "LANG": "C.UTF-8",
            **({"SYSTEMROOT": os.environ["SYSTEMROOT"]} if "SYSTEMROOT" in os.environ else {}),
            **options.pop("env", {}),
        }
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
        return subprocess.run(
            [sys.executable, "-m", "rva", *arguments], cwd=cwd, env=env, text=True, timeout=60, check=False, **options
        )

    return run
