"""The version in every place that platforms.toml lists: read, compared, written. Its one source is Cargo.toml."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from rva import content, files
from rva.errors import CheckFailed, UsageError
from rva.inspect import tarball
from rva.model import Matrix, PackageManifest, Packed, Place

_NUMBER: Final = r"(?:0|[1-9][0-9]*)"
# What Cargo, npm and Python can all say.
VERSION: Final = rf"{_NUMBER}\.{_NUMBER}\.{_NUMBER}(?:-(?:alpha|beta|rc)\.{_NUMBER})?"
_ANY: Final = r"[0-9]+\.[0-9]+\.[0-9]+(?:-[0-9A-Za-z.-]+)?"
_HOLE: Final = "{version}"
# One file a change: what becomes of it is in pyproject.toml, under towncrier.
FRAGMENTS: Final = "changelog.d"
PARTS: Final = ("major", "minor", "patch")
STAGES: Final = ("alpha", "beta", "rc")


class Skew(Struct, frozen=True):
    """A place that does not say the version: where it is, what was found there."""

    where: str
    found: str


def check(root: Path, table: Matrix) -> tuple[Skew, ...]:
    """Every place that says another version, or is not to be found."""
    skews = [skew for place in table.release.places for skew in _check(root, place, table.version)]
    return (*skews, *_changelog(root, table), *_made(root, table.version))


def write(root: Path, table: Matrix, version: str) -> tuple[str, ...]:
    """Put a version into every place; returns the files that changed. Nothing is written where a place is not found."""
    if not re.fullmatch(VERSION, version):
        raise UsageError(f"{version!r} is not a version", fix="use one such as 1.2.3 or 1.2.3-rc.1 (alpha, beta, rc)")
    texts: dict[str, str] = {}
    for place in table.release.places:
        text = texts.get(place.file) or _read(root, place)
        pattern = _pattern(place)
        if len(pattern.findall(text)) != place.count:
            raise CheckFailed(_lost(place, len(pattern.findall(text))), fix="mend [release] of platforms.toml")
        texts[place.file] = pattern.sub(lambda m: m[1] + version + m[2], text)
    changed = [name for name, text in texts.items() if (root / name).read_text("utf-8") != text]
    for name in changed:
        files.write(root / name, texts[name])
    return tuple(changed)


def bumped(version: str, part: str) -> str:
    """The next version: a part is counted up, or a pre-release of the next patch is begun or counted up."""
    if part not in (*PARTS, *STAGES):
        raise UsageError(f"no part of a version is named {part!r}", fix=f"use one of {', '.join((*PARTS, *STAGES))}")
    release, _, before = version.partition("-")
    numbers = [int(n) for n in release.split(".")]
    if part in STAGES:
        stage, _, count = before.partition(".")
        if not before:
            numbers[2] += 1
        elif stage in STAGES and STAGES.index(part) < STAGES.index(stage):
            raise UsageError(f"{version} is past {part}", fix=f"use one of {', '.join(STAGES[STAGES.index(stage) :])}")
        number = int(count) + 1 if stage == part else 1
        return f"{'.'.join(map(str, numbers))}-{part}.{number}"
    place = PARTS.index(part)
    # A pre-release of just that step becomes its release.
    if not (before and not any(numbers[place + 1 :])):
        numbers = [*numbers[:place], numbers[place] + 1, *[0] * (2 - place)]
    return ".".join(map(str, numbers))


def section(text: str, version: str) -> str:
    """What a changelog says of one version: the lines below its heading, empty where it has none."""
    found = re.search(rf"^## {re.escape(version)}(?: [^\n]*)?\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    return found[1].strip() if found else ""


def _check(root: Path, place: Place, version: str) -> list[Skew]:
    try:
        text = _read(root, place)
    except CheckFailed as error:
        return [Skew(place.file, error.what)]
    found = list(_pattern(place).finditer(text))
    skews = [] if len(found) == place.count else [Skew(place.file, _lost(place, len(found)))]
    for match in found:
        said = match[0][len(match[1]) : len(match[0]) - len(match[2])]
        if said != version:
            skews.append(Skew(f"{place.file}:{text[: match.end(1)].count(chr(10)) + 1}", said))
    return skews


def _changelog(root: Path, table: Matrix) -> list[Skew]:
    """A version has its section, or fragments that will be one."""
    if table.release.changelog is None:
        return []
    path = root / table.release.changelog
    if path.is_file() and section(path.read_text("utf-8"), table.version):
        return []
    waiting = [p for p in (root / FRAGMENTS).glob("*.md") if p.name != "README.md"]
    return [] if waiting else [Skew(table.release.changelog, f"no section, and no fragment in {FRAGMENTS}/")]


def _made(root: Path, version: str) -> list[Skew]:
    """Packages of dist/, where there are any: each as it was made, npm's with one version throughout, the formula too."""
    folder = root / "dist" / "packages"
    try:
        manifest = msgspec.json.decode((folder / "manifest.json").read_bytes(), type=PackageManifest)
    except (OSError, msgspec.MsgspecError):
        return []
    if manifest.version != version:
        return [Skew("dist/packages/manifest.json", f"{manifest.version}; run `rva package` again")]
    return [skew for packed in manifest.packages for skew in _package(folder, packed, version)]


def _package(folder: Path, packed: Packed, version: str) -> list[Skew]:
    path, where = folder / packed.file, f"dist/packages/{packed.file}"
    if not path.is_file() or content.sha256(path) != packed.sha256:
        return [Skew(where, "changed after it was made")]
    if packed.kind == "npm":
        told = msgspec.json.decode(tarball.read(path.read_bytes()).files["package.json"])
        said = [told["version"], *told.get("optionalDependencies", {}).values()]
        return [Skew(f"{where}: package.json", other) for other in sorted({v for v in said if v != version})]
    if packed.kind == "manager" and version not in path.read_text("utf-8"):
        return [Skew(where, "another version")]
    return []


def _pattern(place: Place) -> re.Pattern[str]:
    before, _, after = place.text.partition(_HOLE)
    start = rf"^[ \t]*{re.escape(place.below)}[ \t]*\n[ \t]*" if place.below else ""
    return re.compile(f"({start}{re.escape(before)}){_ANY}({re.escape(after)})", re.MULTILINE)


def _lost(place: Place, found: int) -> str:
    line = f"{place.text!r}" + (f" below {place.below!r}" if place.below else "")
    return f"{line} is there {found} times, {place.count} wanted"


def _read(root: Path, place: Place) -> str:
    try:
        return (root / place.file).read_text("utf-8")
    except OSError as error:
        raise CheckFailed(f"{place.file} cannot be read: {error.strerror}", fix="restore it from git") from error
