"""Packages of dist/packages in clean rooms: installed, held against what was built, and run on the reference cases."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath

import msgspec
from msgspec import Struct

from rva import content, naming
from rva.errors import CheckFailed, Interrupted, RvaError
from rva.host import lacking as lacking_programs
from rva.model import Artifact, Host, Lane, Manifest, Matrix, PackageManifest, Packed, Smoke, Target
from rva.replay import Job, Runner, named
from rva.verified import Cell
from rva.verify import rooms, running

# What no file of a package equals: these texts are rewritten for their place.
_REWRITTEN = frozenset({"pkgconfig"})
# Of these recipes, only files of these kinds go into packages as they are.
_WHOLE: Mapping[str, tuple[str, ...]] = {"wasm": ("module",), "napi": ("addon",)}
# Programs of the system that installing takes, by the package's check.
_PROGRAMS: Mapping[str, tuple[str, ...]] = {
    "tar.gz": ("tar",), "tar.zst": ("tar", "zstd"), "deb": ("dpkg-deb",), "install.sh": ("sh",),
}  # fmt: skip
_NO_WAY: Mapping[str, str] = {
    "rpm": "there is no RPM here to install it with",
    "install.ps1": "there is no PowerShell here",
    "brew": "there is no Homebrew here",
    "scoop": "there is no Scoop here",
}
_ADDRESS_OR_SUM = re.compile(r"https://[^\s\"']+/([^\s\"'/]+\.(?:tar\.gz|tar\.zst|zip))|\b([0-9a-f]{64})\b")


class Hall(Struct, frozen=True):
    """What was built and packed, where it is had, and how it is run. ``direct``: the rows that this machine runs as they are."""

    manifest: Manifest
    packages: PackageManifest
    matrix: Matrix
    host: Host
    direct: frozenset[str]
    runner: Runner
    shop: rooms.Shop

    def row(self, packed: Packed) -> Target:
        """The row that a package stands with: its only one, this machine's of those it chooses from, or the one with lanes for it."""
        rows = [t for t in self.matrix.targets if t.id in packed.rows]
        if packed.kind == "installer" or self.chooses(packed):
            here = [t for t in rows if t.id in self.direct]
            # Static programs run everywhere, so installers take them first.
            rows = [*sorted(here, key=lambda t: t.libc != "musl"), *rows]
            return rows[0]
        meant = [t for t in rows if not running.alone(t, self.matrix) and self._lanes(t)]
        return (meant or rows[::-1])[0]

    def chooses(self, packed: Packed) -> bool:
        """Whether an npm package has nothing but other packages to choose from, one for each platform."""
        recipe = self.matrix.recipes.get("napi")
        plain = {t.recipe for t in self.matrix.targets if t.id in packed.rows} == {"napi"}
        return packed.kind == "npm" and plain and recipe is not None and packed.name == recipe.package

    def artifacts(self, packed: Packed) -> list[Artifact]:
        """The built files that have to be in a package as they were built."""
        one = packed.kind == "installer" or self.chooses(packed)
        wanted = {self.row(packed).id} if one else set(packed.rows)
        recipes = {t.id: t.recipe for t in self.matrix.targets}
        return [
            a
            for a in self.manifest.artifacts
            if a.id in wanted
            and (a.build == "stand-in") == (packed.build == "stand-in")
            and a.kind not in _REWRITTEN
            and a.kind in _WHOLE.get(recipes[a.id], (a.kind,))
            # The main package names the addons, and holds none.
            and not (a.kind == "addon" and len(packed.rows) > 1 and not one)
        ]

    def lanes(self, packed: Packed) -> list[Lane]:
        """How the installed package is run: as its row is; where a row gives many packages, all ways for the first alone."""
        target = self.row(packed)
        first = next(p for p in self.packages.packages if p.kind == packed.kind and target.id in p.rows)
        one_row = len(packed.rows) == 1 and packed.kind != "system" and packed == first
        return self._lanes(target) if one_row or not running.alone(target, self.matrix) else []

    def _lanes(self, target: Target) -> list[Lane]:
        return [lane for lane in self.matrix.lanes if running.serves(lane, target)]


def cells(hall: Hall, targets: Sequence[Target]) -> tuple[Cell, ...]:
    """One cell or more for each package of the selected rows."""
    chosen = {t.id for t in targets}
    wanted = [p for p in hall.packages.packages if p.kind != "sbom" and hall.row(p).id in chosen]
    with ThreadPoolExecutor(max_workers=hall.host.cpus) as pool:
        found = list(pool.map(lambda packed: list(_package(packed, hall)), wanted))
    return tuple(cell for some in found for cell in some)


