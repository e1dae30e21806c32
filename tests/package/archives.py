"""Archives, installers and Debian packages of dist/packages, used as a person would: unpacked, installed, run.

python tests/package/archives.py

Those of this machine's system. Shows besides that the installer refuses an archive that was changed, and that packing
twice, in another folder's environment, gives the same bytes for every kind.
"""

from __future__ import annotations

import functools
import hashlib
import http.server
import io
import json
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import rpmfile
import zstandard
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from spdx_tools.spdx.parser.jsonlikedict.json_like_dict_parser import JsonLikeDictParser
from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ROOT / "dist" / "packages"
PROGRAM = "ruvector-attention"
SMOKE = ROOT / "tests" / "smoke"
PROGRAM_C = (
    "#include <stdio.h>\n#include <ruvector_attention.h>\nint main(void) { return puts(rvattn_version()) < 0; }\n"
)
VECTORS = ROOT / "tests" / "vectors" / "attention.json"


def run(argv: list[str], cwd: Path, *, check: bool = True, **env: str) -> subprocess.CompletedProcess[str]:
    """One command; its words are shown where it fails and was not to."""
    done = subprocess.run(argv, cwd=cwd, env={**os.environ, **env}, capture_output=True, text=True, check=False)
    if check and done.returncode != 0:
        raise AssertionError(f"{argv} in {cwd}: exit {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done


def package(**env: str) -> list[dict[str, Any]]:
    """Make dist/packages of all that is built; returns what its manifest lists."""
    done = run([str(ROOT / "rva"), "package", "--json"], ROOT, **env)
    found: list[dict[str, Any]] = json.loads(done.stdout)["packages"]
    return found


def triples() -> list[str]:
    """What this machine runs directly."""
    cpu = {"x86_64": "x86_64", "aarch64": "aarch64", "arm64": "aarch64"}[platform.machine()]
    if sys.platform == "darwin":
        return [f"{cpu}-apple-darwin"]
    return [f"{cpu}-unknown-linux-gnu", f"{cpu}-unknown-linux-musl"]


def cases(folder: Path) -> int:
    """Replays the reference cases through the program in a folder."""
    done = run([sys.executable, str(SMOKE / "cli.py"), str(folder), str(VECTORS)], folder)
    summary = json.loads(done.stdout.strip().splitlines()[-1])
    assert summary["failed"] == 0 and summary["passed"] > 0, summary
    return int(summary["passed"])


def opened(path: Path, folder: Path) -> None:
    """Unpacks a .tar.gz or .tar.zst."""
    if path.suffix == ".zst":
        data = zstandard.ZstdDecompressor().decompress(path.read_bytes(), max_output_size=10**9)
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            archive.extractall(folder, filter="data")
    else:
        run(["tar", "-xzf", str(path), "-C", str(folder)], ROOT)


def c_library(packed: list[dict[str, Any]]) -> int:
    """A C program built against the archive of this machine, from wherever it lies, and run with each of its libraries."""
    [path] = [PACKAGES / p["file"] for p in packed if p["kind"] == "c" and f"-{triples()[0]}." in p["file"]]
    with tempfile.TemporaryDirectory(prefix="rva-c-") as name:
        opened(path, Path(name))
        [top] = (p for p in Path(name).iterdir() if p.is_dir())
        (Path(name) / "program.c").write_text(PROGRAM_C)
        env = {"PKG_CONFIG_PATH": str(top / "lib" / "pkgconfig"), "LD_LIBRARY_PATH": str(top / "lib")}
        for static in ([], ["--static"]):
            flags = run(["pkg-config", *static, "--cflags", "--libs", PROGRAM], ROOT, **env).stdout.split()
            if static:
                (top / "lib" / "libruvector_attention.so").unlink()
            run(["cc", "program.c", "-o", "program", *flags], Path(name))
            version = run(["./program"], Path(name), **env).stdout.strip()
            assert f"-{version}-" in path.name, version
    return 2


def programs(packed: list[dict[str, Any]]) -> int:
    """The layout of each archive for this machine. `rva verify` runs what is in it."""
    done = 0
    for item in packed:
        path = PACKAGES / item["file"]
        name_of_top, _, ending = path.name.partition(".tar.")
        if item["kind"] != "cli" or not ending or not any(t in path.name for t in triples()):
            continue
        with tempfile.TemporaryDirectory(prefix="rva-cli-") as name:
            opened(path, Path(name))
            [top] = Path(name).iterdir()
            assert top.name == name_of_top
            held = {p.relative_to(top).as_posix() for p in top.rglob("*") if p.is_file()}
            assert {PROGRAM, "README.md", "LICENSE-MIT", "LICENSE-APACHE"} <= held, held
            done += 1
    assert done, "no archive of the program for this machine was made"
    return done


def debian(packed: list[dict[str, Any]]) -> int:
    """The Debian package of this machine, as dpkg reads and unpacks it (`rva verify` runs it); -1 where there is no dpkg."""
    if shutil.which("dpkg-deb") is None:
        return -1
    cpu = {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]
    [path] = [PACKAGES / p["file"] for p in packed if p["file"].endswith(f"{cpu}.deb")]
    fields = run(["dpkg-deb", "--field", str(path)], ROOT).stdout
    for line in (f"Package: {PROGRAM}", f"Architecture: {cpu}", "Depends: libc6 (>= 2.17)"):
        assert line in fields, fields
    owners = {line.split()[1] for line in run(["dpkg-deb", "--contents", str(path)], ROOT).stdout.splitlines()}
    assert owners == {"root/root"}, owners
    with tempfile.TemporaryDirectory(prefix="rva-deb-") as name:
        run(["dpkg-deb", "--extract", str(path), name], ROOT)
        assert (Path(name) / "usr/share/doc" / PROGRAM / "copyright").is_file()
    return 1


def rpm(packed: list[dict[str, Any]]) -> int:
    """The RPM package of this machine, read by another implementation than the one that wrote it, and run."""
    cpu = platform.machine().replace("arm64", "aarch64")
    [path] = [PACKAGES / p["file"] for p in packed if p["file"].endswith(f"{cpu}.rpm")]
    with rpmfile.open(str(path)) as found, tempfile.TemporaryDirectory(prefix="rva-rpm-") as name:
        headers = found.headers
        assert (headers["name"], headers["arch"]) == (PROGRAM.encode(), cpu.encode()), headers
        assert headers["buildhost"] == b"localhost"
        program = Path(name) / PROGRAM
        members = {m.name.lstrip("./"): m for m in found.getmembers()}
        assert f"usr/share/doc/{PROGRAM}/copyright" in members
        program.write_bytes(found.extractfile(members[f"usr/bin/{PROGRAM}"]).read())
        program.chmod(0o755)
        return cases(Path(name))


def lists(packed: list[dict[str, Any]]) -> int:
    """Every list of what is inside names its package's bytes and meets its standard, by the standard's own readers.

    The reader of SPDX takes a second a document, so it is shown one of each kind of package.
    """
    kinds = {Path(p["file"]).name: p["kind"] for p in packed}
    shown: set[str] = set()
    sums = {Path(p["file"]).name: p["sha256"] for p in packed}
    reader = JsonStrictValidator(SchemaVersion.V1_6)
    listed = [PACKAGES / p["file"] for p in packed if p["kind"] == "sbom"]
    for path in listed:
        text = path.read_text("utf-8")
        about, form = path.name.rsplit(".", 2)[0], path.name.rsplit(".", 2)[1]
        assert sums[about] in text, f"{path.name} speaks of other bytes"
        if form == "cdx":
            assert reader.validate_str(text) is None, f"{path.name}: {reader.validate_str(text)}"
        elif kinds[about] not in shown:
            shown.add(kinds[about])
            faults = validate_full_spdx_document(JsonLikeDictParser().parse(json.loads(text)))
            assert not faults, f"{path.name}: {faults[0]}"
    # A wheel of Python alone holds nothing that was compiled.
    named = [p for p in packed if p["kind"] in ("python", "crate", "c", "cli", "system")]
    compiled = [p for p in named if not p["file"].endswith("-none-any.whl")]
    assert len(listed) >= 2 * len(compiled) > 0
    broken = json.loads(next(p for p in listed if p.name.endswith("cdx.json")).read_text("utf-8"))
    broken["components"][0]["licenses"] = "MIT"
    assert reader.validate_str(json.dumps(broken)) is not None
    return len(listed)


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """A folder over HTTP on this machine alone; gives its address."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()


def installer() -> int:
    """install.sh from a release that lies on this machine, then one whose archive was changed."""
    script = str(PACKAGES / "installer" / "install.sh")
    with tempfile.TemporaryDirectory(prefix="rva-install-") as name:
        release, to = Path(name) / "release", Path(name) / "it's here" / "bin"
        shutil.copytree(PACKAGES / "cli", release)
        with served(release) as address:
            run(["sh", script, "--from", address, "--to", str(to), "--dry-run"], ROOT)
            assert not to.exists()
            run(["sh", script, "--from", address, "--to", str(to)], ROOT)
            passed = cases(to)
            (to / PROGRAM).unlink()
            for path in release.glob("*.tar.gz"):
                path.write_bytes(path.read_bytes() + b"\0")
            done = run(["sh", script, "--from", address, "--to", str(to)], ROOT, check=False)
            assert done.returncode == 1 and "checksum" in done.stderr and not any(to.iterdir()), done
            done = run(["sh", script, "--from", f"{address}/none", "--to", str(to)], ROOT, check=False)
            assert done.returncode == 1 and "could not be fetched" in done.stderr, done
            done = run(["sh", script, "--frm", address], ROOT, check=False)
            assert done.returncode == 1 and "unknown option" in done.stderr, done
    return passed


def digests() -> dict[str, str]:
    """SHA-256 of every file of dist/packages."""
    found = (p for p in sorted(PACKAGES.rglob("*")) if p.is_file())
    return {p.relative_to(PACKAGES).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in found}


def same_bytes() -> int:
    """Packs again under another umask, time zone, locale and home; returns how many files were the same."""
    before = digests()
    old = os.umask(0o077)
    try:
        with tempfile.TemporaryDirectory() as home:
            kept = {"RVA_CACHE_DIR": Path.home() / ".cache" / "rva", "CARGO_HOME": Path.home() / ".cargo"}
            here = {name: os.environ.get(name) or str(place) for name, place in kept.items()}
            package(TZ="Asia/Kathmandu", LC_ALL="C", HOME=home, USER="nobody", **here)
    finally:
        os.umask(old)
    after = digests()
    assert before == after, sorted(n for n in before.keys() | after.keys() if before.get(n) != after.get(n))
    return len(after)


def sums() -> int:
    """SHA256SUMS is one that sha256sum takes, and names every published file."""
    run(["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"], PACKAGES)
    named = {line.split("  ", 1)[1] for line in (PACKAGES / "SHA256SUMS").read_text().splitlines()}
    there = {n for n in digests() if not n.startswith("stand-in/")} - {"SHA256SUMS", "manifest.json"}
    assert named == there, named ^ there
    return len(named)


def main() -> int:
    """Everything, on what dist/ holds."""
    packed = package()
    print(
        json.dumps(
            {
                "programs": programs(packed),
                "c_library": c_library(packed),
                "debian": debian(packed),
                "rpm": rpm(packed),
                "lists": lists(packed),
                "installer": installer(),
                "sums": sums(),
                "same_bytes": same_bytes(),
            }
        )
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
