"""A plan of packages -> dist/packages: made in a temporary place, then renamed, so that it is whole or absent."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from rva import archive, content, files, shell
from rva.errors import CheckFailed, UsageError
from rva.log import Log
from rva.model import Gap, Pack, Package, PackageKind, PackageManifest, Packed, to_json
from rva.packages import nfpm_pack, npm_pack, sizes, zstd_pack
from rva.packages.parts import content as content_of
from rva.packages.plan import PackagePlan
from rva.words import Bytes

FOLDER = "packages"
MANIFEST = "manifest.json"
SUMS = "SHA256SUMS"

ARCHIVES: Final[dict[Pack, Callable[[list[archive.Member], str, int], bytes]]] = {
    "tar.gz": archive.tar_gz,
    "zip": archive.zip_,
}
# What is planned only when the packages it speaks of are there.
Later = Callable[[Sequence[Packed]], Sequence[Package | Gap]]


class Bench(Struct, frozen=True):
    """Where packing is done: the checkout, the environment of its tools, the time that archives carry.

    ``budget`` and ``last`` are what sizes are held against.
    """

    root: Path
    env: Mapping[str, str]
    epoch: int
    log: Log
    budget: dict[PackageKind, Bytes] = {}
    last: PackageManifest | None = None


def write(plan: PackagePlan, later: Later, bench: Bench) -> PackageManifest:
    """Make every package of a plan, then those that speak of them, and replace what dist/packages held before."""
    stage = files.make_folder(bench.root / ".rva" / "stage" / f"{os.getpid()}-packages")
    out = stage / "out"
    try:
        packed = _make(plan.packages, bench, stage, out)
        more = later(packed)
        packed += _make([item for item in more if isinstance(item, Package)], bench, stage, out)
        _refuse_large(packed, bench)
        packed = sizes.compared(packed, plan.version, bench.last)
        gaps = (*plan.gaps, *(item for item in more if isinstance(item, Gap)))
        manifest = PackageManifest(plan.version, plan.commit, packed, gaps, plan.rows)
        files.write(out / SUMS, sums(packed))
        files.write(out / MANIFEST, to_json(manifest))
        place = bench.root / "dist" / FOLDER
        files.remove(place)
        files.move_folder(out, place)
    except OSError as error:
        raise shell.from_os_error(error, "packing") from error
    finally:
        files.remove(stage)
    return manifest


def finished(root: Path) -> PackageManifest:
    """The manifest of dist/packages as it stands."""
    try:
        return msgspec.json.decode((root / "dist" / FOLDER / MANIFEST).read_bytes(), type=PackageManifest)
    except (OSError, msgspec.DecodeError) as error:
        raise UsageError("dist/packages holds no finished packages", fix="run `rva package` first") from error


def sums(packed: Sequence[Packed]) -> str:
    """SHA256SUMS as `sha256sum --check` reads it: what is published, and nothing that stands in for it."""
    return "".join(f"{p.sha256}  {p.file}\n" for p in packed if p.build == "release")


def _refuse_large(packed: Sequence[Packed], bench: Bench) -> None:
    large = sizes.over(packed, bench.budget)
    if large:
        raise CheckFailed(
            "packages are larger than they may be\n  " + "\n  ".join(large),
            fix="find what grew, or raise the budget under [packages] of platforms.toml",
        )


def _make(packages: Sequence[Package], bench: Bench, stage: Path, out: Path) -> tuple[Packed, ...]:
    doubles = {p.file for p in packages if sum(p.file == q.file for q in packages) > 1}
    if doubles:
        raise CheckFailed(f"two packages would have one name: {', '.join(sorted(doubles))}")
    npm_pack.pack([p for p in packages if p.pack == "npm"], bench.root, stage, out, bench.env, bench.log)
    # Compressors work outside Python's lock.
    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        list(pool.map(lambda package: _one(package, bench, stage, out), [p for p in packages if p.pack != "npm"]))
    return tuple(_packed(package, out) for package in packages)


def _one(package: Package, bench: Bench, stage: Path, out: Path) -> None:
    place = out / package.file
    if package.pack in ARCHIVES:
        files.write(place, ARCHIVES[package.pack](_members(package, bench), package.folder, bench.epoch))
    elif package.pack == "tar.zst":
        tar = archive.tar(_members(package, bench), package.folder, bench.epoch)
        zstd_pack.pack(tar, stage / "tar" / place.name, place, bench.env)
    elif package.pack == "copy":
        [part] = package.parts
        files.write(place, content_of(part, bench.root))
    else:
        folder = stage / "system" / place.name
        nfpm_pack.pack(package, bench.root, folder, place, bench.env, bench.epoch, bench.log)
    place.chmod(0o755 if package.pack == "copy" and package.parts[0].executable else 0o644)


def _members(package: Package, bench: Bench) -> list[archive.Member]:
    return [archive.Member(p.path, content_of(p, bench.root), p.executable) for p in package.parts]


def _packed(package: Package, out: Path) -> Packed:
    path = out / package.file
    return Packed(
        package.file,
        package.kind,
        package.name,
        package.rows,
        package.build,
        path.stat().st_size,
        content.sha256(path),
    )
