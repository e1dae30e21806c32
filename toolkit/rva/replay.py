"""Commands that replay the reference cases through artifacts, and their verdicts, kept while nothing changes."""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from rva import content, files, shell
from rva.errors import DiskError, Interrupted, RvaError
from rva.log import Log
from rva.model import Artifact, Matrix, Smoke

_TIMEOUT_S = 600.0


class Job(Struct, frozen=True):
    """Files of one row, by path and digest, and the command that replays the cases through them in their folder.

    ``lane`` is empty for a direct run.
    """

    row: str
    lane: str
    files: tuple[tuple[str, str], ...]
    folder: Path
    argv: tuple[str, ...]
    env: dict[str, str] = {}

    @property
    def label(self) -> str:
        """What the log and the log's file call it."""
        return f"{self.row}.{self.lane}" if self.lane else self.row


class Runner:
    """Replays the cases. An unchanged artifact keeps the verdict that it passed with; failures run again.

    One that does not ``keep`` runs everything.
    """

    def __init__(
        self, root: Path, matrix: Matrix, programs: Mapping[str, Sequence[str]], env: Mapping[str, str], log: Log,
        *, keep: bool = True,
    ) -> None:  # fmt: skip
        self.root = root
        self._matrix = matrix
        self._programs = {**programs, "root": [str(root)]}
        self._env = env
        self._log = log
        self._keeps = keep
        self._known = _read(root) if keep else {}
        self._digests = content.Digests(root)
        self._lock = threading.Lock()

    def filled(self, words: Sequence[str]) -> list[str]:
        """A command with its programs in their places: {python} becomes a path, {root}/x one below the checkout."""
        return shell.filled(words, self._programs)

    def replay(self, job: Job) -> Smoke:
        """The verdict on one job, from an earlier run where nothing changed since."""
        return self.known(job) or self.keep(job, self._run(job))

    def known(self, job: Job) -> Smoke | None:
        """The verdict of an earlier run on the same bytes."""
        verdict = self._known.get(self._key(job))
        return msgspec.structs.replace(verdict, cached=True) if verdict else None

    def keep(self, job: Job, verdict: Smoke) -> Smoke:
        """The verdict, remembered where it is a pass."""
        if verdict.status == "pass" and self._keeps:
            with self._lock:
                self._known[self._key(job)] = verdict
                files.write(_path(self.root), msgspec.json.encode(self._known))
        return verdict

    def _run(self, job: Job) -> Smoke:
        self._log.detail(f"smoke {job.label}")
        argv = self.filled(job.argv)
        argv[0] = shutil.which(argv[0], path=self._env.get("PATH")) or argv[0]
        started = time.monotonic()
        record = self.root / ".rva" / "logs" / f"{job.label}.smoke.log"
        files.remove(record)
        try:
            result = shell.run(
                [*argv, str(job.folder), str(self.root / self._matrix.project.vectors)],
                cwd=self.root, env={**self._env, **job.env}, log=record, timeout=_TIMEOUT_S, check=False,
                separate_stderr=True,
            )  # fmt: skip
        except Interrupted:
            raise
        except RvaError as error:
            return Smoke(job.row, "fail", reason=error.what, duration_s=round(time.monotonic() - started, 1))
        verdict = _judge(job.row, result, record)
        said = f"{verdict.passed} cases, {verdict.failed} failed"
        self._log.say(f"smoke {verdict.status}  {job.label}  {said}  {verdict.duration_s:.1f} s")
        return verdict

    def _key(self, job: Job) -> str:
        parts: dict[str, object] = {
            "files": sorted(job.files),
            "command": job.argv,
        }
        if job.lane:
            parts |= {"lane": job.lane, "env": sorted(job.env.items())}
        return content.key(parts, [self._matrix.project.vectors, "tests/smoke"], self._digests)


def named(artifacts: Sequence[Artifact]) -> tuple[tuple[str, str], ...]:
    """Finished files as a job names them."""
    return tuple((a.path, a.sha256) for a in artifacts)


def _judge(row: str, result: shell.Result, record: Path) -> Smoke:
    """A pass needs all three: exit status 0, a summary on the last line, and cases that ran."""
    seconds = round(result.duration_s, 1)
    try:
        summary = json.loads(result.output.strip().splitlines()[-1])
        passed, failed = int(summary["passed"]), int(summary["failed"])
        reason = f"{failed} of {passed + failed} cases failed"
    except (IndexError, ValueError, KeyError, TypeError):
        passed = failed = 0
        reason = f"the smoke test gave no summary (exit status {result.returncode})"
    if result.returncode == 0 and failed == 0 and passed > 0:
        return Smoke(row, "pass", passed, 0, duration_s=seconds)
    if _disk_is_full(result, record):
        reason = "the disk is full or cannot be written; the artifact was not judged: free some space, run it again"
    return Smoke(row, "fail", passed, failed, duration_s=seconds, reason=f"{reason}; see {record}")


def _disk_is_full(result: shell.Result, record: Path) -> bool:
    """Whether the child's own words, or a record that could not be written, say so."""
    try:
        words = record.read_text("utf-8", "replace")
    except OSError:
        words = ""
    return isinstance(shell.failure(result, result.output + words, record), DiskError)


def _path(root: Path) -> Path:
    return root / ".rva" / "smoke.json"


def _read(root: Path) -> dict[str, Smoke]:
    try:
        return msgspec.json.decode(_path(root).read_bytes(), type=dict[str, Smoke])
    except (OSError, msgspec.DecodeError):
        return {}
