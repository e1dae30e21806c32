"""The commands as lists of stages, each taking the last one's result."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from msgspec import Struct

from rva import bench as benches
from rva import checks, content, dist, files, host, naming, replay, rules, run, shell, smoke, toolchain
from rva import plan as planning
from rva.errors import CheckFailed, RvaError, UsageError
from rva.log import Log
from rva.model import Check, Manifest, Matrix, Plan, Report, RowPlan, Smoke, Target
from rva.recipes import base as recipes
from rva.store import Store


class Outcome(Struct, frozen=True):
    """What a build gave, with the first error if there was one."""

    report: Report
    manifest: Manifest
    error: RvaError | None


class Diagnosis(Struct, frozen=True):
    """What `rva doctor` says of one tool."""

    name: str
    status: str
    version: str
    source: str
    rows: tuple[str, ...]
    fix: str = ""
    note: str = ""


def plan(root: Path, table: Matrix, targets: Sequence[Target], profile: str) -> Plan:
    """The plan of the selected rows. Starts no process."""
    return _plan(root, table, targets, profile, tools_at_hand(root, table))


def build(
    root: Path,
    table: Matrix,
    targets: Sequence[Target],
    *,
    profile: str,
    jobs: int,
    keep_going: bool,
    with_smoke: bool,
    log: Log,
) -> Outcome:
    """Set up, plan, run, place, smoke."""
    started = time.monotonic()
    with one_run(root, log):
        selected = {t.id for t in targets}
        inventory, whole = _equip(root, table, selected, profile, tools_at_hand(root, table), log)
        rows = [row for row in whole.rows if row.id in selected]
        results, error = run.execute(rows, _workshop(root, table, rows, inventory, jobs, keep_going), log)
        manifest = _place(root, table, whole, selected)
        verdicts = _smoke(root, table, targets, manifest, inventory, log) if with_smoke else ()
    report = Report(table.version, results, verdicts, round(time.monotonic() - started, 1))
    return Outcome(report, manifest, error)


def export(root: Path, manifest: Manifest, targets: Sequence[Target], folder: Path) -> None:
    """Copy the finished files of the selected rows to FOLDER/<row>, for tools that look there."""
    wanted = {t.id for t in targets}
    for artifact in manifest.artifacts:
        if artifact.id in wanted and artifact.build != "stand-in":
            target = folder / naming.export_folder(artifact.id) / Path(artifact.path).name
            files.copy(root / "dist" / artifact.path, target, executable=artifact.kind in dist.EXECUTABLE)


def setup(root: Path, table: Matrix, targets: Sequence[Target], *, system: bool, dry_run: bool, log: Log) -> None:
    """Get everything that the selected rows need; look again for what was found absent."""
    with one_run(root, log):
        inventory = toolchain.forget_absences(tools_at_hand(root, table))
        selected = {t.id for t in targets}
        if dry_run:
            missing = _missing(_plan(root, table, targets, "release", inventory), selected)
            _announce(toolchain.needs(missing, inventory), log)
            return
        _equip(root, table, selected, "release", inventory, log)
        if system:
            toolchain.install_system_packages(log)


def diagnose(root: Path, table: Matrix, targets: Sequence[Target]) -> list[Diagnosis]:
    """Each tool that the selected rows need: here, missing or not to be had."""
    inventory = tools_at_hand(root, table)
    made = _plan(root, table, targets, "release", inventory)
    users: dict[str, list[str]] = {}
    for row in made.rows:
        # Of a row that cannot be built here, only what stands in its way is worth a line.
        names = [n for n in row.needs if n in inventory.absences] if row.status == "unavailable" else row.needs
        for name in names:
            users.setdefault(name, []).append(row.id)
    return [_diagnosis(name, tuple(rows), inventory) for name, rows in users.items()]


def clean(root: Path, *, cache: bool, tools: bool) -> list[str]:
    """Remove what builds made; returns what was removed."""
    state = root / ".rva"
    doomed = [
        root / "dist",
        state / "target",
        state / "stage",
        state / "logs",
        state / "dist-index.json",
        state / "smoke.json",
    ]
    if tools:
        doomed += toolchain.project_folders(root)
    if cache:
        doomed.append(host.cache_dir())
    found = [path for path in doomed if path.exists()]
    for path in found:
        files.remove(path)
    return [f"removed {path}" for path in found]


def test(root: Path, table: Matrix, only: Sequence[str], log: Log) -> checks.TestReport:
    """Every check, stage by stage, or some by name; `build` is the whole matrix with its smoke tests."""
    stages = ("lint", "unit", "build", "package")
    known = {stage: stage for stage in stages} | {check.name: check.stage for check in table.checks}
    for name in only:
        if name not in known:
            raise UsageError(
                f"no stage or check is named {name!r}", fix=f"{rules.nearest(name, known)}`rva dev` lists them"
            )
    wanted = [check for check in table.checks if not only or check.stage in only or check.name in only]
    verdicts: list[checks.Verdict] = []
    spent: dict[str, float] = {}
    for stage in stages:
        if only and stage not in {known[name] for name in only}:
            continue
        started = time.monotonic()
        with log.stage(f"stage {stage}"):
            if stage == "build":
                verdicts += _build_stage(root, table, log)
            else:
                verdicts += _check_stage(root, table, [check for check in wanted if check.stage == stage], log)
        spent[stage] = round(time.monotonic() - started, 1)
    return checks.TestReport(tuple(verdicts), spent)


def bench(root: Path, table: Matrix, wish: benches.Wish, log: Log) -> Path:
    """Get what a comparison needs, the peers only where they are asked for, and run it; returns where its results are."""
    spec = table.bench.get(wish.name)
    if spec is None:
        known = ", ".join(table.bench) or "none"
        raise UsageError(f"platforms.toml has no [bench.{wish.name}]", fix=f"known comparisons: {known}")
    with_wasm = spec.wasm is not None and wish.wasm
    names = {"dev", "rust", *(("node", "npm") if wish.peers else ()), *(benches.WASM_TOOLS if with_wasm else ())}
    names |= {"node", "wasmtime"} if spec.artifacts else set()
    with one_run(root, log):
        inventory = tools_at_hand(root, table)
        if names - inventory.tools.keys():
            inventory = _provide(names, inventory, log)
        peers = None
        if wish.peers:
            python, modules = toolchain.provide_peers(inventory, spec.packages, spec.modules, log)
            peers = benches.Peers(python, modules, Path(inventory.tools["node"].path))
        runtimes = None
        if with_wasm or spec.artifacts:
            tools = inventory.tools
            runtimes = benches.Runtimes(Path(tools["wasmtime"].path), Path(tools["node"].path))
        env = toolchain.environment(inventory, names)
        suffix = ".exe" if os.name == "nt" else ""
        interpreter = Path(inventory.tools["dev"].path) / f"python{suffix}"
        return benches.run(spec, wish, root, interpreter, peers, runtimes, commit(root), env, log)


def one_run(root: Path, log: Log) -> AbstractContextManager[None]:
    """Hold the checkout's lock."""
    return files.held(root / ".rva" / "lock", f"another rva run is at work in {root}", log)


