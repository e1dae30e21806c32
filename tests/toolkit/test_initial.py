"""What `rva init` writes: a table that loads, bindings of the crate's name, nothing of this project."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest
from rva import initial, matrix, pipelines, versions
from rva.errors import UsageError
from rva.model import Matrix

TOP = '[workspace]\nmembers = ["crates/*"]\n\n[workspace.package]\nversion = "0.3.0"\nrepository = "https://x.example/text-hash"\n'
CRATE = '[package]\nname = "text-hash"\ndescription = "Hashes."\nversion.workspace = true\nrepository.workspace = true\nlicense = "MIT"\n'


def workspace(root: Path, top: str = TOP, crate: str = CRATE, folder: str = "crates/text-hash") -> Path:
    (root / folder / "src").mkdir(parents=True)
    (root / folder / "src" / "lib.rs").write_text("", "utf-8")
    (root / folder / "Cargo.toml").write_text(crate, "utf-8")
    (root / "LICENSE").write_text("MIT", "utf-8")
    if folder != ".":
        (root / "Cargo.toml").write_text(top, "utf-8")
    return root


def given(root: Path, *bindings: str) -> Matrix:
    """The table that init writes there, loaded as every command loads it."""
    library = initial.find(root, "")
    for name, text in initial.files(library, bindings).items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, "utf-8")
    text = initial.manifest((root / "Cargo.toml").read_text("utf-8"), bindings)
    (root / "Cargo.toml").write_text(text, "utf-8")
    (root / "Cargo.lock").write_text("", "utf-8")
    return matrix.load(root)


@pytest.mark.parametrize("bindings", [initial.BINDINGS, ("node",), ("wasm",), ("python", "c"), ("cli",)])
def test_the_table_loads_and_has_what_was_asked_for(tmp_path: Path, bindings: tuple[str, ...]) -> None:
    table = given(workspace(tmp_path), *bindings)
    recipes = {"node": {"napi"}, "wasm": {"wasm"}, "python": {"wheel", "sdist"}, "c": {"c-library"}, "cli": {"cli"}}
    assert set(table.recipes) == {"crate"}.union(*(recipes[b] for b in bindings))
    assert {t.recipe for t in table.targets} == set(table.recipes)
    assert (table.version, table.project.name, table.recipes["crate"].folder) == (
        "0.3.0",
        "text-hash",
        "crates/text-hash",
    )
    assert table.project.sources == ("Cargo.toml", "Cargo.lock", "LICENSE")
    for binding in bindings:
        document = tomllib.loads((tmp_path / "bindings" / binding / "Cargo.toml").read_text("utf-8"))
        assert document["package"]["name"] == f"text-hash-{binding}"
        assert (tmp_path / "bindings" / binding / document["dependencies"]["library"]["path"]).resolve().is_dir()
    assert set(tomllib.loads((tmp_path / "Cargo.toml").read_text("utf-8"))["profile"]) == {"wasm-release", "ci"}


def test_the_tools_are_those_of_this_project(tmp_path: Path, table: Matrix) -> None:
    """The tools come from lists that rva carries; a table that asks for others could build nothing."""
    assert given(workspace(tmp_path), "node").tools == table.tools
    lock = json.loads((tmp_path / "bindings/node/package-lock.json").read_text("utf-8"))
    assert lock["packages"]["node_modules/@napi-rs/cli"]["version"] == table.tools["napi"]
    assert "resolved" not in json.dumps(lock) and lock["name"] == "text-hash"


def test_nothing_of_this_project_is_in_it(tmp_path: Path) -> None:
    table = given(workspace(tmp_path), *initial.BINDINGS)
    words = "|".join(pipelines.texts(tmp_path, table).values())
    for path in (p for p in tmp_path.rglob("*") if p.is_file()):
        words += f"|{path.name}|" + path.read_text("utf-8")
    assert not re.findall(r"attention|ruvector|rvattn", words, re.IGNORECASE)
    assert "pip install" in words and "rva==" in words and "./rva" not in words


def test_a_crate_at_the_top_of_its_own_workspace(tmp_path: Path) -> None:
    own = '[package]\nname = "solo"\nversion = "1.0.0"\nrepository = "https://x.example/solo"\n'
    table = given(workspace(tmp_path, crate=own, folder="."), "python")
    assert table.version == "1.0.0" and table.recipes["wheel"].sources == ("src", "bindings/python")
    assert 'version = "1.0.0"' in (tmp_path / "bindings/python/Cargo.toml").read_text("utf-8")


@pytest.mark.parametrize(
    ("text", "members"),
    [
        ("[workspace]\nmembers = []\n", ["bindings/c"]),
        ('[workspace]\nresolver = "2"\nmembers = [\n  "a",\n  "b",\n]\n', ["bindings/c", "a", "b"]),
        ('[workspace]\nmembers = ["bindings/c"]\n', ["bindings/c"]),
        ("[workspace]\n\n[profile.ci]\nlto = true\n", ["bindings/c"]),
        ('[package]\nname = "x"\n', ["bindings/c"]),
        ('[workspace]\nexclude = ["x"]\nmembers = ["a"]\n', ["bindings/c", "a"]),
        ('# [workspace]\n[package]\nname = "x"\n\n[workspace] # here\nmembers = ["a"]\n', ["bindings/c", "a"]),
    ],
)
def test_bindings_become_members(text: str, members: list[str]) -> None:
    made = initial.manifest(text, ["c"])
    assert tomllib.loads(made)["workspace"]["members"] == members
    assert initial.manifest(made, ["c"]) == made, "a second time changes nothing"


@pytest.mark.parametrize(
    ("top", "crate", "said"),
    [
        (
            TOP.replace('version = "0.3.0"\n', ""),
            CRATE.replace("version.workspace = true", 'version = "1.0.0"'),
            "share",
        ),
        (TOP, CRATE.replace("repository.workspace = true\n", ""), "repository"),
        (TOP.replace("crates/*", "other/*"), CRATE, "found: none"),
        ("[workspace", CRATE, "cannot be read"),
    ],
)
def test_what_is_lacking_is_said(tmp_path: Path, top: str, crate: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        initial.find(workspace(tmp_path, top, crate), "")


def test_one_of_several_crates_is_named(tmp_path: Path) -> None:
    workspace(tmp_path)
    workspace_two = CRATE.replace("text-hash", "other")
    (tmp_path / "crates/other/src").mkdir(parents=True)
    (tmp_path / "crates/other/src/lib.rs").write_text("", "utf-8")
    (tmp_path / "crates/other/Cargo.toml").write_text(workspace_two, "utf-8")
    with pytest.raises(UsageError, match="one library crate was wanted"):
        initial.find(tmp_path, "")
    assert initial.find(tmp_path, "other").folder == "crates/other"
    with pytest.raises(UsageError, match="no library crate here"):
        initial.find(tmp_path, "third")


def agreeing(root: Path) -> Matrix:
    """A project as init leaves it, with the lock file that cargo would make."""
    table = given(root, *initial.BINDINGS)
    names = [p.below for p in table.release.places if p.file == "Cargo.lock"]
    (root / "Cargo.lock").write_text(
        "".join(f'[[package]]\n{n}\nversion = "{table.version}"\n\n' for n in names), "utf-8"
    )
    return table


@pytest.mark.parametrize("alone", [False, True])
def test_the_version_is_checked_and_set_in_every_place(tmp_path: Path, alone: bool) -> None:
    """Skew by hand in each line of each file that says the version is found, and a new one gets everywhere."""
    own = CRATE.replace("version.workspace = true", 'version = "0.3.0"').replace(
        ".workspace = true", ' = "https://x.example/y"'
    )
    table = agreeing(workspace(tmp_path, crate=own, folder=".") if alone else workspace(tmp_path))
    assert versions.check(tmp_path, table) == ()
    spoilt = 0
    for path in (p for p in tmp_path.rglob("*") if p.is_file() and p.name != "platforms.toml"):
        text = path.read_text("utf-8")
        for match in re.finditer(r"\b0\.3\.0\b", text):
            path.write_text(text[: match.start()] + "9.8.7" + text[match.end() :], "utf-8")
            if path.name != "package-lock.json" or versions.check(tmp_path, table):
                assert [s.found for s in versions.check(tmp_path, table)] == ["9.8.7"], (
                    path,
                    text[: match.end()][-80:],
                )
                spoilt += 1
        path.write_text(text, "utf-8")
    assert spoilt == sum(place.count for place in table.release.places)
    versions.write(tmp_path, table, "0.4.0")
    assert versions.check(tmp_path, matrix.load(tmp_path)) == () and matrix.load(tmp_path).version == "0.4.0"


def test_names_that_not_every_registry_takes(tmp_path: Path) -> None:
    table = given(workspace(tmp_path, crate=CRATE.replace("text-hash", "Text_Hash")), *initial.BINDINGS)
    assert table.recipes["crate"].package == "Text_Hash" and table.recipes["c-library"].binary == "Text_Hash"
    others = {r.package for name, r in table.recipes.items() if name != "crate"}
    assert others == {"text-hash", "text-hash-wasm", "text-hash-c", "text-hash-cli"}


def test_words_of_the_manifest_are_made_plain(tmp_path: Path) -> None:
    told = 'description = "Hashes for `no_std`,\\n{really}."\nauthors = ["A $B <a@b.example>"]\n'
    table = given(workspace(tmp_path, crate=CRATE.replace('description = "Hashes."\n', told)), "c")
    assert (table.project.description, table.project.maintainer) == ("Hashes for no_std, really", "A B <a@b.example>")


def test_what_was_begun_is_gone_on_with(tmp_path: Path) -> None:
    given(workspace(tmp_path), "c", "cli")
    made = initial.files(initial.find(tmp_path, ""), ("c", "cli"))
    assert made == {name: (tmp_path / name).read_text("utf-8") for name in made}


def test_a_crate_that_is_left_out_is_none(tmp_path: Path) -> None:
    workspace(tmp_path, TOP.replace('["crates/*"]', '["crates/*"]\nexclude = ["crates/old"]'))
    (tmp_path / "crates/old/src").mkdir(parents=True)
    (tmp_path / "crates/old/src/lib.rs").write_text("", "utf-8")
    (tmp_path / "crates/old/Cargo.toml").write_text(CRATE.replace("text-hash", "old"), "utf-8")
    assert initial.find(tmp_path, "").name == "text-hash"
