"""The one compiler that builds every artifact, and the standard library of each target for it.

Three ways lead to it: rustup, Debian's packages, and a compiler that is already on PATH. The first that was set up
stays in use, so that a network that comes and goes does not rebuild the world. RVA_RUST names a way and forces it.
"""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, Literal, get_args

from packaging.version import Version

from rva import files
from rva.errors import NetworkError, ToolError, UsageError
from rva.log import Log
from rva.toolchains import debian, overlay, rustup
from rva.toolchains.inventory import Fetch, Site, Tool, read_absence, read_record, stamps, write_absence, write_record
from rva.toolchains.place import alone, make_folder, run

Way = Literal["rustup", "debian", "path"]
# Raised when what these files make of the same sources changes.
_REVISION: Final = "r1"


def forced() -> Way | None:
    """The way that RVA_RUST names, if it does."""
    chosen = os.environ.get("RVA_RUST", "")
    for way in get_args(Way):
        if way == chosen:
            return way  # type: ignore[no-any-return]
    if chosen:
        raise UsageError(f"RVA_RUST={chosen!r} names no way to get Rust", fix="use rustup, debian or path, or unset it")
    return None


def load(site: Site) -> Iterator[Tool]:
    """The compiler and the standard libraries that are ready, from records alone."""
    way = _present(site)
    if way is None:
        return
    folder = _folder(site, way)
    for record in sorted((folder / "records").glob("*.json")):
        tool = read_record(folder, re.sub("^(std|test)-", r"\1:", record.stem))
        if tool is not None:
            yield tool


def needs(site: Site, names: Sequence[str]) -> Iterator[Fetch]:
    """What getting the compiler and the libraries in ``names`` would fetch or build."""
    way = _present(site) or forced() or _likely(site)
    here = {"rustup": "rustup", "debian": "Debian's packages, unpacked", "path": "the rustc on PATH"}[way]
    size = {"rustup": rustup.MEGABYTES, "debian": debian.MEGABYTES, "path": 0}[way]
    for name in names:
        if name == "rust":
            yield Fetch(name=name, source=f"{site.version('rust')} from {here}", megabytes=size, seconds=1)
        elif way == "rustup":
            yield Fetch(name=name, source=here, megabytes=rustup.MEGABYTES_A_TARGET)
        else:
            yield Fetch(name=name, source="built from the compiler's own sources", seconds=overlay.SECONDS_A_TARGET)


def provide(site: Site, triples: Sequence[str], log: Log) -> tuple[Tool, ...]:
    """The compiler with the standard libraries of ``triples``, got where they are missing."""
    present = _present(site)
    if present is None:
        present = _first_that_works(site, triples, log)
    folder = _folder(site, present)
    with alone(folder, log):
        missing = [t for t in dict.fromkeys(triples) if read_record(folder, f"std:{t}") is None]
        if missing:
            _add_std(site, present, folder, missing, log)
    return tuple(load(site))


def provide_test(site: Site, triple: str, log: Log) -> Tool:
    """What test programs of a target link besides its standard library; rustup brings it along."""
    way = _present(site)
    if way is None:
        raise ToolError("the compiler was removed while it was in use", fix="run the same command again")
    folder = _folder(site, way)
    libraries = overlay.target_libraries(_sysroot(site, way, folder), triple)
    with alone(folder, log):
        if not any(libraries.glob("libtest-*.rlib")):
            log.say(f"building the test library for {triple}")
            overlay.build_test(folder, triple, site, log)
    found = next(libraries.glob("libtest-*.rlib"))
    tool = Tool(
        name=f"test:{triple}", version=site.version("rust"), path=str(found), source=way,
        fingerprint=found.name, stamps=stamps([found]),
    )  # fmt: skip
    return write_record(folder, tool)


def program(tool: Tool, name: str) -> str:
    """cargo or rustdoc beside the compiler."""
    compiler = Path(tool.path)
    return str(compiler.with_name(name + compiler.suffix))


def _present(site: Site) -> Way | None:
    chosen = forced()
    for way in (chosen,) if chosen else get_args(Way):
        if read_record(_folder(site, way), "rust") is not None:
            return way  # type: ignore[no-any-return]
    return None


def _likely(site: Site) -> Way:
    can_rustup = shutil.which("rustup") is not None and read_absence(site, "rustup") is None
    return "rustup" if can_rustup or not debian.is_possible() else "debian"


def _folder(site: Site, way: Way) -> Path:
    return site.shared / "rust" / f"{site.version('rust')}-{way}-{_REVISION}"


def _first_that_works(site: Site, triples: Sequence[str], log: Log) -> Way:
    chosen = forced()
    if chosen:
        _install(site, chosen, triples, log)
        return chosen
    if read_absence(site, "rustup") is None:
        try:
            _install(site, "rustup", triples, log)
            return "rustup"
        except (ToolError, NetworkError) as error:
            why = _gist(error.what)
            write_absence(site, "rustup", why, error.fix)
            if not debian.is_possible():
                raise
            log.say(f"rustup did not serve here ({why}); taking the compiler from Debian's packages instead")
    _install(site, "debian", triples, log)
    return "debian"


def _gist(text: str) -> str:
    """The line that names the cause in what a failed command printed."""
    lines = text.strip().splitlines()
    return next((line for line in lines if line.startswith("error:")), lines[0])


