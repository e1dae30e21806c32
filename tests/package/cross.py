"""Every platform's file in every other platform's package: all are refused, and the right ones are not.

python tests/package/cross.py [REPORT.md]

Over what was built: dist/ for what `rva build` and `rva verify` read (addons, programs, shared and static libraries, wheels),
dist/packages for what `rva audit` reads (npm packages, wheels, archives of the program and of the C library). Windows' files may
be stand-ins. Reads only. One pair of files cannot be told apart: static libraries for glibc and musl, whose objects are the same.
"""

from __future__ import annotations

import base64
import hashlib
import io
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "toolkit"))

from rva import dist, matrix, naming  # noqa: E402
from rva.audit import claims, npm, wheels  # noqa: E402
from rva.audit.content import against, binaries  # noqa: E402
from rva.inspect import check, tarball, unpack  # noqa: E402
from rva.model import Artifact, Matrix, Target  # noqa: E402

KINDS = {"addon": "napi", "executable": "cli", "shared": "c-library", "static": "c-library", "wheel": "wheel"}
Faults = list[str]


class Pair(NamedTuple):
    """A file of one platform in the place of another's, by one reader, and what it says."""

    what: str
    place: str
    file: str
    faults: Faults


class Built(NamedTuple):
    """One finished file and the row that it is for."""

    target: Target
    artifact: Artifact

    @property
    def path(self) -> Path:
        """Where it lies."""
        return ROOT / "dist" / self.artifact.path


def built(table: Matrix, kind: str) -> dict[str, Built]:
    """Triple -> the file of a kind, the real one before the stand-in."""
    manifest = dist.Dist(ROOT).manifest()
    if manifest is None:
        sys.exit("dist/ holds no finished row: run `rva build --target all` first")
    rows = {t.id: t for t in table.targets if t.recipe == KINDS[kind]}
    mine = [a for a in manifest.artifacts if a.kind == kind and a.id in rows]
    # An import library of Windows is static too; the archive of objects is the larger one.
    mine.sort(key=lambda a: (a.build != "stand-in", a.size))
    return {rows[a.id].triple: Built(rows[a.id], a) for a in mine}


def inside(wheel: Path, module: bytes) -> bytes:
    """A wheel whose compiled module is another's, with the right RECORD."""
    files = unpack.unzip(wheel.read_bytes())
    files[next(n for n in files if n.endswith((".so", ".pyd")))] = module
    record = next(n for n in files if n.endswith("/RECORD"))
    lines = []
    for name, body in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(body).digest()).rstrip(b"=").decode()
        lines.append(f"{name},,\n" if name == record else f"{name},sha256={digest},{len(body)}\n")
    files[record] = "".join(lines).encode()
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, body in files.items():
            archive.writestr(name, body)
    return out.getvalue()


def module(wheel: Path) -> bytes:
    """The compiled module of a wheel."""
    return next(b for n, b in unpack.unzip(wheel.read_bytes()).items() if n.endswith((".so", ".pyd")))


def rows(table: Matrix, folder: Path) -> Iterator[Pair]:
    """What `rva build` and `rva verify` read, by the rows of the table."""
    for kind in KINDS:
        found = built(table, kind)
        for place, own in found.items():
            for other, theirs in found.items():
                path = theirs.path
                if kind == "wheel" and other != place:
                    path = folder / own.path.name
                    path.write_bytes(inside(own.path, module(theirs.path)))
                faults = check.check(path, own.artifact.kind, own.target, own.artifact.triple, table)
                yield Pair(f"row: {kind}", place, other, list(faults))


def audited(table: Matrix) -> Iterator[Pair]:
    """What `rva audit` reads: the same files inside finished packages."""
    addons, modules = built(table, "addon"), built(table, "wheel")
    package = table.recipes["napi"].package
    for place, own in addons.items():
        name = naming.npm_package(package, place)
        files = tarball.read(find(f"npm/{naming.npm_tarball(name, table.version)}").read_bytes()).files
        for other, theirs in addons.items():
            _, said = npm.check({**files, own.path.name: theirs.path.read_bytes()}, name, table.version)
            yield Pair("package: npm", place, other, [f.message for f in said if f.level == "error"])
    for place, own in modules.items():
        for other, theirs in modules.items():
            _, _, said = wheels.check(inside(own.path, module(theirs.path)), own.path.name)
            yield Pair("package: wheel", place, other, [f.message for f in said if f.level == "error"])
    for kind in ("executable", "shared"):
        found = built(table, kind)
        for place, own in found.items():
            name = naming.archive(table.recipes[own.target.recipe].package, table.version, place)
            claim = claims.of_triple(name)
            for other, theirs in found.items():
                facts, said = binaries({own.path.name: theirs.path.read_bytes()})
                said += list(against([claim] if claim else [], facts))
                yield Pair(f"package: archive, {kind}", place, other, [f.message for f in said])


def find(name: str) -> Path:
    """A package, which may hold a stand-in."""
    places = [ROOT / "dist" / "packages" / naming.package_file(name, stand_in=s) for s in (False, True)]
    for path in places:
        if path.is_file():
            return path
    sys.exit(f"dist/packages has no {name}: run `rva package` first")


def same_objects(pair: Pair) -> bool:
    """Static libraries for one processor of Linux: nothing in them tells the C library."""
    return pair.what == "row: static" and pair.place.split("-")[:3] == pair.file.split("-")[:3] and "linux" in pair.file


def report(pairs: list[Pair], seconds: float) -> str:
    """A line for each reader and kind."""
    lines = [
        "| read as | platforms | wrong files | refused | right files | refused |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for what in dict.fromkeys(pair.what for pair in pairs):
        mine = [p for p in pairs if p.what == what]
        wrong = [p for p in mine if p.place != p.file and not same_objects(p)]
        right = [p for p in mine if p.place == p.file]
        counts = (
            len(right),
            len(wrong),
            sum(bool(p.faults) for p in wrong),
            len(right),
            sum(bool(p.faults) for p in right),
        )
        lines.append(f"| {what} | {' | '.join(map(str, counts))} |")
    return "\n".join(lines) + f"\n\n{len(pairs)} readings in {seconds:.0f} s.\n"


def judged(pairs: list[Pair], platforms: int) -> list[str]:
    """What is not as it has to be: a wrong file that passes, a right one that does not, a platform that is not there."""
    faults = [
        f"{p.what}: {p.file} passes as {p.place}"
        for p in pairs
        if p.place != p.file and not p.faults and not same_objects(p)
    ]
    faults += [f"{p.what}: {p.file} is refused: {p.faults[0]}" for p in pairs if p.place == p.file and p.faults]
    for what in dict.fromkeys(pair.what for pair in pairs):
        count = len({p.place for p in pairs if p.what == what})
        faults += [f"{what}: {count} platforms, {platforms} were wanted"] if count < platforms else []
    return faults


def main() -> int:
    """All pairs; 1 where one is not judged rightly."""
    started = time.monotonic()
    table = matrix.load(ROOT)
    wanted = len({t.triple for t in table.targets if t.recipe == "napi"})
    with tempfile.TemporaryDirectory(prefix="rva-cross-") as name:
        pairs = [*rows(table, Path(name)), *audited(table)]
    text = report(pairs, time.monotonic() - started)
    print(text)
    if len(sys.argv) > 1:
        Path(sys.argv[1]).write_text(text)
    faults = judged(pairs, wanted)
    print("\n".join(faults) or "all wrong files are refused, no right one is")
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main())
