"""`rva bench`: what is run, where results go, and what a failure says."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from rva import bench, matrix, shell, workflow
from rva.errors import CheckFailed, MatrixError, ToolError, UsageError
from rva.log import Log
from rva.model import Bench, Matrix

SPEC = Bench(
    script="bench/x/main.py",
    crate="x-driver",
    wasm="x-wasm",
    packages="requirements/x.txt",
    modules="bench/x/peers",
)


class Machine:
    """Stands in for shell.run: notes the commands, and writes what the script would."""

    def __init__(self, status: int = 0) -> None:
        self.status = status
        self.commands: list[list[str]] = []

    def run(self, argv: list[str | Path], **_options: object) -> shell.Result:
        words = [str(word) for word in argv]
        self.commands.append(words)
        if "--output" in words:
            folder = Path(words[words.index("--output") + 1])
            (folder / "x.json").write_text("{}")
            return shell.Result(tuple(words), self.status, "first\nthe last line\n", 0.1)
        return shell.Result(tuple(words), 0, "", 0.1)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    made = Machine()
    monkeypatch.setattr(shell, "run", made.run)
    monkeypatch.setattr(shutil, "which", lambda name, path=None: f"/tools/{name}")
    return made


def measure(
    root: Path, wish: bench.Wish, peers: bench.Peers | None = None, runtimes: bench.Runtimes | None = None
) -> Path:
    return bench.run(SPEC, wish, root, Path("/env/python"), peers, runtimes, "abc", {"PATH": ""}, Log(0))


def test_the_driver_is_built_and_the_script_told_everything(machine: Machine, tmp_path: Path) -> None:
    peers = bench.Peers(Path("/peers/python"), Path("/peers/npm"), Path("/usr/bin/node"))
    wish = bench.Wish("x", tmp_path / "out", ("a-*", "b"), quick=True, peers=True)
    assert measure(tmp_path, wish, peers) == tmp_path / "out"
    build, script = machine.commands
    assert build == ["/tools/cargo", "build", "--release", "--locked", "-p", "x-driver"]
    assert script[:2] == ["/env/python", str(tmp_path / "bench/x/main.py")]
    joined = " ".join(script)
    assert "--driver " + str(tmp_path / ".rva/target/bench/release/x-driver") in joined
    assert "--quick --only a-* --only b" in joined and "--commit abc" in joined
    assert "--peers-modules /peers/npm --node /usr/bin/node --peers-python /peers/python" in joined
    assert script[script.index("--title") + 1] == "rva bench x --peers --quick --only 'a-*' --only b"


def test_modules_are_built_for_every_level(machine: Machine, tmp_path: Path) -> None:
    runtimes = bench.Runtimes(Path("/tools/python"), Path("/usr/bin/node"))
    measure(tmp_path, bench.Wish("x", tmp_path / "out"), runtimes=runtimes)
    _, *pairs, script = machine.commands
    assert [pair[0] for pair in pairs] == ["/tools/cargo", "/tools/wasm-opt"] * 3
    assert [Path(made[-1]).name for made in pairs[1::2]] == ["baseline.wasm", "simd128.wasm", "relaxed-simd.wasm"]
    folder = tmp_path / ".rva" / "bench" / "wasm"
    assert f"--wasm {folder} --wasm-python /tools/python --wasm-node /usr/bin/node" in " ".join(script)


def test_results_are_put_in_place_whole(machine: Machine, tmp_path: Path) -> None:
    out = measure(tmp_path, bench.Wish("x", tmp_path / "out"))
    assert [p.name for p in out.iterdir()] == ["x.json"]
    assert "--peers-python" not in machine.commands[-1]


def test_a_failed_comparison_leaves_its_results_and_says_why(machine: Machine, tmp_path: Path) -> None:
    machine.status = 1
    with pytest.raises(CheckFailed, match="the last line"):
        measure(tmp_path, bench.Wish("x", tmp_path / "out"))
    assert (tmp_path / "out" / "x.json").is_file()


def test_without_cargo_nothing_is_measured(machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name, path=None: None)
    with pytest.raises(ToolError, match="cargo"):
        measure(tmp_path, bench.Wish("x", tmp_path / "out"))
    assert machine.commands == []


def test_what_compares_artifacts_is_told_their_runtimes(tmp_path: Path, machine: Machine) -> None:
    spec = Bench(script="bench/x/main.py", crate="x-bench", modules="bench/x/peers", artifacts=True)
    runtimes = bench.Runtimes(Path("/env/wasmtime"), Path("/usr/bin/node"))
    peers = bench.Peers(None, Path("/peers/npm"), Path("/usr/bin/node"))
    wish = bench.Wish("x", tmp_path / "out", peers=True)
    bench.run(spec, wish, tmp_path, Path("/env/python"), peers, runtimes, "abc", {"PATH": ""}, Log(0))
    joined = " ".join(map(str, machine.commands[-1]))
    assert "--wasm-python /env/wasmtime --wasm-node /usr/bin/node" in joined
    assert "--wasm " not in joined and "--peers-python" not in joined


def test_an_unknown_name_is_refused(table: Matrix, root: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"\[bench\.nothing\]") as caught:
        workflow.bench(root, table, bench.Wish("nothing", tmp_path), Log(0))
    assert "core" in caught.value.fix


def test_what_a_comparison_names_must_exist(project: Path) -> None:
    assert set(matrix.load(project).bench) == {"bindings", "core"}
    text = (project / "platforms.toml").read_text("utf-8")
    (project / "platforms.toml").write_text(text.replace('script = "bench/core/main.py"', 'script = "bench/no.py"'))
    with pytest.raises(MatrixError, match=r"bench\.core\.script: 'bench/no\.py' does not exist"):
        matrix.load(project)


def test_peers_are_pinned_by_version_and_hash(root: Path, table: Matrix) -> None:
    """What is compared with is the same tomorrow: exact versions with hashes, from lists of their own."""
    for spec in table.bench.values():
        assert (root / spec.modules / "package-lock.json").is_file()
        if spec.packages is None:
            continue
        text = (root / spec.packages).read_text("utf-8")
        pins = [line for line in text.splitlines() if line and line[0] not in "# "]
        assert pins and all("==" in line for line in pins)
        assert text.count("--hash=sha256:") >= len(pins)
        assert Path(spec.packages).name not in ("dev.txt", "tools.txt", "rva.txt")
