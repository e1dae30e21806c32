"""Plans are data: what would run for every row, compared with a golden file; keys; unavailable rows and stand-ins."""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path

import pytest
from rva import content, matrix, plan
from rva.model import Host, Matrix, Plan, RowPlan, to_json
from rva.recipes.registry import RECIPES
from rva.store import Store, StoredRow

HOST = Host("x86_64-unknown-linux-gnu", "linux", "x64", "glibc", 2)
MAC = Host("aarch64-apple-darwin", "darwin", "arm64", "none", 8)
WINDOWS = Host("x86_64-pc-windows-msvc", "win32", "x64", "msvc", 4)
NO_MSVC = {"msvc": plan.Absence("no Windows SDK", "use a Windows machine")}


class Everything(dict[str, str]):
    """A tool box in which every tool is there."""

    def __contains__(self, name: object) -> bool:
        return True

    def __missing__(self, name: str) -> str:
        return f"print of {name}"


def make(
    root: Path, table: Matrix, host: Host = HOST, tools: plan.Tools | None = None, profile: str = "release"
) -> Plan:
    tools = tools or plan.Tools(Everything(), NO_MSVC)
    store = Store(root / ".store")
    return plan.make(table, table.targets, host, tools, store, content.Digests(root), profile)


@pytest.fixture
def small(project: Path) -> Matrix:
    return matrix.load(project)


def described(made: Plan) -> str:
    """A plan as text for people to compare."""
    lines = [f"# {made.profile}, version {made.version}"]
    for row in made.rows:
        lines += ["", f"{row.id}  {row.triple}  {row.build}  {row.status}", f"  by {row.tool}, in lane {row.lane}"]
        lines.append(f"  needs {' '.join(row.needs)}")
        for step in row.steps:
            env = "".join(
                f" {k}={v}" for k, v in sorted(step.env.items()) if k not in ("CARGO_TARGET_DIR", "SOURCE_DATE_EPOCH")
            )
            env = re.sub(r"--remap-path-prefix=\S+?(\x1f|(?= )|$)", "", env).replace("\x1f", " ")
            lines.append(
                f"  {step.title}\n    in {step.cwd}:{env.replace(' CARGO_ENCODED_RUSTFLAGS=', ' rustflags ')}\n    {' '.join(step.argv)}"
            )
        lines += [f"  -> {o.kind} {o.name} from {o.source or 'template ' + o.template}" for o in row.outputs]
        lines += [f"  why: {row.reason}; fix: {row.fix}"] if row.reason else []
    return "\n".join(line.rstrip() for line in lines) + "\n"


def test_the_golden_plan(project: Path, small: Matrix, root: Path) -> None:
    """To accept a change: RVA_GOLDEN=write python -m pytest tests/toolkit/test_plan.py, then read the difference."""
    golden = root / "tests" / "golden" / "plan-linux-x64.txt"
    text = described(make(project, small))
    if os.environ.get("RVA_GOLDEN") == "write":
        golden.write_text(text, "utf-8")
    assert text == golden.read_text("utf-8")


def test_every_recipe_has_its_function(table: Matrix) -> None:
    assert set(RECIPES) == set(table.recipes) == {t.recipe for t in table.targets}


def test_no_row_is_missing_and_stand_ins_follow_their_rows(project: Path, small: Matrix) -> None:
    made = make(project, small)
    own = [r for r in made.rows if r.build != "stand-in"]
    assert [r.id for r in own] == [t.id for t in small.targets]
    absent = [r for r in own if r.status == "unavailable"]
    assert len(absent) == 8 and all(r.triple.endswith("windows-msvc") for r in absent)
    assert {(r.reason, r.fix) for r in absent} == {("no Windows SDK", "use a Windows machine")}
    stand_ins = [r for r in made.rows if r.build == "stand-in"]
    assert [r.id for r in stand_ins] == [r.id for r in absent]
    for row in stand_ins:
        before = made.rows[made.rows.index(row) - 1]
        assert (before.id, before.status) == (row.id, "unavailable")
        assert row.triple.endswith("windows-gnullvm") and row.status == "build" and row.key


