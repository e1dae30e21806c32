"""Packages of the system itself, installed only when the user asks for it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Final

from rva.errors import ToolError
from rva.log import Log
from rva.toolchains.place import run

# What runs artifacts of other systems, and a browser: https://packages.debian.org has each.
PACKAGES: Final = (
    "gcc", "libc6-dev", "musl", "qemu-user", "libc6-arm64-cross", "libstdc++6-arm64-cross", "libatomic1-arm64-cross",
    "libc6-armhf-cross", "libstdc++6-armhf-cross", "libatomic1-armhf-cross", "wine64", "chromium",
)  # fmt: skip


def install(logs: Path, log: Log) -> None:
    """Install the emulators and the browser with apt; ToolError where this system or user cannot."""
    if shutil.which("apt-get") is None:
        raise ToolError(
            "`rva setup --system` needs apt-get, which this system lacks", fix=f"install by hand: {' '.join(PACKAGES)}"
        )
    if os.geteuid() != 0:
        raise ToolError(
            "`rva setup --system` must be root to install packages", fix=f"sudo apt-get install {' '.join(PACKAGES)}"
        )
    record = logs / "setup-system.log"
    env = {"DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C"}
    log.say(f"installing system packages: {' '.join(PACKAGES)}")
    run("apt-get update", ["apt-get", "update"], log, record, env=env)
    run("apt-get install", ["apt-get", "install", "--yes", "--no-install-recommends", *PACKAGES], log, record, env=env)
