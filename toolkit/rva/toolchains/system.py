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
    "libc6-armhf-cross", "libstdc++6-armhf-cross", "libatomic1-armhf-cross", "wine64", "chromium", "firefox-esr", "wrk",
)  # fmt: skip


def install(logs: Path, log: Log) -> None:
    """Install the emulators and the browser with apt; ToolError where this system or user cannot."""
    if shutil.which("apt-get") is None:
        raise ToolError(
            "`rva setup --system` needs apt-get, which this system lacks", fix=f"install by hand: {' '.join(PACKAGES)}"
        )
    record = logs / "setup-system.log"
    env = {"DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C"}
    root = _as_root()
    run("apt-get update", [*root, "apt-get", "update"], log, record, env=env)
    offered = candidates(run("apt-cache policy", ["apt-cache", "policy", *PACKAGES], log, record, env=env))
    wanted = [name for name in PACKAGES if name in offered]
    absent = [name for name in PACKAGES if name not in offered]
    if absent:
        log.warn(f"this system's package lists do not offer {', '.join(absent)}; what needs them will say not run")
    log.say(f"installing system packages: {' '.join(wanted)}")
    run(
        "apt-get install",
        [*root, "apt-get", "install", "--yes", "--no-install-recommends", *wanted],
        log,
        record,
        env=env,
    )


def candidates(policy: str) -> set[str]:
    """The packages that can be installed, from the output of `apt-cache policy`."""
    found, name = set(), ""
    for line in policy.splitlines():
        if line and not line.startswith(" "):
            name = line.rstrip(":")
        elif line.strip().startswith("Candidate:") and "(none)" not in line:
            found.add(name)
    return found


def _as_root() -> list[str]:
    if os.geteuid() == 0:
        return []
    if shutil.which("sudo") is None:
        raise ToolError(
            "`rva setup --system` must be root to install packages",
            fix=f"as root: apt-get install {' '.join(PACKAGES)}",
        )
    return ["sudo", "--non-interactive", "--preserve-env=DEBIAN_FRONTEND,LC_ALL"]
