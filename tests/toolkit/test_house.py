"""The house's floors and doors, read from the imports: each part keeps to its one job."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import house
import pytest
from house import COMPOSERS, STAGES, part, parts_imported

Find = Callable[[str], list[str]]

PURE = {"recipes": {"model", "naming"}, "inspect": {"model", "naming"}}
# Longer files have two jobs.
MOST_LINES = 400

# Doors: what may be imported or called only in some files. Paths are below toolkit/rva.
DOORS: dict[str, tuple[str, set[str]]] = {
    "starts a process": (
        r"^(subprocess|multiprocessing|pty|asyncio\.subprocess|os\.(system|popen|exec\w*|spawn\w*|posix_spawn\w*|fork\w*|startfile))(\.|$)",
        {"shell.py"},
    ),
    "makes text from templates": (r"^jinja2(\.|$)", {"render.py"}),
    "opens an archive": (r"^(tarfile|zipfile|shutil\.(unpack_archive|make_archive))(\.|$)", {"archive.py", "inspect/"}),
    "reads a binary format": (r"^lief(\.|$)", {"inspect/"}),
    "reads the command line or exits": (r"^(typer|click|argparse|sys\.exit)(\.|$)", {"cli.py", "commands/", "options.py", "edge.py"}),
    "writes on standard output or error": (r"^(sys\.(stdout|stderr))(\.|$)", {"cli.py", "commands/", "console.py", "edge.py", "log.py"}),
    "speaks to the network": (r"^(httpx|requests|socket|ssl|urllib\.request|http\.client)(\.|$)", {"toolchains/", "release/", "registries/"}),
    "serves on this machine": (r"^(http\.server|socketserver)(\.|$)", {"loopback.py", "registries/"}),
    "runs data as code": (r"^(pickle|marshal|shelve|runpy)(\.|$)", set()),
}  # fmt: skip


@pytest.fixture(scope="module")
def sources(root: Path) -> dict[str, str]:
    """Every Python file of the tool, by its path below toolkit/rva."""
    return house.sources(root)


def used(source: str) -> Iterator[str]:
    """Every name that a file imports, and every dotted name it reads, such as os.system."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            yield f"{node.value.id}.{node.attr}"


def through_the_wall(sources: dict[str, str], pattern: str, doors: set[str]) -> list[str]:
    """Uses of a name outside the files that may."""
    return sorted(
        f"{path}: {name}"
        for path, source in sources.items()
        if not any(path == door or (door.endswith("/") and path.startswith(door)) for door in doors)
        for name in used(source)
        if re.search(pattern, name)
    )


@pytest.mark.parametrize("what", sorted(DOORS))
def test_doors(sources: dict[str, str], what: str) -> None:
    pattern, doors = DOORS[what]
    assert through_the_wall(sources, pattern, doors) == [], f"only {sorted(doors) or 'no file'} {what}"


@pytest.mark.parametrize(
    ("what", "source"),
    [
        ("starts a process", "import subprocess"),
        ("starts a process", "from subprocess import run"),
        ("starts a process", "import os\nos.system('x')"),
        ("starts a process", "from os import execv"),
        ("makes text from templates", "from jinja2 import Environment"),
        ("opens an archive", "import tarfile"),
        ("opens an archive", "import shutil\nshutil.unpack_archive('x')"),
        ("reads a binary format", "def f():\n    import lief"),
        ("reads the command line or exits", "import sys\nsys.exit(1)"),
        ("reads the command line or exits", "from sys import exit"),
        ("writes on standard output or error", "import sys\nsys.stderr.write('x')"),
        ("speaks to the network", "import urllib.request"),
        ("serves on this machine", "from http.server import HTTPServer"),
        ("runs data as code", "import pickle"),
    ],
)
def test_a_door_that_is_passed_by_is_seen(what: str, source: str) -> None:
    assert through_the_wall({"plan.py": source}, *DOORS[what])


def calls(source: str, names: set[str]) -> list[str]:
    """Calls of built-in functions by these names, and raised SystemExit."""
    found = []
    for node in ast.walk(ast.parse(source)):
        name = node.func if isinstance(node, ast.Call) else node.exc if isinstance(node, ast.Raise) else None
        if isinstance(name, ast.Call):
            name = name.func
        if isinstance(name, ast.Name) and name.id in names:
            found.append(name.id)
    return found


