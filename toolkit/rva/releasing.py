"""Releases put together: the tools, the registries on loopback."""

from __future__ import annotations

import time
from pathlib import Path

from rva import shell, toolchain, versions, workflow
from rva.log import Log
from rva.model import Matrix
from rva.registries import loopback

_TOOLS = {"node", "npm", "release"}


def programs(root: Path, table: Matrix, log: Log) -> loopback.Programs:
    """What the registries on loopback are run with, fetched where it is not there."""
    inventory = _tools(root, table, _TOOLS, log)
    tools = inventory.tools
    return loopback.Programs(
        tools["node"].path, toolchain.provide_registry(inventory, log), Path(tools["release"].path)
    )


def changelog(root: Path, table: Matrix, version: str, log: Log) -> tuple[str, ...]:
    """Make the changelog's section of a version from the fragments; returns the file where there were any."""
    fragments = [p for p in (root / versions.FRAGMENTS).glob("*.md") if p.name != "README.md"]
    if table.release.changelog is None or not fragments:
        return ()
    programs = Path(_tools(root, table, {"release"}, log).tools["release"].path)
    today = time.strftime("%Y-%m-%d", time.gmtime())
    shell.run([programs / "towncrier", "build", "--yes", "--version", version, "--date", today], cwd=root)
    return (table.release.changelog,)


def _tools(root: Path, table: Matrix, names: set[str], log: Log) -> toolchain.Inventory:
    """An inventory that has these tools."""
    inventory = workflow.tools_at_hand(root, table)
    missing = names - inventory.tools.keys()
    return toolchain.provide(missing, inventory, log) if missing else inventory
