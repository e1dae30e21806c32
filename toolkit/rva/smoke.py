"""Run what was built on the reference cases, where this machine can run it directly."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from rva import content, files, naming, shell
from rva.errors import Interrupted, RvaError
from rva.log import Log
from rva.model import Artifact, Host, Manifest, Matrix, Smoke, Target

_TIMEOUT_S = 600.0


def run(
    manifest: Manifest,
    targets: Sequence[Target],
    matrix: Matrix,
    host: Host,
    root: Path,
    programs: Mapping[str, Sequence[str]],
    env: Mapping[str, str],
    log: Log,
) -> tuple[Smoke, ...]:
    """One verdict a row. An unchanged artifact keeps the verdict that it passed with; failures run again."""
    known = _read(root)
    consumers = content.Digests(root)
    verdicts: list[Smoke] = []
    for target in targets:
        artifacts = [a for a in manifest.artifacts if a.id == target.id and a.build != "stand-in"]
        reason = _not_here(target, artifacts, matrix, host, programs)
        if reason:
            verdicts.append(Smoke(target.id, "not-run", reason=reason))
            continue
        key = _key(artifacts, matrix, target, consumers)
        verdict = known.get(key) or _replay(target, artifacts, matrix, root, programs, env, log)
        verdicts.append(msgspec.structs.replace(verdict, cached=key in known))
        if verdict.status == "pass":
            known[key] = verdict
            files.write(_path(root), msgspec.json.encode(known))
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


def _replay(
    target: Target,
    artifacts: Sequence[Artifact],
    matrix: Matrix,
    root: Path,
    programs: Mapping[str, Sequence[str]],
    env: Mapping[str, str],
    log: Log,
) -> Smoke:
    log.detail(f"smoke {target.id}")
    folder = root / "dist" / naming.dist_folder(target.family, target.id, stand_in=False)
    argv = [part for word in matrix.recipes[target.recipe].smoke for part in programs.get(word.strip("{}"), [word])]
    argv[0] = shutil.which(argv[0], path=env.get("PATH")) or argv[0]
    started = time.monotonic()
    record = root / ".rva" / "logs" / f"{target.id}.smoke.log"
    files.remove(record)
    try:
        result = shell.run(
            [*argv, str(folder), str(root / matrix.project.vectors)],
            cwd=root, env=env, log=record, timeout=_TIMEOUT_S, check=False, separate_stderr=True,
        )  # fmt: skip
    except Interrupted:
        raise
    except RvaError as error:
        return Smoke(target.id, "fail", reason=error.what, duration_s=round(time.monotonic() - started, 1))
    verdict = _judge(target.id, result, record)
    log.say(
        f"smoke {verdict.status}  {target.id}  {verdict.passed} cases, {verdict.failed} failed  {verdict.duration_s:.1f} s"
    )
    return verdict


def _judge(row: str, result: shell.Result, record: Path) -> Smoke:
    """A pass needs all three: exit status 0, a summary on the last line, and cases that ran."""
    seconds = round(result.duration_s, 1)
    try:
        summary = json.loads(result.output.strip().splitlines()[-1])
        passed, failed = int(summary["passed"]), int(summary["failed"])
    except (IndexError, ValueError, KeyError, TypeError):
        return Smoke(
            row,
            "fail",
            reason=f"the smoke test gave no summary (exit status {result.returncode}); see {record}",
            duration_s=seconds,
        )
    if result.returncode == 0 and failed == 0 and passed > 0:
        return Smoke(row, "pass", passed, 0, duration_s=seconds)
    return Smoke(
        row,
        "fail",
        passed,
        failed,
        duration_s=seconds,
        reason=f"{failed} of {passed + failed} cases failed; see {record}",
    )


def _key(artifacts: Sequence[Artifact], matrix: Matrix, target: Target, digests: content.Digests) -> str:
    parts = {"files": sorted((a.path, a.sha256) for a in artifacts), "command": matrix.recipes[target.recipe].smoke}
    return content.key(parts, [matrix.project.vectors, "tests/smoke"], digests)


def _path(root: Path) -> Path:
    return root / ".rva" / "smoke.json"


def _read(root: Path) -> dict[str, Smoke]:
    try:
        return msgspec.json.decode(_path(root).read_bytes(), type=dict[str, Smoke])
    except (OSError, msgspec.DecodeError):
        return {}
