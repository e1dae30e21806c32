"""What is inside a package: read from cargo's tree, written as CycloneDX and SPDX."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from rva import matrix
from rva.errors import CheckFailed
from rva.model import Manifest, Package, Packed
from rva.packages import crates, sbom
from rva.packages.crates import Crate
from rva.packages.stock import Stock

from .conftest import Plan

TREE = """\
0tool v1.2.3 (/somewhere/with a space)|MIT OR Apache-2.0
1alpha v1.0.0|MIT/Apache-2.0
2beta v0.1.0|MIT
1beta v0.1.0|MIT
1derive v2.0.0 (proc-macro)|MIT
2syn v3.0.0|MIT
3quote v1.0.0|MIT
1gamma v1.0.0|(MIT OR Apache-2.0) AND Unicode-3.0
2alpha v1.0.0|MIT/Apache-2.0 (*)
"""
LOCK = """\
[[package]]
name = "tool"
version = "1.2.3"
[[package]]
name = "alpha"
version = "1.0.0"
checksum = "aa"
[[package]]
name = "beta"
version = "0.1.0"
checksum = "bb"
"""
EPOCH = 1_700_000_000


def test_a_tree_gives_each_crate_once_with_what_it_needs() -> None:
    found = {c.name: c for c in crates.parse(TREE, LOCK)}
    assert set(found) == {"tool", "alpha", "beta", "gamma"}, "macros and what they need are not linked in"
    assert found["tool"].needs == ("pkg:cargo/alpha@1.0.0", "pkg:cargo/beta@0.1.0", "pkg:cargo/gamma@1.0.0")
    assert found["gamma"].needs == ("pkg:cargo/alpha@1.0.0",)
    assert (found["alpha"].licence, found["alpha"].checksum) == ("MIT OR Apache-2.0", "aa")
    assert found["tool"].checksum == ""


@pytest.mark.parametrize("tree", ["0tool 1.2.3|MIT", "warning: unused", "0tool v1.2.3|None such"])
def test_what_is_not_understood_is_a_fault(tree: str) -> None:
    with pytest.raises(CheckFailed):
        crates.parse(tree, LOCK)


@pytest.fixture
def stock(stocked: Path) -> Stock:
    table = matrix.load(stocked)
    manifest = msgspec.json.decode((stocked / "dist" / "manifest.json").read_bytes(), type=Manifest)
    return Stock(stocked, table, manifest, frozenset(t.id for t in table.targets))


def documents(stock: Stock, planned: Plan) -> dict[str, dict[str, Any]]:
    made = planned()
    trees = {pair: crates.parse(TREE, LOCK) for pair in sbom.wanted(stock, made.packages)}
    packed = [Packed(p.file, p.kind, p.name, p.rows, p.build, 1, "f" * 64) for p in made.packages]
    items = list(sbom.plan(stock, made.packages, packed, trees, EPOCH))
    assert all(isinstance(i, Package) and i.kind == "sbom" for i in items)
    return {i.name: json.loads(i.parts[0].text) for i in items}


def test_every_package_with_compiled_code_has_both_lists(stock: Stock, planned: Plan) -> None:
    found = documents(stock, planned)
    names = {p.file.rsplit("/", 1)[1] for p in planned().packages if p.kind != "npm" or "-1.2.3" in p.file}
    # The one names others, the other is Python alone.
    names -= {"ruvector-attention-1.2.3.tgz", "rva-1.2.3-py3-none-any.whl"}
    assert {n.removesuffix(".cdx.json") for n in found if n.endswith(".cdx.json")} == names
    assert {n.removesuffix(".spdx.json") for n in found if n.endswith(".spdx.json")} == names


def test_a_cyclonedx_list_names_the_package_and_its_crates(stock: Stock, planned: Plan) -> None:
    found = documents(stock, planned)["ruvector-attention-1.2.3.crate.cdx.json"]
    assert found["metadata"]["component"]["hashes"] == [{"alg": "SHA-256", "content": "f" * 64}]
    assert found["metadata"]["timestamp"] == "2023-11-14T22:13:20Z"
    refs = {c["bom-ref"] for c in found["components"]} | {found["metadata"]["component"]["bom-ref"]}
    assert {d["ref"] for d in found["dependencies"]} == refs
    assert {r for d in found["dependencies"] for r in d["dependsOn"]} <= refs
    assert found["dependencies"][0]["dependsOn"] == ["pkg:cargo/tool@1.2.3"]


def test_an_spdx_list_gives_every_crate_its_licence(stock: Stock, planned: Plan) -> None:
    found = documents(stock, planned)["ruvector-attention-1.2.3.crate.spdx.json"]
    licences = {p["name"]: p["licenseDeclared"] for p in found["packages"]}
    assert licences["gamma"] == "(MIT OR Apache-2.0) AND Unicode-3.0"
    ids = {p["SPDXID"] for p in found["packages"]} | {"SPDXRef-DOCUMENT"}
    ends = {r[k] for r in found["relationships"] for k in ("spdxElementId", "relatedSpdxElement")}
    assert ends == ids


def test_two_packages_have_two_identifiers(stock: Stock, planned: Plan) -> None:
    found = documents(stock, planned)
    serials = [d["serialNumber"] for d in found.values() if "serialNumber" in d]
    assert len(serials) == len(set(serials)) > 1


def test_a_package_of_several_builds_lists_the_crates_of_all() -> None:
    one, two = Crate("a", "1", "MIT", "", ("pkg:cargo/b@1",)), Crate("a", "1", "MIT", "", ("pkg:cargo/c@1",))
    [both] = sbom.union([(one,), (two,)])
    assert both.needs == ("pkg:cargo/b@1", "pkg:cargo/c@1")
