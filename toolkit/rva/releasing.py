"""Releases put together: tools, plan, preflight, sending; and the registries on loopback that they are rehearsed against."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from rva import content, dist, shell, toolchain, versions, workflow
from rva.errors import CheckFailed, DiskError, UsageError
from rva.log import Log
from rva.model import Destination, Manifest, Matrix, PackageManifest
from rva.registries import loopback, reading
from rva.release import carry, plan, preflight
from rva.release.desks import DEFAULTS, Cargo, Means, Npm, PyPi
from rva.release.github import API, GitHub
from rva.release.journal import Journal
from rva.release.tokens import Tokens
from rva.verified import Verification

_LOOPBACK_TOOLS: Final = {"node", "npm", "release"}
_TOOLS: Final = {"npm", "rust", "release"}
ADDRESSES: Final[dict[Destination, str]] = {
    "npm": DEFAULTS["npm"], "pypi": DEFAULTS["pypi"], "cargo": DEFAULTS["cargo"], "github": API,
}  # fmt: skip


class Wish(Struct, frozen=True):
    """What `rva publish` was asked for. Where addresses are given, only those registries are spoken to."""

    addresses: Mapping[Destination, str]
    verified: tuple[Path, ...] = ()
    timeout_s: float = 600.0
    patience: carry.Patience = carry.Patience()


class Prepared(Struct, frozen=True):
    """A release that only has to be sent, and what the preflight found."""

    plan: plan.ReleasePlan
    findings: tuple[preflight.Finding, ...]
    journal: Journal
    desks: Mapping[Destination, carry.Desk]
    resumed: bool

    @property
    def stops(self) -> bool:
        """Whether a finding forbids it."""
        return any(finding.status == "fail" for finding in self.findings)


def prepare(root: Path, table: Matrix, wish: Wish, tokens: Tokens, log: Log) -> Prepared:
    """Plan the release of dist/packages, or take up the one that was begun, and look at everything that has to hold."""
    addresses = wish.addresses or ADDRESSES
    own = bool(wish.addresses) and all(reading.is_loopback(a.removeprefix("sparse+")) for a in addresses.values())
    # A rehearsal is another release than the real one, even of the same version.
    journal = Journal(root / ".rva" / "release" / (f"{table.version}-loopback" if own else table.version))
    begun = journal.plan()
    resumed = begun is not None and journal.sent_anything()
    found: list[preflight.Finding] = []
    if begun is not None and resumed:
        whole = begun
        found.append(
            preflight.Finding("journal", "note", f"going on with what was begun from {begun.commit}, with its bytes")
        )
    else:
        made = packages(root)
        whole = plan.make(made, table, root / "dist" / "packages", _notes(root, table))
        found += preflight.findings(
            whole, table, made, _built(root), _checkout(root, table), [_read(p) for p in wish.verified]
        )
    chosen = whole.only(tuple(addresses))
    means = Means(_environment(root, table, log), journal.place / "work", tokens, wish.timeout_s)
    desks = desks_at(addresses, whole, means)
    found += _ask(chosen, desks, table, tokens)
    checked = preflight.on_loopback(iter(found)) if own else found
    return Prepared(chosen, tuple(checked), journal, desks, resumed)


def go(root: Path, prepared: Prepared, log: Log, patience: carry.Patience) -> carry.Outcome:
    """Send what is not there yet; the same call after any fault goes on."""
    if not prepared.resumed:
        prepared.journal.begin(prepared.plan, root / "dist" / "packages")
    return carry.carry_out(prepared.plan, prepared.desks, prepared.journal, log, patience)


def desks_at(
    addresses: Mapping[Destination, str], whole: plan.ReleasePlan, means: Means
) -> dict[Destination, carry.Desk]:
    """The counters at these addresses: npm's registry, PyPI's upload, cargo's sparse index, the base of GitHub's interface."""
    makers: dict[Destination, Callable[[str], carry.Desk]] = {
        "npm": lambda address: Npm(address, means),
        "pypi": lambda address: PyPi(address, means),
        "cargo": lambda address: Cargo(address, means),
        "github": lambda address: GitHub(address, whole, means),
    }
    return {registry: makers[registry](address) for registry, address in addresses.items()}


def packages(root: Path) -> PackageManifest:
    """What lies in dist/packages, once every file of it is what its manifest says."""
    folder = root / "dist" / "packages"
    try:
        made = msgspec.json.decode((folder / "manifest.json").read_bytes(), type=PackageManifest)
    except (OSError, msgspec.MsgspecError):
        raise UsageError("dist/packages holds no finished packages", fix="run `rva package` first") from None
    for packed in made.packages:
        path = folder / packed.file
        if not path.is_file() or content.sha256(path) != packed.sha256:
            raise DiskError(f"{path} is missing or was changed after it was made", fix="run `rva package` again")
    return made


def _built(root: Path) -> Manifest:
    """What the packages were made from; nothing where dist/ says nothing."""
    return dist.Dist(root).manifest() or Manifest("", "", ())


def programs(root: Path, table: Matrix, log: Log) -> loopback.Programs:
    """What the registries on loopback are run with, fetched where it is not there."""
    inventory = _equipped(root, table, set(_LOOPBACK_TOOLS), log)
    tools = inventory.tools
    return loopback.Programs(
        tools["node"].path, toolchain.provide_registry(inventory, log), Path(tools["release"].path)
    )


def changelog(root: Path, table: Matrix, version: str, log: Log) -> tuple[str, ...]:
    """Make the changelog's section of a version from the fragments; returns the file where there were any."""
    fragments = [p for p in (root / versions.FRAGMENTS).glob("*.md") if p.name != "README.md"]
    if table.release.changelog is None or not fragments:
        return ()
    programs = Path(_equipped(root, table, {"release"}, log).tools["release"].path)
    today = time.strftime("%Y-%m-%d", time.gmtime())
    shell.run([programs / "towncrier", "build", "--yes", "--version", version, "--date", today], cwd=root)
    return (table.release.changelog,)


