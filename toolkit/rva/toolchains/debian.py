"""A Rust compiler from Debian's packages, unpacked into the cache: no root, nothing of the system changes.

Debian backports current compilers for its browsers as rustc-web, with the sources of the standard library and
everything it depends on.
"""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

from packaging.version import Version

from rva import files
from rva.errors import ToolError
from rva.log import Log
from rva.toolchains.inventory import Site
from rva.toolchains.place import run

MEGABYTES = 185
_KEPT_LLVM = {"lld", "llvm-objcopy"}
_LIBRARY = "lib/rustlib/src/rust/library"


def is_possible() -> bool:
    """Whether this system has Debian's package tools."""
    return shutil.which("apt-get") is not None and shutil.which("dpkg") is not None


def unpack(site: Site, folder: Path, final: Path, log: Log) -> None:
    """Fill ``folder`` with compiler, cargo, linker and library sources, with wrappers that expect it at ``final``."""
    if not is_possible():
        raise ToolError(
            "this system has no apt-get and dpkg, which the Debian way needs",
            fix="install rustup from https://rustup.rs",
        )
    record = site.logs / "setup-rust-debian.log"
    archives = _download(site.version("rust"), folder / "apt", log, record)
    unpacked = folder / "unpacked"
    for archive in archives:
        run("unpack Rust", ["dpkg", "-x", archive, unpacked], log, record)
    files.remove(folder / "apt")
    _keep_what_is_used(folder, unpacked, site.host.triple)
    _write_wrappers(folder, final, site.host.triple)


def _download(version: str, apt: Path, log: Log, record: Path) -> list[Path]:
    for name in ("state/lists/partial", "cache/archives/partial"):
        (apt / name).mkdir(parents=True)
    settings = apt / "apt.conf"
    # Lists and archives are private; the status file is the system's, so that only what it lacks is fetched.
    settings.write_text(
        f'Dir::State "{apt}/state";\nDir::State::status "/var/lib/dpkg/status";\nDir::Cache "{apt}/cache";\n'
        'Debug::NoLocking "1";\nAPT::Sandbox::User "root";\nAcquire::Languages "none";\nAcquire::Retries "3";\n',
        encoding="utf-8",
    )
    env = {"APT_CONFIG": str(settings), "LC_ALL": "C"}
    run("list Debian's packages", ["apt-get", "update", "--error-on=any"], log, record, env=env)
    table = run("find rustc-web", ["apt-cache", "madison", "rustc-web"], log, record, env=env)
    revision = pick_revision(table, version)
    short = ".".join(upstream(revision).split(".")[:2])
    library = f"libstd-rust-web-{short}"
    depends = run("find LLVM", ["apt-cache", "depends", f"{library}={revision}"], log, record, env=env)
    llvm = pick_llvm(depends)
    same = [f"{name}={revision}" for name in ("rustc-web", "cargo-web", library, "libstd-rust-web-dev", "rust-web-src")]
    others = [f"libllvm{llvm}", f"lld-{llvm}", f"llvm-{llvm}", "wasi-libc"]
    options = ["--yes", "--download-only", "--reinstall", "--allow-downgrades", "--no-install-recommends"]
    log.say(f"fetching Rust {revision} and LLVM {llvm} from Debian ({MEGABYTES} MB)")
    run("fetch Rust from Debian", ["apt-get", "install", *options, *same, *others], log, record, env=env)
    return sorted((apt / "cache" / "archives").glob("*.deb"))


def pick_revision(madison: str, version: str) -> str:
    """The newest Debian revision of a compiler version in the output of `apt-cache madison`, which sorts them.

    Debian offers one version at a time; once it has moved on, the newer compiler serves.
    """
    offered = [line.split("|")[1].strip() for line in madison.splitlines() if line.count("|") == 2]
    for revision in offered:
        if upstream(revision) == version:
            return revision
    for revision in offered:
        if Version(upstream(revision)) > Version(version):
            return revision
    listed = ", ".join(dict.fromkeys(offered)) or "none"
    raise ToolError(
        f"Debian offers no Rust {version} here (rustc-web: {listed})",
        fix="install rustup from https://rustup.rs, or a rustc of that version with its rust-src and set RVA_RUST=path",
    )


def upstream(revision: str) -> str:
    """The compiler's own version in a Debian revision: 1.96.0 of 1.96.0+dfsg1-1~deb12u2."""
    return re.split(r"[+~-]", revision.split(":")[-1])[0]


def pick_llvm(depends: str) -> str:
    """The LLVM release that the compiler was built with, from the output of `apt-cache depends`."""
    match = re.search(r"Depends: libllvm(\d+)\b", depends)
    if match is None:
        raise ToolError(
            "Debian's Rust library names no LLVM that it depends on", fix="install rustup from https://rustup.rs"
        )
    return match[1]


def _keep_what_is_used(folder: Path, unpacked: Path, host: str) -> None:
    """Of a gigabyte of packages, a third is used."""
    rustlib = folder / "sysroot" / "lib" / "rustlib"
    rustlib.mkdir(parents=True)
    usr = unpacked / "usr"
    (usr / "lib/rustlib" / host).rename(rustlib / host)
    library = folder / "sysroot" / _LIBRARY
    library.parent.mkdir(parents=True)
    next((usr / "src").glob("rustc-*/library")).rename(library)
    (usr / "lib/wasm32-wasi").rename(folder / "wasi")
    for name in ("share", "src", "include"):
        files.remove(usr / name)
    for program in usr.glob("lib/llvm-*/bin/*"):
        if program.name not in _KEPT_LLVM:
            files.remove(program)
    for extra in [*usr.glob("bin/*-[0-9][0-9]"), *usr.glob("lib/llvm-*/lib"), *usr.glob("lib/llvm-*/build")]:
        files.remove(extra)


def _write_wrappers(folder: Path, final: Path, host: str) -> None:
    """Programs on PATH that find their shared libraries and the sysroot where these lie in the cache."""
    usr = folder / "unpacked" / "usr"
    libraries = next(usr.glob("lib/*/librustc_driver-*.so")).parent
    lld = next(usr.glob("lib/llvm-*/bin/lld"))
    objcopy = lld.with_name("llvm-objcopy")

    def put(place: Path, program: Path, *arguments: str) -> None:
        there = final / program.relative_to(folder)
        path = final / libraries.relative_to(folder)
        words = " ".join(shlex.quote(a) for a in (str(there), *arguments))
        place.parent.mkdir(parents=True, exist_ok=True)
        text = f'#!/bin/sh\nLD_LIBRARY_PATH={shlex.quote(str(path))}${{LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}} exec {words} "$@"\n'
        place.write_text(text, encoding="utf-8")
        place.chmod(0o755)

    put(folder / "bin" / "rustc", usr / "bin" / "rustc", "--sysroot", str(final / "sysroot"))
    put(folder / "bin" / "cargo", usr / "bin" / "cargo")
    put(folder / "bin" / "rustdoc", usr / "bin" / "rustdoc", "--sysroot", str(final / "sysroot"))
    put(folder / "bin" / "llvm-objcopy", objcopy)
    # rustc looks for its own linker and objcopy here.
    programs = folder / "sysroot" / "lib" / "rustlib" / host / "bin"
    put(programs / "rust-lld", lld)
    put(programs / "rust-objcopy", objcopy)
