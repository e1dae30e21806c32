"""Plan -> finished rows in the store. Rows of one lane share a target folder and run one after another."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from msgspec import Struct

from rva import content, files, resources, shell
from rva.errors import CheckFailed, DiskError, Interrupted, RvaError, ToolError
from rva.inspect import check
from rva.log import Log
from rva.model import Matrix, Output, RecipeName, RowPlan, RowResult, Step
from rva.render import render
from rva.store import Store, StoredFile, StoredRow


class Workshop(Struct, frozen=True):
    """Everything that running a plan needs besides the plan: folders, tool environments, limits."""

    root: Path
    cache: Path
    cargo_home: Path
    rust: Path
    matrix: Matrix
    store: Store
    environments: Mapping[tuple[str, ...], Mapping[str, str]]
    sources: Mapping[RecipeName, tuple[Sequence[str], str]]
    compiler: str
    compiler_key: str
    jobs: int
    keep_going: bool


def execute(rows: Sequence[RowPlan], shop: Workshop, log: Log) -> tuple[tuple[RowResult, ...], RvaError | None]:
    """Build the rows whose status is `build`; return every row's result and the first error met."""
    files.remove(stage_root(shop.root))
    todo = [row for row in rows if row.status == "build"]
    lanes: dict[str, list[RowPlan]] = {}
    for row in todo:
        lanes.setdefault(row.lane, []).append(row)
    progress = _Progress(len(todo), log)
    stop = threading.Event()
    results: dict[tuple[str, str], RowResult] = {(r.id, r.triple): _without_work(r, shop.store) for r in rows}
    first: RvaError | None = None
    with ThreadPoolExecutor(max_workers=max(1, shop.jobs)) as pool:
        futures = [pool.submit(_lane, lane, shop, progress, stop) for lane in lanes.values()]
        for future in as_completed(futures):
            for row, result, error in future.result():
                results[(row.id, row.triple)] = result
                first = first or error
    return tuple(results[(r.id, r.triple)] for r in rows), first


Outcome = tuple[RowPlan, RowResult, RvaError | None]


def _lane(rows: Sequence[RowPlan], shop: Workshop, progress: _Progress, stop: threading.Event) -> list[Outcome]:
    return [_attempt(row, shop, progress, stop) for row in rows]


def _attempt(row: RowPlan, shop: Workshop, progress: _Progress, stop: threading.Event) -> Outcome:
    if stop.is_set():
        return row, _result(row, "not-run", reason="an earlier row failed (use --keep-going to build the rest)"), None
    started = time.monotonic()
    progress.begin(row)
    try:
        stored = _build(row, shop, progress)
    except RvaError as error:
        # A full disk, a lost network or an interrupt fails every other row too.
        if not shop.keep_going or isinstance(error, (DiskError, Interrupted)):
            stop.set()
        if not isinstance(error, Interrupted):
            progress.failed(row, error)
        return row, _result(row, "failed", time.monotonic() - started, reason=error.what, fix=error.fix), error
    progress.done(row, stored)
    size = sum(f.size for f in stored.files)
    return row, _result(row, "built", stored.duration_s, files=len(stored.files), size=size), None


def _build(row: RowPlan, shop: Workshop, progress: _Progress) -> StoredRow:
    # A run that was killed may have left children that still write; they know another run's folder.
    stage = files.make_folder(stage_root(shop.root) / f"{os.getpid()}-{time.time_ns()}" / f"{row.id}.{row.build}")
    log = shop.root / ".rva" / "logs" / f"{row.id}.{row.build}.log"
    files.write(log, "")
    places = _places(row, shop, stage)
    _refuse_changed(row, shop)
    started = time.monotonic()
    try:
        for step in row.steps:
            _run_step(step, places, shop.environments[row.needs], log, row, progress)
        finished = stage / "finished"
        finished.mkdir()
        kept = tuple(_collect(output, finished, places, shop) for output in row.outputs)
        _inspect(row, finished, shop, kept)
        _refuse_changed(row, shop)
        stored = StoredRow(row.id, row.triple, f"{row.tool}; {shop.compiler}", time.monotonic() - started, kept)
        shop.store.put(row.key, finished, stored)
    except OSError as error:
        raise shell.from_os_error(error, f"building {row.id}") from error
    finally:
        files.remove(stage.parent)
    return stored


def stage_root(root: Path) -> Path:
    """Where rows are put together; whatever lies there when a run begins was left by one that was killed."""
    return root / ".rva" / "stage"