def test_with_the_sdk_there_are_no_stand_ins(project: Path, small: Matrix) -> None:
    made = make(project, small, tools=plan.Tools(Everything(), {}))
    assert {r.status for r in made.rows} == {"build"}
    assert {r.build for r in made.rows} == {"native", "cross"}
    assert len(made.rows) == 52


@pytest.mark.parametrize("host", [HOST, MAC, WINDOWS])
def test_native_and_cross(project: Path, small: Matrix, host: Host) -> None:
    for row in make(project, small, host, plan.Tools(Everything(), {})).rows:
        here = row.triple in (host.triple, "any") or row.triple.startswith("wasm32-")
        assert row.build == ("native" if here else "cross"), row.id


def test_other_hosts_use_their_own_linkers(project: Path, small: Matrix) -> None:
    def needs(host: Host, row: str) -> tuple[str, ...]:
        return next(r.needs for r in make(project, small, host, plan.Tools(Everything(), {})).rows if r.id == row)

    mac, windows, linux = "cli-aarch64-apple-darwin", "cli-x86_64-pc-windows-msvc", "cli-x86_64-unknown-linux-gnu"
    assert "zig" in needs(HOST, mac) and "zig" not in needs(MAC, mac)
    assert "msvc" in needs(HOST, windows) and not {"msvc", "zig"} & set(needs(WINDOWS, windows))
    # Even at home zig gives a Linux row its glibc floor.
    assert "zig" in needs(HOST, linux) and "zig" in needs(MAC, linux)


def test_nothing_is_at_hand(project: Path, small: Matrix) -> None:
    made = make(project, small, tools=plan.Tools({}, {}))
    assert {r.status for r in made.rows} == {"build"}
    for row in made.rows:
        assert row.missing == row.needs and row.missing and row.key == ""
        assert row.reason.startswith("to be set up first: ") and row.fix == "rva setup"


def test_a_finished_row_is_current(project: Path, small: Matrix) -> None:
    row = make(project, small).rows[0]
    folder = project / "finished"
    folder.mkdir()
    Store(project / ".store").put(row.key, folder, StoredRow(row.id, row.triple, "t", 1.0, ()))
    assert [r.id for r in make(project, small).rows if r.status == "current"] == [row.id]


def keys(root: Path, table: Matrix, **more: object) -> dict[tuple[str, str], str]:
    return {(r.id, r.triple): r.key for r in make(root, table, **more).rows if r.key}  # type: ignore[arg-type]


def changed(before: dict[tuple[str, str], str], after: dict[tuple[str, str], str]) -> set[str]:
    assert before.keys() == after.keys()
    return {row for (row, _), key in before.items() if after[(row, _)] != key}


def test_keys_differ_and_do_not_depend_on_the_place(project: Path, small: Matrix, tmp_path: Path) -> None:
    found = keys(project, small)
    assert len(set(found.values())) == len(found) == 52
    moved = tmp_path / "elsewhere"
    project.rename(moved)
    assert keys(moved, small) == found


@pytest.mark.parametrize(
    ("path", "recipes"),
    [
        (
            "core/src/source.txt",
            {"wasm", "wasi-command", "wasi-reactor", "napi", "cli", "c-library", "wheel", "sdist", "crate"},
        ),
        (
            "Cargo.lock",
            {
                "wasm",
                "wasi-command",
                "wasi-reactor",
                "napi",
                "js",
                "wasm-js",
                "cli",
                "c-library",
                "wheel",
                "sdist",
                "crate",
                "tool",
            },
        ),
        ("bindings/wasm/source.txt", {"wasm"}),
        ("bindings/node/src/source.txt", {"napi"}),
        ("bindings/node/README.txt", set()),
        ("bindings/js/source.txt", {"js", "wasm-js"}),
        ("bindings/cli/source.txt", {"cli", "wasi-command"}),
        ("bindings/c/source.txt", {"c-library", "wasi-reactor"}),
        ("bindings/python/source.txt", {"wheel", "sdist"}),
        ("templates/pkgconfig.pc.j2", {"c-library", "tool"}),
        ("toolkit/rva/source.txt", {"tool"}),
        ("README.txt", set()),
    ],
)
def test_only_what_a_change_touches_is_built_again(project: Path, small: Matrix, path: str, recipes: set[str]) -> None:
    before = keys(project, small)
    (project / path).write_text("changed\n")
    touched = changed(before, keys(project, small))
    assert touched == {t.id for t in small.targets if t.recipe in recipes}


