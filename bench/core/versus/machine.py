"""What the run ran on."""

from __future__ import annotations

import contextlib
import os
import platform
from pathlib import Path


def describe() -> dict[str, object]:
    """Processor, caches, memory and system, as far as the system tells."""
    return {
        "processor": _processor(),
        "processors": len(cpus()),
        "caches": _caches(Path("/sys/devices/system/cpu/cpu0/cache")),
        "memory_gib": _memory(),
        "huge_pages": _huge_pages(),
        "system": f"{platform.system()} {platform.release()}",
        "machine": platform.machine(),
        "python": platform.python_version(),
        "load": load(),
        "scheduling": _scheduling(),
    }


def load() -> list[float]:
    """How many tasks wanted a processor, over the last 1, 5 and 15 minutes."""
    return [round(x, 2) for x in os.getloadavg()] if hasattr(os, "getloadavg") else []


def hurry() -> int:
    """Ask for the highest priority, so that other work on the machine costs less of a turn; returns what was had."""
    if not hasattr(os, "setpriority"):
        return 0
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, -20)
        # Linux weighs sessions against each other first, and what a process has in its session only then.
        Path("/proc/self/autogroup").write_text("-20")
    return os.getpriority(os.PRIO_PROCESS, 0)


def cpus() -> list[int]:
    """The processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def _scheduling() -> str:
    """How the system shares processors out to this run: `chrt -r 1 rva bench` makes it real-time."""
    if not hasattr(os, "sched_getscheduler"):
        return "the system's"
    names = {os.SCHED_OTHER: "shared", os.SCHED_RR: "real-time (SCHED_RR)", os.SCHED_FIFO: "real-time (SCHED_FIFO)"}
    return names.get(os.sched_getscheduler(0), "other")


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    fields = {k.strip(): v.strip() for k, _, v in (line.partition(":") for line in lines)}
    parts = [fields.get("model name", platform.machine())]
    if "cpu family" in fields and "model" in fields:
        parts.append(f"family {fields['cpu family']} model {fields['model']}")
    if "hypervisor" in fields.get("flags", "").split():
        parts.append("virtual")
    return ", ".join(parts)


def _caches(folder: Path) -> list[str]:
    found = []
    for index in sorted(folder.glob("index*")):
        try:
            level, kind, size = ((index / name).read_text().strip() for name in ("level", "type", "size"))
        except OSError:
            continue
        if kind != "Instruction":
            found.append(f"L{level} {size}")
    return found


def _huge_pages() -> str:
    """Who gets large pages: everybody, those that ask, or nobody."""
    try:
        text = Path("/sys/kernel/mm/transparent_hugepage/enabled").read_text("utf-8")
    except OSError:
        return "unknown"
    return next((word.strip("[]") for word in text.split() if word.startswith("[")), "unknown")


def _memory() -> float:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    except (ValueError, OSError, AttributeError):
        return 0.0
