"""What is missing -> how to get it: rustup, registries, std from source. Composes rva.toolchains.

``load`` reads records and starts no process; ``needs`` says what a set-up would fetch; ``provide`` does it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from rva import host, shell
from rva.errors import ToolError
from rva.log import Log
from rva.toolchains import cargo_tools, compiler, linkers, npm_tools, python_tools, system
from rva.toolchains.inventory import Absence, Fetch, Inventory, Site, Tool, forget_absence, read_absence

__all__ = [
    "MAY_BE_ABSENT", "Absence", "Fetch", "Inventory", "Site", "Tool", "environment", "forget_absences", "install_system_packages",
    "load", "needs", "project_folders", "provide", "provide_peers", "provide_registry", "provide_runtimes",
]  # fmt: skip

# Tools that may be absent without that being a fault: their rows are reported unavailable.
MAY_BE_ABSENT = ("msvc",)


def load(root: Path, cache: Path, versions: Mapping[str, str], node_folder: str = "bindings/node") -> Inventory:
    """What is ready and what was found absent, from records and the state of the files they name."""
    site = Site(root, cache, host.detect(), versions, node_folder)
    found = [
        *compiler.load(site),
        *python_tools.load(site),
        *npm_tools.load(site),
        *cargo_tools.load(site),
        *linkers.load(site),
    ]
    absences = {name: a for name in MAY_BE_ABSENT if (a := read_absence(site, name)) is not None}
    return Inventory(site, {}, absences).with_tools(*found)


def needs(names: Iterable[str], inventory: Inventory) -> tuple[Fetch, ...]:
    """What would be fetched or made to have these tools, in the order in which it is done."""
    site = inventory.site
    missing = _closure(names, inventory)
    return (
        *python_tools.needs(site, missing & {*python_tools.PACKAGES, *python_tools.WHOLE}),
        *npm_tools.needs(site, missing & set(npm_tools.NAMES)),
        *compiler.needs(site, _compiler_names(missing)),
        *cargo_tools.needs(site, [n for n in ("crates", *cargo_tools.TOOLS) if n in missing]),
        *linkers.needs(missing),
        *(Fetch(name=n, source="the compiler's own sources", seconds=10) for n in sorted(missing) if _is_test(n)),
    )


def provide(names: Iterable[str], inventory: Inventory, log: Log) -> Inventory:
    """Get these tools. What one network carries is fetched while another is waited for; compilers run one by one.

    A tool that cannot be had raises ToolError, NetworkError or DiskError; Microsoft's SDK becomes an Absence.
    """
    site = inventory.site
    wanted = set(names)
    _refuse_unknown(wanted)
    try:
        if "msvc" in _closure(wanted, inventory) and (absence := linkers.find_absence(site)) is not None:
            inventory = inventory.without(absence)
            wanted = {n for n in wanted if n != "msvc" and not n.endswith("-msvc")}
        missing = _closure(wanted, inventory)
        inventory = _fetch(site, missing, inventory, log)
        return _compile(site, missing, inventory, log)
    except OSError as error:
        raise shell.from_os_error(error, "cannot prepare the tools") from error


def provide_peers(inventory: Inventory, packages: str | None, modules: str, log: Log) -> tuple[Path | None, Path]:
    """The interpreter and the folder of npm packages of a comparison's peers, in environments of their own."""
    folder = npm_tools.provide_modules(inventory.site, modules, log)
    if packages is None:
        return None, folder
    programs = Path(python_tools.provide_list(inventory.site, Path(packages).stem, log).path)
    return programs / ("python.exe" if os.name == "nt" else "python"), folder


def provide_runtimes(inventory: Inventory, modules: str, log: Log) -> Path:
    """The folder of the npm packages that bring other versions of programs, for this machine and for emulators."""
    return npm_tools.provide_modules(inventory.site, modules, log)


def provide_registry(inventory: Inventory, log: Log) -> Path:
    """The folder of the npm packages that make npm's registry on loopback."""
    return npm_tools.provide_modules(inventory.site, npm_tools.REGISTRY_FOLDER, log) / "node_modules"


def environment(inventory: Inventory, names: Iterable[str]) -> dict[str, str]:
    """What the environment of a step gains from the tools it needs; tools that are not ready add nothing."""
    folders: list[str] = []
    merged: dict[str, str] = {}
    for name in sorted(names, key=lambda name: (name != "rust", name)):
        tool = inventory.tools.get(name)
        if tool is None:
            continue
        for key, value in tool.env.items():
            if key == "PATH":
                folders += [f for f in value.split(os.pathsep) if f not in folders]
            else:
                merged[key] = value
    if folders:
        merged["PATH"] = os.pathsep.join([*folders, os.environ.get("PATH", "")])
    return merged


