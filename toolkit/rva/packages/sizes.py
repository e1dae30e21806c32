"""Sizes of packages: held against the budgets of platforms.toml, and against the last release."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from rva.errors import CheckFailed
from rva.model import PackageKind, PackageManifest, Packed
from rva.words import Bytes

# The manifest of the last release's packages, as `rva package` wrote it then; absent before the first release.
LAST = "docs/measured/last-release.json"


def last_release(root: Path) -> PackageManifest | None:
    """What the last release held."""
    path = root / LAST
    if not path.is_file():
        return None
    try:
        return msgspec.json.decode(path.read_bytes(), type=PackageManifest)
    except (OSError, msgspec.DecodeError) as error:
        raise CheckFailed(f"{LAST} is no manifest of packages: {error}", fix="restore it from git") from error


def compared(packed: Sequence[Packed], version: str, last: PackageManifest | None) -> tuple[Packed, ...]:
    """The same with the size that each package had in the last release, whatever its version."""
    if last is None:
        return tuple(packed)
    before = {p.file.replace(last.version, "*"): p.size for p in last.packages}
    return tuple(msgspec.structs.replace(p, last=before.get(p.file.replace(version, "*"), 0)) for p in packed)


def over(packed: Sequence[Packed], budget: dict[PackageKind, Bytes]) -> list[str]:
    """A sentence for each package that is larger than its kind may be; stand-ins are nobody's download."""
    return [
        f"{p.file}: {p.size} bytes; the budget for {p.kind} is {budget[p.kind]}"
        for p in packed
        if p.build == "release" and p.kind in budget and p.size > budget[p.kind]
    ]
