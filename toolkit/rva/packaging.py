"""`rva package` as a list of stages: look at dist/, plan, make the packages, then those that speak of them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from rva import archive, dist, host, shell, smoke, toolchain, workflow
from rva.errors import DiskError, ToolError, UsageError
from rva.log import Log
from rva.model import Manifest, Matrix, PackageManifest, Part, Target
from rva.packages import crates, documents, plan, sbom, sizes, write
from rva.packages.plan import PackagePlan
from rva.packages.stock import Stock

_TOOLS = {"npm", "package", "rust", "crates"}


def package(root: Path, table: Matrix, targets: Sequence[Target], log: Log) -> PackageManifest:
    """Turn the finished rows of dist/ into packages; nothing is built."""
    with workflow.one_run(root, log):
        manifest = _finished(root)
        inventory = workflow.tools_at_hand(root, table)
        missing = _TOOLS - inventory.tools.keys()
        if missing:
            inventory = toolchain.provide(missing, inventory, log)
        chosen = frozenset(t.id for t in targets)
        stock = Stock(root, table, manifest, chosen, _documents(root, table, manifest, targets))
        env = toolchain.environment(inventory, _TOOLS)
        when = epoch(root, manifest.commit)
        made = plan.make(stock)
        trees = _trees(stock, made, env)
        bench = write.Bench(root, env, when, log, table.packages.budget, sizes.last_release(root))
        return write.write(made, lambda packed: plan.later(stock, made.packages, packed, trees, when), bench)


def _trees(stock: Stock, made: PackagePlan, env: Mapping[str, str]) -> sbom.Trees:
    """What each binary is linked from."""
    cargo = shutil.which("cargo", path=env.get("PATH"))
    if cargo is None:
        raise ToolError("cargo was not found", fix="run `rva doctor` to see what is missing")
    pairs = sorted(sbom.wanted(stock, made.packages))
    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        return dict(
            zip(pairs, pool.map(lambda p: crates.linked(stock.root, p[0], p[1], cargo, env), pairs), strict=True)
        )


def epoch(root: Path, commit: str) -> int:
    """The time that archives carry: SOURCE_DATE_EPOCH where it is set, else the commit's own, else the first of 1980."""
    chosen = os.environ.get("SOURCE_DATE_EPOCH", "")
    if chosen.isdigit():
        return int(chosen)
    if not commit or shutil.which("git") is None:
        return archive.EARLIEST
    argv = ["git", "show", "--no-patch", "--format=%ct", commit.removesuffix("-dirty")]
    told = shell.run(argv, cwd=root, check=False)
    return int(told.output) if told.returncode == 0 and told.output.strip().isdigit() else archive.EARLIEST


def _finished(root: Path) -> Manifest:
    """The manifest of dist/, once every file of it is what it says."""
    place = dist.Dist(root)
    manifest = place.manifest()
    if manifest is None:
        raise UsageError("dist/ holds no finished build", fix="run `rva build` first")
    damaged = place.damaged(manifest)
    if damaged:
        raise DiskError(f"{damaged[0]} is missing or was changed after it was built", fix="run `rva build` again")
    return manifest


def _documents(root: Path, table: Matrix, manifest: Manifest, targets: Sequence[Target]) -> tuple[Part, ...]:
    """The program's completions and manual pages, by the one that runs here; none where no such one was built."""
    recipe = table.recipes.get("cli")
    rows = {t.id for t in table.targets if t.recipe == "cli" and smoke.runs_here(t, host.detect())}
    built = [a for a in manifest.artifacts if a.id in rows and a.kind == "executable" and a.build != "stand-in"]
    asked = any(t.recipe in ("cli", "wasi-command") for t in targets)
    if not asked or recipe is None or not recipe.documents or not built:
        return ()
    return documents.write(root / "dist" / built[0].path, recipe.documents, root / ".rva" / "stage" / "documents")
