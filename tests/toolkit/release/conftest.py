"""Registries that live in memory, and a release small enough to follow."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from rva.model import Destination
from rva.release.journal import Journal
from rva.release.plan import ReleasePlan, Upload


class MemoryDesk:
    """A registry: what it holds, how often it was sent what, and what goes wrong when."""

    def __init__(self) -> None:
        self.holding: dict[str, str] = {}
        self.sent: list[str] = []
        self.closed = 0
        self.faults: dict[tuple[str, str], BaseException] = {}

    def held(self, upload: Upload) -> str | None:
        """What it says of an upload."""
        return self.holding.get(upload.id)

    def send(self, upload: Upload, journal: Journal) -> None:
        """Take an upload, with the fault that is due before or after."""
        if fault := self.faults.pop((upload.id, "before"), None):
            raise fault
        assert upload.id not in self.holding, "sent twice"
        self.sent.append(upload.id)
        self.holding[upload.id] = hashlib.sha256(journal.file(upload).read_bytes()).hexdigest()
        if fault := self.faults.pop((upload.id, "after"), None):
            raise fault

    def close(self) -> None:
        """Count."""
        if fault := self.faults.pop(("", "close"), None):
            raise fault
        self.closed += 1


def upload(registry: Destination, name: str, data: bytes) -> Upload:
    """One file of a release."""
    digest = hashlib.sha256(data).hexdigest()
    return Upload(registry, "main", name, "1.0.0", f"{registry}/{name}", len(data), digest, digest)


CONTENT: dict[tuple[Destination, str], bytes] = {
    ("npm", "one.tgz"): b"1",
    ("npm", "two.tgz"): b"22",
    ("cargo", "c.crate"): b"333",
    ("pypi", "p.whl"): b"4444",
    ("github", "x.tar.gz"): b"55555",
}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A folder as dist/packages."""
    folder = tmp_path / "packages"
    for (registry, name), data in CONTENT.items():
        (folder / registry).mkdir(parents=True, exist_ok=True)
        (folder / registry / name).write_bytes(data)
    return folder


@pytest.fixture
def plan() -> ReleasePlan:
    """The release of that folder."""
    return ReleasePlan("1.0.0", "c0ffee", "v1.0.0", "a/b", "notes", tuple(upload(*k, v) for k, v in CONTENT.items()))


@pytest.fixture
def desks() -> dict[Destination, MemoryDesk]:
    """All four, empty."""
    return {"npm": MemoryDesk(), "pypi": MemoryDesk(), "cargo": MemoryDesk(), "github": MemoryDesk()}


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    """Of a release that was not begun."""
    return Journal(tmp_path / "release")
