"""`rva verify`: what lies in dist/, read and run wherever this machine can."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from rva import dist, host, loopback, replay, smoke, toolchain, workflow
from rva.errors import UsageError
from rva.log import Log
from rva.model import Manifest, Matrix, PackageManifest, Smoke, Target
from rva.verified import Cell, Verification
from rva.verify import installed, reading, rooms, running


def verify(root: Path, table: Matrix, targets: Sequence[Target], log: Log) -> Verification:
    """Read, run and install everything of the selected rows that is in dist/. Builds nothing."""
    started = time.monotonic()
    with workflow.one_run(root, log):
        manifest = dist.Dist(root).manifest()
        if manifest is None:
            raise UsageError("dist/ holds no finished build", fix="run `rva build` first")
        ids = {a.id for a in manifest.artifacts}
        inventory = workflow.with_programs(table, targets, workflow.tools_at_hand(root, table), log)
        programs = workflow.programs_of(inventory) | runtimes(
            root, table, [t for t in targets if t.id in ids], inventory, log
        )
        env = toolchain.environment(inventory, inventory.tools)
        runner = replay.Runner(root, table, programs, env, log)
        with log.stage("read"):
            cells = reading.cells(manifest, targets, table, root)
        with log.stage("run"):
            ran = smoke.run(manifest, targets, table, host.detect(), runner, programs)
            cells += running.direct(ran) + running.lanes(manifest, targets, table, host.detect(), runner)
        with log.stage("install"):
            cells += _installed(root, table, targets, manifest, ran, runner, env, log)
    return Verification(
        manifest.version,
        manifest.commit,
        running.machine(),
        time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime()),
        tuple(t.id for t in targets),
        tuple(dict.fromkeys(cell.check for cell in cells)),
        cells,
        round(time.monotonic() - started, 1),
    )


def packages(root: Path) -> PackageManifest | None:
    """What lies in dist/packages, or None."""
    try:
        return msgspec.json.decode((root / "dist" / dist.PACKAGES / "manifest.json").read_bytes(), type=PackageManifest)
    except (OSError, msgspec.DecodeError):
        return None


def _installed(
    root: Path,
    table: Matrix,
    targets: Sequence[Target],
    manifest: Manifest,
    ran: Sequence[Smoke],
    runner: replay.Runner,
    env: Mapping[str, str],
    log: Log,
) -> tuple[Cell, ...]:
    packed = packages(root)
    if packed is None:
        log.say("dist/ holds no packages to install: run `rva package` first")
        return ()
    folder, record = root / "dist" / dist.PACKAGES, root / ".rva" / "logs" / "install.log"
    direct = frozenset(verdict.id for verdict in ran if verdict.status != "not-run")
    with loopback.served(folder / "cli") as release:
        shop = rooms.Shop(folder, table.version, env, record, release=release)
        hall = installed.Hall(manifest, packed, table, host.detect(), direct, runner, shop)
        return installed.cells(hall, targets)


def runtimes(
    root: Path, table: Matrix, targets: Sequence[Target], inventory: toolchain.Inventory, log: Log
) -> dict[str, list[str]]:
    """{node-18} and the like: programs from npm's registry, fetched where a lane of this machine needs one."""
    here = host.detect()
    lanes = [
        lane
        for lane in table.lanes
        if any(running.serves(lane, t) for t in targets) and not running.lacking(lane, here)
    ]
    if table.project.runtimes is None or not any(word.startswith("{node-") for lane in lanes for word in lane.argv):
        return {}
    folder = toolchain.provide_runtimes(inventory, table.project.runtimes, log) / "node_modules"
    found = [*folder.glob("*/bin/node"), *folder.glob("*/bin/node.exe")]
    return {path.parent.parent.name: [str(path)] for path in found}
