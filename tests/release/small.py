"""A release small enough to be published hundreds of times: a checkout with finished packages of nothing much."""

from __future__ import annotations

import base64
import csv
import gzip
import hashlib
import io
import json
import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "toolkit"))

NAME, VERSION = "quick-hash", "0.1.0"
TRIPLES = ("x86_64-unknown-linux-gnu", "aarch64-apple-darwin")
PLATFORMS = """\
schema_version = 1
rows = [
    { id = "napi-x86_64-unknown-linux-gnu", recipe = "napi", triple = "x86_64-unknown-linux-gnu", priority = "P0" },
    { id = "napi-aarch64-apple-darwin", recipe = "napi", triple = "aarch64-apple-darwin", priority = "P0" },
    { id = "native-wheel-x86_64-unknown-linux-gnu", recipe = "wheel", triple = "x86_64-unknown-linux-gnu", priority = "P0" },
    { id = "native-sdist", recipe = "sdist", priority = "P0" },
    { id = "native-crate", recipe = "crate", priority = "P0" },
]

[project]
name = "quick-hash"
description = "Hashes text"
repository = "https://github.com/someone/quick-hash"
licence = "MIT"
vectors = "README.md"
sources = ["Cargo.toml"]

[tools]
@tools@
[release]
changelog = "CHANGELOG.md"
owners = { npm = ["someone"] }
places = [{ file = "Cargo.toml", text = 'version = "{version}"' }]

@recipes@
[triples]
x86_64-unknown-linux-gnu = { os = "linux", cpu = "x64", libc = "glibc", floor = "2.17" }
aarch64-apple-darwin = { os = "darwin", cpu = "arm64", floor = "11.0" }
any = { os = "any", cpu = "any" }
"""
RECIPE = """\
[recipes.{recipe}]
family = "{family}"
crate = "quick-hash"
folder = "src"
package = "quick-hash"
binary = "quick_hash"
sources = ["src"]

"""
MANIFEST = """\
[package]
name = "quick-hash"
version = "0.1.0"
edition = "2021"
description = "Hashes text"
license = "MIT"
readme = "README.md"

[lib]
name = "quick_hash"
path = "src/lib.rs"
"""


def make(folder: Path, *, git: bool = True) -> Path:
    """The checkout, with dist/packages as `rva package` leaves it."""
    tools = (ROOT / "platforms.toml").read_text("utf-8").partition("[tools]\n")[2].partition("\n\n")[0] + "\n"
    families = {"napi": "napi", "wheel": "native", "sdist": "native", "crate": "native"}
    recipes = "".join(RECIPE.format(recipe=recipe, family=family) for recipe, family in families.items())
    texts = {
        "platforms.toml": PLATFORMS.replace("@tools@", tools).replace("@recipes@", recipes),
        "Cargo.toml": '[workspace]\nmembers = []\n\n[workspace.package]\nversion = "0.1.0"\n',
        "CHANGELOG.md": "# Changes\n\n## 0.1.0 (today)\n\n- First.\n",
        "README.md": "Hashes.\n",
        ".gitignore": ".rva/\ndist/\n",
        "src/lib.rs": "",
        "templates/none": "",
        "requirements/verdaccio/package.json": (ROOT / "requirements/verdaccio/package.json").read_text("utf-8"),
    }
    for name, text in texts.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, "utf-8")
    # The toolchains of the checkout that the check belongs to.
    for list_ in ("release.txt", "tools.txt"):
        (folder / "requirements" / list_).write_bytes((ROOT / "requirements" / list_).read_bytes())
    commit = _commit(folder) if git else ""
    _packages(folder, commit)
    return folder


def _commit(folder: Path) -> str:
    who = ["-c", "user.name=test", "-c", "user.email=test@localhost", "-c", "commit.gpgsign=false"]
    for words in (
        ["init", "--quiet"],
        ["add", "--all"],
        [*who, "commit", "--quiet", "-m", "all"],
        ["tag", f"v{VERSION}"],
    ):
        subprocess.run(["git", *words], cwd=folder, check=True)
    return subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=folder, check=True, capture_output=True, text=True
    ).stdout.strip()


