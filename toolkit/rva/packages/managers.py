"""What installs the archives of the program: a Homebrew formula, a Scoop manifest, scripts for sh and PowerShell.

They name the archives by address and checksum, so they are planned when the archives are there.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import PurePosixPath

from msgspec import Struct

from rva import naming
from rva.model import Gap, Package, PackageKind, Packed, Part
from rva.packages.stock import Stock


class Archive(Struct, frozen=True):
    """One archive of the program, as an installer needs it."""

    file: str
    folder: str
    url: str
    sha256: str


# What each manager calls a triple.
_BREW = {
    "macos": {"arm": "aarch64-apple-darwin", "intel": "x86_64-apple-darwin"},
    "linux": {"arm": "aarch64-unknown-linux-musl", "intel": "x86_64-unknown-linux-musl"},
}
_SCOOP = {"64bit": "x86_64-pc-windows-msvc", "arm64": "aarch64-pc-windows-msvc"}


def plan(stock: Stock, packed: Sequence[Packed]) -> Iterator[Package | Gap]:
    """Each of them over the archives that it names; one that would name an archive that was not made is lacking."""
    if not stock.targets("cli"):
        return
    wanted = {t.triple for t in stock.targets("cli")}
    posix = {t: a for t, a in _archives(stock, packed, "tar.gz").items() if t in wanted}
    windows = {t: a for t, a in _archives(stock, packed, "zip").items() if t in wanted}
    program = stock.matrix.recipes["cli"].binary
    brew = [triple for choices in _BREW.values() for triple in choices.values()]
    systems = {s: {cpu: posix[t] for cpu, t in c.items() if t in posix} for s, c in _BREW.items()}
    architectures = {name: windows[t] for name, t in _SCOOP.items() if t in windows}
    yield _text(stock, "manager", f"{program}.rb", "formula.rb.j2", {"systems": systems}, brew, posix)
    yield _text(
        stock, "manager", f"{program}.json", "scoop.json.j2", {"architectures": architectures}, _SCOOP.values(), windows
    )
    unix = [t.triple for t in stock.targets("cli") if t.os != "win32"]
    yield _text(stock, "installer", "install.sh", "install.sh.j2", {"archives": posix}, unix, posix)
    yield _text(stock, "installer", "install.ps1", "install.ps1.j2", {"archives": windows}, _SCOOP.values(), windows)


def _text(
    stock: Stock,
    kind: PackageKind,
    file: str,
    template: str,
    values: Mapping[str, object],
    triples: Collection[str],
    there: Mapping[str, Archive],
) -> Package | Gap:
    lacking = [triple for triple in triples if triple not in there]
    if lacking:
        return Gap(file, f"the archives that it names were not made here: {', '.join(lacking)}", "build their rows")
    rows = tuple(t.id for t in stock.targets("cli") if t.triple in triples)
    text = stock.rendered(f"managers/{template}", {**_facts(stock), **values})
    part = Part(file, text=text, executable=file.endswith(".sh"))
    return Package(f"{kind}/{file}", kind, file, rows, (part,), "copy")


def _archives(stock: Stock, packed: Sequence[Packed], ending: str) -> dict[str, Archive]:
    """Triple -> its published archive of one ending."""
    recipe, version = stock.matrix.recipes["cli"], stock.matrix.version
    found = {}
    for target in stock.matrix.targets:
        name = naming.archive(recipe.package, version, target.triple)
        for p in packed:
            file = PurePosixPath(p.file).name
            if p.kind == "cli" and p.build == "release" and file == f"{name}.{ending}":
                found[target.triple] = Archive(file, name, f"{_base(stock)}/{file}", p.sha256)
    return found


def _base(stock: Stock) -> str:
    return naming.download(stock.matrix.project.repository, stock.matrix.version)


def _facts(stock: Stock) -> dict[str, object]:
    project, recipe = stock.matrix.project, stock.matrix.recipes["cli"]
    return {
        "program": recipe.binary,
        "class_name": "".join(word.capitalize() for word in recipe.binary.split("-")),
        "version": stock.matrix.version,
        # Homebrew takes no more than 80 characters.
        "description": project.description.split(":")[0],
        "repository": project.repository,
        "licences": project.licence.split(" OR "),
        "base": _base(stock),
        "documents": bool(stock.documents),
    }
