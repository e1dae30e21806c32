"""Run what was built on the reference cases, where this machine can run it directly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rva import naming
from rva.model import Artifact, Host, Manifest, Matrix, Smoke, Target
from rva.replay import Job, Runner, named


def run(
    manifest: Manifest,
    targets: Sequence[Target],
    matrix: Matrix,
    host: Host,
    runner: Runner,
    programs: Mapping[str, Sequence[str]],
) -> tuple[Smoke, ...]:
    """One verdict a row, of what this machine can run directly."""
    verdicts: list[Smoke] = []
    for target in targets:
        artifacts = tuple(a for a in manifest.artifacts if a.id == target.id and a.build != "stand-in")
        reason = _not_here(target, artifacts, matrix, host, programs)
        if reason:
            verdicts.append(Smoke(target.id, "not-run", reason=reason))
            continue
        folder = runner.root / "dist" / naming.dist_folder(target.family, target.id, stand_in=False)
        verdicts.append(
            runner.replay(Job(target.id, "", named(artifacts), folder, matrix.recipes[target.recipe].smoke))
        )
    return tuple(verdicts)


def runs_here(target: Target, host: Host) -> bool:
    """Whether this machine can run the row's artifact without an emulator."""
    if target.cpu in ("wasm32", "any"):
        return True
    if (target.os, target.cpu) != (host.os, host.cpu):
        return False
    return target.libc == host.libc or (target.recipe == "cli" and target.libc == "musl")


def _not_here(
    target: Target, artifacts: Sequence[Artifact], matrix: Matrix, host: Host, programs: Mapping[str, Sequence[str]]
) -> str:
    command = matrix.recipes[target.recipe].smoke
    if not artifacts:
        return "not built"
    if not command:
        return "no smoke test is defined for this recipe"
    if not runs_here(target, host):
        return f"{host.triple} cannot run {target.triple} directly"
    lacking = [word for word in command if word.startswith("{") and word.strip("{}") not in programs]
    return f"{lacking[0].strip('{}')} was not found" if lacking else ""