def check_of(packed: Packed) -> str:
    """What the table calls the installing of a package."""
    name = PurePosixPath(packed.file).name
    if packed.kind in ("npm", "python", "crate"):
        return {"npm": "npm", "python": "pip", "crate": "cargo"}[packed.kind]
    if packed.kind == "installer":
        return name
    if packed.kind == "manager":
        return "brew" if name.endswith(".rb") else "scoop"
    return next((end for end in ("tar.gz", "tar.zst") if name.endswith(end)), name.rsplit(".", 1)[-1])


def _package(packed: Packed, hall: Hall) -> Iterator[Cell]:
    check, row = check_of(packed), hall.row(packed)
    path = hall.shop.packages / packed.file
    if not path.is_file() or content.sha256(path) != packed.sha256:
        reason = f"{packed.file} is {'not the file that was packed' if path.is_file() else 'missing'}"
        yield _said(packed, hall, "fail", reason)
    elif hall.shop.published and packed.build == "stand-in":
        yield _said(packed, hall, "not-run", "what stands in for a package is never published")
    elif packed.kind == "manager":
        yield _manager(packed, path, hall)
    elif missing := _NO_WAY.get(check) or lacking_programs(_PROGRAMS.get(check, ())):
        yield _said(packed, hall, "not-run", missing)
    elif hall.shop.published and row.recipe == "sdist":
        reason = "what builds it is in no index of this machine; `rva verify` builds and installs the same bytes"
        yield _said(packed, hall, "not-run", reason)
    elif not hall.shop.published and (row.recipe in ("sdist", "crate") or _own_wheel(row, hall)):
        yield _as_built(packed, hall)
    else:
        yield from _room(packed, hall)


def _own_wheel(row: Target, hall: Hall) -> bool:
    return row.recipe in ("wheel", "tool") and row.id in hall.direct


def _said(packed: Packed, hall: Hall, status: str, reason: str) -> Cell:
    stand_in = packed.build == "stand-in"
    return Cell(hall.row(packed).id, check_of(packed), status, stand_in=stand_in, reason=reason, package=packed.file)  # type: ignore[arg-type]


def _as_built(packed: Packed, hall: Hall) -> Cell:
    """What is packed as it was built is installed by its row's smoke test, which knows no other way."""
    row = hall.row(packed)
    artifacts = hall.artifacts(packed)
    if [a.sha256 for a in artifacts] != [packed.sha256]:
        return _said(packed, hall, "fail", f"{packed.file} is not the file that was built")
    if not hall.matrix.recipes[row.recipe].smoke:
        return _said(packed, hall, "not-run", "no smoke test is defined for this recipe, and nothing else installs it")
    folder = hall.runner.root / "dist" / naming.dist_folder(row.family, row.id, stand_in=False)
    job = Job(row.id, "", named(artifacts), folder, hall.matrix.recipes[row.recipe].smoke)
    return _cell(packed, job, hall.runner.replay(job), "run")


def _manager(packed: Packed, path: Path, hall: Hall) -> Cell:
    """What names archives names those that are there, each with its checksum; more cannot be seen without its manager."""
    found = [match.groups() for match in _ADDRESS_OR_SUM.finditer(path.read_text("utf-8", "replace"))]
    files, sums = [name for name, _ in found if name], [digest for _, digest in found if digest]
    known = {PurePosixPath(p.file).name: p.sha256 for p in hall.packages.packages if p.build == "release"}
    wrong = [name for name, digest in zip(files, sums, strict=False) if known.get(name) != digest]
    if wrong or not files or len(files) != len(sums):
        said = f"{', '.join(wrong) or 'its archives'}: an address without the package's checksum"
        return _said(packed, hall, "fail", said)
    said = f"{_NO_WAY[check_of(packed)]}; its {len(files)} addresses have the checksums of the packages"
    return _said(packed, hall, "not-run", said)


def _jobs(packed: Packed, hall: Hall) -> Iterator[tuple[Job, str] | Cell]:
    """Each way in which the installed package is run, with how; a cell where this machine lacks that way."""
    row, check = hall.row(packed), check_of(packed)
    direct = hall.matrix.recipes[row.recipe].smoke
    if direct and row.id in hall.direct and packed.build == "release":
        yield Job(row.id, check, _files(packed, hall), Path(), direct), "run"
    for lane in hall.lanes(packed):
        if reason := running.lacking(lane, hall.host):
            stand_in = packed.build == "stand-in"
            yield Cell(row.id, check, "not-run", stand_in=stand_in, reason=reason, package=packed.file, lane=lane.name)
        else:
            env = running.environment(lane, hall.runner)
            yield Job(row.id, f"{check}-{lane.name}", _files(packed, hall), Path(), lane.argv, env), lane.how