def commit(root: Path) -> str:
    """The commit that the sources stand at, with -dirty where files differ; empty outside git."""
    if not (root / ".git").exists() or shutil.which("git") is None:
        return ""
    head = shell.run(["git", "rev-parse", "HEAD"], cwd=root, check=False)
    if head.returncode != 0:
        return ""
    changes = shell.run(["git", "status", "--porcelain", "--untracked-files=normal"], cwd=root, check=False)
    return head.output.strip() + ("-dirty" if changes.output.strip() else "")


def tools_at_hand(root: Path, table: Matrix) -> toolchain.Inventory:
    """The tools that earlier runs found or made."""
    napi = table.recipes.get("napi")
    return toolchain.load(root, host.cache_dir(), table.tools, napi.folder if napi else "")


def _plan(root: Path, table: Matrix, targets: Sequence[Target], profile: str, inventory: toolchain.Inventory) -> Plan:
    tools = planning.Tools(
        {name: tool.fingerprint for name, tool in inventory.tools.items()},
        {name: planning.Absence(a.reason, a.fix) for name, a in inventory.absences.items()},
    )
    store = Store(host.cache_dir() / "store")
    return planning.make(table, targets, host.detect(), tools, store, content.Digests(root), profile)


def _equip(
    root: Path, table: Matrix, selected: set[str], profile: str, inventory: toolchain.Inventory, log: Log
) -> tuple[toolchain.Inventory, Plan]:
    """Get what the selected rows need; returns what is then at hand, and the plan of the whole table with it."""
    made = _plan(root, table, table.targets, profile, inventory)
    # What may turn out absent comes first: only then is it known which stand-ins, with which tools, are wanted.
    for first in (toolchain.MAY_BE_ABSENT, ()):
        missing = _missing(made, selected)
        wanted = missing & set(first) if first else missing
        if wanted:
            inventory = _provide(wanted, inventory, log)
            made = _plan(root, table, table.targets, profile, inventory)
    return inventory, made


