"""What has to hold before anything is sent, as findings: pure, from facts that others gathered."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, Literal

from msgspec import Struct

from rva.model import Destination, Manifest, Matrix, PackageManifest
from rva.release.plan import ReleasePlan, Upload
from rva.release.tokens import VARIABLES, Tokens
from rva.verified import Verification

Status = Literal["pass", "note", "fail"]
# What has to hold even where nobody but this machine can see the registries.
_ALWAYS: Final = {"bytes", "tokens", "versions"}
_FIRST: Final[dict[Destination, str]] = {
    "npm": "trusted publishing is set up at a package that exists: the first version needs a token that may create packages",
    "pypi": "a token of the whole account, or a pending publisher set up at pypi.org, makes the project",
    "cargo": "a token with the scope publish-new makes the crate; trusted publishing is set up afterwards",
    "github": "the repository has to be there",
}


class Finding(Struct, frozen=True):
    """What one check found; ``fail`` stops the release."""

    check: str
    status: Status
    what: str
    fix: str = ""


class Known(Struct, frozen=True):
    """What a registry says of a name: whether it is there, and the accounts that own it, where it tells."""

    registry: Destination
    name: str
    exists: bool
    owners: tuple[str, ...] | None = None


class Checkout(Struct, frozen=True):
    """What git and the checkout say: the commit, with -dirty where files differ; the tags on it; skews of the version."""

    commit: str
    tags: tuple[str, ...]
    skews: tuple[str, ...]


def findings(
    plan: ReleasePlan,
    table: Matrix,
    made: PackageManifest,
    built: Manifest,
    checkout: Checkout,
    verified: Sequence[Verification],
) -> Iterator[Finding]:
    """What the checkout, the packages and the verification say."""
    yield _rows(table, made, built)
    yield _verified(table, made, verified)
    yield _said("versions", checkout.skews, f"{plan.version} in every place", "rva version check")
    clean = checkout.commit == made.commit and bool(made.commit) and not made.commit.endswith("-dirty")
    yield Finding(
        "tree",
        "pass" if clean else "fail",
        f"built from {made.commit or 'no commit'}, the checkout is at {checkout.commit or 'no commit'}",
        "" if clean else "commit everything, then build, package and verify that commit",
    )
    tagged = plan.tag in checkout.tags
    yield Finding(
        "tag",
        "pass" if tagged else "fail",
        f"{plan.tag} is {'on' if tagged else 'not on'} this commit",
        "" if tagged else f"git tag --sign {plan.tag}",
    )
    yield Finding(
        "notes",
        "pass" if plan.notes else "fail",
        f"{len(plan.notes.splitlines())} lines of the changelog" if plan.notes else "the changelog has no section",
        "" if plan.notes else f"rva version set {plan.version}",
    )


def registry_findings(
    plan: ReleasePlan,
    held: Mapping[str, str | None],
    names: Sequence[Known],
    owners: Mapping[Destination, Sequence[str]],
    tokens: Tokens,
) -> Iterator[Finding]:
    """What the registries say, and whether there is a way in."""
    other = [u.id for u in plan.uploads if held.get(u.id) not in (None, u.integrity)]
    there = [u.id for u in plan.uploads if held.get(u.id) == u.integrity]
    silent = [u.id for u in plan.uploads if u.id not in held]
    fix = "publish under a new version: none is ever replaced"
    yield _said("bytes", other, f"{len(held)} places were looked at: no version is taken by other bytes", fix)
    if there:
        yield Finding("bytes", "note", f"{len(there)} of {len(plan.uploads)} are there already, with these bytes")
    if silent:
        yield Finding(
            "bytes", "note", f"{len(silent)} were not looked at, for want of a token: {silent[0]} and the like"
        )
    for registry in dict.fromkeys(u.registry for u in plan.uploads):
        yield _token(registry, tokens)
    for known in names:
        yield _name(known, owners.get(known.registry, ()))


def on_loopback(found: Iterator[Finding]) -> Iterator[Finding]:
    """The same where only this machine sees the registries: what speaks of the public is noted."""
    for finding in found:
        if finding.status == "fail" and finding.check not in _ALWAYS:
            yield Finding(finding.check, "note", f"{finding.what} (no matter on loopback)")
        else:
            yield finding


def _rows(table: Matrix, made: PackageManifest, built: Manifest) -> Finding:
    """Every row, whatever was asked for: a release of some of them leaves people without theirs."""
    there = {a.id for a in built.artifacts if a.build != "stand-in"}
    lacking = [t.id for t in table.targets if t.id not in there]
    left = [t.id for t in table.targets if t.id not in made.rows]
    words = [*(f"row {row}" for row in lacking), *(gap.package for gap in made.gaps)]
    words += [f"{row}, which `rva package` was not asked for" for row in left]
    if (built.version, built.commit) != (made.version, made.commit):
        words.append(f"dist/ holds {built.version or 'nothing'} of {built.commit or 'no commit'}")
    good = f"all {len(table.targets)} rows are built and packed"
    return _said("rows", words, good, "rva build --target all, rva merge for other machines' rows, then rva package")


def _verified(table: Matrix, made: PackageManifest, reports: Sequence[Verification]) -> Finding:
    """Every row passed something of this commit and failed nothing, on one machine or another."""
    cells = [cell for r in reports if (r.version, r.commit) == (made.version, made.commit) for cell in r.cells]
    failed = {cell.row for cell in cells if cell.status == "fail"}
    passed = {cell.row for cell in cells if cell.status == "pass" and not cell.stand_in}
    words = [t.id for t in table.targets if t.id in failed or t.id not in passed]
    return _said(
        "verified", words, "every row was verified", "rva verify --json > FILE.json, then --verified FILE.json"
    )


def _token(registry: Destination, tokens: Tokens) -> Finding:
    if tokens.allow(registry):
        return Finding("tokens", "pass", f"{registry}: {'a token' if tokens.of(registry) else 'trusted publishing'}")
    return Finding(
        "tokens", "fail", f"{registry}: no token", f"set {' or '.join(VARIABLES[registry])} in the environment"
    )


def _name(known: Known, owners: Sequence[str]) -> Finding:
    where = f"{known.registry}: {known.name}"
    if not known.exists:
        return Finding(
            "names",
            "fail" if known.registry == "github" else "note",
            f"{where} is not there yet; {_FIRST[known.registry]}",
        )
    if known.owners is None:
        return Finding("names", "note", f"{where} is there; the registry does not tell whose it is")
    # GitHub says whether the token may write, which is what counts there.
    if known.registry == "github" and known.owners:
        return Finding("names", "pass", f"{where} may be written to with this token")
    if ours := sorted(set(known.owners) & set(owners)):
        return Finding("names", "pass", f"{where} belongs to {', '.join(ours)}, whom [release] owners lists")
    whose = ", ".join(known.owners) or "nobody"
    claimed = ", ".join(owners) or "nobody"
    return Finding(
        "names",
        "fail",
        f"{where} belongs to {whose}; [release] owners lists {claimed}",
        f"take another name, or, where that account is yours, list it under [release] owners of platforms.toml: {known.registry}",
    )


def _said(check: str, words: Sequence[str], good: str, fix: str) -> Finding:
    if not words:
        return Finding(check, "pass", good)
    shown = ", ".join(words[:6]) + (f" and {len(words) - 6} more" if len(words) > 6 else "")
    return Finding(check, "fail", shown, fix)


def names(plan: ReleasePlan) -> list[tuple[Destination, str]]:
    """Each name that a release would use, once."""
    return list(dict.fromkeys((u.registry, _known_as(u, plan)) for u in plan.uploads))


def _known_as(upload: Upload, plan: ReleasePlan) -> str:
    return plan.repository if upload.registry == "github" else upload.name
