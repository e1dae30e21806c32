"""`rva test`: the commands under [[checks]] of platforms.toml, each with its verdict and time."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from msgspec import Struct

from rva import files, host, shell
from rva.errors import Interrupted, RvaError, ToolError
from rva.log import Log
from rva.model import Check


class Verdict(Struct, frozen=True):
    """How one check ended; words are the last that a failed one said."""

    stage: str
    name: str
    status: Literal["pass", "fail", "not-run"]
    duration_s: float = 0.0
    reason: str = ""
    words: str = ""


class TestReport(Struct, frozen=True):
    """How all checks of one `rva test` ended, and how long each stage took."""

    checks: tuple[Verdict, ...]
    stages: dict[str, float]


def not_run(check: Check, env: Mapping[str, str]) -> Verdict | None:
    """The verdict on a check for which this system lacks a program, such as an emulator."""
    reason = host.lacking(check.system, env.get("PATH"))
    return Verdict(check.stage, check.name, "not-run", reason=reason) if reason else None


def run(check: Check, root: Path, programs: Mapping[str, Sequence[str]], env: Mapping[str, str], log: Log) -> Verdict:
    """Run one check; a program that is absent makes it fail, never pass."""
    log.detail(f"{check.stage}: {check.name}")
    argv = shell.filled(check.argv, programs)
    record = root / ".rva" / "logs" / f"check-{check.name}.log"
    files.remove(record)
    started = time.monotonic()
    try:
        program = shutil.which(argv[0], path=env.get("PATH"))
        if program is None:
            raise ToolError(f"`{argv[0]}` was not found")
        shell.run(
            [program, *argv[1:]],
            cwd=root / check.cwd,
            env=env,
            log=record,
            on_line=lambda line: log.detail(f"{check.name}: {line}"),
        )
    except Interrupted:
        raise
    except RvaError as error:
        spent = round(time.monotonic() - started, 1)
        log.say(f"{log.paint('fail', '31')}  {check.name}  {spent} s")
        log.error(error.what)
        return Verdict(check.stage, check.name, "fail", spent, error.what.splitlines()[0], error.what)
    spent = round(time.monotonic() - started, 1)
    log.say(f"{log.paint('pass', '32')}  {check.name}  {spent} s")
    return Verdict(check.stage, check.name, "pass", spent)
