"""What several machines built -> one dist/. Nothing is taken on another machine's word: every file is read again."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import msgspec

from rva import content, dist, files, naming, shell
from rva.errors import CheckFailed, UsageError
from rva.model import Artifact, Manifest, Matrix, to_json


def merge(root: Path, table: Matrix, folders: Sequence[Path]) -> Manifest:
    """Replace dist/ by the rows of FOLDERS, each the dist/ of another machine; CheckFailed where they disagree."""
    found = [(folder, _manifest(folder)) for folder in folders]
    head = found[0][1]
    for folder, manifest in found:
        if (manifest.version, manifest.commit) != (table.version, head.commit):
            raise CheckFailed(
                f"{folder} was built from version {manifest.version}, commit {manifest.commit or 'unknown'}; "
                f"wanted: version {table.version}, commit {head.commit or 'unknown'}",
                fix="build all parts from one commit",
            )
    chosen: dict[str, tuple[Artifact, Path]] = {}
    for folder, manifest in found:
        for artifact in manifest.artifacts:
            _add(chosen, artifact, folder, table)
    released = {a.id for a, _ in chosen.values() if a.build != "stand-in"}
    order = {t.id: i for i, t in enumerate(table.targets)}
    kept = [(a, f) for a, f in chosen.values() if a.build != "stand-in" or a.id not in released]
    kept.sort(key=lambda pair: order[pair[0].id])
    merged = Manifest(table.version, head.commit, tuple(a for a, _ in kept))
    _place(root, merged, [folder for _, folder in kept])
    return merged


def _manifest(folder: Path) -> Manifest:
    try:
        return msgspec.json.decode((folder / dist.MANIFEST).read_bytes(), type=Manifest)
    except (OSError, msgspec.DecodeError) as error:
        raise UsageError(
            f"{folder} is no finished dist/: {error}", fix="name folders that hold a manifest.json of `rva build`"
        ) from error


def _add(chosen: dict[str, tuple[Artifact, Path]], artifact: Artifact, folder: Path, table: Matrix) -> None:
    row = next((t for t in table.targets if t.id == artifact.id), None)
    if row is None:
        raise CheckFailed(f"{folder} holds the row {artifact.id!r}, which platforms.toml does not have")
    home = naming.dist_folder(row.family, row.id, stand_in=artifact.build == "stand-in")
    # A manifest names files below its row's folder, and none elsewhere.
    if not artifact.path.startswith(f"{home}/") or ".." in Path(artifact.path).parts or "\\" in artifact.path:
        raise CheckFailed(f"{folder}: {artifact.path!r} is no file of {home}")
    if not (folder / artifact.path).is_file() or content.sha256(folder / artifact.path) != artifact.sha256:
        raise CheckFailed(f"{folder / artifact.path} is missing or not the file that was built")
    other = chosen.setdefault(artifact.path, (artifact, folder))
    if other[0].sha256 != artifact.sha256:
        raise CheckFailed(
            f"{artifact.path} differs between {other[1]} and {folder}", fix="build each row on one machine"
        )


def _place(root: Path, merged: Manifest, folders: Sequence[Path]) -> None:
    stage = files.make_folder(root / ".rva" / "stage" / f"{os.getpid()}-merge")
    try:
        for artifact, folder in zip(merged.artifacts, folders, strict=True):
            # What carried the files here may have lost which of them are programs.
            executable = artifact.kind in dist.EXECUTABLE
            files.copy(folder / artifact.path, stage / "dist" / artifact.path, executable=executable)
        files.write(stage / "dist" / dist.MANIFEST, to_json(merged))
        files.remove(root / "dist")
        files.move_folder(stage / "dist", root / "dist")
    except OSError as error:
        raise shell.from_os_error(error, "merging") from error
    finally:
        files.remove(stage)