def test_only_the_edge_prints_or_exits(sources: dict[str, str]) -> None:
    names = {"print", "exit", "quit", "input", "SystemExit"}
    assert {p: f for p, s in sources.items() if p not in ("cli.py", "__main__.py") and (f := calls(s, names))} == {}
    assert set(calls("print(1)\nraise SystemExit(1)\nraise SystemExit", names)) == {"print", "SystemExit"}


def test_nothing_is_evaluated(sources: dict[str, str]) -> None:
    names = {"eval", "exec", "compile", "__import__"}
    assert {p: f for p, s in sources.items() if (f := calls(s, names))} == {}
    assert calls("eval('1')", names) == ["eval"]


def test_no_command_is_a_shell_string(sources: dict[str, str]) -> None:
    def shells(source: str) -> list[int]:
        return [
            node.lineno
            for node in ast.walk(ast.parse(source))
            if isinstance(node, ast.keyword) and node.arg == "shell" and not _is_false(node.value)
        ]

    assert {p: f for p, s in sources.items() if (f := shells(s))} == {}
    assert shells("f(x, shell=True)") == [1] and shells("f(x, shell=False)") == []


def _is_false(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is False


def crossings(sources: dict[str, str]) -> list[str]:
    """Imports from one stage to another, or from anywhere to those that compose the stages."""
    found = []
    for path, source in sources.items():
        here = part(path)
        barred = COMPOSERS | (STAGES if here not in COMPOSERS | {"generated"} else set())
        allowed = {here} | (COMPOSERS if here in COMPOSERS else set())
        found += [f"{path} imports {name}" for name in sorted(parts_imported(source) & barred - allowed)]
    return found


def test_stages_do_not_import_each_other(sources: dict[str, str]) -> None:
    assert crossings(sources) == []
    assert crossings({"plan.py": "from rva import run"}) == ["plan.py imports run"]
    assert crossings({"files.py": "import rva.cli"}) == ["files.py imports cli"]
    assert crossings({"recipes/cli.py": "from rva.workflow import x"}) == ["recipes/cli.py imports workflow"]
    assert crossings({"cli.py": "from rva import plan, run, workflow"}) == []


def test_parts_stand_on_floors_without_circles(sources: dict[str, str]) -> None:
    found = house.floors(sources)
    assert {name for floor in found for name in floor} == {part(path) for path in sources} - {"__init__"}
    assert "errors" in found[0] and found[-1] == ["__main__"]
    assert house.floors({"a.py": "from rva import b", "b.py": "import json"}) == [["b"], ["a"]]
    with pytest.raises(ValueError, match="a, b"):
        house.floors({"a.py": "from rva import b", "b.py": "import rva.a"})


def test_the_drawing_is_of_this_house(root: Path, sources: dict[str, str]) -> None:
    parts = {part(path) for path in sources}
    assert STAGES | COMPOSERS | {stage for _, stage in house.FLOW if stage} <= parts, "what is named is there"
    for name, text in house.drawings(root).items():
        kept = root / "docs" / "assets" / name
        assert kept.read_text("utf-8") == text, "run `python scripts/house.py`"
    assert "house-dark.svg" in (root / "docs" / "architecture.md").read_text("utf-8")


def test_the_page_on_the_house_names_every_part_and_no_other(root: Path, sources: dict[str, str]) -> None:
    lines = (root / "docs" / "architecture.md").read_text("utf-8").splitlines()
    named = re.findall(r"`([\w/]+(?:\.py|/))`", "\n".join(line for line in lines if line.startswith("| `")))
    assert [name for name in named if not (root / "toolkit" / "rva" / name).exists()] == []
    assert {part(name) for name in named} == {part(path) for path in sources} - {"__init__"}


@pytest.mark.parametrize("package", sorted(PURE))
def test_pure_packages_know_only_data(sources: dict[str, str], package: str) -> None:
    """Recipes give plans, inspectors read bytes: neither reaches for the tool's other parts."""
    for path, source in sources.items():
        if part(path) == package:
            assert parts_imported(source) <= PURE[package] | {package}, path


def test_the_ground_floor_knows_no_other(sources: dict[str, str]) -> None:
    for path in ("errors.py", "words.py", "naming.py", "log.py"):
        assert parts_imported(sources[path]) == set(), path
    assert parts_imported(sources["model.py"]) == {"words"}


def product_names(text: str) -> list[str]:
    return re.findall(r"attention|ruvector|rvattn|poincar|transformer", text, re.IGNORECASE)


def test_nothing_in_the_tool_names_the_product(root: Path) -> None:
    """Names, smoke commands and reference cases come from platforms.toml, so that rva can serve another crate."""
    files = [p for p in (root / "toolkit").rglob("*") if p.is_file() and "__pycache__" not in p.parts]
    assert len(files) > 20
    assert {p.name: found for p in files if (found := product_names(p.read_text("utf-8", "replace")))} == {}
    assert {p.name: found for p in files if (found := product_names(p.name))} == {}
    assert product_names("ruvector-attention RUVECTOR") == ["ruvector", "attention", "RUVECTOR"]


def test_templates_name_no_product(root: Path) -> None:
    for path in (root / "templates").rglob("*.j2"):
        assert product_names(path.read_text("utf-8")) == [], path


def test_every_module_and_public_function_says_what_it_is_for(sources: dict[str, str]) -> None:
    assert [line for path, source in sources.items() for line in undocumented(path, source)] == []
    assert undocumented("x.py", "def f(): pass\ndef _g(): pass\nclass C:\n  def m(self): pass") == [
        "x.py: the module",
        "x.py: f",
        "x.py: C",
        "x.py: C.m",
    ]


def undocumented(path: str, source: str) -> list[str]:
    tree = ast.parse(source)
    found = [] if ast.get_docstring(tree) else [f"{path}: the module"]
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    for node in tree.body:
        if isinstance(node, kinds) and not node.name.startswith("_"):
            found += [] if ast.get_docstring(node) else [f"{path}: {node.name}"]
            inner = node.body if isinstance(node, ast.ClassDef) else []
            found += [
                f"{path}: {node.name}.{m.name}"
                for m in inner
                if isinstance(m, kinds) and not m.name.startswith("_") and not ast.get_docstring(m)
            ]
    return found


def test_files_stay_short(sources: dict[str, str]) -> None:
    assert {p: n for p, s in sources.items() if (n := s.count("\n")) > MOST_LINES} == {}


def test_data_types_are_frozen(sources: dict[str, str]) -> None:
    def loose(source: str) -> list[str]:
        found = []
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.ClassDef) and any(isinstance(b, ast.Name) and b.id == "Struct" for b in node.bases):
                frozen = [k for k in node.keywords if k.arg == "frozen" and not _is_false(k.value)]
                found += [] if frozen else [node.name]
        return found

    assert {p: f for p, s in sources.items() if (f := loose(s))} == {}
    assert loose("class A(Struct): pass\nclass B(Struct, frozen=True): pass") == ["A"]