def _missing(made: Plan, selected: set[str]) -> set[str]:
    return {name for row in made.rows if row.id in selected and row.status == "build" for name in row.missing}


def _provide(names: set[str], inventory: toolchain.Inventory, log: Log) -> toolchain.Inventory:
    _announce(toolchain.needs(names, inventory), log)
    with log.stage("set-up"):
        return toolchain.provide(names, inventory, log)


def _announce(fetches: Sequence[toolchain.Fetch], log: Log) -> None:
    if not fetches:
        return
    log.say("to be fetched or made, once:")
    for fetch in fetches:
        log.say(f"  {fetch.name:<34} {fetch.size_text:>9}  {fetch.source}")


def _workshop(
    root: Path, table: Matrix, rows: Sequence[RowPlan], inventory: toolchain.Inventory, jobs: int, keep_going: bool
) -> run.Workshop:
    environments = {row.needs: toolchain.environment(inventory, row.needs) for row in rows if row.status == "build"}
    paths = {
        recipe: planning.sources(table, recipe) for recipe in {row.recipe for row in rows if row.status == "build"}
    }
    sources = {recipe: (names, run.fingerprint(root, names)) for recipe, names in paths.items()}
    rust = inventory.tools.get("rust")
    compiler, compiler_key = (rust.detail.splitlines()[0], rust.fingerprint[:12]) if rust else ("", "none")
    # rustc names its own sources by their real path, whatever links led to it.
    rust_folder = Path(rust.path).resolve().parent.parent if rust else host.cache_dir()
    cargo_home = Path(os.environ.get("CARGO_HOME") or Path.home() / ".cargo")
    cache = host.cache_dir()
    return run.Workshop(
        root,
        cache,
        cargo_home,
        rust_folder,
        table,
        Store(cache / "store"),
        environments,
        sources,
        compiler,
        compiler_key,
        jobs,
        keep_going,
    )


def _place(root: Path, table: Matrix, whole: Plan, selected: set[str]) -> Manifest:
    """dist/ holds the selected rows and those of earlier runs that are still current."""
    place = dist.Dist(root)
    before = place.manifest()
    kept = selected | ({a.id for a in before.artifacts} if before else set())
    rows = [row for row in whole.rows if row.id in kept]
    return place.update(rows, Store(host.cache_dir() / "store"), table.version, commit(root))


# What a word of a smoke command stands for, and the tool that brings it.
_PROGRAMS = {
    "python": "wasmtime",
    "node": "node",
    "npm": "npm",
    "dev": "dev",
    "docs": "docs",
    "docs-npm": "docs-npm",
    "checkers": "checkers",
    "checkers-npm": "checkers-npm",
    "package": "package",
    "python-binding": "python-binding",
    "server": "server",
}