def test_what_the_wheel_of_rva_takes_in_is_a_source_of_its_row(root: Path, table: Matrix) -> None:
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    taken = {*wheel["packages"], *wheel["force-include"], project["project"]["readme"], "pyproject.toml"}
    assert taken == set(table.recipes["tool"].sources)
    # The same hatchling by pip from the sources and by the row.
    [needed] = project["build-system"]["requires"]
    assert needed in (root / "requirements" / "package.in").read_text("utf-8").splitlines()


def test_tools_profile_version_and_row_are_in_the_key(project: Path, small: Matrix) -> None:
    before = keys(project, small)

    class Newer(Everything):
        def __missing__(self, name: str) -> str:
            return "newer" if name == "wasm-pack" else super().__missing__(name)

    other = keys(project, small, tools=plan.Tools(Newer(), NO_MSVC))
    assert changed(before, other) == {t.id for t in small.targets if t.recipe == "wasm"}
    assert len(changed(before, keys(project, small, profile="dev"))) == 52
    text = (project / "platforms.toml").read_text()
    (project / "platforms.toml").write_text(
        text.replace("budget = { addon = 4_000_000 }", "budget = { addon = 3_000_000 }")
    )
    assert changed(before, keys(project, matrix.load(project))) == {t.id for t in small.targets if t.recipe == "napi"}
    (project / "platforms.toml").write_text(text.replace('floor = "10.12"', 'floor = "10.13"'))
    assert {i.split("-")[0] for i in changed(before, keys(project, matrix.load(project)))} == {"napi", "cli", "native"}
    (project / "platforms.toml").write_text(text)
    (project / "Cargo.toml").write_text('[workspace.package]\nversion = "1.2.4"\n')
    assert len(changed(before, keys(project, matrix.load(project)))) == 52


def arguments(row: RowPlan) -> list[str]:
    return [a for step in row.steps for a in (*step.argv, *step.env.values(), step.cwd)]


@pytest.mark.parametrize("host", [HOST, MAC, WINDOWS])
@pytest.mark.parametrize("profile", ["release", "ci", "dev"])
def test_what_holds_for_every_plan(project: Path, small: Matrix, host: Host, profile: str) -> None:
    for row in make(project, small, host, profile=profile).rows:
        assert row.steps and row.outputs, row.id
        names = [o.name for o in row.outputs]
        assert len(names) == len(set(names)), row.id
        for output in row.outputs:
            assert re.fullmatch(r"([a-z]+/)*[A-Za-z0-9_.-]+", output.name), output
            assert bool(output.source) != bool(output.template), output
            assert not output.source or output.source.startswith("@"), output
        for text in arguments(row):
            assert str(project) not in text and str(Path.home()) not in text
            assert set(re.findall(r"@[a-z]+@", text)) <= {
                "@root@",
                "@target@",
                "@stage@",
                "@cargo@",
                "@cache@",
                "@rust@",
            }
        flat = " ".join(arguments(row))
        if "cargo" in row.steps[0].argv[0]:
            assert "--locked" in flat and "--offline" in flat, row.id


def test_a_plan_prints_as_json_and_back(project: Path, small: Matrix) -> None:
    import msgspec

    made = make(project, small)
    assert msgspec.json.decode(to_json(made).encode(), type=Plan) == made


def test_macos_rows_ask_for_their_floor(project: Path, small: Matrix) -> None:
    for row in make(project, small).rows:
        if row.triple.endswith("apple-darwin"):
            floor = "11.0" if row.triple.startswith("aarch64") else "10.12"
            assert {s.env.get("MACOSX_DEPLOYMENT_TARGET", floor) for s in row.steps} == {floor}, row.id
            assert any("MACOSX_DEPLOYMENT_TARGET" in s.env for s in row.steps), row.id


def test_glibc_rows_ask_for_their_floor(project: Path, small: Matrix) -> None:
    for row in make(project, small).rows:
        if row.triple.endswith(("linux-gnu", "gnueabihf")):
            flat = " ".join(arguments(row))
            assert f"{row.triple}.2.17" in flat or "manylinux_2_17" in flat, row.id