def _packages(folder: Path, commit: str) -> None:
    from rva import naming
    from rva.model import Artifact, Manifest, PackageManifest, Packed, to_json

    rows = {t: f"napi-{t}" for t in TRIPLES}
    names = [(naming.npm_package(NAME, t), (rows[t],)) for t in TRIPLES]
    optional = {name: VERSION for name, _ in names}
    made: list[tuple[str, str, str, tuple[str, ...], bytes]] = [
        (f"npm/{name}-{VERSION}.tgz", "npm", name, row, _npm({"name": name, "version": VERSION})) for name, row in names
    ]
    main = {"name": NAME, "version": VERSION, "optionalDependencies": optional}
    wheel = naming.wheel(NAME, VERSION, TRIPLES[0])
    made += [
        (f"npm/{NAME}-{VERSION}.tgz", "npm", NAME, (), _npm(main)),
        (f"python/{wheel}", "python", NAME, ("native-wheel-x86_64-unknown-linux-gnu",), _wheel(wheel)),
        (f"python/quick_hash-{VERSION}.tar.gz", "python", NAME, ("native-sdist",), _sdist()),
        (f"crate/{NAME}-{VERSION}.crate", "crate", NAME, ("native-crate",), _crate()),
        (f"cli/{NAME}.tar.gz", "cli", NAME, (), b"an archive\n"),
        ("installer/install.sh", "installer", "install.sh", (), b"#!/bin/sh\n"),
    ]
    packed = []
    for file, kind, name, ids, data in made:
        path = folder / "dist" / "packages" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        digest = hashlib.sha256(data).hexdigest()
        packed.append(Packed(file, kind, name, ids, "release", len(data), digest))  # type: ignore[arg-type]
    ids = re.findall(r'id = "([^"]+)"', PLATFORMS)
    rows_ = [Artifact(row, "native", "any", f"native/{row}", 0, "", "crate", "native", "", 0.0) for row in ids]
    (folder / "dist" / "manifest.json").write_text(to_json(Manifest(VERSION, commit, tuple(rows_))), "utf-8")
    manifest = PackageManifest(VERSION, commit, tuple(packed), (), tuple(ids))
    (folder / "dist" / "packages" / "manifest.json").write_text(to_json(manifest), "utf-8")


def _tar(files: dict[str, str]) -> bytes:
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w") as archive:
        for name, text in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(text.encode())
            archive.addfile(info, io.BytesIO(text.encode()))
    return gzip.compress(sink.getvalue(), mtime=0)


def _npm(manifest: dict[str, object]) -> bytes:
    return _tar({"package/package.json": json.dumps(manifest)})


def _crate() -> bytes:
    top = f"{NAME}-{VERSION}"
    return _tar({f"{top}/Cargo.toml": MANIFEST, f"{top}/README.md": "Hashes.\n", f"{top}/src/lib.rs": ""})


METADATA = "Metadata-Version: 2.1\nName: quick-hash\nVersion: 0.1.0\nSummary: Hashes text\n"


def _sdist() -> bytes:
    return _tar({"quick_hash-0.1.0/PKG-INFO": METADATA, "quick_hash-0.1.0/pyproject.toml": ""})


def _wheel(name: str) -> bytes:
    info = "quick_hash-0.1.0.dist-info"
    tags = "-".join(name.removesuffix(".whl").split("-")[2:])
    files = {"quick_hash.py": "", f"{info}/METADATA": METADATA, f"{info}/WHEEL": f"Wheel-Version: 1.0\nTag: {tags}\n"}
    record = io.StringIO()
    for path, text in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        csv.writer(record).writerow([path, f"sha256={digest}", len(text)])
    files[f"{info}/RECORD"] = record.getvalue() + f"{info}/RECORD,,\n"
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as archive:
        for path, text in files.items():
            archive.writestr(zipfile.ZipInfo(path), text)
    return sink.getvalue()
