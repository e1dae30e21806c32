"""Artifacts run on the reference cases: directly as the smoke tests do, and in every lane of platforms.toml."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

from rva import naming
from rva.host import lacking as lacking_programs
from rva.model import Host, Lane, Manifest, Matrix, Smoke, Target
from rva.replay import Job, Runner, named
from rva.verified import Cell

DIRECT = "direct"
WINE_FOLDER = "RVA_WINE_FOLDER"


def direct(verdicts: Sequence[Smoke]) -> tuple[Cell, ...]:
    """The verdicts of the smoke tests as cells."""
    return tuple(cell(v, DIRECT, "run" if v.status != "not-run" else "") for v in verdicts)


def lanes(
    manifest: Manifest, targets: Sequence[Target], matrix: Matrix, host: Host, runner: Runner
) -> tuple[Cell, ...]:
    """One cell for each row and lane that belong together."""
    return tuple(
        _run(lane, target, manifest, host, runner)
        for target in targets
        for lane in matrix.lanes
        if serves(lane, target) and alone(target, matrix)
    )


def serves(lane: Lane, target: Target) -> bool:
    """Whether a lane is one for this row."""
    return lane.recipe == target.recipe and lane.triple == target.triple and lane.variant in ("any", target.variant)


def alone(target: Target, matrix: Matrix) -> bool:
    """Whether a row's files do something without those of other rows, as its smoke test says. The others' lanes are for packages."""
    return bool(matrix.recipes[target.recipe].smoke)


def lacking(lane: Lane, host: Host) -> str:
    """Why a lane cannot be run on this machine, or nothing."""
    if lane.host != host.triple:
        return f"runs on {lane.host}, this is {host.triple}"
    missing = lacking_programs(lane.system)
    if not missing and lane.sysroot and not Path(lane.sysroot).is_dir():
        return f"{lane.sysroot} is missing; `rva setup --system` installs it"
    return missing


def _run(lane: Lane, target: Target, manifest: Manifest, host: Host, runner: Runner) -> Cell:
    artifacts = [a for a in manifest.artifacts if a.id == target.id]
    real = [a for a in artifacts if a.build != "stand-in"]
    stand_in = not real and bool(artifacts)
    reason = "not built" if not artifacts else lacking(lane, host)
    if reason:
        return Cell(target.id, lane.name, "not-run", stand_in=stand_in, reason=reason)
    folder = runner.root / "dist" / naming.dist_folder(target.family, target.id, stand_in=stand_in)
    made = Job(target.id, lane.name, named(real or artifacts), folder, lane.argv, environment(lane, runner))
    return cell(runner.replay(made), lane.name, lane.how, stand_in=stand_in)


def environment(lane: Lane, runner: Runner) -> dict[str, str]:
    """What a lane's consumer is told."""
    own = {WINE_FOLDER: str(runner.root / ".rva" / "wine"), **lane.env}
    if lane.runner:
        own["RVA_SMOKE_RUNNER"] = json.dumps(runner.filled(lane.runner))
    if lane.compiler:
        own["CC"] = json.dumps(runner.filled(lane.compiler))
    if lane.sysroot:
        own["QEMU_LD_PREFIX"] = lane.sysroot
    return own


def cell(verdict: Smoke, check: str, how: str, *, stand_in: bool = False) -> Cell:
    """A verdict as a cell."""
    ran = f"{verdict.passed} reference cases" if verdict.status == "pass" else ""
    return Cell(
        verdict.id,
        check,
        verdict.status,
        how=how,  # type: ignore[arg-type]
        stand_in=stand_in,
        evidence="it loads; its functions are not called" if how == "loads" and ran else ran,
        reason=verdict.reason,
        duration_s=verdict.duration_s,
        cached=verdict.cached,
    )


def machine() -> str:
    """What ran the checks, in a line."""
    name = os.uname() if hasattr(os, "uname") else None
    return f"{name.sysname} {name.release} {name.machine}, {os.cpu_count()} processors" if name else os.name
