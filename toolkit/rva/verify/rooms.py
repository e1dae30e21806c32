"""Clean rooms: a package installed as its user would, in a folder of its own, with nothing of the user's.

Each function makes one room and returns the folder in which the consumer finds what was installed.
"""

from __future__ import annotations

import ensurepip
import json
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from rva import files, naming, shell
from rva.errors import ToolError
from rva.inspect.unpack import unzip
from rva.model import Packed, Target

_TIMEOUT_S = 300.0
# Where pip says what it took, and from where.
REPORT = "pip.json"
_REGISTRY = "rehearsal"
_NPM = ("--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error")
_PIP = ("--quiet", "--isolated", "--disable-pip-version-check", "--no-cache-dir", "--no-deps", "--only-binary=:all:")


class Shop(Struct, frozen=True):
    """Where packages are had: the files of ``packages``, or by name from the registries at these addresses.

    ``release`` is where the archives of a release lie. ``env`` holds the tools. ``published``: nothing is taken as a file.
    """

    packages: Path
    version: str
    env: Mapping[str, str]
    log: Path
    npm: str = ""
    python: str = ""
    cargo: str = ""
    release: str = ""
    published: bool = False

    def path(self, packed: Packed) -> str:
        """Where a package's file lies."""
        return str(self.packages / packed.file)

    def run(self, argv: Sequence[str], cwd: Path, env: Mapping[str, str] = {}) -> None:
        """One command of an installation, at home where it runs; CheckFailed, with its last words, where it fails."""
        program = shutil.which(argv[0], path=self.env.get("PATH"))
        if program is None:
            raise ToolError(f"{argv[0]} was not found", fix="run `rva doctor` to see what is missing")
        own = {**self.env, "HOME": str(cwd), **env}
        shell.run([program, *argv[1:]], cwd=cwd, env=own, log=self.log, timeout=_TIMEOUT_S)


def npm(wanted: Packed, choice: Sequence[Packed], target: Target | None, shop: Shop, room: Path) -> Path:
    """A project that depends on a package, as npm installs it on a target's system: of ``choice``, what fits is installed too.

    A registry knows the choice by the package's own words; from files, the project has to name it.
    """
    project: dict[str, object] = {"private": True}
    own = {"npm_config_cache": str(room / ".npm")}
    for name in ("user", "global"):
        files.write(room / f".{name}npmrc", "")
        own[f"npm_config_{name}config"] = str(room / f".{name}npmrc")
    words = ["--offline"]
    if shop.npm:
        words = [f"--registry={shop.npm}", f"{wanted.name}@{shop.version}"]
    else:
        project["dependencies"] = {wanted.name: f"file:{shop.path(wanted)}"}
        project["optionalDependencies"] = {packed.name: f"file:{shop.path(packed)}" for packed in choice}
    files.write(room / "package.json", json.dumps(project))
    if target is not None:
        libc = naming.npm_libc(target.libc)
        words += [f"--os={target.os}", f"--cpu={target.cpu}", *([f"--libc={libc}"] if libc else [])]
    shop.run(["npm", "install", *_NPM, *words], room, own)
    return room


def python(packed: Packed, target: Target, shop: Shop, room: Path) -> Path:
    """A folder of modules, as pip fills it for a target's system, whose tags have to fit."""
    tags = [f"--platform={tag}" for tag in naming.wheel_platform(target.triple).split(".")]
    source = _of_index(packed, shop) if shop.python else ["--no-index", shop.path(packed)]
    words = [*_PIP, "--implementation=cp", "--abi=abi3", *tags, f"--target={room / 'modules'}", *source]
    words.append(f"--report={room / REPORT}")
    shop.run([sys.executable, _pip(), "install", *words], room)
    return room / "modules"


def venv(packed: Packed, shop: Shop, room: Path) -> Path:
    """A fresh environment into which pip put a package from the index, by name."""
    folder = room / "venv"
    shop.run([sys.executable, "-m", "venv", str(folder)], room)
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    words = [*_PIP, f"--report={room / REPORT}", *_of_index(packed, shop)]
    shop.run([str(python), "-m", "pip", "install", *words], room)
    return folder


def cargo(packed: Packed, shop: Shop, room: Path) -> Path:
    """A program's project that got a crate from the registry by `cargo add`, with a cargo home of its own."""
    files.write(
        room / "Cargo.toml", '[package]\nname = "consumer"\nversion = "0.0.0"\nedition = "2021"\n\n[workspace]\n'
    )
    files.write(room / "src" / "main.rs", "fn main() {}\n")
    files.write(room / ".cargo" / "config.toml", f'[registries.{_REGISTRY}]\nindex = "{shop.cargo}"\n')
    own = {"CARGO_HOME": str(room / "cargo-home")}
    shop.run(["cargo", "add", f"{packed.name}@={shop.version}", "--registry", _REGISTRY], room, own)
    shop.run(["cargo", "fetch"], room, own)
    return room


def unpack(packed: Packed, shop: Shop, room: Path) -> Path:
    """An archive or a system's package, unpacked by the system's own program; the folder that holds the program or library."""
    path, place = shop.path(packed), files.make_folder(room / "unpacked")
    if shop.published:
        path = str(room / Path(packed.file).name)
        url = f"{shop.release}/{Path(packed.file).name}"
        shop.run(["curl", "--fail", "--silent", "--show-error", "--location", "--output", path, url], room)
    if path.endswith(".deb"):
        shop.run(["dpkg-deb", "--extract", path, str(place)], room)
        return place / "usr" / "bin"
    if path.endswith(".zip"):
        for name, data in unzip(Path(path).read_bytes()).items():
            files.write(place / name, data)
    else:
        shop.run(["tar", "-xf", path, "-C", str(place)], room)
    [top] = place.iterdir()
    return top


def script(packed: Packed, shop: Shop, room: Path) -> Path:
    """The folder that the installer's script fills, from a release at ``shop.release``."""
    shop.run(["sh", shop.path(packed), "--from", shop.release, "--to", str(room / "bin")], room)
    return room / "bin"


def _of_index(packed: Packed, shop: Shop) -> list[str]:
    return [f"--index-url={shop.python}", f"{packed.name}=={naming.pep440(shop.version)}"]


def _pip() -> str:
    """The pip that Python brings for new environments: rva's own may have none."""
    [found] = Path(ensurepip.__file__).parent.glob("_bundled/pip-*.whl")
    return str(found / "pip")