def _smoke(
    root: Path, table: Matrix, targets: Sequence[Target], manifest: Manifest, inventory: toolchain.Inventory, log: Log
) -> tuple[Smoke, ...]:
    inventory = with_programs(table, targets, inventory, log)
    programs = programs_of(inventory)
    runner = replay.Runner(root, table, programs, toolchain.environment(inventory, inventory.tools), log)
    return smoke.run(manifest, targets, table, host.detect(), runner, programs)


def with_programs(
    table: Matrix, targets: Sequence[Target], inventory: toolchain.Inventory, log: Log
) -> toolchain.Inventory:
    """The inventory with what the smoke tests of these rows are written in."""
    words = {word.strip("{}") for t in targets for word in table.recipes[t.recipe].smoke if word.startswith("{")}
    missing = {_PROGRAMS[word] for word in words if word in _PROGRAMS} - inventory.tools.keys()
    return _provide(missing, inventory, log) if missing else inventory


def programs_of(inventory: toolchain.Inventory) -> dict[str, list[str]]:
    """What {python}, {node} and the like stand for in a command of platforms.toml."""
    programs = {word: [inventory.tools[tool].path] for word, tool in _PROGRAMS.items() if tool in inventory.tools}
    programs["self"] = [sys.executable, str(Path(sys.argv[0]).absolute())]
    return programs


def _check_stage(root: Path, table: Matrix, wanted: Sequence[Check], log: Log) -> list[checks.Verdict]:
    here = dict(os.environ)
    idle = {check.name: checks.not_run(check, here) for check in wanted}
    needs = {name for check in wanted if idle[check.name] is None for name in _check_needs(check)}
    inventory = tools_at_hand(root, table)
    if needs - inventory.tools.keys():
        inventory = _provide(needs, inventory, log)
    verdicts = []
    for check in wanted:
        env = {"CARGO_TARGET_DIR": str(root / ".rva" / "target" / "checks")}
        if check.triple != "any":
            env |= toolchain.environment(inventory, _check_needs(check))
            env["CARGO_TARGET_DIR"] += f"-{check.triple}"
        verdicts.append(idle[check.name] or checks.run(check, root, programs_of(inventory), env, log))
    return verdicts


def _check_needs(check: Check) -> tuple[str, ...]:
    """The tools of a check; one that compiles for a triple needs what compiles, links and tests there."""
    if check.triple == "any":
        return check.needs
    return (*check.needs, *recipes.linker_needs(check.triple, host.detect()), f"test:{check.triple}")


def _build_stage(root: Path, table: Matrix, log: Log) -> list[checks.Verdict]:
    jobs = host.detect().cpus
    outcome = build(root, table, table.targets, profile="release", jobs=jobs, keep_going=True, with_smoke=True, log=log)
    verdicts = []
    for row in outcome.report.rows:
        status = {"built": "pass", "current": "pass", "failed": "fail"}.get(row.status, "not-run")
        mark = ":stand-in" if row.build == "stand-in" else ""
        verdicts.append(checks.Verdict("build", f"{row.id}{mark}", status, row.duration_s, row.reason.split("\n")[0]))  # type: ignore[arg-type]
    verdicts += [
        checks.Verdict("smoke", s.id, s.status, s.duration_s, s.reason.split("\n")[0]) for s in outcome.report.smoke
    ]
    if outcome.error is not None and not any(v.status == "fail" for v in verdicts):
        raise CheckFailed(outcome.error.what)
    return verdicts


def _diagnosis(name: str, rows: tuple[str, ...], inventory: toolchain.Inventory) -> Diagnosis:
    if name in inventory.absences:
        absence = inventory.absences[name]
        return Diagnosis(name, "unavailable", "", "", rows, absence.fix, absence.reason)
    if name in inventory.tools:
        tool = inventory.tools[name]
        return Diagnosis(name, "found", tool.version, tool.source, rows)
    return Diagnosis(name, "missing", "", "", rows, "rva setup")
