"""Releases put together: the tools, the registries on loopback."""

from __future__ import annotations

from pathlib import Path

from rva import toolchain, workflow
from rva.log import Log
from rva.model import Matrix
from rva.registries import loopback

_TOOLS = {"node", "npm", "release"}


def programs(root: Path, table: Matrix, log: Log) -> loopback.Programs:
    """What the registries on loopback are run with, fetched where it is not there."""
    inventory = workflow.tools_at_hand(root, table)
    missing = _TOOLS - inventory.tools.keys()
    if missing:
        inventory = toolchain.provide(missing, inventory, log)
    tools = inventory.tools
    return loopback.Programs(
        tools["node"].path, toolchain.provide_registry(inventory, log), Path(tools["release"].path)
    )