def _room(packed: Packed, hall: Hall) -> Iterator[Cell]:
    check = check_of(packed)
    found = list(_jobs(packed, hall))
    jobs = [job for job in found if isinstance(job, tuple)]
    yield from (cell for cell in found if isinstance(cell, Cell))
    installs = Job(hall.row(packed).id, f"{check}-installs", _files(packed, hall), Path(), ())
    wanted = jobs or [(installs, "installs")]
    if all(hall.runner.known(job) for job, _ in wanted):
        yield from (_cell(packed, job, hall.runner.replay(job), how) for job, how in wanted)
        return
    with tempfile.TemporaryDirectory(prefix="rva-room-") as name:
        try:
            folder = _install(packed, hall, Path(name))
            faults = list(_faults(packed, hall, Path(name)))
        except Interrupted:
            raise
        except (RvaError, OSError, ValueError, KeyError) as error:
            faults = [str(error)]
        if faults:
            yield _said(packed, hall, "fail", "; ".join(faults))
            return
        if not jobs:
            verdict = hall.runner.keep(installs, Smoke(installs.row, "pass", len(hall.artifacts(packed))))
            yield _cell(packed, installs, verdict, "installs")
        for job, how in jobs:
            placed = msgspec.structs.replace(job, folder=folder)
            yield _cell(packed, placed, hall.runner.replay(placed), how)


def _cell(packed: Packed, job: Job, verdict: Smoke, how: str) -> Cell:
    made = running.cell(verdict, check_of(packed), how, stand_in=packed.build == "stand-in")
    lane = job.lane.removeprefix(check_of(packed)).lstrip("-") if how != "installs" else ""
    evidence = "every file that was built is in it" if how == "installs" else made.evidence
    return msgspec.structs.replace(
        made, evidence=evidence if made.status == "pass" else "", package=packed.file, lane=lane
    )


def _files(packed: Packed, hall: Hall) -> tuple[tuple[str, str], ...]:
    """What a verdict holds for."""
    return tuple((p.file, p.sha256) for p in dict.fromkeys((packed, _main(packed, hall))))


def _main(packed: Packed, hall: Hall) -> Packed:
    """What a package is used through: the main npm package, for one that holds an addon; itself otherwise."""
    if hall.row(packed).recipe != "napi" or packed.kind != "npm":
        return packed
    name = hall.matrix.recipes["napi"].package
    return next((p for p in hall.packages.packages if p.kind == "npm" and p.name == name), packed)


def _npm(packed: Packed, hall: Hall, room: Path) -> Path:
    row, main = hall.row(packed), _main(packed, hall)
    if main == packed and row.recipe != "napi":
        return rooms.npm(packed, (), None, hall.shop, room)
    if main == packed and not hall.chooses(packed):
        raise CheckFailed(f"the main package, which asks for {packed.name}, was not packed")
    choice = [p for p in hall.packages.packages if p.kind == "npm" and hall.row(p).recipe == "napi" and p != main]
    folder = rooms.npm(main, choice, row, hall.shop, room)
    there = {p.name for p in choice if (room / "node_modules" / p.name).is_dir()}
    wanted = {p.name for p in choice if row.id in p.rows and p.build == packed.build}
    if not wanted:
        raise CheckFailed(f"the platform package for {row.triple}, which the main one asks for, was not packed")
    if there != wanted:
        found = ", ".join(sorted(there)) or "no platform package"
        raise CheckFailed(f"for this system npm installed {found}, not {', '.join(sorted(wanted))}")
    return folder


def _install(packed: Packed, hall: Hall, room: Path) -> Path:
    row = hall.row(packed)
    if packed.kind == "npm":
        return _npm(packed, hall, room)
    if packed.kind == "crate":
        return rooms.cargo(packed, hall.shop, room)
    if _own_wheel(row, hall):
        return rooms.venv(packed, hall.shop, room)
    if packed.kind == "python":
        return rooms.python(packed, row, hall.shop, room)
    if packed.kind == "installer":
        return rooms.script(packed, hall.shop, room)
    return rooms.unpack(packed, hall.shop, room)


def _faults(packed: Packed, hall: Hall, room: Path) -> Iterator[str]:
    """Each built file that is not in the room, byte for byte."""
    artifacts = hall.artifacts(packed)
    if packed.kind in ("python", "crate"):
        if [a.sha256 for a in artifacts] != [packed.sha256]:
            yield f"{packed.file} is not the file that was built"
        elif packed.sha256 not in set(_taken(packed, room)):
            yield f"what was installed is not {packed.file}"
        return
    there = {content.sha256(path) for path in room.rglob("*") if path.is_file()}
    if not artifacts:
        yield f"{packed.file}: none of its rows is in dist/"
    yield from (f"{a.path} is not in what {packed.file} installs" for a in artifacts if a.sha256 not in there)


def _taken(packed: Packed, room: Path) -> Iterator[str]:
    """The digests of the files that pip or cargo say they took."""
    if packed.kind == "crate":
        yield from (content.sha256(path) for path in room.glob("cargo-home/registry/cache/*/*.crate"))
        return
    told = json.loads((room / rooms.REPORT).read_text("utf-8"))
    yield from (item["download_info"]["archive_info"]["hashes"]["sha256"] for item in told["install"])
