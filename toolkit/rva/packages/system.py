"""Packages of Linux distributions, by nfpm: the program with its manual page and completions where they look for them."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import PurePosixPath

from rva import naming
from rva.model import Gap, Pack, Package, Part
from rva.packages import cli
from rva.packages.stock import Finished, Stock, finished

CONFIG = "nfpm.yaml"
_ZSH = {"deb": "usr/share/zsh/vendor-completions", "rpm": "usr/share/zsh/site-functions"}
_FORMATS: tuple[Pack, ...] = ("deb", "rpm")


def plan(stock: Stock) -> Iterator[Package]:
    """One package a format for each glibc build; what is lacking is said of its archives already."""
    for row in finished(stock, "cli", lambda target: target.id):
        if isinstance(row, Gap) or row.target.libc != "glibc" or row.build != "release":
            continue
        for form in _FORMATS:
            yield _package(stock, row, form)


def _package(stock: Stock, row: Finished, form: Pack) -> Package:
    recipe, version = stock.matrix.recipes["cli"], stock.matrix.version
    name = recipe.binary
    spell = naming.deb if form == "deb" else naming.rpm
    parts = tuple(_installed(stock, row, name, form))
    values = {
        "name": name,
        "version": version,
        "architecture": naming.deb_architecture(row.triple) if form == "deb" else naming.rpm_architecture(row.triple),
        "description": stock.matrix.project.description,
        "repository": stock.matrix.project.repository,
        "licence": stock.matrix.project.licence,
        "maintainer": stock.matrix.project.maintainer,
        "floor": row.target.floor,
        "form": form,
        "parts": parts,
    }
    config = Part(CONFIG, text=stock.rendered("archives/nfpm.yaml.j2", values))
    return Package(
        f"system/{spell(name, version, row.triple)}", "system", name, (row.target.id,), (config, *parts), form
    )


def _installed(stock: Stock, row: Finished, name: str, form: Pack) -> Iterator[Part]:
    """The files by the place where they are installed, without the leading slash."""
    program = cli.program(row)
    yield Part(f"usr/bin/{program.path}", source=program.source, executable=True)
    doc = f"usr/share/doc/{name}"
    yield Part(f"{doc}/copyright", text=stock.rendered("archives/copyright.j2", {"project": stock.matrix.project}))
    for licence in stock.licences():
        yield Part(f"{doc}/{licence.path}", source=licence.source)
    for part in stock.documents:
        place = _place(PurePosixPath(part.path), name, form)
        if place.endswith(".gz"):
            yield Part(place, data=gzip.compress(part.text.encode(), compresslevel=9, mtime=0))
        elif place:
            yield Part(place, text=part.text)


def _place(path: PurePosixPath, name: str, form: Pack) -> str:
    if path.parts[0] == "man":
        return f"usr/share/man/man{path.suffix[1:]}/{path.name}.gz"
    if path.suffix == ".bash":
        return f"usr/share/bash-completion/completions/{name}"
    if path.suffix == ".fish":
        return f"usr/share/fish/vendor_completions.d/{name}.fish"
    return f"{_ZSH[form]}/_{name}" if path.name.startswith("_") and not path.suffix else ""
