"""A plan is carried out once, whatever happens on the way."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from rva.errors import CheckFailed, DiskError, Interrupted, NetworkError, RvaError
from rva.log import Log
from rva.model import Destination
from rva.release import carry
from rva.release.journal import Journal
from rva.release.plan import ReleasePlan

from .conftest import CONTENT, MemoryDesk, upload

SOON = carry.Patience(seen_s=0.05, fault_s=0.0)
Desks = dict[Destination, MemoryDesk]


def run(plan: ReleasePlan, desks: Desks, journal: Journal) -> carry.Outcome:
    return carry.carry_out(plan, desks, journal, Log(0), SOON)


def test_everything_is_sent_once_in_order_and_read_back(
    plan: ReleasePlan, desks: Desks, journal: Journal, source: Path
) -> None:
    journal.begin(plan, source)
    done = run(plan, desks, journal)
    assert done.sent == tuple(u.id for u in plan.uploads) and done.found == ()
    assert [d.closed for d in desks.values()] == [1, 1, 1, 1]
    events = [(e["event"], e.get("upload")) for e in journal.entries()]
    assert events[0] == ("begin", None) and events[-1] == ("done", None)
    for u in plan.uploads:
        assert events.index(("sending", u.id)) < events.index(("seen", u.id))
    again = run(plan, desks, journal)
    assert again.sent == () and again.found == done.sent
    assert sum(len(d.sent) for d in desks.values()) == len(CONTENT)


FAULTS = [CheckFailed("500"), NetworkError("time-out"), Interrupted("interrupted"), DiskError("full")]


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("fault", FAULTS, ids=lambda f: type(f).__name__)
@pytest.mark.parametrize("number", range(len(CONTENT)))
def test_a_fault_at_any_upload_is_resumed(
    plan: ReleasePlan, desks: Desks, journal: Journal, source: Path, number: int, fault: RvaError, when: str
) -> None:
    journal.begin(plan, source)
    hit = plan.uploads[number]
    desks[hit.registry].faults[(hit.id, when)] = fault
    if when == "before" or isinstance(fault, Interrupted):
        with pytest.raises(type(fault)):
            run(plan, desks, journal)
        # The bytes come from the release's own folder: dist/ may be gone.
        for file in source.rglob("*.*"):
            file.unlink()
    else:
        # A lost answer: the look afterwards finds what arrived.
        run(plan, desks, journal)
    run(plan, desks, journal)
    sent = [name for d in desks.values() for name in d.sent]
    assert sorted(sent) == sorted(u.id for u in plan.uploads)
    for u in plan.uploads:
        assert desks[u.registry].holding[u.id] == u.sha256


def test_a_fault_of_the_last_step_of_a_registry_is_resumed(
    plan: ReleasePlan, desks: Desks, journal: Journal, source: Path
) -> None:
    journal.begin(plan, source)
    desks["github"].faults[("", "close")] = NetworkError("gone")
    with pytest.raises(NetworkError):
        run(plan, desks, journal)
    run(plan, desks, journal)
    assert desks["github"].closed == 1


def test_other_bytes_at_the_registry_stop_everything(
    plan: ReleasePlan, desks: Desks, journal: Journal, source: Path
) -> None:
    journal.begin(plan, source)
    desks["cargo"].holding[plan.uploads[2].id] = "0" * 64
    with pytest.raises(CheckFailed, match="other bytes"):
        run(plan, desks, journal)
    assert desks["pypi"].sent == [] and desks["github"].sent == []


def test_a_registry_that_changes_the_bytes_stops_everything(
    plan: ReleasePlan, desks: Desks, journal: Journal, source: Path
) -> None:
    class Changing(MemoryDesk):
        def send(self, upload: object, journal: Journal) -> None:
            super().send(upload, journal)  # type: ignore[arg-type]
            self.holding = {key: "f" * 64 for key in self.holding}

    journal.begin(plan, source)
    desks["npm"] = Changing()
    with pytest.raises(CheckFailed, match="other bytes"):
        run(plan, desks, journal)
    assert len(desks["npm"].sent) == 1


def test_kept_bytes_that_changed_are_not_sent(plan: ReleasePlan, desks: Desks, journal: Journal, source: Path) -> None:
    journal.begin(plan, source)
    journal.file(plan.uploads[0]).write_bytes(b"0")
    with pytest.raises(DiskError, match="changed since"):
        run(plan, desks, journal)
    assert desks["npm"].sent == []


def test_what_is_accepted_and_never_seen_is_said(
    plan: ReleasePlan, desks: Desks, journal: Journal, source: Path
) -> None:
    class Slow(MemoryDesk):
        def held(self, upload: object) -> None:
            return None

    journal.begin(plan, source)
    desks["npm"] = Slow()
    with pytest.raises(NetworkError, match="not to be seen"):
        run(plan, desks, journal)


def test_a_line_that_was_cut_short_is_no_line(plan: ReleasePlan, journal: Journal, source: Path) -> None:
    journal.begin(plan, source)
    path = journal.place / "journal.jsonl"
    whole = path.read_bytes()
    for cut in range(len(whole)):
        path.write_bytes(whole + whole[:cut].replace(b"\n", b""))
        assert [e["event"] for e in journal.entries()] == ["begin"]
        journal.write("sending", plan.uploads[0])
        assert [e["event"] for e in journal.entries()] == ["begin", "sending"]
        assert all(json.loads(line) for line in path.read_bytes().splitlines())


def test_a_source_that_is_not_what_the_plan_says_is_not_begun(
    plan: ReleasePlan, journal: Journal, source: Path
) -> None:
    (source / "npm" / "one.tgz").write_bytes(b"other")
    with pytest.raises(DiskError, match="not what its manifest says"):
        journal.begin(plan, source)
    assert journal.plan() is None


def test_the_plan_comes_back_as_it_was(plan: ReleasePlan, journal: Journal, source: Path) -> None:
    assert journal.plan() is None and not journal.sent_anything()
    journal.begin(plan, source)
    assert journal.plan() == plan and not journal.sent_anything()
    journal.write("sending", upload("npm", "one.tgz", b"1"))
    assert journal.sent_anything()
    (journal.place / "plan.json").write_text("{")
    with pytest.raises(DiskError):
        journal.plan()
