"""What the tests of verify share."""

from __future__ import annotations

import pytest
from rva.model import Smoke
from rva.replay import Job, Runner


@pytest.fixture
def jobs(monkeypatch: pytest.MonkeyPatch) -> list[Job]:
    """The jobs that would have run; each passes on five cases."""
    found: list[Job] = []

    def run(_: Runner, job: Job) -> Smoke:
        found.append(job)
        return Smoke(job.row, "pass", 5, duration_s=1.5)

    monkeypatch.setattr(Runner, "_run", run)
    return found
