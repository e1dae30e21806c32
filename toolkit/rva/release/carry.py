"""Carries out a plan: looks, sends, reads back. Run again after any fault, it goes on where it stopped."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Protocol

from msgspec import Struct

from rva import content
from rva.errors import CheckFailed, DiskError, Interrupted, NetworkError, RvaError
from rva.log import Log
from rva.model import Destination
from rva.release.journal import Journal
from rva.release.plan import ReleasePlan, Upload


class Desk(Protocol):
    """The counter of one registry."""

    def held(self, upload: Upload) -> str | None:
        """The integrity that the registry gives for this upload's place, None where the place is free."""

    def send(self, upload: Upload, journal: Journal) -> None:
        """Send the bytes; an error says nothing of whether they arrived."""

    def owners(self, name: str) -> tuple[bool, tuple[str, ...] | None]:
        """Whether a name is there, and whose it is; None where the registry does not tell."""

    def close(self) -> None:
        """When all of its uploads are there: whatever shows them to people."""


class Patience(Struct, frozen=True):
    """How long a registry may take to show what it accepted, and what it may have accepted before a fault."""

    seen_s: float = 600.0
    fault_s: float = 15.0


class Outcome(Struct, frozen=True):
    """What one run did: uploads by how they came to be there."""

    sent: tuple[str, ...]
    found: tuple[str, ...]


def carry_out(
    plan: ReleasePlan,
    desks: Mapping[Destination, Desk],
    journal: Journal,
    log: Log,
    patience: Patience = Patience(),  # noqa: B008  frozen
) -> Outcome:
    """Bring every upload of a plan to its registry, in order; returns once each was read back as it was sent.

    An upload that is there with other bytes, or kept bytes that changed, stops everything.
    """
    sent: list[str] = []
    found: list[str] = []
    for number, upload in enumerate(plan.uploads, 1):
        log.say(f"{number}/{len(plan.uploads)} {upload.id}")
        (sent if _settle(upload, desks[upload.registry], journal, patience) else found).append(upload.id)
        if not any(later.registry == upload.registry for later in plan.uploads[number:]):
            journal.write("closing", registry=upload.registry)
            desks[upload.registry].close()
    journal.write("done")
    return Outcome(tuple(sent), tuple(found))


def _settle(upload: Upload, desk: Desk, journal: Journal, patience: Patience) -> bool:
    """Whether it had to be sent."""
    if _is_there(upload, desk):
        journal.write("seen", upload, sent=False)
        return False
    if content.sha256(journal.file(upload)) != upload.sha256:
        raise DiskError(
            f"{journal.file(upload)} changed since this release was begun", fix="restore it from dist/packages"
        )
    journal.write("sending", upload)
    try:
        desk.send(upload, journal)
    except Interrupted:
        raise
    except RvaError as error:
        journal.write("fault", upload, what=error.what[:500])
        # An answer may be lost on its way back from a registry that took the bytes.
        if not _appears(upload, desk, patience.fault_s):
            raise
    else:
        if not _appears(upload, desk, patience.seen_s):
            raise NetworkError(
                f"{upload.id} was accepted and is not to be seen after {patience.seen_s:.0f} s",
                fix="run the same command again later; what is there by then is not sent again",
            )
    journal.write("seen", upload, sent=True)
    return True


def _is_there(upload: Upload, desk: Desk) -> bool:
    held = desk.held(upload)
    if held is not None and held != upload.integrity:
        raise CheckFailed(
            f"{upload.id}: the registry holds other bytes under this name\n  there: {held}\n  here:  {upload.integrity}",
            fix="nothing more is sent; a version is never replaced: publish these bytes under a new version",
        )
    return held is not None


def _appears(upload: Upload, desk: Desk, seconds: float, now: Callable[[], float] = time.monotonic) -> bool:
    """Look until it is there or time is up; the pauses grow to ten seconds."""
    deadline, pause = now() + seconds, 0.1
    while True:
        try:
            if _is_there(upload, desk):
                return True
        except NetworkError:
            if now() >= deadline:
                raise
        if now() >= deadline:
            return False
        time.sleep(min(pause, max(0.0, deadline - now())))
        pause = min(pause * 2, 10.0)
