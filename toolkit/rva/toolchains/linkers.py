"""What linking for Windows needs: Microsoft's SDK for msvc, and names to link a Node.js addon against elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from rva import files
from rva.errors import ToolError
from rva.log import Log
from rva.toolchains.inventory import Absence, Fetch, Site, Tool, read_record, stamps, write_absence, write_record
from rva.toolchains.place import alone, run

# Where cargo-xwin starts to read the list of Microsoft's packages (its crate xwin, src/lib.rs).
MANIFEST: Final = "https://aka.ms/vs/17/release/channel"
SDK_MEGABYTES: Final = 420
_TIMEOUT_S: Final = 8.0
# Small things that rva writes itself.
MADE: Final = ("libnode", "zigcc")
_FIX: Final = "build this row on Windows, or on a machine that can reach Microsoft's download servers"


def load(site: Site) -> Iterator[Tool]:
    """What was prepared, from records alone."""
    for name in ("msvc", *MADE):
        tool = read_record(_folder(site, name), name)
        if tool is not None:
            yield tool


def needs(names: set[str]) -> Iterator[Fetch]:
    """What preparing these would fetch."""
    if "msvc" in names:
        yield Fetch(
            name="msvc",
            source="Microsoft's Windows SDK through cargo-xwin, where its servers can be reached",
            megabytes=SDK_MEGABYTES,
        )
    for name in MADE:
        if name in names:
            yield Fetch(name=name, source="written by rva", seconds=1)


def find_absence(site: Site) -> Absence | None:
    """Whether Microsoft's SDK is out of reach, by one short request; what is found is kept for a day."""
    if site.host.os == "win32":
        return None
    problem = unreachable(MANIFEST)
    if not problem:
        return None
    return write_absence(site, "msvc", f"Microsoft's Windows SDK cannot be downloaded here ({problem})", _FIX)


def provide_msvc(site: Site, xwin: Tool | None, log: Log) -> Tool:
    """Microsoft's SDK by cargo-xwin. On Windows, rustc finds Microsoft's linker itself."""
    folder = _folder(site, "msvc")
    if xwin is None:
        system = Tool(name="msvc", version="system", path="", source="Visual Studio", fingerprint="msvc")
        return write_record(folder, system)
    with alone(folder, log):
        ready = read_record(folder, "msvc")
        if ready is not None:
            return ready
        log.say(f"fetching Microsoft's Windows SDK ({SDK_MEGABYTES} MB), under its licence")
        env = {"XWIN_CACHE_DIR": str(folder)}
        argv = [xwin.path, "xwin", "cache", "xwin"]
        run("Windows SDK", argv, log, site.logs / "setup-msvc.log", env=env, fix=_FIX)
        done = next(folder.glob("**/DONE"), None)
        if done is None:
            raise ToolError(f"cargo-xwin left no finished SDK in {folder}", fix=f"remove {folder} and run `rva setup`")
        tool = Tool(
            name="msvc", version=xwin.version, path=str(folder), source="Microsoft, through cargo-xwin",
            fingerprint=f"{xwin.fingerprint} sdk", env={"PATH": xwin.env["PATH"], **env}, stamps=stamps([done]),
        )  # fmt: skip
        return write_record(folder, tool)


def provide_made(site: Site, name: str, log: Log) -> Tool:
    """One of the tools that rva writes itself."""
    folder = _folder(site, name)
    with alone(folder, log):
        make = {"libnode": _libnode, "zigcc": _zigcc}[name]
        env, made = make(folder)
        tool = Tool(
            name=name,
            version="1",
            path=str(folder),
            source="rva",
            fingerprint=f"{name} 1",
            env=env,
            stamps=stamps(made),
        )
        return write_record(folder, tool)


def _libnode(folder: Path) -> tuple[dict[str, str], list[Path]]:
    """An empty libnode: napi-build wants one by name on windows-gnullvm, while napi finds Node's functions at run time."""
    dll, archive = folder / "libnode.dll", folder / "libnode.a"
    files.write(dll, b"")
    files.write(archive, b"!<arch>\n")
    return {"LIBNODE_PATH": str(folder)}, [dll, archive]


def _zigcc(folder: Path) -> tuple[dict[str, str], list[Path]]:
    """zig as the linker of windows-gnullvm under another name than maturin's --zig.

    maturin 1.16 (src/compile.rs) exports PyInit_<whole dotted name> there, a symbol that no module has.
    """
    env, made = {}, []
    for cpu in ("x86_64", "aarch64"):
        script = folder / f"zigcc-{cpu}"
        files.write(
            script, f'#!/bin/sh\nexec cargo-zigbuild zig cc -- -fno-sanitize=all -target {cpu}-windows-gnu "$@"\n'
        )
        script.chmod(0o755)
        env[f"CARGO_TARGET_{cpu.upper()}_PC_WINDOWS_GNULLVM_LINKER"] = str(script)
        made.append(script)
    return env, made


def unreachable(url: str) -> str:
    """Why an address cannot be reached, found by one short request; empty where it can."""
    import httpx  # here, because most runs make no request and it takes a while

    try:
        answer = httpx.head(url, timeout=_TIMEOUT_S, follow_redirects=True)
    except httpx.HTTPError as error:
        return f"{type(error).__name__}: {error}"
    return "" if answer.is_success else f"the server answered {answer.status_code}"


def _folder(site: Site, name: str) -> Path:
    return site.shared / name