def _run_step(
    step: Step, places: Mapping[str, str], base: Mapping[str, str], log: Path, row: RowPlan, progress: _Progress
) -> None:
    env = {**base, **{k: fill(v, places) for k, v in step.env.items()}}
    argv = [fill(a, places) for a in step.argv]
    program = shutil.which(argv[0], path=env.get("PATH"))
    if program is None:
        raise ToolError(
            f"`{argv[0]}` was not found", fix="run `rva doctor` to see what is missing, `rva setup` to get it"
        )
    shell.run(
        [program, *argv[1:]],
        cwd=Path(fill(step.cwd, places)),
        env=env,
        log=log,
        on_line=lambda line: progress.line(row, line),
    )


def _collect(output: Output, finished: Path, places: Mapping[str, str], shop: Workshop) -> StoredFile:
    target = finished / output.name
    if output.template:
        files.write(target, render(resources.templates(), output.template, output.values))
    else:
        source = Path(fill(output.source, places))
        if not source.is_file():
            beside = ", ".join(sorted(p.name for p in source.parent.glob("*"))[:12]) or "nothing"
            raise CheckFailed(f"the tool ended well but {source.name} is not there; beside it: {beside}")
        files.copy(source, target, executable=output.kind in ("executable", "addon", "shared"))
    return StoredFile(output.name, output.kind, target.stat().st_size, content.sha256(target))


def _inspect(row: RowPlan, finished: Path, shop: Workshop, kept: Sequence[StoredFile]) -> None:
    target = next(t for t in shop.matrix.targets if t.id == row.id)
    forbidden = (str(shop.root).encode(), str(shop.cache).encode(), str(Path.home()).encode())
    faults = [
        f"{file.name}: {fault}"
        for file in kept
        for fault in check.check(finished / file.name, file.kind, target, row.triple, shop.matrix, forbidden)
    ]
    if faults:
        raise CheckFailed("what was built does not match its row\n  " + "\n  ".join(faults))


def _refuse_changed(row: RowPlan, shop: Workshop) -> None:
    """What is built from sources that moved since the plan must not be kept under the plan's key."""
    paths, planned = shop.sources[row.recipe]
    if fingerprint(shop.root, paths) != planned:
        raise CheckFailed("its sources changed since the build began", fix="run the same command again")


def fingerprint(root: Path, paths: Sequence[str]) -> str:
    """One digest over sources as they are now."""
    return content.key({}, paths, content.Digests(root))


def _places(row: RowPlan, shop: Workshop, stage: Path) -> dict[str, str]:
    return {
        "@root@": str(shop.root),
        "@stage@": str(stage),
        # Cargo does not notice another compiler's standard library in the same folder, so the compiler is in its name.
        "@target@": str(shop.root / ".rva" / "target" / shop.compiler_key / row.lane),
        "@cargo@": str(shop.cargo_home),
        "@cache@": str(shop.cache),
        "@rust@": str(shop.rust),
    }


def fill(text: str, places: Mapping[str, str]) -> str:
    """Put real paths in the place of @root@ and its like."""
    for name, path in places.items():
        text = text.replace(name, path)
    return text


def _without_work(row: RowPlan, store: Store) -> RowResult:
    stored = store.find(row.key) if row.status == "current" else None
    if stored is not None:
        return _result(
            row, "current", stored.duration_s, files=len(stored.files), size=sum(f.size for f in stored.files)
        )
    return _result(row, "unavailable" if row.status == "unavailable" else "not-run", reason=row.reason, fix=row.fix)


def _result(row: RowPlan, status: str, duration_s: float = 0.0, **more: object) -> RowResult:
    return RowResult(row.id, row.family, row.triple, row.build, status, round(duration_s, 1), **more)  # type: ignore[arg-type]


class _Progress:
    """Counts rows and tells the log; called from several threads."""

    def __init__(self, total: int, log: Log) -> None:
        self._total, self._log, self._count = total, log, 0
        self._lock = threading.Lock()

    def begin(self, row: RowPlan) -> None:
        self._log.detail(f"{row.id} ({row.triple}): started")

    def line(self, row: RowPlan, line: str) -> None:
        self._log.detail(f"{row.id}: {line.strip()}")

    def done(self, row: RowPlan, stored: StoredRow) -> None:
        mark = " (stand-in)" if row.build == "stand-in" else ""
        self._log.say(f"{self._number()} {self._log.paint('built', '32')}  {row.id}{mark}  {stored.duration_s:.1f} s")

    def failed(self, row: RowPlan, error: RvaError) -> None:
        self._log.say(f"{self._number()} {self._log.paint('failed', '31')} {row.id}")
        self._log.error(f"{row.id}: {error.what}" + (f"\n  fix: {error.fix}" if error.fix else ""))

    def _number(self) -> str:
        with self._lock:
            self._count += 1
            return f"[{self._count:>2}/{self._total}]"
