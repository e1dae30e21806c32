"""What has to hold before anything is sent."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest
from rva.model import Artifact, Gap, Manifest, Matrix, PackageManifest, Packed
from rva.release import preflight
from rva.release.plan import ReleasePlan, Upload
from rva.release.preflight import Checkout, Finding, Known
from rva.release.tokens import Tokens
from rva.verified import Cell, Verification

COMMIT = "c0ffee"


def statuses(found: object) -> dict[str, str]:
    """Check -> its worst status."""
    worst: dict[str, str] = {}
    for finding in found:  # type: ignore[attr-defined]
        worst[finding.check] = max(worst.get(finding.check, ""), finding.status, key=("", "pass", "note", "fail").index)
    return worst


@pytest.fixture
def made(table: Matrix) -> PackageManifest:
    """Packages that lack nothing."""
    packed = Packed("x", "cli", "x", (), "release", 1, "0" * 64)
    return PackageManifest(table.version, COMMIT, (packed,), (), tuple(t.id for t in table.targets))


@pytest.fixture
def built(table: Matrix) -> Manifest:
    """Every row, built."""
    files = [Artifact(t.id, t.family, t.triple, t.id, 1, "0", "addon", "cross", "", 0.0) for t in table.targets]
    return Manifest(table.version, COMMIT, tuple(files))


@pytest.fixture
def verified(table: Matrix) -> Verification:
    """A report in which every row passed."""
    ids = tuple(t.id for t in table.targets)
    cells = tuple(Cell(row, "files", "pass") for row in ids)
    return Verification(table.version, COMMIT, "here", "today", ids, ("files",), cells)


CLEAN = Checkout(COMMIT, ("v1.0.0",), ())


def test_a_release_with_everything_in_order(
    plan: ReleasePlan, table: Matrix, made: PackageManifest, built: Manifest, verified: Verification
) -> None:
    found = list(preflight.findings(plan, table, made, built, CLEAN, [verified]))
    assert set(statuses(found).values()) == {"pass"}


def test_each_thing_that_is_wrong_stops_it(
    plan: ReleasePlan, table: Matrix, made: PackageManifest, built: Manifest, verified: Verification
) -> None:
    def stopped(
        plan: ReleasePlan = plan,
        made: PackageManifest = made,
        built: Manifest = built,
        checkout: Checkout = CLEAN,
        reports: Sequence[Verification] = (verified,),
    ) -> set[str]:
        found = statuses(preflight.findings(plan, table, made, built, checkout, reports))
        return {check for check, status in found.items() if status == "fail"}

    change = msgspec.structs.replace
    first, *others = built.artifacts
    assert stopped() == set()
    # Some of the rows, a stand-in for one, a package that is lacking, packages of another build.
    assert stopped(built=change(built, artifacts=tuple(others))) == {"rows"}
    assert stopped(built=change(built, artifacts=(change(first, build="stand-in"), *others))) == {"rows"}
    assert stopped(made=change(made, gaps=(Gap("formula", "no archive"),))) == {"rows"}
    assert stopped(built=change(built, commit="other")) == {"rows"}
    assert stopped(made=change(made, rows=made.rows[1:])) == {"rows"}
    # Built from something else, from files that nobody has, or from no commit.
    assert stopped(checkout=change(CLEAN, commit="other")) == {"tree"}
    for commit in (f"{COMMIT}-dirty", ""):
        of_it = {"made": change(made, commit=commit), "built": change(built, commit=commit)}
        report = change(verified, commit=commit)
        assert stopped(**of_it, checkout=change(CLEAN, commit=commit), reports=[report]) == {"tree"}
    assert stopped(checkout=change(CLEAN, tags=("v0.9.0",))) == {"tag"}
    assert stopped(checkout=change(CLEAN, skews=("a.json:1: 2.0.0",))) == {"versions"}
    assert stopped(change(plan, notes="")) == {"notes"}
    # Not verified, verified at another commit, failed, or passed by a stand-in alone.
    row = verified.cells[0]
    for report in (
        change(verified, cells=verified.cells[1:]),
        change(verified, commit="other"),
        change(verified, version="9.9.9"),
        change(verified, cells=(*verified.cells, change(row, check="run", status="fail"))),
        change(verified, cells=(change(row, stand_in=True), *verified.cells[1:])),
        change(verified, cells=(change(row, status="not-run"), *verified.cells[1:])),
    ):
        assert stopped(reports=[report]) == {"verified"}
    # Two machines, each with half of the rows.
    halves = [change(verified, cells=verified.cells[::2]), change(verified, cells=verified.cells[1::2])]
    assert stopped(reports=halves) == set()


def ask(plan: ReleasePlan, held: dict[str, str], names: list[Known], tokens: Tokens) -> dict[str, str]:
    everything = {u.id: held.get(u.id) for u in plan.uploads}
    return statuses(preflight.registry_findings(plan, everything, names, {"npm": ("us",)}, tokens))


ALL = Tokens({"npm": "n" * 9, "pypi": "p" * 9, "cargo": "c" * 9, "github": "g" * 9})


def test_what_registries_hold(plan: ReleasePlan) -> None:
    first = plan.uploads[0]
    assert ask(plan, {}, [], ALL) == {"bytes": "pass", "tokens": "pass"}
    assert ask(plan, {first.id: first.integrity}, [], ALL)["bytes"] == "note"
    assert ask(plan, {first.id: "other"}, [], ALL)["bytes"] == "fail"


def test_what_was_not_looked_at_is_said(plan: ReleasePlan) -> None:
    found = list(preflight.registry_findings(plan, {}, [], {}, ALL))
    assert any(f.status == "note" and "not looked at" in f.what for f in found)


def test_whose_the_names_are(plan: ReleasePlan) -> None:
    def status(*known: object) -> str:
        return ask(plan, {}, [Known(*known)], ALL)["names"]  # type: ignore[arg-type]

    assert status("npm", "x", True, ("them", "us")) == "pass"
    assert status("npm", "x", True, ("them",)) == "fail"
    assert status("npm", "x", True, ()) == "fail"
    assert status("npm", "x", True, None) == "note"
    assert status("npm", "x", False) == "note"
    assert status("pypi", "x", True, ("anyone",)) == "fail"
    assert status("github", "a/b", True, ("a",)) == "pass"
    assert status("github", "a/b", True, ()) == "fail"
    assert status("github", "a/b", False) == "fail"


def test_a_way_in_is_needed_for_each_registry(plan: ReleasePlan) -> None:
    assert ask(plan, {}, [], Tokens({}))["tokens"] == "fail"
    some: dict[str, str] = {"cargo": "c" * 9, "github": "g" * 9}
    assert ask(plan, {}, [], Tokens(some))["tokens"] == "fail"  # type: ignore[arg-type]
    assert ask(plan, {}, [], Tokens(some, trusted=True))["tokens"] == "pass"  # type: ignore[arg-type]


def test_on_loopback_only_what_harms_there_stops_it() -> None:
    found = [Finding(check, "fail", "x") for check in ("rows", "tag", "names", "bytes", "tokens", "versions")]
    assert [f.status for f in preflight.on_loopback(iter(found))] == ["note", "note", "note", "fail", "fail", "fail"]


def test_each_name_is_asked_for_once(plan: ReleasePlan) -> None:
    twice = msgspec.structs.replace(plan, uploads=(*plan.uploads, *plan.uploads))
    assert preflight.names(twice) == [
        ("npm", "one.tgz"), ("npm", "two.tgz"), ("cargo", "c.crate"), ("pypi", "p.whl"), ("github", "a/b"),
    ]  # fmt: skip
    assert isinstance(plan.uploads[0], Upload)
