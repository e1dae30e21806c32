"""Running a plan, with a stand-in for the one door to processes: results, failures, staging, inspection."""

from __future__ import annotations

import errno
import io
import os
import shutil
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from rva import content, matrix, plan, run, shell
from rva.errors import CheckFailed, DiskError, Interrupted, RvaError, ToolError
from rva.log import Log
from rva.model import Host, Matrix, RecipeName, RowPlan, RowResult
from rva.store import Store

HOST = Host("x86_64-unknown-linux-gnu", "linux", "x64", "glibc", 2)
LINUX, MUSL = "cli-x86_64-unknown-linux-gnu", "cli-x86_64-unknown-linux-musl"
Call = Callable[[Sequence[str], dict[str, Any]], None]


class Everything(dict[str, str]):
    def __contains__(self, name: object) -> bool:
        return True

    def __missing__(self, name: str) -> str:
        return name


class Bench:
    """A checkout with a store, the rows wanted, and a fake tool that writes what a compiler would."""

    def __init__(self, project: Path, samples: dict[str, bytes], monkeypatch: pytest.MonkeyPatch) -> None:
        self.root, self.samples = project, samples
        self.table: Matrix = matrix.load(project)
        self.store = Store(project / ".store")
        self.calls: list[tuple[tuple[str, ...], dict[str, Any]]] = []
        self.tool: Call = self.compile
        self.out = io.StringIO()
        monkeypatch.setattr(shell, "run", self._run)
        monkeypatch.setattr(shutil, "which", lambda name, **_: f"/tools/{name}")

    def _run(self, argv: Sequence[str], **options: Any) -> shell.Result:
        self.calls.append((tuple(argv), options))
        self.tool(argv, options)
        return shell.Result(tuple(argv), 0, "", 0.1)

    def compile(self, argv: Sequence[str], options: dict[str, Any]) -> None:
        """Write a program where the plan expects it."""
        triple = next(a for a in argv if a.startswith("x86_64-")).removesuffix(".2.17")
        self.place(triple, self.samples[f"{triple}/executable"], options)

    def place(self, triple: str, data: bytes, options: dict[str, Any]) -> None:
        folder = Path(options["env"]["CARGO_TARGET_DIR"]) / triple / "release"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / self.table.recipes["cli"].binary).write_bytes(data)
        (folder / self.table.recipes["cli"].binary).chmod(0o755)

    def rows(self, *ids: str) -> list[RowPlan]:
        tools = plan.Tools(Everything(), {})
        digests = content.Digests(self.root)
        targets = [t for t in self.table.targets if t.id in ids]
        return list(plan.make(self.table, targets, HOST, tools, self.store, digests, "release").rows)

    def execute(self, *ids: str, **more: Any) -> tuple[dict[str, RowResult], RvaError | None]:
        rows = self.rows(*ids)
        shop = run.Workshop(
            self.root, self.root / ".cache", self.root / ".cargo", self.root / ".rust", self.table, self.store,
            {row.needs: {"PATH": "/tools"} for row in rows}, self.sources(rows), "rustc 1.96.0", "k", more.get("jobs", 2), more.get("keep_going", False),
        )  # fmt: skip
        results, error = run.execute(rows, shop, Log(1, self.out))
        return {r.id: r for r in results}, error

    def sources(self, rows: Sequence[RowPlan]) -> dict[RecipeName, tuple[Sequence[str], str]]:
        """What the rows are made of, as it is when the plan is made."""
        paths = {row.recipe: plan.sources(self.table, row.recipe) for row in rows}
        return {recipe: (names, run.fingerprint(self.root, names)) for recipe, names in paths.items()}


