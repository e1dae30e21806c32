"""Finished packages -> what is sent where, in which order, as data."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Final, Literal

from msgspec import Struct

from rva import naming
from rva.errors import CheckFailed
from rva.model import Destination, Matrix, PackageManifest, Packed

Step = Literal["platform", "main"]
_DESTINATIONS: Final[dict[str, Destination]] = {"npm": "npm", "python": "pypi", "crate": "cargo"}
# Platform packages first; what names or needs others, and what people see, last.
_ORDER: Final[tuple[tuple[Destination, Step], ...]] = (
    ("npm", "platform"), ("cargo", "main"), ("pypi", "platform"), ("pypi", "main"), ("npm", "main"), ("github", "main"),
)  # fmt: skip


class Upload(Struct, frozen=True):
    """One file for one registry. ``integrity`` is what the registry has to say of it once it is there."""

    registry: Destination
    step: Step
    name: str
    version: str
    file: str
    size: int
    sha256: str
    integrity: str

    @property
    def id(self) -> str:
        """The upload in one word, for journals and people."""
        return f"{self.registry}:{PurePosixPath(self.file).name}"


class ReleasePlan(Struct, frozen=True):
    """A whole release. ``repository`` is owner/name at GitHub; the uploads are in the order in which they are sent."""

    version: str
    commit: str
    tag: str
    repository: str
    notes: str
    uploads: tuple[Upload, ...]

    @property
    def is_prerelease(self) -> bool:
        """Whether it is for those who ask for it by name."""
        return "-" in self.version

    def only(self, registries: Sequence[Destination]) -> ReleasePlan:
        """The part of it that goes to these registries."""
        kept = tuple(u for u in self.uploads if u.registry in registries)
        return ReleasePlan(self.version, self.commit, self.tag, self.repository, self.notes, kept)


def make(made: PackageManifest, table: Matrix, folder: Path, notes: str = "") -> ReleasePlan:
    """The release of what lies in ``folder``, dist/packages; what holds a stand-in is never sent."""
    uploads = [_upload(packed, table, folder) for packed in made.packages if packed.build == "release"]
    # The sums, and what `rva sign` made of them and of each package, where it ran.
    beside = [*folder.glob("SHA256SUMS*"), *folder.glob("provenance/**/*.intoto.jsonl")]
    for path in sorted(beside):
        data = path.read_bytes()
        file, digest = path.relative_to(folder).as_posix(), hashlib.sha256(data).hexdigest()
        packed = Packed(file, "sbom", path.name, (), "release", len(data), digest)
        uploads.append(_upload(packed, table, folder))
    doubles = {u.id for u in uploads if sum(v.id == u.id for v in uploads) > 1}
    if doubles:
        raise CheckFailed(f"two files of a release would have one name: {', '.join(sorted(doubles))}")
    ordered = sorted(uploads, key=lambda u: _ORDER.index((u.registry, u.step)))
    repository = "/".join(table.project.repository.rstrip("/").split("/")[-2:])
    return ReleasePlan(made.version, made.commit, f"v{made.version}", repository, notes, tuple(ordered))


def _upload(packed: Packed, table: Matrix, folder: Path) -> Upload:
    registry = _DESTINATIONS.get(packed.kind, "github")
    integrity = packed.sha256
    if registry == "npm":
        integrity = sri((folder / packed.file).read_bytes())
    step = _step(packed, registry, table)
    return Upload(registry, step, packed.name, table.version, packed.file, packed.size, packed.sha256, integrity)


def sri(data: bytes) -> str:
    """The digest of a tarball as npm writes it."""
    return "sha512-" + base64.b64encode(hashlib.sha512(data).digest()).decode()


def _step(packed: Packed, registry: Destination, table: Matrix) -> Step:
    if registry == "npm":
        napi = table.recipes.get("napi")
        platforms = (
            {naming.npm_package(napi.package, t.triple) for t in table.targets if t.recipe == "napi"} if napi else ()
        )
        return "platform" if packed.name in platforms else "main"
    return "platform" if registry == "pypi" and packed.file.endswith(".whl") else "main"