def test_the_top_of_the_house(root: Path) -> None:
    for name in (
        "pyproject.toml",
        "platforms.toml",
        "Cargo.toml",
        "LICENSE-MIT",
        "LICENSE-APACHE",
        "README.md",
        "rva",
        "rva.cmd",
    ):
        assert (root / name).is_file(), name
    for name in ("core", "bindings", "templates", "toolkit", "tests"):
        assert (root / name).is_dir(), name
    for folder in ("build", "toolkit/build", "bindings/build"):
        assert not (root / folder).exists()


def test_the_launchers_are_a_few_lines(root: Path) -> None:
    for name in ("rva", "scripts/build-all.sh", "scripts/build-wasm.sh"):
        lines = [x for x in (root / name).read_text("utf-8").splitlines() if x.strip() and not x.startswith("#")]
        assert len(lines) <= 40, name
    for name in ("scripts/build-all.sh", "scripts/build-wasm.sh"):
        text = (root / name).read_text("utf-8")
        assert re.search(r"^exec .*rva\S* build\b.*\"\$@\"", text, re.MULTILINE), name


def twins(paths: list[Path]) -> list[str]:
    """Module names that more than one file has."""
    counted = Counter(path.stem for path in paths if not path.stem.startswith(("test_", "conftest", "__")))
    return sorted(name for name, count in counted.items() if count > 1)


def test_scripts_that_import_each_other_differ_in_name(root: Path) -> None:
    """Scripts are imported from the search path: of two of one name, which is found depends on what ran before."""
    scripts = [path for folder in ("tests", "bench") for path in sorted((root / folder).rglob("*.py"))]
    assert len(scripts) > 50
    loose = [p for p in scripts if "node_modules" not in p.parts and not (p.parent / "__init__.py").exists()]
    assert twins(loose) == []
    assert twins([Path("a/cli.py"), Path("b/cli.py"), Path("a/test_c.py"), Path("b/test_c.py")]) == ["cli"]
