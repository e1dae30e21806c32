"""The npm packages of dist/packages in clean folders, where something is wrong. That they work is what `rva verify` shows.

python tests/package/npm.py

Shows what the loader says where no addon is installed, where one is of another version, damaged or for
another system; and that the platform packages agree with those the napi CLI would write, in all but what it leaves out.
"""

from __future__ import annotations

import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ROOT / "dist" / "packages"
MAIN = "ruvector-attention"
# What the napi CLI's packages lack or have beside ours, and why.
OURS = {
    "libc": "the napi CLI leaves it out for armv7",
    "description": "tells the platform",
    "type": "keeps Node.js from guessing",
    "repository": "the napi CLI takes it from the binding's package.json, we from platforms.toml",
    "private": "marks a stand-in",
    "standIn": "marks a stand-in",
}
THEIRS = {
    "keywords": "the main package has them",
    "files": "the folder holds nothing else",
    "publishConfig": "a release's matter",
}


def run(argv: list[str], cwd: Path, *, check: bool = True, **env: str) -> subprocess.CompletedProcess[str]:
    """One command; its words are shown where it fails and was not to."""
    done = subprocess.run(argv, cwd=cwd, env={**os.environ, **env}, capture_output=True, text=True, check=False)
    if check and done.returncode != 0:
        raise AssertionError(f"{argv} in {cwd}: exit {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done


def package() -> dict[str, Any]:
    """Make dist/packages; returns its manifest."""
    chosen = ["-t", "napi", "-t", "wasm", "-x", "wasm-wasip1-*"]
    return json.loads(run([str(ROOT / "rva"), "package", *chosen, "--json"], ROOT).stdout)


def tarballs(manifest: dict[str, Any]) -> dict[str, Path]:
    """Name of a published package -> its tarball."""
    return {
        p["name"]: PACKAGES / p["file"] for p in manifest["packages"] if p["kind"] == "npm" and p["build"] == "release"
    }


def host_package() -> str:
    """The platform package that this machine's Node.js needs."""
    say = "const r=process.report.getReport().header; console.log(process.platform, process.arch, r.glibcVersionRuntime ? 'gnu' : 'musl')"
    system, cpu, libc = run(["node", "-p", f"{say}; ''"], ROOT).stdout.split()
    tail = {"linux": f"-{libc}", "win32": "-msvc", "darwin": ""}[system]
    return f"{MAIN}-{system}-{cpu}{tail}"


@contextmanager
def installed(*files: Path) -> Iterator[Path]:
    """A clean project that depends on these tarballs and on nothing else."""
    with tempfile.TemporaryDirectory(prefix="rva-npm-") as name:
        folder = Path(name)
        (folder / "package.json").write_text('{"private": true}\n')
        options = ["--offline", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
        run(["npm", "install", *options, *map(str, files)], folder, npm_config_cache=str(folder / ".npm"))
        yield folder


def refuses(files: dict[str, Path], name: str, spoil: Callable[[Path], None], *said: str) -> None:
    """The loader's words where the host's package is spoilt."""
    with installed(files[MAIN], files[host_package()]) as folder:
        spoil(folder / "node_modules" / host_package())
        script = "try { require('ruvector-attention') } catch (e) { console.log(e.code + '\\n' + e.message); process.exit(3) }"
        done = run(["node", "-e", script], folder, check=False)
        text = done.stdout
        assert done.returncode == 3, f"{name}: loaded all the same\n{text}{done.stderr}"
        for word in ("native_unavailable", *said):
            assert word in text, f"{name}: {word!r} is not in\n{text}"


def other_version(folder: Path) -> None:
    """Makes the package one of a version that the main one does not ask for."""
    path = folder / "package.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "version": "0.0.9"}))


def damaged(folder: Path) -> None:
    """Makes the addon no library. One cut short would end the process: its missing pages are mapped all the same."""
    [addon] = folder.glob("*.node")
    addon.write_bytes(bytes(1000))


def elsewhere(files: dict[str, Path]) -> Callable[[Path], None]:
    """Puts another processor's addon in."""
    other = next(n for n in files if "darwin" in n or "arm64" in n)

    def spoil(folder: Path) -> None:
        [addon] = folder.glob("*.node")
        with installed_by_force(files[other]) as source:
            shutil.copy(next(source.glob("*.node")), addon)

    return spoil


@contextmanager
def installed_by_force(tarball: Path) -> Iterator[Path]:
    """The content of a tarball that this machine's npm would refuse."""
    with tempfile.TemporaryDirectory(prefix="rva-npm-") as name:
        shutil.unpack_archive(tarball, name, "gztar", filter="data")
        yield Path(name) / "package"


def faults(files: dict[str, Path]) -> int:
    """Every way in which the host's package may be wrong."""
    name = host_package()
    fix = f"npm install {name}@"
    refuses(files, "absent", shutil.rmtree, f"{name} is not installed", fix, "optional", f"{MAIN}-wasm@")
    refuses(files, "another version", other_version, "is version 0.0.9", fix)
    refuses(files, "damaged", damaged, f"{name}, for ", fix)
    refuses(files, "another system's", elsewhere(files), f"{name}, for ", fix)
    return 4


# Machines that the loader is made to believe in: what is changed before it loads, and what it then has to say.
SILENT = "process.report.getReport = () => ({ header: {}, sharedObjects: [] });"
NOWHERE = (
    "fs.existsSync = () => false; const read = fs.readFileSync;"
    "fs.readFileSync = (path, ...more) => {"
    " if (path === '/etc/os-release') throw new Error('none'); return read(path, ...more); };"
)
PRETEND = {
    "musl, by the report": (
        "process.report.getReport = () => ({ header: {}, sharedObjects: ['/lib/ld-musl-x86_64.so.1'] });",
        ["musl (process.report)", "linux-x64-musl is not installed"],
        ["linux-x64-gnu"],
    ),
    "musl, by the interpreter": (
        SILENT + "become('execPath', folder + '/musl.elf');",
        ["musl (the ELF interpreter of ", "linux-x64-musl is not installed"],
        ["linux-x64-gnu"],
    ),
    "musl on 32 bits, by the interpreter": (
        SILENT + "become('arch', 'arm'); become('execPath', folder + '/musl32.elf');",
        ["linux arm, musl", "none is published for this system", "linux-arm-gnueabihf"],
        [" is not installed"],
    ),
    "glibc, where the report fails": (
        "process.report.getReport = () => { throw new Error('no report'); }; become('execPath', folder + '/glibc.elf');",
        ["glibc (the ELF interpreter of ", "linux-x64-gnu is not installed"],
        ["linux-x64-musl"],
    ),
    "musl, by /etc": (
        SILENT + "become('execPath', '/none'); fs.existsSync = (path) => path === '/etc/alpine-release';",
        ["musl (/etc)", "linux-x64-musl is not installed"],
        ["linux-x64-gnu"],
    ),
    "unknown, so both are tried": (
        SILENT + "become('execPath', '/none');" + NOWHERE,
        ["an unknown C library", "linux-x64-gnu is not installed", "linux-x64-musl, for musl: is not installed"],
        ["darwin"],
    ),
    "macOS": (
        "become('platform', 'darwin'); become('arch', 'arm64');",
        ["darwin arm64:", "darwin-arm64 is not installed", "macOS 11.0 or newer"],
        ["C library"],
    ),
    "Windows": (
        "become('platform', 'win32');",
        ["win32-x64-msvc is not installed", "Windows 10 or newer"],
        ["linux"],
    ),
    "a system without an addon": (
        "become('platform', 'freebsd');",
        ["none is published for this system", f"npm install {MAIN}-wasm@"],
        ["is not installed"],
    ),
}


def program_for(interpreter: bytes, *, wide: bool) -> bytes:
    """The head of an ELF program that asks for a dynamic linker."""
    if wide:
        head = struct.pack("<4sBBB9xHHIQQQIHHHHHH", b"\x7fELF", 2, 1, 1, 3, 62, 1, 0, 64, 0, 0, 64, 56, 1, 0, 0, 0)
        entry = struct.pack("<IIQQQQQQ", 3, 4, 120, 0, 0, len(interpreter), len(interpreter), 1)
    else:
        head = struct.pack("<4sBBB9xHHIIIIIHHHHHH", b"\x7fELF", 1, 1, 1, 3, 40, 1, 0, 52, 0, 0, 52, 32, 1, 0, 0, 0)
        entry = struct.pack("<IIIIIIII", 3, 84, 0, 0, len(interpreter), len(interpreter), 4, 1)
    return head + entry + interpreter


def pretends(files: dict[str, Path]) -> int:
    """The loader on machines that this one is not. It may start no process on any of them."""
    before = (
        "const fs = require('node:fs'); const folder = process.cwd();"
        "const become = (name, value) => Object.defineProperty(process, name, { value });"
        "const children = require('node:child_process');"
        "for (const name of Object.keys(children)) children[name] = () => { console.log('a process'); process.exit(4); };"
    )
    after = f"try {{ require('./node_modules/{MAIN}/native.js') }} catch (e) {{ console.log(e.code + '\\n' + e.message); process.exit(3) }}"
    with installed(files[MAIN]) as folder:
        (folder / "musl.elf").write_bytes(program_for(b"/lib/ld-musl-x86_64.so.1\0", wide=True))
        (folder / "musl32.elf").write_bytes(program_for(b"/lib/ld-musl-armhf.so.1\0", wide=False))
        (folder / "glibc.elf").write_bytes(program_for(b"/lib64/ld-linux-x86-64.so.2\0", wide=True))
        for name, (change, said, unsaid) in PRETEND.items():
            script = "become('platform', 'linux'); become('arch', 'x64');" + change + after
            done = run(["node", "-e", before + script], folder, check=False)
            text = done.stdout.split("\n  or:")[0] if "wasm@" not in "".join(said) else done.stdout
            assert done.returncode == 3 and "native_unavailable" in text, f"{name}: {done.stdout}{done.stderr}"
            tried = "\n".join(line for line in text.splitlines() if not line.startswith("  for:"))
            assert all(word in text for word in said), f"{name}: {said}\n{text}"
            assert not any(word in tried for word in unsaid), f"{name}: {unsaid}\n{text}"
    return len(PRETEND)


def agrees_with_napi(files: dict[str, Path]) -> int:
    """Our platform packages beside those of `napi create-npm-dirs`: equal in every field that both have."""
    binding = ROOT / "bindings" / "node"
    with tempfile.TemporaryDirectory(prefix="rva-napi-") as name:
        theirs = Path(name)
        shutil.copy(binding / "package.json", theirs)
        napi = str(binding / "node_modules" / ".bin" / "napi")
        run([napi, "create-npm-dirs", "--cwd", str(theirs), "--npm-dir", "npm"], theirs)
        checked = 0
        for path in sorted((theirs / "npm").glob("*/package.json")):
            made = json.loads(path.read_text())
            if made["name"] not in files:
                continue
            with installed_by_force(files[made["name"]]) as folder:
                ours = json.loads((folder / "package.json").read_text())
                assert {"LICENSE-MIT", "LICENSE-APACHE", "README.md", ours["main"]} <= {
                    p.name for p in folder.iterdir()
                }
            apart = {k for k in made.keys() | ours.keys() if made.get(k) != ours.get(k)} - OURS.keys() - THEIRS.keys()
            assert not apart, {k: (made.get(k), ours.get(k)) for k in apart}
            checked += 1
    assert checked == len([n for n in files if n.startswith(f"{MAIN}-") and n != f"{MAIN}-wasm"])
    return checked


def main() -> int:
    """Everything, on what dist/ holds."""
    files = tarballs(package())
    done = {
        "refusals": faults(files),
        "machines": pretends(files),
        "like_napi": agrees_with_napi(files),
    }
    print(json.dumps(done))
    return 0


if __name__ == "__main__":
    sys.exit(main())
