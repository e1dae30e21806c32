"""The commands as lists of stages: lock, clean, export, checks; with stand-ins for processes."""

from __future__ import annotations

import io
import json
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from rva import checks, matrix, shell, workflow
from rva.errors import CheckFailed, Interrupted, UsageError
from rva.log import Log
from rva.model import Artifact, Check, Manifest, Matrix


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder of this test's own."""
    monkeypatch.setenv("RVA_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_a_second_run_waits_and_says_so(tmp_path: Path) -> None:
    out, order = io.StringIO(), list[str]()
    entered, leave = threading.Event(), threading.Event()

    def first() -> None:
        with workflow.one_run(tmp_path, Log(1, io.StringIO())):
            entered.set()
            leave.wait(5)
            order.append("first ends")

    def second() -> None:
        with workflow.one_run(tmp_path, Log(1, out)):
            order.append("second begins")

    threads = [threading.Thread(target=first), threading.Thread(target=second)]
    threads[0].start()
    assert entered.wait(5)
    threads[1].start()
    deadline = time.monotonic() + 5
    while "another rva run is at work" not in out.getvalue() and time.monotonic() < deadline:
        time.sleep(0.01)
    leave.set()
    for thread in threads:
        thread.join(5)
    assert order == ["first ends", "second begins"]
    assert "another rva run is at work" in out.getvalue() and "waiting" in out.getvalue()


def test_a_run_alone_says_nothing_and_frees_the_lock_when_it_fails(tmp_path: Path) -> None:
    out = io.StringIO()
    with pytest.raises(CheckFailed), workflow.one_run(tmp_path, Log(1, out)):
        raise CheckFailed("x")
    with workflow.one_run(tmp_path, Log(1, out)):
        pass
    assert out.getvalue() == ""


def test_clean_removes_what_builds_made_and_nothing_else(project: Path, cache: Path) -> None:
    for name in ("dist/x", ".rva/target/x", ".rva/stage/x", ".rva/logs/x", ".rva/venv/x"):
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text("x")
    (cache / "store").mkdir(parents=True)
    before = {p for p in project.rglob("*") if p.is_file() and ".rva" not in p.parts and "dist" not in p.parts}
    removed = workflow.clean(project, cache=False, tools=False)
    assert len(removed) == 4 and all(line.startswith("removed ") for line in removed)
    assert not (project / "dist").exists() and (project / ".rva/venv/x").exists() and cache.exists()
    assert before == {p for p in project.rglob("*") if p.is_file() and ".rva" not in p.parts}
    assert workflow.clean(project, cache=True, tools=False) == [f"removed {cache}"]
    assert workflow.clean(project, cache=True, tools=False) == []


def test_plan_and_doctor_start_no_process(project: Path, cache: Path) -> None:
    """conftest makes any start of a process fail."""
    table = matrix.load(project)
    made = workflow.plan(project, table, table.targets, "release")
    assert len([r for r in made.rows if r.build != "stand-in"]) == 52
    found = workflow.diagnose(project, table, table.targets)
    names = {d.name for d in found}
    assert {"rust", "crates", "wasm-pack", "napi", "maturin", "zig"} <= names
    for diagnosis in found:
        assert diagnosis.status in ("found", "missing", "unavailable")
        assert diagnosis.rows
        assert diagnosis.status == "found" or diagnosis.fix
    assert not (project / "dist").exists()


def artifact(row: str, path: str, build: str = "native", kind: str = "module") -> Artifact:
    return Artifact(row, "wasm", "t", path, 1, "0", kind, build, "t", 0.0)  # type: ignore[arg-type]


def test_export_copies_the_selected_rows_and_no_stand_in(project: Path, table: Matrix) -> None:
    paths = ["wasm/wasm-web-baseline/x.wasm", "wasm/wasm-web-simd128/x.wasm", "stand-in/cli-w/x.exe"]
    for path in paths:
        (project / "dist" / path).parent.mkdir(parents=True)
        (project / "dist" / path).write_text(path)
    manifest = Manifest(
        "1",
        "",
        (
            artifact("wasm-web-baseline", paths[0]),
            artifact("wasm-web-simd128", paths[1]),
            artifact("cli-x86_64-pc-windows-msvc", paths[2], "stand-in", "executable"),
        ),
    )
    wanted = [t for t in table.targets if t.id in ("wasm-web-baseline", "cli-x86_64-pc-windows-msvc")]
    workflow.export(project, manifest, wanted, project / "out")
    assert [p.name for p in (project / "out").rglob("*") if p.is_file()] == ["x.wasm"]


def test_an_unknown_stage(project: Path, table: Matrix) -> None:
    with pytest.raises(UsageError, match="'lnit'"):
        workflow.test(project, table, ["lnit"], Log(0, io.StringIO()))


class Door:
    """A stand-in for shell.run that remembers and answers."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, error: Exception | None = None) -> None:
        self.calls: list[tuple[tuple[str, ...], dict[str, Any]]] = []
        self._error = error
        monkeypatch.setattr(shell, "run", self._run)
        monkeypatch.setattr("shutil.which", lambda name, **_: name if name != "absent" else None)

    def _run(self, argv: Sequence[str], **options: Any) -> shell.Result:
        self.calls.append((tuple(argv), options))
        if self._error is not None:
            raise self._error
        return shell.Result(tuple(argv), 0, "", 0.1)


PROGRAMS = {"python": ["/env/python"], "dev": ["/env/bin"], "self": ["/python", "/rva"]}


def one_check(root: Path, *argv: str, cwd: str = ".") -> tuple[checks.Verdict, str]:
    out = io.StringIO()
    check = Check("name", "lint", argv, cwd)
    return checks.run(check, root, PROGRAMS, {"X": "1"}, Log(1, out)), out.getvalue()


def test_a_check_passes(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    door = Door(monkeypatch)
    verdict, said = one_check(project, "{dev}/ruff", "check", ".", cwd="core")
    assert (verdict.stage, verdict.name, verdict.status) == ("lint", "name", "pass")
    assert "pass  name" in said
    [(argv, options)] = door.calls
    assert argv == ("/env/bin/ruff", "check", ".")
    assert options["cwd"] == project / "core" and options["env"] == {"X": "1"}
    assert options["log"] == project / ".rva/logs/check-name.log"


@pytest.mark.parametrize(
    ("word", "argv"),
    [
        ("{python}", ("/env/python",)),
        ("{dev}/python", ("/env/bin/python",)),
        ("{self}", ("/python", "/rva")),
        ("cargo", ("cargo",)),
        ("{unknown}/x", ("{unknown}/x",)),
    ],
)
def test_words_that_stand_for_programs(
    project: Path, monkeypatch: pytest.MonkeyPatch, word: str, argv: tuple[str, ...]
) -> None:
    door = Door(monkeypatch)
    one_check(project, word)
    assert door.calls[0][0] == argv


def test_a_check_fails(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Door(monkeypatch, CheckFailed("first line\nsecond line"))
    verdict, said = one_check(project, "x")
    assert (verdict.status, verdict.reason, verdict.words) == ("fail", "first line", "first line\nsecond line")
    assert "fail  name" in said and "second line" in said


def test_a_check_whose_program_is_absent_fails(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    door = Door(monkeypatch)
    verdict, _ = one_check(project, "absent")
    assert verdict.status == "fail" and "`absent` was not found" in verdict.reason
    assert door.calls == []


def test_a_check_without_its_emulator_is_not_run(project: Path) -> None:
    """conftest makes any start of a process fail: nothing is fetched for it either."""
    check = Check("core-x", "package", ("x",), triple="wasm32-wasip1", system=("qemu-x",))
    table = msgspec.structs.replace(matrix.load(project), checks=(check,))
    [verdict] = workflow._check_stage(project, table, table.checks, Log(0))
    assert (verdict.status, verdict.name) == ("not-run", "core-x") and "qemu-x was not found" in verdict.reason
    present = msgspec.structs.replace(check, system=("sh",))
    assert checks.not_run(present, {"PATH": "/bin"}) is None


def test_a_check_for_a_triple_needs_what_compiles_links_and_tests_there() -> None:
    check = Check("name", "package", ("x",), needs=("wasmtime",), triple="aarch64-unknown-linux-gnu")
    std, test = f"std:{check.triple}", f"test:{check.triple}"
    assert set(workflow._check_needs(check)) == {"wasmtime", "rust", std, "crates", "zig", test}
    assert workflow._check_needs(msgspec.structs.replace(check, triple="any")) == ("wasmtime",)


def test_an_interrupt_is_no_verdict(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Door(monkeypatch, Interrupted("stop"))
    with pytest.raises(Interrupted):
        one_check(project, "x")


def test_the_projects_checks_name_programs_that_rva_knows(table: Matrix, root: Path) -> None:
    known = {
        "python",
        "node",
        "npm",
        "dev",
        "docs",
        "docs-npm",
        "package",
        "checkers",
        "checkers-npm",
        "python-binding",
        "server",
        "self",
    }
    for check in table.checks:
        for word in check.argv:
            if word.startswith("{"):
                assert word[1:].split("}")[0] in known, check.name
        assert (root / check.cwd).is_dir(), check.name
    for recipe in table.recipes.values():
        for word in recipe.smoke:
            assert not word.startswith("{") or word.strip("{}") in known
            assert word.startswith("{") or (root / word).is_file(), word


def test_a_crash_of_the_index_files_is_not_fatal(project: Path, cache: Path) -> None:
    """What rva remembers between runs may be damaged; it is then as if it were not there."""
    (project / ".rva").mkdir()
    for name in ("dist-index.json", "smoke.json"):
        (project / ".rva" / name).write_text('{"half')
    (project / "dist").mkdir()
    (project / "dist/manifest.json").write_text(json.dumps({"schema_version": 9}))
    table = matrix.load(project)
    assert workflow.plan(project, table, table.targets, "release").rows


def test_one_check_by_its_name(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted, other = (Check(name, "lint", ("x",)) for name in ("wanted", "other"))
    table = msgspec.structs.replace(matrix.load(project), checks=(wanted, other))
    ran: list[str] = []
    monkeypatch.setattr(
        workflow, "_check_stage", lambda root, table, chosen, log: ran.extend(c.name for c in chosen) or []
    )
    workflow.test(project, table, ["wanted"], Log(0))
    assert ran == ["wanted"]
    with pytest.raises(UsageError, match="no stage or check is named 'wante'"):
        workflow.test(project, table, ["wante"], Log(0))
