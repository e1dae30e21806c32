"""`rva rehearse`: a whole release on this machine's own registries, then every package installed from them by name."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from rva import dist, host, releasing, replay, smoke, toolchain, verification, workflow
from rva.errors import CheckFailed
from rva.log import Log
from rva.model import Destination, Manifest, Matrix, PackageManifest, Target
from rva.registries import loopback
from rva.release import carry
from rva.release import plan as release_plan
from rva.release.desks import Means
from rva.release.journal import Journal
from rva.release.tokens import Tokens
from rva.verified import Cell, Verification
from rva.verify import installed, rooms, running

PUBLISHED = "published"
_TOOLS = {"npm", "rust", "crates", "release"}


def rehearse(root: Path, table: Matrix, targets: Sequence[Target], log: Log) -> Verification:
    """Publish all of dist/packages to empty registries, install what belongs to the rows from them, run it."""
    started = time.monotonic()
    with workflow.one_run(root, log):
        packed = releasing.packages(root)
        manifest = dist.Dist(root).manifest()
        if manifest is None:
            raise CheckFailed("dist/ holds no finished row", fix="run `rva build --target all`, then `rva package`")
        programs, env = _equip(root, table, targets, log)
        with (
            tempfile.TemporaryDirectory(prefix="rva-rehearsal-") as name,
            _registries(root, table, packed, Path(name), log) as shops,
        ):
            with log.stage("publish"):
                whole = _publish(root, table, packed, shops, Path(name), env, log)
            with log.stage("install"):
                hall = _hall(root, table, manifest, packed, shops, programs, env, log)
                found = installed.cells(hall, targets)
        cells = (*_published(whole, packed, hall, targets), *found)
    return Verification(
        packed.version,
        packed.commit,
        running.machine(),
        time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime()),
        tuple(t.id for t in targets),
        tuple(dict.fromkeys(cell.check for cell in cells)),
        cells,
        round(time.monotonic() - started, 1),
    )


@contextmanager
def _registries(
    root: Path, table: Matrix, packed: PackageManifest, place: Path, log: Log
) -> Iterator[loopback.Registries]:
    ours = [p.name for p in packed.packages if p.kind == "npm"]
    with log.stage("registries"):
        programs = releasing.programs(root, table, log)
    with loopback.serve(place / "registries", programs, ours) as shops:
        yield shops


def _publish(
    root: Path,
    table: Matrix,
    packed: PackageManifest,
    shops: loopback.Registries,
    place: Path,
    env: Mapping[str, str],
    log: Log,
) -> release_plan.ReleasePlan:
    """By the code that publishes for good: in order, each read back."""
    folder = root / "dist" / dist.PACKAGES
    whole = release_plan.make(packed, table, folder)
    tokens: dict[Destination, str] = {
        "npm": shops.npm.token, "pypi": shops.pypi.token, "cargo": shops.cargo.token, "github": shops.github.token,
    }  # fmt: skip
    addresses: dict[Destination, str] = {
        "npm": shops.npm.url, "pypi": shops.pypi.upload, "cargo": shops.cargo.url, "github": shops.github.url,
    }  # fmt: skip
    journal = Journal(place / "journal")
    journal.begin(whole, folder)
    desks = releasing.desks_at(addresses, whole, Means(env, place / "work", Tokens(tokens)))
    carry.carry_out(whole, desks, journal, log)
    return whole


def _hall(
    root: Path,
    table: Matrix,
    manifest: Manifest,
    packed: PackageManifest,
    shops: loopback.Registries,
    programs: Mapping[str, Sequence[str]],
    env: Mapping[str, str],
    log: Log,
) -> installed.Hall:
    here = host.detect()
    direct = frozenset(t.id for t in table.targets if smoke.runs_here(t, here))
    shop = rooms.Shop(
        root / "dist" / dist.PACKAGES, table.version, env, root / ".rva" / "logs" / "rehearse.log",
        npm=shops.npm.url, python=shops.pypi.url, cargo=shops.cargo.url, release=f"{shops.github.upload}/v{table.version}",
        published=True,
    )  # fmt: skip
    runner = replay.Runner(root, table, programs, env, log, keep=False)
    return installed.Hall(manifest, packed, table, here, direct, runner, shop)


def _published(
    whole: release_plan.ReleasePlan, packed: PackageManifest, hall: installed.Hall, targets: Sequence[Target]
) -> Iterator[Cell]:
    """One cell for each package: where it was read back with the digest that it has in dist/packages."""
    chosen = {t.id for t in targets}
    sent = {u.file: u for u in whole.uploads}
    for one in packed.packages:
        row = hall.row(one).id if one.kind != "sbom" else ""
        if row in chosen and one.file in sent:
            upload = sent[one.file]
            said = f"{upload.registry} holds it, SHA-256 {one.sha256[:12]}"
            yield Cell(row, PUBLISHED, "pass", "run", evidence=said, package=one.file)
    yield from left_out(packed, hall.manifest, chosen)


def left_out(packed: PackageManifest, built: Manifest, chosen: Collection[str]) -> Iterator[Cell]:
    """One cell for each chosen row that was built and that `rva package` was not asked for."""
    rows = dict.fromkeys(a.id for a in built.artifacts)
    why = "`rva package` was not asked for it; without --target it packs every row"
    return (Cell(row, PUBLISHED, "not-run", reason=why) for row in rows if row in chosen and row not in packed.rows)


def _equip(
    root: Path, table: Matrix, targets: Sequence[Target], log: Log
) -> tuple[dict[str, list[str]], dict[str, str]]:
    """What {python} and the like stand for, and the tools' environment."""
    inventory = workflow.with_programs(table, targets, workflow.tools_at_hand(root, table), log)
    missing = _TOOLS - inventory.tools.keys()
    if missing:
        inventory = toolchain.provide(missing, inventory, log)
    programs = workflow.programs_of(inventory) | verification.runtimes(root, table, targets, inventory, log)
    return programs, toolchain.environment(inventory, inventory.tools)
