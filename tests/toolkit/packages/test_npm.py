"""The npm packages of the addon as data: one a platform, the main one, and what is said of those that are lacking."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from rva import resources
from rva.errors import CheckFailed
from rva.model import Manifest, Matrix, Package
from rva.packages.plan import PackagePlan

from .conftest import Plan, document

MAIN = "ruvector-attention"


def npm(made: PackagePlan) -> dict[str, Package]:
    return {p.name: p for p in made.packages if p.kind == "npm" and p.name != f"{MAIN}-wasm"}


def test_one_package_a_platform_and_the_main_one(planned: Plan, table: Matrix) -> None:
    made = npm(planned())
    assert len(made) == 1 + len([t for t in table.targets if t.recipe == "napi"])
    assert made[MAIN].file == "npm/ruvector-attention-1.2.3.tgz"
    assert made[f"{MAIN}-linux-x64-gnu"].rows == ("napi-x86_64-unknown-linux-gnu",)


@pytest.mark.parametrize(
    ("name", "os", "cpu", "libc"),
    [
        ("linux-x64-gnu", "linux", "x64", "glibc"),
        ("linux-arm64-musl", "linux", "arm64", "musl"),
        ("linux-arm-gnueabihf", "linux", "arm", "glibc"),
        ("darwin-arm64", "darwin", "arm64", None),
        ("win32-arm64-msvc", "win32", "arm64", None),
    ],
)
def test_a_platform_package_says_where_it_fits(planned: Plan, name: str, os: str, cpu: str, libc: str | None) -> None:
    found = document(planned(), f"{MAIN}-{name}")
    assert (found["os"], found["cpu"], found.get("libc")) == ([os], [cpu], [libc] if libc else None)
    assert found["version"] == "1.2.3" and found["engines"] == {"node": ">=18"}


def test_every_package_holds_both_licences_a_readme_and_what_it_names(planned: Plan) -> None:
    made = planned()
    for name, package in npm(made).items():
        held = {part.path for part in package.parts}
        assert {"LICENSE-MIT", "LICENSE-APACHE", "README.md", "package.json"} <= held, name
        assert document(made, name)["main"] in held, name


def test_the_main_package_asks_for_exactly_these_versions(planned: Plan) -> None:
    made = planned()
    optional = document(made, MAIN)["optionalDependencies"]
    assert optional == dict.fromkeys([n for n in npm(made) if n != MAIN], "1.2.3")


def test_the_loader_names_every_platform_package(planned: Plan) -> None:
    made = npm(planned())
    [loader] = [part.text for part in made[MAIN].parts if part.path == "native.js"]
    for name in made.keys() - {MAIN}:
        assert f'require("{name}")' in loader
    assert "child_process" not in loader


def test_conditions_keep_their_order(planned: Plan, stocked: Path) -> None:
    """The first that fits is taken, so `default` before `types` would hide the declarations."""
    own = json.loads((stocked / "bindings" / "node" / "package.json").read_text("utf-8"))
    assert json.dumps(document(planned(), MAIN)["exports"]) == json.dumps(own["exports"])
    assert list(own["exports"]["."]["import"]) == ["types", "default"]


def test_nothing_of_the_workshop_goes_out(planned: Plan) -> None:
    found = document(planned(), MAIN)
    assert not {"scripts", "devDependencies", "napi", "overrides"} & found.keys()


def test_a_stand_in_is_kept_apart_and_no_registry_takes_it(planned: Plan) -> None:
    made = planned()
    package = npm(made)[f"{MAIN}-win32-x64-msvc"]
    assert package.build == "stand-in" and package.file.startswith("stand-in/")
    found = document(made, package.name)
    assert found["private"] is True and found["standIn"] == "x86_64-pc-windows-gnullvm"
    assert any(g.package == package.name and "stand-in" in g.reason for g in made.gaps)
    assert "private" not in document(made, f"{MAIN}-linux-x64-gnu")


def test_a_row_that_was_not_built_is_told(planned: Plan) -> None:
    row = "napi-aarch64-apple-darwin"
    made = planned(keep=lambda a: a.id != row)
    assert f"{MAIN}-darwin-arm64" not in npm(made) and MAIN in npm(made)
    assert [g.fix for g in made.gaps if row in g.reason] == [f"rva build --target {row}"]
    assert any(g.package == MAIN and f"{MAIN}-darwin-arm64" in g.reason for g in made.gaps)


def test_no_main_package_without_a_file_that_it_lists(planned: Plan) -> None:
    made = planned(keep=lambda a: not a.path.endswith("index.d.mts"))
    assert MAIN not in npm(made)
    assert any(g.package == MAIN and "index.d.mts" in g.reason for g in made.gaps)


def test_a_selection_makes_what_it_names(planned: Plan) -> None:
    assert npm(planned(targets=lambda row: row.startswith("cli"))) == {}


def test_rows_that_disagree_are_refused(planned: Plan, stocked: Path) -> None:
    path = stocked / "dist" / "manifest.json"
    manifest = msgspec.json.decode(path.read_bytes(), type=Manifest)
    wrong = [
        msgspec.structs.replace(a, sha256="0" * 64) if a.path.endswith("darwin/native.d.ts") else a
        for a in manifest.artifacts
    ]
    path.write_bytes(msgspec.json.encode(msgspec.structs.replace(manifest, artifacts=tuple(wrong))))
    with pytest.raises(CheckFailed, match=r"native\.d\.ts of napi-.*darwin is not that of"):
        planned()


def test_a_template_that_gives_no_json_is_refused(
    planned: Plan, stocked: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resources, "templates", lambda: stocked / "templates")
    (stocked / "templates" / "npm" / "platform.json.j2").write_text('{ "name": {{ name }} }')
    with pytest.raises(CheckFailed, match="does not give JSON"):
        planned()


def test_plans_print_as_json(planned: Plan) -> None:
    assert json.loads(msgspec.json.encode(planned()))["version"] == "1.2.3"


def test_the_conditions_of_the_exports_keep_their_order(planned: Plan, root: Path) -> None:
    """Whoever reads `exports` takes the first condition that holds, so the order is part of what is said."""
    own = json.loads((root / "bindings" / "node" / "package.json").read_text("utf-8"))["exports"]
    assert json.dumps(document(planned(), MAIN)["exports"]) == json.dumps(own)
    assert list(own["."]["import"]) == ["types", "default"]
