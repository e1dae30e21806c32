"""dist/: the finished files of all current rows and, written last, their manifest."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import msgspec

from rva import content, files, naming
from rva.errors import DiskError
from rva.model import Artifact, Manifest, RowPlan, to_json
from rva.store import Store, StoredRow

MANIFEST = "manifest.json"
# Made from what lies beside it: gone as soon as that changes, and no business of the rows' manifest.
PACKAGES = "packages"
EXECUTABLE = frozenset({"executable", "addon", "shared"})

Seal = tuple[int, int, int]


class Dist:
    """Brings ROOT/dist to what the plan says and the store holds.

    ``index`` remembers size, time and inode of each file written here, with its digest, so that an unchanged
    dist/ is known without reading it again.
    """

    def __init__(self, root: Path) -> None:
        self._dist = root / "dist"
        self._index_path = root / ".rva" / "dist-index.json"
        self._index = self._read_index()

    def manifest(self) -> Manifest | None:
        """The manifest as it stands, or None."""
        try:
            return msgspec.json.decode((self._dist / MANIFEST).read_bytes(), type=Manifest)
        except (OSError, msgspec.DecodeError):
            return None

    def update(self, rows: Sequence[RowPlan], store: Store, version: str, commit: str) -> Manifest:
        """Place every finished row, remove what belongs to none, write the manifest. Returns the manifest."""
        finished = [(row, stored) for row in rows if row.key and (stored := store.find(row.key)) is not None]
        kept = {
            artifact: (store.folder(row.key), file.name)
            for row, stored in finished
            for artifact, file in zip(_artifacts(row, stored), stored.files, strict=True)
        }
        artifacts = tuple(kept)
        manifest = Manifest(version, commit, artifacts)
        stale = [a for a in artifacts if not self._intact(a)]
        extra = self._unlisted(artifacts)
        if not stale and not extra and self.manifest() == manifest:
            return manifest
        # From here until the new manifest is there, nothing claims to describe dist/.
        files.remove(self._dist / PACKAGES)
        files.remove(self._dist / MANIFEST)
        for path in extra:
            files.remove(path)
        for artifact in stale:
            self._place(artifact, *kept[artifact])
        self._remove_empty_folders()
        files.write(self._index_path, msgspec.json.encode({a.path: self._index[a.path] for a in artifacts}))
        files.write(self._dist / MANIFEST, to_json(manifest))
        return manifest

    def _place(self, artifact: Artifact, kept: Path, name: str) -> None:
        target = self._dist / artifact.path
        files.copy(kept / name, target, executable=artifact.kind in EXECUTABLE)
        if content.sha256(target) != artifact.sha256:
            files.remove(target)
            files.remove(kept)
            raise DiskError(f"{kept / name} was damaged after it was built", fix="run the same command again")
        self._index[artifact.path] = (_seal(target), artifact.sha256)

    def _intact(self, artifact: Artifact) -> bool:
        path = self._dist / artifact.path
        seal = _seal(path)
        if seal[0] != artifact.size:
            return False
        known = self._index.get(artifact.path)
        if known is None or known[0] != seal:
            known = self._index[artifact.path] = (seal, content.sha256(path))
        return known[1] == artifact.sha256

    def damaged(self, manifest: Manifest) -> list[str]:
        """The files of a manifest that are missing or not what it says."""
        return [a.path for a in manifest.artifacts if not self._intact(a)]

    def _unlisted(self, artifacts: Sequence[Artifact]) -> list[Path]:
        listed = {a.path for a in artifacts} | {MANIFEST}
        found = (Path(folder) / name for folder, _, names in os.walk(self._dist) for name in names)
        loose = [path for path in found if path.relative_to(self._dist).as_posix() not in listed]
        return [path for path in loose if path.relative_to(self._dist).parts[0] != PACKAGES]

    def _remove_empty_folders(self) -> None:
        for folder in sorted((p for p in self._dist.rglob("*") if p.is_dir()), reverse=True):
            if not any(folder.iterdir()):
                folder.rmdir()

    def _read_index(self) -> dict[str, tuple[Seal, str]]:
        try:
            return msgspec.json.decode(self._index_path.read_bytes(), type=dict[str, tuple[Seal, str]])
        except (OSError, msgspec.DecodeError):
            return {}


def _artifacts(row: RowPlan, stored: StoredRow) -> list[Artifact]:
    folder = naming.dist_folder(row.family, row.id, stand_in=row.build == "stand-in")
    return [
        Artifact(
            id=row.id,
            family=row.family,
            triple=row.triple,
            path=f"{folder}/{f.name}",
            size=f.size,
            sha256=f.sha256,
            kind=f.kind,
            build=row.build,
            tool=stored.tool,
            duration_s=round(stored.duration_s, 1),
        )
        for f in stored.files
    ]


def _seal(path: Path) -> Seal:
    try:
        status = path.stat()
    except OSError:
        return (-1, 0, 0)
    return (status.st_size, status.st_mtime_ns, status.st_ino)
