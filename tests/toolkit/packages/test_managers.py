"""Formula, manifest and installers name the archives of the release by address and checksum, or are not made."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from rva import matrix, naming
from rva.model import Gap, Manifest, Packed
from rva.packages import managers
from rva.packages.stock import Stock

from .conftest import DOCUMENTS


@pytest.fixture
def stock(stocked: Path) -> Stock:
    table = matrix.load(stocked)
    return Stock(stocked, table, Manifest("1.2.3", "c", ()), frozenset(t.id for t in table.targets), DOCUMENTS)


def packed(stock: Stock) -> list[Packed]:
    """Every archive of the program, each with a checksum of its own."""
    found = []
    for i, target in enumerate(t for t in stock.matrix.targets if t.recipe == "cli"):
        for ending in naming.endings(target.triple):
            file = f"cli/{naming.archive(stock.matrix.recipes['cli'].package, '1.2.3', target.triple)}.{ending}"
            found.append(Packed(file, "cli", "x", (target.id,), "release", 1, f"{i:02d}{ending}"))
    return found


def texts(stock: Stock, given: list[Packed]) -> tuple[dict[str, str], list[str]]:
    items = list(managers.plan(stock, given))
    made = {i.name: i.parts[0].text for i in items if not isinstance(i, Gap)}
    return made, [i.package for i in items if isinstance(i, Gap)]


def test_all_four_where_all_archives_are_there(stock: Stock) -> None:
    made, lacking = texts(stock, packed(stock))
    assert set(made) == {"ruvector-attention.rb", "ruvector-attention.json", "install.sh", "install.ps1"}
    assert lacking == []


def test_each_names_every_archive_and_its_checksum(stock: Stock) -> None:
    given = packed(stock)
    made, _ = texts(stock, given)
    sums = {p.file.split("/")[1]: p.sha256 for p in given}
    for name, ending in {"install.sh": ".tar.gz", "install.ps1": ".zip", "ruvector-attention.json": ".zip"}.items():
        for file, checksum in sums.items():
            assert (file in made[name] and checksum in made[name]) == file.endswith(ending), (name, file)
    formula = made["ruvector-attention.rb"]
    assert formula.count("sha256 ") == 4 and "class RuvectorAttention < Formula" in formula
    assert f'url "{naming.download(stock.matrix.project.repository, "1.2.3")}/' in formula


def test_the_manifest_for_scoop_is_json(stock: Stock) -> None:
    made, _ = texts(stock, packed(stock))
    found = json.loads(made["ruvector-attention.json"])
    assert set(found["architecture"]) == {"64bit", "arm64"}
    assert "1.2.3" not in json.dumps(found["autoupdate"])


def test_one_that_would_name_a_missing_archive_is_not_made(stock: Stock) -> None:
    given = [p for p in packed(stock) if "apple" not in p.file]
    made, lacking = texts(stock, given)
    assert set(lacking) == {"ruvector-attention.rb", "install.sh"} and "install.ps1" in made


def test_a_stand_in_is_not_named(stock: Stock) -> None:
    given = [msgspec.structs.replace(p, build="stand-in") if "windows" in p.file else p for p in packed(stock)]
    made, lacking = texts(stock, given)
    assert set(lacking) == {"ruvector-attention.json", "install.ps1"} and "install.sh" in made
