"""The checks over packages see what they are there to see."""

from __future__ import annotations

import json

import cross
import published
import pytest

SPEC = "npm:@ruvector/attention@0.1.32"


def end(*errors: tuple[str, str, str], spec: str = SPEC) -> published.End:
    return published.End(spec, 1, list(errors), 0, 1.0)


def test_audits_are_held_against_what_is_known() -> None:
    known = published.WRONG[SPEC]
    assert published.judged(end(*known)) == []
    assert published.judged(end(*known[1:])) == [f"{SPEC}: is not said: {': '.join(known[0])}"]
    assert published.judged(end(*known, ("x", "types", "more"))) == [f"{SPEC}: not expected: x: more"]
    assert published.judged(end(*known, known[1]))[0].startswith(f"{SPEC}: not expected: ")
    assert published.judged(end(("x", "types", "more"), spec="npm:sound@1")) == ["npm:sound@1: not expected: x: more"]
    assert published.judged(end(spec="npm:sound@1")) == []


@pytest.mark.parametrize(
    ("pairs", "said"),
    [
        ([("a", "a", []), ("a", "b", ["no"]), ("b", "b", []), ("b", "a", ["no"])], []),
        ([("a", "a", []), ("a", "b", []), ("b", "b", []), ("b", "a", ["no"])], ["kind: b passes as a"]),
        ([("a", "a", ["odd"]), ("a", "b", ["no"]), ("b", "b", []), ("b", "a", ["no"])], ["kind: a is refused: odd"]),
        ([("a", "a", [])], ["kind: 1 platforms, 2 were wanted"]),
    ],
)
def test_pairs_are_judged(pairs: list[tuple[str, str, list[str]]], said: list[str]) -> None:
    assert cross.judged([cross.Pair("kind", *pair) for pair in pairs], 2) == said


def test_objects_that_cannot_be_told_apart() -> None:
    glibc, musl, mac = "x86_64-unknown-linux-gnu", "x86_64-unknown-linux-musl", "x86_64-apple-darwin"
    assert cross.same_objects(cross.Pair("row: static", glibc, musl, []))
    assert not cross.same_objects(cross.Pair("row: static", glibc, mac, []))
    assert not cross.same_objects(cross.Pair("row: shared", glibc, musl, []))


def test_versions_are_pinned() -> None:
    """A registry that gets a newer version changes nothing here."""
    assert all(
        any(mark in spec for mark in ("@1.", "@0.", "@2.", "==")) for spec in (*published.WRONG, *published.SOUND)
    )
    assert json.dumps(published.WRONG)