@pytest.fixture
def bench(project: Path, samples: dict[str, bytes], monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(project, samples, monkeypatch)


def test_a_row_is_built_once(bench: Bench) -> None:
    done, error = bench.execute(LINUX)
    assert error is None
    assert (done[LINUX].status, done[LINUX].files) == ("built", 1)
    assert done[LINUX].size == len(bench.samples["x86_64-unknown-linux-gnu/executable"])
    assert len(bench.calls) == 1
    kept = bench.store.find(bench.rows(LINUX)[0].key)
    assert kept is not None and kept.tool.endswith("; rustc 1.96.0")
    again, _ = bench.execute(LINUX)
    assert again[LINUX].status == "current" and len(bench.calls) == 1


def test_what_a_step_is_given(bench: Bench) -> None:
    bench.execute(LINUX)
    [(argv, options)] = bench.calls
    assert argv[0] == "/tools/cargo-zigbuild"
    assert not [a for a in (*argv, *options["env"].values()) if "@" in a]
    assert options["env"]["PATH"] == "/tools"
    assert f"--remap-path-prefix={bench.root}=/source" in options["env"]["CARGO_ENCODED_RUSTFLAGS"]
    assert options["cwd"] == bench.root
    assert (
        options["log"] == bench.root / ".rva/logs" / f"{LINUX}.cross.log"
        or options["log"].name == f"{LINUX}.native.log"
    )


def test_nothing_is_left_in_the_stage(bench: Bench) -> None:
    old = run.stage_root(bench.root) / "killed-run" / "half"
    old.mkdir(parents=True)
    bench.execute(LINUX)
    stage = run.stage_root(bench.root)
    assert not stage.exists() or not list(stage.iterdir())


def fail_with(error: BaseException) -> Call:
    def tool(_argv: Sequence[str], _options: dict[str, Any]) -> None:
        raise error

    return tool


def test_a_failure_stops_the_rest(bench: Bench) -> None:
    bench.tool = fail_with(CheckFailed("it broke", fix="mend it"))
    done, error = bench.execute(LINUX, MUSL, jobs=1)
    assert isinstance(error, CheckFailed)
    assert [done[i].status for i in (LINUX, MUSL)] == ["failed", "not-run"]
    assert (done[LINUX].reason, done[LINUX].fix) == ("it broke", "mend it")
    assert "--keep-going" in done[MUSL].reason
    assert "it broke" in bench.out.getvalue()
    assert not list((bench.root / ".store").rglob("row.json"))


def test_keep_going_builds_the_rest(bench: Bench) -> None:
    def tool(argv: Sequence[str], options: dict[str, Any]) -> None:
        if any("musl" in a for a in argv):
            raise CheckFailed("it broke")
        bench.compile(argv, options)

    bench.tool = tool
    done, error = bench.execute(LINUX, MUSL, jobs=1, keep_going=True)
    assert isinstance(error, CheckFailed)
    assert [done[i].status for i in (LINUX, MUSL)] == ["built", "failed"]


@pytest.mark.parametrize("error", [DiskError("full"), Interrupted("stop")])
def test_some_failures_stop_the_rest_all_the_same(bench: Bench, error: RvaError) -> None:
    bench.tool = fail_with(error)
    done, first = bench.execute(LINUX, MUSL, jobs=1, keep_going=True)
    assert first is error
    assert [done[i].status for i in (LINUX, MUSL)] == ["failed", "not-run"]


def test_a_tool_that_writes_nothing(bench: Bench) -> None:
    bench.tool = lambda _argv, _options: None
    done, error = bench.execute(LINUX)
    assert isinstance(error, CheckFailed)
    assert "the tool ended well but ruvector-attention is not there" in done[LINUX].reason


def test_a_file_for_another_platform_is_not_kept(bench: Bench) -> None:
    """The inspection stands between the tool and the store."""
    bench.tool = lambda _argv, options: bench.place(
        "x86_64-unknown-linux-gnu", bench.samples["aarch64-unknown-linux-gnu/executable"], options
    )
    done, error = bench.execute(LINUX)
    assert isinstance(error, CheckFailed)
    assert "what was built does not match its row" in done[LINUX].reason
    assert "built for the processor arm64; x64 was wanted" in done[LINUX].reason
    assert bench.rows(LINUX)[0].status == "build"


def test_a_file_that_names_the_checkout_is_not_kept(bench: Bench) -> None:
    data = bench.samples["x86_64-unknown-linux-gnu/executable"] + f"{bench.root}/core/src/lib.rs".encode()
    bench.tool = lambda _argv, options: bench.place("x86_64-unknown-linux-gnu", data, options)
    done, _ = bench.execute(LINUX)
    assert "of the building machine" in done[LINUX].reason


def test_a_missing_program(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    _, error = bench.execute(LINUX)
    assert isinstance(error, ToolError)
    assert "`cargo-zigbuild` was not found" in error.what and "rva setup" in error.fix
    assert bench.calls == []


def test_a_full_disk(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "x")

    monkeypatch.setattr(shutil, "copyfile", full)
    _, error = bench.execute(LINUX)
    assert isinstance(error, DiskError) and "the disk is full" in error.what


def test_unavailable_rows_are_reported_and_not_run(bench: Bench) -> None:
    rows = bench.rows(LINUX)
    absent = msgspec.structs.replace(rows[0], status="unavailable", reason="no SDK", fix="get it")
    shop = run.Workshop(
        bench.root, bench.root, bench.root, bench.root, bench.table, bench.store, {}, {}, "", "", 1, False
    )
    results, error = run.execute([absent], shop, Log(0, bench.out))
    assert error is None and bench.calls == []
    assert (results[0].status, results[0].reason, results[0].fix) == ("unavailable", "no SDK", "get it")


def test_a_row_whose_sources_moved_is_not_kept(bench: Bench) -> None:
    """An editor saves while the compiler runs: what comes out belongs to neither state."""
    real = bench.tool

    def tool(argv: Sequence[str], options: dict[str, Any]) -> None:
        real(argv, options)
        (bench.root / bench.table.recipes["cli"].folder / "late.rs").write_text("// changed")

    bench.tool = tool
    done, error = bench.execute(LINUX)
    assert done[LINUX].status == "failed" and error is not None
    assert "changed since the build began" in error.what


def test_rows_of_one_lane_never_run_at_the_same_time(bench: Bench) -> None:
    """They share a target folder."""
    busy: dict[str, int] = {}
    worst: list[int] = []
    lock = threading.Lock()

    def tool(argv: Sequence[str], options: dict[str, Any]) -> None:
        lane = options["env"]["CARGO_TARGET_DIR"]
        with lock:
            busy[lane] = busy.get(lane, 0) + 1
            worst.append(busy[lane])
        threading.Event().wait(0.05)
        with lock:
            busy[lane] -= 1
        raise CheckFailed("enough")

    bench.tool = tool
    ids = [t.id for t in bench.table.targets if t.triple in ("x86_64-unknown-linux-gnu", "x86_64-unknown-linux-musl")]
    bench.execute(*ids, jobs=8, keep_going=True)
    assert len(worst) == len(ids) == 8 and max(worst) == 1
    assert len(busy) > 1


@pytest.mark.parametrize("jobs", [1, 3])
def test_jobs_limit_what_runs_at_once(bench: Bench, jobs: int) -> None:
    now: list[int] = [0]
    most: list[int] = []
    lock = threading.Lock()

    def tool(_argv: Sequence[str], _options: dict[str, Any]) -> None:
        with lock:
            now[0] += 1
            most.append(now[0])
        threading.Event().wait(0.05)
        with lock:
            now[0] -= 1
        raise CheckFailed("enough")

    bench.tool = tool
    bench.execute(*[t.id for t in bench.table.targets if t.recipe == "cli"], jobs=jobs, keep_going=True)
    assert max(most) == jobs


def test_results_keep_the_order_of_the_plan(bench: Bench) -> None:
    bench.tool = fail_with(CheckFailed("x"))
    ids = [t.id for t in bench.table.targets]
    done, _ = bench.execute(*ids, jobs=4, keep_going=True)
    assert list(done) == ids


def test_fill() -> None:
    places = {"@root@": "/r", "@stage@": "/s"}
    assert run.fill("@root@/a:@stage@", places) == "/r/a:/s"
    assert run.fill("mail@example", places) == "mail@example"
