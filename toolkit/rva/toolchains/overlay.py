"""The standard library of a target, built from the compiler's own sources into a sysroot in the cache.

All missing targets are built by one cargo call, which shares build scripts and keeps every core busy.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

from rva import files
from rva.errors import ToolError
from rva.log import Log
from rva.toolchains.inventory import Site
from rva.toolchains.place import run

# About what one target costs on one core.
SECONDS_A_TARGET = 50
_WASI = "wasm32-wasip1"
_WASI_OBJECTS = ("crt1-command.o", "crt1-reactor.o", "libc.a")
_MANIFEST = '[package]\nname = "std-for-rva"\nversion = "0.0.0"\nedition = "2021"\n\n[workspace]\n'


def target_libraries(sysroot: Path, triple: str) -> Path:
    """Where a compiler looks for the libraries of a target."""
    return sysroot / "lib" / "rustlib" / triple / "lib"


def build_std(site: Site, folder: Path, triples: Sequence[str], log: Log) -> None:
    """Build std for each triple and move it into the sysroot below ``folder``, each whole or not at all."""
    sysroot = folder / "sysroot"
    library = sysroot / "lib/rustlib/src/rust/library"
    if not (library / "Cargo.lock").is_file():
        raise ToolError(
            f"the compiler in {folder} has no sources of the standard library", fix="install its rust-src component"
        )
    # Kept when a build is broken off: the next one goes on from there.
    work = folder / "std-build"
    files.write(work / "Cargo.toml", _MANIFEST)
    files.write(work / "src" / "lib.rs", "#![no_std]\n")
    log.say(f"building the Rust standard library for {', '.join(triples)}; about {_minutes(len(triples))}")
    targets = [part for triple in triples for part in ("--target", triple)]
    build = ("build", "--release", "-Zbuild-std=std,panic_abort", "--message-format=json-render-diagnostics")
    argv: list[str | Path] = [folder / "bin" / "cargo", *_vendored(library), *build, *targets]
    run(
        "std from source",
        argv,
        log,
        site.logs / "setup-std.log",
        env=_environment(site, folder, library, work),
        cwd=work,
        on_line=_Progress(triples, log).line,
        separate_stderr=True,
    )
    for triple in triples:
        _install(folder, sysroot, work / "target" / triple / "release" / "deps", triple)
    files.remove(work)


def _minutes(targets: int) -> str:
    """How long that takes on this machine."""
    return f"{max(1, round(targets * SECONDS_A_TARGET / (os.cpu_count() or 1) / 60))} min"


class _Progress:
    """Reads the messages of cargo, which names a crate once for all targets, and a file for each."""

    def __init__(self, triples: Sequence[str], log: Log) -> None:
        self._triples, self._log = triples, log
        self._crates = self._done = 0

    def line(self, line: str) -> None:
        """One line of cargo's output."""
        if not line.startswith("{"):
            self._log.detail(f"std from source: {line.strip()}")
            return
        message = json.loads(line)
        if message.get("reason") != "compiler-artifact":
            return
        self._crates += 1
        name = message["target"]["name"]
        triple = next((t for t in self._triples if t in Path(message["filenames"][0]).parts), "this machine")
        if name == "std" and triple in self._triples:
            self._done += 1
            self._log.say(f"  standard library {self._done} of {len(self._triples)}: {triple}")
        else:
            self._log.detail(f"std from source: crate {self._crates}, {name} for {triple}")


def build_test(folder: Path, triple: str, site: Site, log: Log) -> None:
    """Compile libtest, which the harness of `cargo test` links, against the std that stands in the sysroot."""
    library = folder / "sysroot/lib/rustlib/src/rust/library"
    there = target_libraries(folder / "sysroot", triple)
    sources = {
        "getopts": (next((library / "vendor").glob("getopts-*")) / "src" / "lib.rs", "2021"),
        "test": (library / "test" / "src" / "lib.rs", "2024"),
    }
    common = ("--crate-type", "rlib", "--target", triple, "--out-dir", there, "--cap-lints", "allow", "-Copt-level=1")
    mine = ("-Zforce-unstable-if-unmarked", "-Cmetadata=rva", "-Cextra-filename=-rva")
    crates = [part for libc in there.glob("liblibc-*.rlib") for part in ("--extern", f"libc={libc}")]
    for name, (source, edition) in sources.items():
        argv: list[str | Path] = [folder / "bin" / "rustc", "--crate-name", name, "--edition", edition]
        argv += [*common, *mine, *crates, source]
        run(f"lib{name}", argv, log, site.logs / "setup-test.log", env={"RUSTC_BOOTSTRAP": "1"})
        crates += ["--extern", f"{name}={there / f'lib{name}-rva.rlib'}"]


def _vendored(library: Path) -> list[str]:
    vendor = library / "vendor"
    if not vendor.is_dir():
        return []
    replace = 'source.crates-io.replace-with="std-vendor"'
    return ["--offline", "--config", replace, "--config", f"source.std-vendor.directory='{vendor}'"]


def _environment(site: Site, folder: Path, library: Path, work: Path) -> dict[str, str]:
    version = site.version("rust")
    flags = [
        # Without its bitcode, std could not take part in the link-time optimisation of what uses it.
        "-Cembed-bitcode=yes",
        *(f"--remap-path-prefix={p}=/rustc/{version}/library" for p in {str(library), str(library.resolve())}),
    ]
    return {
        "PATH": f"{folder / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}",
        "RUSTC_BOOTSTRAP": "1",
        "CARGO_TARGET_DIR": str(work / "target"),
        "CARGO_ENCODED_RUSTFLAGS": "\x1f".join(flags),
        # As Rust's own distribution builds std.
        "CARGO_PROFILE_RELEASE_CODEGEN_UNITS": "1",
        "CARGO_INCREMENTAL": "0",
    }


def _install(folder: Path, sysroot: Path, built: Path, triple: str) -> None:
    final = target_libraries(sysroot, triple).parent
    part = files.make_folder(folder / f"std-part-{triple}")
    (part / "lib").mkdir()
    for rlib in built.glob("*.rlib"):
        if not rlib.name.startswith("libstd_for_rva-"):
            rlib.rename(part / "lib" / rlib.name)
    if triple == _WASI:
        for name in _WASI_OBJECTS:
            if not (folder / "wasi" / name).is_file():
                raise ToolError(
                    f"{name} of wasi-libc is missing in {folder / 'wasi'}",
                    fix="remove that folder's parent and run `rva setup`",
                )
            files.copy(folder / "wasi" / name, part / "lib" / "self-contained" / name, executable=False)
    files.remove(final)
    files.move_folder(part, final)
