"""Lanes: which rows they are for, what stands in their way, and what their verdicts become."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import msgspec
import pytest
from rva.log import Log
from rva.model import Host, Lane, Manifest, Matrix, Smoke, Target
from rva.replay import Job, Runner, named
from rva.verify import running

from tests.toolkit.verify.test_reading import ROW, placed

HERE = Host("x86_64-unknown-linux-gnu", "linux", "x64", "glibc", 2)
LANE = Lane("other", "cli", HERE.triple, ("{python}", "{root}/consumer.py"), how="emulated", runner=("{python}", "-q"))
CONSUMER = """
import json, os, sys
assert json.loads(os.environ["RVA_SMOKE_RUNNER"])[1] == "-q"
print(json.dumps({"passed": PASSED, "failed": FAILED}))
sys.exit(1 if FAILED else 0)
"""


def bench(root: Path, table: Matrix) -> Runner:
    """A runner below a temporary folder."""
    for path in (table.project.vectors, "tests/smoke/x.py"):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text("{}")
    return Runner(root, table, {"python": [sys.executable]}, {}, Log(0))


@pytest.mark.process
@pytest.mark.parametrize(
    ("counts", "status", "word"), [((3, 0), "pass", "emulated"), ((2, 1), "fail", "fail"), ((0, 0), "fail", "fail")]
)
def test_a_lane_gives_its_consumers_verdict(
    table: Matrix, rows: dict[str, Target], tmp_path: Path, counts: tuple[int, int], status: str, word: str
) -> None:
    manifest = placed(b"x", rows[ROW], tmp_path)
    text = CONSUMER.replace("PASSED", str(counts[0])).replace("FAILED", str(counts[1]))
    (tmp_path / "consumer.py").write_text(text)
    own = msgspec.structs.replace(table, lanes=(LANE,))
    [cell] = running.lanes(manifest, [rows[ROW]], own, HERE, bench(tmp_path, table))
    assert (cell.row, cell.check, cell.status, cell.word) == (ROW, "other", status, word)
    assert cell.evidence == ("3 reference cases" if status == "pass" else "")


@pytest.mark.process
def test_only_passes_are_kept(table: Matrix, rows: dict[str, Target], tmp_path: Path) -> None:
    manifest = placed(b"x", rows[ROW], tmp_path)
    consumer = tmp_path / "consumer.py"
    job = Job(
        ROW, "other", named(manifest.artifacts), tmp_path, LANE.argv, {"RVA_SMOKE_RUNNER": json.dumps(["p", "-q"])}
    )
    for counts, status, cached in (((1, 1), "fail", False), ((2, 0), "pass", False), ((0, 0), "pass", True)):
        consumer.write_text(CONSUMER.replace("PASSED", str(counts[0])).replace("FAILED", str(counts[1])))
        verdict = bench(tmp_path, table).replay(job)
        assert (verdict.status, verdict.cached) == (status, cached)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"host": "aarch64-apple-darwin"}, "runs on aarch64-apple-darwin"),
        ({"system": ("no-such-emulator",)}, "no-such-emulator was not found; `rva setup --system` installs it"),
        ({"sysroot": "/no/such/folder"}, "/no/such/folder is missing"),
    ],
)
def test_what_stands_in_a_lanes_way(
    table: Matrix, rows: dict[str, Target], tmp_path: Path, change: dict[str, object], said: str
) -> None:
    lane = msgspec.structs.replace(LANE, **change)
    own = msgspec.structs.replace(table, lanes=(lane,))
    manifest = placed(b"x", rows[ROW], tmp_path)
    [cell] = running.lanes(manifest, [rows[ROW]], own, HERE, bench(tmp_path, table))
    assert (cell.row, cell.check, cell.status, cell.word) == (ROW, "other", "not-run", "not run")
    assert said in cell.reason


def test_a_lane_is_for_the_rows_of_its_recipe_triple_and_variant(rows: dict[str, Target]) -> None:
    web = Lane("chromium", "wasm", "wasm32-unknown-unknown", ("x",), variant="web-simd128")
    assert [row for row, target in rows.items() if running.serves(web, target)] == ["wasm-web-simd128"]
    assert [row for row, target in rows.items() if running.serves(LANE, target)] == [ROW]


def test_a_stand_in_is_never_the_real_thing(table: Matrix, rows: dict[str, Target], tmp_path: Path) -> None:
    manifest = placed(b"x", rows[ROW], tmp_path, "stand-in")
    own = msgspec.structs.replace(table, lanes=(msgspec.structs.replace(LANE, system=("no-such-emulator",)),))
    [cell] = running.lanes(manifest, [rows[ROW]], own, HERE, bench(tmp_path, table))
    assert cell.stand_in
    assert msgspec.structs.replace(cell, status="pass").word == "stand-in"


def test_rows_without_files_are_not_run(table: Matrix, rows: dict[str, Target], tmp_path: Path) -> None:
    own = msgspec.structs.replace(table, lanes=(LANE,))
    [cell] = running.lanes(Manifest("1", "c", ()), [rows[ROW]], own, HERE, bench(tmp_path, table))
    assert (cell.status, cell.reason) == ("not-run", "not built")


def test_direct_runs_become_cells() -> None:
    cells = running.direct((Smoke("a", "pass", 5), Smoke("b", "not-run", reason="no node")))
    assert [(c.row, c.check, c.word, c.how, c.reason) for c in cells] == [
        ("a", "direct", "pass", "run", ""),
        ("b", "direct", "not run", "", "no node"),
    ]


def test_every_lane_of_the_table_serves_a_row(table: Matrix, rows: dict[str, Target]) -> None:
    idle = [lane for lane in table.lanes if not any(running.serves(lane, target) for target in rows.values())]
    assert idle == []


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({}, {}),
        ({"runner": ("{python}", "-q")}, {"RVA_SMOKE_RUNNER": '["/py", "-q"]'}),
        ({"compiler": ("{python}", "cc")}, {"CC": '["/py", "cc"]'}),
        ({"sysroot": "/usr/arm"}, {"QEMU_LD_PREFIX": "/usr/arm"}),
        ({"env": {"RVA_SMOKE_BROWSER": "x"}}, {"RVA_SMOKE_BROWSER": "x"}),
        ({"env": {"RVA_WINE_FOLDER": "/own"}}, {"RVA_WINE_FOLDER": "/own"}),
    ],
)
def test_what_a_lanes_consumer_is_told(
    table: Matrix, tmp_path: Path, change: dict[str, object], told: dict[str, str]
) -> None:
    lane = msgspec.structs.replace(LANE, **{"runner": (), **change})
    runner = Runner(tmp_path, table, {"python": ["/py"]}, {}, Log(0))
    assert running.environment(lane, runner) == {"RVA_WINE_FOLDER": str(tmp_path / ".rva" / "wine"), **told}


@pytest.mark.parametrize(("build", "word"), [("native", "emulated"), ("stand-in", "stand-in")])
def test_a_lane_runs_what_was_built_for_its_row(
    table: Matrix, rows: dict[str, Target], tmp_path: Path, jobs: list[Job], build: str, word: str
) -> None:
    own = msgspec.structs.replace(table, lanes=(LANE,))
    manifest = placed(b"x", rows[ROW], tmp_path, build)
    away = msgspec.structs.replace(manifest.artifacts[0], id="another", sha256="0")
    manifest = Manifest("1", "c", (away, *manifest.artifacts))
    runner = bench(tmp_path, table)
    [cell] = running.lanes(manifest, [rows[ROW]], own, HERE, runner)
    assert (cell.row, cell.check, cell.how, cell.word) == (ROW, "other", "emulated", word)
    assert (cell.evidence, cell.duration_s, cell.cached) == ("5 reference cases", 1.5, False)
    [job] = jobs
    made = manifest.artifacts[1]
    folder = (tmp_path / "dist" / made.path).parent
    assert job == Job(ROW, "other", named([made]), folder, LANE.argv, running.environment(LANE, runner))
    [again] = running.lanes(manifest, [rows[ROW]], own, HERE, bench(tmp_path, table))
    assert again.cached and len(jobs) == 1


def test_the_real_file_goes_before_its_stand_in(
    table: Matrix, rows: dict[str, Target], tmp_path: Path, jobs: list[Job]
) -> None:
    own = msgspec.structs.replace(table, lanes=(LANE,))
    [real] = placed(b"x", rows[ROW], tmp_path).artifacts
    double = msgspec.structs.replace(real, build="stand-in", sha256="0")
    [cell] = running.lanes(Manifest("1", "c", (double, real)), [rows[ROW]], own, HERE, bench(tmp_path, table))
    assert not cell.stand_in
    assert jobs[0].files == named([real])


def test_lanes_of_other_rows_and_of_rows_that_do_nothing_alone_give_no_cell(
    table: Matrix, rows: dict[str, Target], tmp_path: Path, jobs: list[Job]
) -> None:
    own = msgspec.structs.replace(table, lanes=(LANE, msgspec.structs.replace(LANE, recipe="wasm-js", triple="any")))
    targets = [rows["wasm-js"], rows["cli-x86_64-apple-darwin"]]
    assert running.lanes(Manifest("1", "c", ()), targets, own, HERE, bench(tmp_path, table)) == ()


def test_the_system_that_a_lane_wants_is_there(tmp_path: Path) -> None:
    assert running.lacking(msgspec.structs.replace(LANE, sysroot=str(tmp_path)), HERE) == ""
    both = msgspec.structs.replace(LANE, system=("no-such-emulator",), sysroot="/no/such/folder")
    assert running.lacking(both, HERE).startswith("no-such-emulator was not found")
    gone = msgspec.structs.replace(LANE, sysroot="/no/such/folder")
    assert running.lacking(gone, HERE) == "/no/such/folder is missing; `rva setup --system` installs it"
    away = msgspec.structs.replace(LANE, host="aarch64-apple-darwin")
    assert running.lacking(away, HERE) == "runs on aarch64-apple-darwin, this is x86_64-unknown-linux-gnu"


@pytest.mark.parametrize(
    ("verdict", "how", "evidence", "word"),
    [
        (Smoke("a", "pass", 5), "run", "5 reference cases", "pass"),
        (Smoke("a", "pass", 5), "loads", "it loads; its functions are not called", "loads"),
        (Smoke("a", "fail", 4, 1, reason="1 of 5"), "run", "", "fail"),
        (Smoke("a", "fail", 4, 1, reason="1 of 5"), "loads", "", "fail"),
        (Smoke("a", "not-run", reason="no node"), "", "", "not run"),
    ],
)
def test_a_verdict_as_a_cell(verdict: Smoke, how: str, evidence: str, word: str) -> None:
    cell = running.cell(verdict, "direct", how)
    assert (cell.row, cell.check, cell.how, cell.stand_in) == ("a", "direct", how, False)
    assert (cell.evidence, cell.reason, cell.word) == (evidence, verdict.reason, word)


def test_the_machine_in_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    found = os.uname()
    assert running.machine() == f"{found.sysname} {found.release} {found.machine}, 2 processors"
    monkeypatch.delattr(os, "uname")
    assert running.machine() == "posix"