def _ask(
    chosen: plan.ReleasePlan, desks: Mapping[Destination, carry.Desk], table: Matrix, tokens: Tokens
) -> list[preflight.Finding]:
    """What the registries say of every file and name, asked side by side; drafts at GitHub are for those with a token."""
    closed: tuple[Destination, ...] = () if tokens.allow("github") else ("github",)
    asked = [u for u in chosen.uploads if u.registry not in closed]

    def known(pair: tuple[Destination, str]) -> preflight.Known:
        return preflight.Known(*pair, *desks[pair[0]].owners(pair[1]))

    with ThreadPoolExecutor(max_workers=8) as pool:
        held = dict(zip([u.id for u in asked], pool.map(lambda u: desks[u.registry].held(u), asked), strict=True))
        names = list(pool.map(known, [pair for pair in preflight.names(chosen) if pair[0] not in closed]))
    return list(preflight.registry_findings(chosen, held, names, table.release.owners, tokens))


def _checkout(root: Path, table: Matrix) -> preflight.Checkout:
    commit = workflow.commit(root)
    tags: tuple[str, ...] = ()
    if commit and shutil.which("git"):
        tags = tuple(shell.run(["git", "tag", "--points-at", "HEAD"], cwd=root, check=False).output.split())
    skews = tuple(f"{skew.where}: {skew.found}" for skew in versions.check(root, table))
    return preflight.Checkout(commit, tags, skews)


def _notes(root: Path, table: Matrix) -> str:
    path = root / (table.release.changelog or "")
    return versions.section(path.read_text("utf-8"), table.version) if path.is_file() else ""


def _read(path: Path) -> Verification:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Verification)
    except (OSError, msgspec.MsgspecError) as error:
        raise CheckFailed(
            f"{path} is no report of `rva verify`: {error}", fix="make it with rva verify --json > FILE.json"
        ) from error


def _environment(root: Path, table: Matrix, log: Log) -> dict[str, str]:
    env = toolchain.environment(_equipped(root, table, set(_TOOLS), log), _TOOLS)
    return {"PATH": os.environ.get("PATH", ""), **env}


def _equipped(root: Path, table: Matrix, names: set[str], log: Log) -> toolchain.Inventory:
    """An inventory that has these tools."""
    inventory = workflow.tools_at_hand(root, table)
    missing = names - inventory.tools.keys()
    return toolchain.provide(missing, inventory, log) if missing else inventory
