"""The most likely mistakes of a newcomer: one screen each, which says what happened and what to do next."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from rva import shell
from rva.commands import demo
from rva.errors import Interrupted

pytestmark = pytest.mark.process

Rva = Callable[..., subprocess.CompletedProcess[str]]
LINES, COLUMNS = 24, 80


def told(done: subprocess.CompletedProcess[str], code: int, *said: str) -> str:
    """What was said, on one screen, without a traceback, with each of these words."""
    text = (done.stdout or "") + (done.stderr or "")
    assert done.returncode == code, text
    assert "Traceback" not in text
    assert sum(1 + len(line) // COLUMNS for line in text.splitlines()) <= LINES, text
    for words in said:
        assert words in text, f"{words!r} is not in:\n{text}"
    return text


def program(folder: Path, name: str, text: str) -> None:
    """A program on the path that says this much."""
    path = folder / "bin" / name
    path.write_text(f"#!{sys.executable}\n{text}\n")
    path.chmod(0o755)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("plan", "-t", "napi-x86_64-unknown-linux-gun"), 2, ["napi-x86_64-unknown-linux-gnu"]),
        (("plan", "-t", "x86_64-unknown-linux"), 2, ["x86_64-unknown-linux-gnu"]),
        (("plan", "-t", "wsam"), 2, ["wasm"]),
        (("biuld",), 2, ["biuld"]),
        (("build", "--traget", "all"), 2, ["--target"]),
        (("build", "--profile", "fast"), 2, ["release", "ci", "dev"]),
        (("build", "--jobs", "0"), 2, ["--jobs"]),
        (("test", "--only", "lnt"), 2, ["lint"]),
        (("bench", "speed"), 2, ["known comparisons: "]),
        (("verify",), 2, ["dist/ holds no finished build", "run `rva build` first"]),
        (("package",), 2, ["dist/ holds no finished build", "run `rva build` first"]),
        (("demo",), 1, ["run `./rva build"]),
    ],
)
def test_words_that_do_not_fit(rva: Rva, project: Path, arguments: tuple[str, ...], code: int, said: list[str]) -> None:
    if arguments == ("demo",):
        (project / "scripts").mkdir(exist_ok=True)
        shutil.copy(Path(__file__).resolve().parents[2] / "scripts" / "demo.py", project / "scripts")
    told(rva(*arguments), code, *said)


def test_the_wrong_folder(rva: Rva, tmp_path: Path) -> None:
    told(rva("plan", cwd=tmp_path), 3, "platforms.toml")


def test_a_key_with_a_typing_error(rva: Rva, project: Path) -> None:
    path = project / "platforms.toml"
    path.write_text(path.read_text("utf-8").replace("licence =", "license =", 1), "utf-8")
    told(rva("plan"), 3, "license", "licence")


def test_no_node(rva: Rva) -> None:
    text = told(rva("build", "-t", "napi-js"), 4, "Node.js is not installed", "fix: install Node.js")
    assert "18" in text


def test_an_old_node(rva: Rva, tmp_path: Path) -> None:
    rva("--version")  # makes the folder of programs
    program(tmp_path, "node", 'print("v16.20.2")')
    told(rva("build", "-t", "napi-js"), 4, "is Node.js 16.20.2; version 18 or newer is needed")


def test_no_npm(rva: Rva, tmp_path: Path) -> None:
    rva("--version")
    program(tmp_path, "node", 'print("v22.1.0")')
    told(rva("build", "-t", "napi-js"), 4, "npm is not installed; it comes with Node.js")


def test_an_unknown_way_to_rust(rva: Rva) -> None:
    told(rva("plan", env={"RVA_RUST": "cargo"}), 2, "RVA_RUST", "rustup")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_is_read_only(rva: Rva, project: Path) -> None:
    project.chmod(0o555)
    try:
        told(rva("build", "-t", "native-crate"), 7, "cannot write")
    finally:
        project.chmod(0o755)


def test_a_cache_that_is_a_file(rva: Rva, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    told(rva("build", "-t", "native-crate", env={"RVA_CACHE_DIR": str(tmp_path / "file")}), 7, str(tmp_path / "file"))


def launcher(root: Path, tmp_path: Path, python: str | None) -> subprocess.CompletedProcess[str]:
    """The launcher in a checkout of its own, with one python3 on the path, or none."""
    place = tmp_path / "checkout"
    (place / "requirements").mkdir(parents=True)
    shutil.copy(root / "rva", place)
    (place / "requirements" / "rva.txt").write_text("")
    programs = tmp_path / "bin"
    programs.mkdir(exist_ok=True)
    for name in ("sh", "dirname", "cmp", "rm", "cp"):
        found = shutil.which(name)
        assert found is not None
        (programs / name).symlink_to(found)
    if python is not None:
        (programs / "python3").write_text(f"#!{programs / 'sh'}\n{python}\n")
        (programs / "python3").chmod(0o755)
    return subprocess.run(
        [str(place / "rva"), "--version"],
        env={"PATH": str(programs)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.skipif(os.name == "nt", reason="the launcher of Windows is another")
@pytest.mark.parametrize("python", [None, "exit 1"], ids=["no Python", "an old Python, or one without venv"])
def test_a_python_that_will_not_do(root: Path, tmp_path: Path, python: str | None) -> None:
    told(launcher(root, tmp_path, python), 4, "rva needs Python 3.11 or newer", "install it, or install uv")


@pytest.mark.skipif(os.name == "nt", reason="the launcher of Windows is another")
def test_a_network_that_is_not_there_at_the_first_run(root: Path, tmp_path: Path) -> None:
    # A Python that makes environments whose pip fails.
    fake = 'case "$*" in *"-m venv"*) d="$3"; mkdir -p "$d/bin"; cp "$0" "$d/bin/python";; *"-m pip"*) exit 1;; *) exit 0;; esac'
    (tmp_path / "bin").mkdir()
    mkdir = shutil.which("mkdir")
    assert mkdir is not None
    (tmp_path / "bin" / "mkdir").symlink_to(mkdir)
    told(launcher(root, tmp_path, fake), 6, "pip could not install rva's packages", "check the network")


@pytest.mark.skipif(shutil.which("node") is None, reason="node was not found")
def test_a_port_that_is_taken(root: Path, tmp_path: Path) -> None:
    """The demo's own script, with a page server as small as can be."""
    for folder in ("scripts", "bindings/wasm/web", "bindings/wasm/examples", "dist/packages/npm"):
        (tmp_path / folder).mkdir(parents=True)
    shutil.copy(root / "scripts" / "demo.py", tmp_path / "scripts")
    (tmp_path / "bindings/wasm/examples/node_server.mjs").write_text(
        'import http from "node:http";\nhttp.createServer().listen(Number(process.argv[3]), "127.0.0.1");\n'
    )
    (tmp_path / "package").mkdir()
    with tarfile.open(tmp_path / "dist/packages/npm/ruvector-attention-wasm-0.0.0.tgz", "w:gz") as packed:
        packed.add(tmp_path / "package", "package")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        argv = [sys.executable, str(tmp_path / "scripts" / "demo.py"), port]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    told(done, 1, f"port {port} is taken", "`./rva demo --port 0`")


def test_a_demonstration_ends_when_it_is_told_to(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise Interrupted("interrupted")

    monkeypatch.setattr(demo, "here", lambda: root)
    monkeypatch.setattr(shell, "run", interrupted)
    demo.demo(port=0)
    assert capsys.readouterr().out == "ended\n"


def test_the_page_of_mistakes_names_tests_that_are_there(root: Path) -> None:
    page = (root / "docs" / "troubleshooting.md").read_text("utf-8")
    rows = [line.split("|")[1:-1] for line in page.splitlines() if re.match(r"\| \d", line)]
    assert len(rows) >= 30 and all(len(row) == 5 and all(cell.strip() for cell in row) for row in rows)
    sources = "".join(
        path.read_text("utf-8")
        for path in sorted((root / "tests").rglob("*.py")) + sorted((root / "toolkit").rglob("*.py"))
    )
    for row in rows:
        named = re.findall(r"`(test_\w+)`", row[4])
        assert named or "not tried" in row[4], row
        assert [name for name in named if f"def {name}(" not in sources] == [], row