def _install(site: Site, way: Way, triples: Sequence[str], log: Log) -> None:
    folder = _folder(site, way)
    with alone(folder, log):
        if read_record(folder, "rust") is not None:
            return
        if shutil.which("cc") is None and site.host.os != "win32":
            raise ToolError(
                "no C compiler `cc` is installed; Rust links build scripts with it",
                fix="apt-get install gcc libc6-dev, dnf install gcc, or xcode-select --install",
            )
        if way == "debian":
            make_folder(folder, lambda part: debian.unpack(site, part, folder, log))
        elif way == "rustup":
            make_folder(folder, lambda part: rustup.install(site, part, triples, log))
        else:
            make_folder(folder, lambda part: _link_path(part, folder, site, log))
        _record_compiler(site, way, folder, log)


def _link_path(part: Path, final: Path, site: Site, log: Log) -> None:
    """Put a sysroot over that of the compiler on PATH, so that libraries built here leave it untouched."""
    log_file = site.logs / "setup-rust-path.log"
    compiler, cargo = shutil.which("rustc"), shutil.which("cargo")
    if compiler is None or cargo is None:
        raise ToolError(
            "RVA_RUST=path, but rustc and cargo are not both on PATH", fix="put them on PATH or unset RVA_RUST"
        )
    if site.host.os == "win32":
        raise ToolError("RVA_RUST=path is not made for Windows", fix="unset RVA_RUST; rustup serves every target there")
    theirs = Path(run("find the sysroot", [compiler, "--print", "sysroot"], log, log_file).strip())
    rustlib = part / "sysroot" / "lib" / "rustlib"
    rustlib.mkdir(parents=True)
    for entry in (theirs / "lib" / "rustlib").iterdir():
        (rustlib / entry.name).symlink_to(entry)
    (part / "bin").mkdir()
    (part / "bin" / "cargo").symlink_to(cargo)
    wrapper = part / "bin" / "rustc"
    words = " ".join(shlex.quote(word) for word in (compiler, "--sysroot", str(final / "sysroot")))
    wrapper.write_text(f'#!/bin/sh\nexec {words} "$@"\n', encoding="utf-8")
    wrapper.chmod(0o755)


def _record_compiler(site: Site, way: Way, folder: Path, log: Log) -> None:
    suffix = ".exe" if site.host.os == "win32" else ""
    binaries = rustup.toolchain(site, folder) / "bin" if way == "rustup" else folder / "bin"
    compiler = binaries / f"rustc{suffix}"
    detail = run("ask rustc", [compiler, "-vV"], log, site.logs / "setup-rust.log").strip()
    release = next((line.split()[1] for line in detail.splitlines() if line.startswith("release:")), "unknown")
    if not _accepted(way, release, site.version("rust")):
        files.remove(folder)
        raise ToolError(
            f"{compiler} is Rust {release}, but platforms.toml asks for {site.version('rust')}",
            fix="unset RVA_RUST, or put a compiler of that version on PATH",
        )
    for triple in _installed_targets(site, way, folder):
        _record_std(site, way, folder, triple, _key(detail))
    # Behind a wrapper stands the program itself.
    behind = {"debian": [folder / "unpacked/usr/bin/rustc"], "path": [Path(shutil.which("rustc") or compiler)]}.get(
        way, []
    )
    env = {"PATH": str(binaries)}
    tool = Tool(
        name="rust", version=release, path=str(compiler), source=way, fingerprint=_key(detail), env=env,
        stamps=stamps([compiler, binaries / f"cargo{suffix}", *behind]), detail=detail,
    )  # fmt: skip
    write_record(folder, tool)


def _accepted(way: Way, release: str, wanted: str) -> bool:
    """Debian serves one version at a time: a newer one is accepted, and is part of every key."""
    if way != "debian":
        return release == wanted
    return Version(release) >= Version(wanted)


def _key(detail: str) -> str:
    return hashlib.sha256(f"{detail}\n{_REVISION}".encode()).hexdigest()


def _sysroot(site: Site, way: Way, folder: Path) -> Path:
    return rustup.toolchain(site, folder) if way == "rustup" else folder / "sysroot"


def _installed_targets(site: Site, way: Way, folder: Path) -> list[str]:
    libraries = _sysroot(site, way, folder).glob("lib/rustlib/*/lib/libstd-*.rlib")
    return sorted({library.parent.parent.name for library in libraries})


def _add_std(site: Site, way: Way, folder: Path, triples: Sequence[str], log: Log) -> None:
    if way == "rustup":
        rustup.add_targets(site, folder, triples, log)
    else:
        overlay.build_std(site, folder, triples, log)
    rust = read_record(folder, "rust")
    if rust is None:
        raise ToolError(f"the compiler in {folder} was removed while it was in use", fix="run the same command again")
    for triple in triples:
        _record_std(site, way, folder, triple, rust.fingerprint)


def _record_std(site: Site, way: Way, folder: Path, triple: str, key: str) -> None:
    libraries = overlay.target_libraries(_sysroot(site, way, folder), triple)
    parts = sorted([*libraries.glob("libstd-*.rlib"), *libraries.glob("libcore-*.rlib")])
    if len(parts) < 2:
        raise ToolError(f"no standard library for {triple} came to {libraries}", fix="see .rva/logs/setup-std.log")
    tool = Tool(
        name=f"std:{triple}", version=site.version("rust"), path=str(libraries), source=way,
        fingerprint=f"{key[:16]}-{triple}", stamps=stamps(parts),
    )  # fmt: skip
    write_record(folder, tool)
