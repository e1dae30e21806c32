"""Node.js, and tools from npm's registry installed from committed lock files."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from rva import files, resources
from rva.errors import ToolError
from rva.log import Log
from rva.toolchains.inventory import Fetch, Site, Tool, read_record, stamps, write_record
from rva.toolchains.place import alone, make_folder, run

# The package whose folder holds the napi CLI among its development dependencies.
# The folder with the lock file of npm's wasm-opt.
WASM_OPT_FOLDER: Final = "requirements/npm"
# The same for verdaccio, npm's registry on loopback.
REGISTRY_FOLDER: Final = "requirements/verdaccio"
# Lists whose programs are used as they are: a tool's name -> the folder with its lock file.
LISTS: Final = {"docs-npm": "requirements/docs-npm", "checkers-npm": "requirements/checkers-npm"}
NAMES: Final = ("node", "npm", "napi", "wasm-opt", *LISTS)
_NODE_FIX: Final = "install Node.js from https://nodejs.org or your system's packages"


def load(site: Site) -> Iterator[Tool]:
    """Node.js and the tools made with it, from records alone."""
    for name, folder in _folders(site).items():
        tool = read_record(folder, name)
        if tool is not None and _is_current(site, tool):
            yield tool


def needs(site: Site, names: set[str]) -> Iterator[Fetch]:
    """What these tools would fetch."""
    for name in sorted(names & {"node", "npm"}):
        yield Fetch(name=name, source="looked for on PATH", seconds=1)
    if "napi" in names:
        yield Fetch(name="napi", source=f"npm's registry, {site.node_folder}/package-lock.json", megabytes=25)
    if "wasm-opt" in names:
        yield Fetch(name="wasm-opt", source=f"npm's registry, {WASM_OPT_FOLDER}/package-lock.json", megabytes=20)
    for name in sorted(names & LISTS.keys()):
        yield Fetch(name=name, source=f"npm's registry, {LISTS[name]}/package-lock.json", megabytes=12)


def provide(site: Site, names: set[str], log: Log) -> tuple[Tool, ...]:
    """Find Node.js and install what is asked for beside it."""
    found = [_node(site, log), _npm(site, log)]
    if "napi" in names:
        found.append(_napi(site, log))
    if "wasm-opt" in names:
        found.append(_wasm_opt(site, log))
    found += [_list(site, name, log) for name in sorted(names & LISTS.keys())]
    return tuple(found)


def _folders(site: Site) -> dict[str, Path]:
    lists = {name: _modules_folder(site, source) for name, source in LISTS.items()}
    return {"node": site.local, "npm": site.local, "napi": site.local, "wasm-opt": _wasm_opt_folder(site), **lists}


def _is_current(site: Site, tool: Tool) -> bool:
    if tool.name == "napi":
        return tool.version == site.versions.get("napi") and tool.detail == _digest(site.root / site.node_folder)
    if tool.name in ("node", "npm"):
        # Another Node.js earlier on PATH would be the one that runs.
        return shutil.which(tool.name) == tool.path
    if tool.name in LISTS:
        return True  # its folder's name tells the lock file
    return tool.version == site.versions.get("binaryen")


def _node(site: Site, log: Log) -> Tool:
    program = shutil.which("node")
    wanted = site.version("node")
    if program is None:
        raise ToolError(f"Node.js is not installed; version {wanted} or newer is needed", fix=_NODE_FIX)
    version = run("ask Node.js", [program, "--version"], log, site.logs / "setup-node.log").strip().lstrip("v")
    if not version.split(".")[0].isdigit() or int(version.split(".")[0]) < int(wanted.split(".")[0]):
        raise ToolError(f"{program} is Node.js {version}; version {wanted} or newer is needed", fix=_NODE_FIX)
    return write_record(site.local, _on_path("node", program, version))


def _npm(site: Site, log: Log) -> Tool:
    program = shutil.which("npm")
    if program is None:
        raise ToolError("npm is not installed; it comes with Node.js", fix=_NODE_FIX)
    version = run("ask npm", [program, "--version"], log, site.logs / "setup-node.log").strip().splitlines()[-1]
    return write_record(site.local, _on_path("npm", program, version))


def _on_path(name: str, program: str, version: str) -> Tool:
    # The fingerprint is empty of the version: Node.js only runs the tools that build, it leaves no trace in what they make.
    return Tool(
        name=name, version=version, path=program, source="PATH", fingerprint=name, stamps=stamps([Path(program)])
    )


def _napi(site: Site, log: Log) -> Tool:
    folder = site.root / site.node_folder
    wanted = site.version("napi")
    with alone(site.local / "napi", log):
        log.say(f"fetching the napi CLI {wanted} from npm's registry")
        _ci(site, folder, "napi", log)
        version = _package_version(folder, "@napi-rs/cli")
        if version != wanted:
            raise ToolError(
                f"{site.node_folder}/package-lock.json has the napi CLI {version}, platforms.toml asks for {wanted}",
                fix=f"npm install --save-dev --save-exact @napi-rs/cli@{wanted} in {site.node_folder}",
            )
        checked = folder / "node_modules" / "@napi-rs" / "cli" / "package.json"
        tool = Tool(
            name="napi", version=version, path=str(folder), source="npm", fingerprint=f"napi {version}",
            stamps=stamps([checked]), detail=_digest(folder),
        )  # fmt: skip
        return write_record(site.local, tool)


def _wasm_opt(site: Site, log: Log) -> Tool:
    wanted = site.version("binaryen")
    folder = _wasm_opt_folder(site)
    with alone(folder, log):
        ready = read_record(folder, "wasm-opt")
        if ready is not None:
            return ready
        log.say(f"fetching wasm-opt {wanted} from npm's registry")

        make_folder(folder, lambda part: _copy_and_install(site, WASM_OPT_FOLDER, part, "wasm-opt", log))
        version = _package_version(folder, "binaryen")
        if version != wanted:
            raise ToolError(
                f"{WASM_OPT_FOLDER}/package-lock.json has binaryen {version}, platforms.toml asks for {wanted}",
                fix=f"npm install --save-exact binaryen@{wanted} in {WASM_OPT_FOLDER}",
            )
        programs = folder / "node_modules" / ".bin"
        program = programs / ("wasm-opt.cmd" if os.name == "nt" else "wasm-opt")
        tool = Tool(
            name="wasm-opt", version=version, path=str(program), source="npm", fingerprint=f"binaryen {version}",
            env={"PATH": str(programs)}, stamps=stamps([program]),
        )  # fmt: skip
        return write_record(folder, tool)


def provide_modules(site: Site, source: str, log: Log) -> Path:
    """A folder in the shared cache with the packages of a lock file in the checkout, made if it is not there."""
    name = source.replace("/", "-")
    place = _modules_folder(site, source)
    with alone(place, log):
        if not place.is_dir():
            log.say(f"fetching the npm packages of {source}/package-lock.json")
            make_folder(place, lambda part: _copy_and_install(site, source, part, name, log))
    return place


def _list(site: Site, name: str, log: Log) -> Tool:
    """The programs of a lock file as one tool, whose path is their folder."""
    folder = provide_modules(site, LISTS[name], log)
    programs = folder / "node_modules" / ".bin"
    tool = Tool(
        name=name, version=folder.name, path=str(programs), source="npm", fingerprint=folder.name,
        stamps=stamps([folder / "package-lock.json"]),
    )  # fmt: skip
    return write_record(folder, tool)


def _modules_folder(site: Site, source: str) -> Path:
    return site.shared / "npm" / f"{source.replace('/', '-')}-{_digest(_place(site, source))[:12]}"


def _place(site: Site, source: str) -> Path:
    """Where the lock file of a folder lies: the tool's own are below requirements/, like a project's."""
    name = source.removeprefix("requirements/")
    return resources.locked(name, site.root) if name != source else site.root / source


def _copy_and_install(site: Site, source: str, folder: Path, name: str, log: Log) -> None:
    for file in ("package.json", "package-lock.json", ".npmrc"):
        if (_place(site, source) / file).is_file():
            files.copy(_place(site, source) / file, folder / file, executable=False)
    _ci(site, folder, name, log)


def _wasm_opt_folder(site: Site) -> Path:
    return site.shared / "npm" / f"wasm-opt-{_digest(_place(site, WASM_OPT_FOLDER))[:12]}"


def _ci(site: Site, folder: Path, name: str, log: Log) -> None:
    if not (folder / "package-lock.json").is_file():
        raise ToolError(f"{folder / 'package-lock.json'} is missing", fix="restore it from git")
    npm = shutil.which("npm")
    if npm is None:
        raise ToolError("npm is not installed; it comes with Node.js", fix=_NODE_FIX)
    quiet = ["--no-audit", "--no-fund", "--loglevel=error"]
    run(name, [npm, "ci", "--ignore-scripts", *quiet], log, site.logs / f"setup-{name}.log", cwd=folder)


def _package_version(folder: Path, package: str) -> str:
    try:
        content = json.loads((folder / "node_modules" / package / "package.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return "none"
    return str(content.get("version", "none"))


def _digest(folder: Path) -> str:
    try:
        return hashlib.sha256((folder / "package-lock.json").read_bytes()).hexdigest()
    except OSError:
        return "no-lock-file"