def forget_absences(inventory: Inventory) -> Inventory:
    """The inventory without what was found absent, so that set-up looks again."""
    for name in (*inventory.absences, "rustup"):
        forget_absence(inventory.site, name)
    return Inventory(inventory.site, inventory.tools, {})


def install_system_packages(log: Log) -> None:
    """Install emulators and a browser with the system's package manager."""
    system.install(host.find_root(Path.cwd()) / ".rva" / "logs", log)


def project_folders(root: Path) -> list[Path]:
    """What set-up keeps inside the checkout; found without platforms.toml, which may be what is broken."""
    return [root / ".rva" / "tools", *root.glob("*/*/node_modules")]


def _closure(names: Iterable[str], inventory: Inventory) -> set[str]:
    """The tools to get for ``names``, with those that are needed to get them."""
    wanted = {name for name in names if name not in inventory.tools and name not in inventory.absences}
    if wanted & {"crates", *cargo_tools.TOOLS} or any(name.startswith(("std:", "test:")) for name in wanted):
        wanted.add("rust")
    if wanted & {"napi", "wasm-opt"}:
        wanted |= {"node", "npm"}
    wanted |= {name.replace("test:", "std:", 1) for name in wanted if _is_test(name)}
    if "msvc" in wanted and inventory.site.host.os != "win32":
        wanted.add("xwin")
    return {name for name in wanted if name not in inventory.tools}


def _compiler_names(missing: set[str]) -> list[str]:
    return [n for n in ("rust", *sorted(missing - {"rust"})) if n in missing and (n == "rust" or n.startswith("std:"))]


def _is_test(name: str) -> bool:
    return name.startswith("test:")


def _refuse_unknown(missing: set[str]) -> None:
    known = {
        "rust",
        "crates",
        "msvc",
        *python_tools.WHOLE,
        *linkers.MADE,
        *python_tools.PACKAGES,
        *npm_tools.NAMES,
        *cargo_tools.TOOLS,
    }
    unknown = sorted(n for n in missing if n not in known and not n.startswith(("std:", "test:")))
    if unknown:
        raise ToolError(
            f"rva knows no way to get {', '.join(unknown)}", fix=f"it knows {', '.join(sorted(known))} and std:<triple>"
        )


def _fetch(site: Site, missing: set[str], inventory: Inventory, log: Log) -> Inventory:
    """Everything that is downloaded from a registry of its own, side by side."""
    jobs: list[Callable[[], tuple[Tool, ...]]] = []
    from_python = missing & {*python_tools.PACKAGES, *python_tools.WHOLE}
    from_npm = missing & set(npm_tools.NAMES)
    triples = [name.removeprefix("std:") for name in _compiler_names(missing) if name != "rust"]
    if from_python:
        jobs.append(lambda: python_tools.provide(site, from_python, log))
    if from_npm:
        jobs.append(lambda: npm_tools.provide(site, from_npm, log))
    if _compiler_names(missing):
        jobs.append(lambda: compiler.provide(site, triples, log))
    with ThreadPoolExecutor(max_workers=max(1, len(jobs))) as pool:
        futures = [pool.submit(job) for job in jobs]
        for future in futures:
            inventory = inventory.with_tools(*future.result())
    return inventory


def _compile(site: Site, missing: set[str], inventory: Inventory, log: Log) -> Inventory:
    """What needs a compiler or another tool first."""
    for name in linkers.MADE:
        if name in missing:
            inventory = inventory.with_tools(linkers.provide_made(site, name, log))
    if "msvc" in missing:
        inventory = inventory.with_tools(linkers.provide_msvc(site, inventory.tools.get("xwin"), log))
    for name in sorted(filter(_is_test, missing)):
        inventory = inventory.with_tools(compiler.provide_test(site, name.removeprefix("test:"), log))
    from_cargo = [name for name in cargo_tools.TOOLS if name in missing]
    if "crates" in missing:
        inventory = inventory.with_tools(cargo_tools.fetch_crates(site, inventory.tools["rust"], log))
    if from_cargo:
        inventory = inventory.with_tools(*cargo_tools.provide(site, from_cargo, inventory.tools["rust"], log))
    return inventory
