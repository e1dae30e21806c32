"""The command line as a user meets it, in processes of its own: exit codes of D49, one clear message, no traceback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rva import cli, errors

pytestmark = pytest.mark.process

Rva = Callable[..., subprocess.CompletedProcess[str]]
COMMANDS = ("build", "package", "plan", "doctor", "setup", "clean", "test", "docs", "demo", "dev")


def refused(done: subprocess.CompletedProcess[str], code: int, said: str) -> None:
    """The code, the sentence, and nothing of Python's."""
    text = (done.stdout or "") + (done.stderr or "")
    assert done.returncode == code, text
    assert said in text
    assert "Traceback" not in text and '  File "' not in text


def test_help_and_version(rva: Rva) -> None:
    done = rva("--help")
    assert done.returncode == 0
    for command in COMMANDS:
        assert command in done.stdout
        shown = rva(command, "--help")
        assert shown.returncode == 0 and "Example" in shown.stdout, command
    assert rva("--version").stdout.startswith("rva ")


def test_plan_as_json(rva: Rva) -> None:
    done = rva("plan", "--target", "all", "--json")
    assert done.returncode == 0 and done.stderr == ""
    made = json.loads(done.stdout)
    assert len([r for r in made["rows"] if r["build"] != "stand-in"]) == 52


def test_plan_as_a_table(rva: Rva) -> None:
    done = rva("plan", "-t", "napi", "-x", "*windows*")
    assert done.returncode == 0
    assert len([x for x in done.stdout.splitlines() if x.startswith("napi-")]) == 8
    assert "\x1b" not in done.stdout


def test_doctor(rva: Rva) -> None:
    done = rva("doctor", "--json")
    assert done.returncode == 0
    found = {d["name"]: d for d in json.loads(done.stdout)}
    assert found["zig"]["status"] == "missing" and "rva setup" in found["zig"]["fix"]
    assert "tool" in rva("doctor").stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ("frobnicate",),
        ("plan", "--no-such-option"),
        ("plan", "--target"),
        ("plan", "--target", "wsam"),
        ("plan", "--exclude", "all"),
        ("plan", "--profile", "fast"),
        ("plan", "extra"),
        ("build", "--jobs", "0"),
        ("build", "--jobs", "many"),
        ("build", "--target", "--strict"),
        ("build", "--target", "../../etc/passwd"),
        ("build", "--target", "x; rm -rf /"),
        ("test", "--only", "lnit"),
    ],
)
def test_usage_errors(rva: Rva, arguments: tuple[str, ...]) -> None:
    refused(rva(*arguments), 2, "")


def test_a_usage_error_suggests(rva: Rva) -> None:
    done = rva("build", "--target", "wsam")
    refused(done, 2, "no row is named by --target 'wsam'")
    assert "did you mean wasm" in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize("command", ["build", "package", "plan", "doctor", "setup", "test", "docs"])
def test_a_faulty_matrix(rva: Rva, project: Path, command: str) -> None:
    path = project / "platforms.toml"
    path.write_text(path.read_text().replace('priority = "P0"', 'priority = "P9"', 1).replace("[tools]", "[tolls]"))
    done = rva(command)
    refused(done, 3, "platforms.toml:")
    assert "'P9' is not one of" in done.stderr and "unknown key 'tolls'; did you mean tools" in done.stderr


def test_no_matrix(rva: Rva, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    refused(rva("plan", cwd=tmp_path / "empty"), 3, "there is no platforms.toml in")


def test_rva_works_from_a_folder_below(rva: Rva, project: Path) -> None:
    assert rva("plan", "--json", cwd=project / "core").returncode == 0


@pytest.mark.parametrize(
    ("arguments", "name", "code"),
    [
        (("plan", "--target", "wsam", "--json"), "UsageError", 2),
        (("plan", "--json", "--profile", "x"), "UsageError", 2),
    ],
)
def test_errors_as_json_carry_their_class(rva: Rva, arguments: tuple[str, ...], name: str, code: int) -> None:
    done = rva(*arguments)
    assert done.returncode == code
    error = json.loads(done.stdout)["error"]
    assert (error["class"], error["exit_code"]) == (name, code)
    assert error["message"]


def test_a_matrix_error_as_json(rva: Rva, project: Path) -> None:
    (project / "platforms.toml").write_text("x = ")
    done = rva("build", "--json")
    assert done.returncode == 3
    assert json.loads(done.stdout)["error"]["class"] == "MatrixError"


def test_a_fault_of_rva_itself(rva: Rva, tmp_path: Path, project: Path, root: Path) -> None:
    """A crash is one sentence and a file, not a traceback on the screen."""
    (tmp_path / "hook").mkdir()
    (tmp_path / "hook" / "sitecustomize.py").write_text(
        "import rva.host\ndef boom():\n    raise KeyError('inside')\nrva.host.detect = boom\n"
    )
    done = rva("plan", env={"PYTHONPATH": f"{tmp_path / 'hook'}{os.pathsep}{root / 'toolkit'}"})
    refused(done, 8, "KeyError: 'inside'")
    assert "Traceback" in (project / ".rva/logs/crash.log").read_text()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_under_standard_output(rva: Rva) -> None:
    with Path("/dev/full").open("w") as full:
        refused(rva("plan", "--json", stdout=full), 7, "the disk is full")


@pytest.mark.skipif(os.name != "posix", reason="pipes")
def test_a_reader_that_leaves_early(rva: Rva) -> None:
    """`rva plan | head -1` is no error worth a message."""
    read, write = os.pipe()
    os.close(read)
    try:
        done = rva("plan", "--json", stdout=write)
    finally:
        os.close(write)
    assert "Traceback" not in done.stderr and "Exception ignored" not in done.stderr
    assert done.returncode in (0, 141)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written(rva: Rva, project: Path) -> None:
    project.chmod(0o555)
    try:
        refused(rva("build", "-t", "cli"), 7, "cannot be written")
    finally:
        project.chmod(0o755)


def test_a_file_in_the_way_of_the_state_folder(rva: Rva, project: Path) -> None:
    (project / ".rva").write_text("not a folder")
    refused(rva("build", "-t", "cli"), 7, ".rva")


def test_plan_is_quick_and_light(rva: Rva) -> None:
    """Half a second of CPU is the promise; twice that is allowed for a slow machine."""
    rva("plan", "--json")
    before = os.times()
    rva("plan", "--target", "all", "--json")
    after = os.times()
    spent = after.children_user + after.children_system - before.children_user - before.children_system
    assert spent < 1.0


def test_plan_imports_nothing_heavy(root: Path) -> None:
    code = "import sys, rva.cli, rva.workflow; print([m for m in ('lief', 'jinja2', 'jsonschema', 'httpx', 'rich.table') if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(root / "toolkit")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"


def test_clean_on_a_clean_checkout(rva: Rva) -> None:
    done = rva("clean")
    assert (done.returncode, done.stdout) == (0, "")


def test_docs(rva: Rva, project: Path) -> None:
    begin, end = "<!-- begin generated: platform matrix -->\n", "<!-- end generated: platform matrix -->\n"
    (project / "README.md").write_text(begin + end)
    refused(rva("docs", "--check"), 1, "out of date: README.md")
    assert rva("docs").returncode == 0
    assert rva("docs", "--check").returncode == 0


@pytest.mark.parametrize(
    ("status", "strict", "smoke", "code"),
    [
        ("built", False, "pass", 0),
        ("built", True, "pass", 0),
        ("unavailable", False, "not-run", 0),
        ("unavailable", True, "pass", 5),
        ("built", False, "fail", 1),
        ("unavailable", True, "fail", 1),
        ("built", True, "not-run", 0),
    ],
)
def test_the_exit_code_of_a_build(status: Any, strict: bool, smoke: Any, code: int) -> None:
    from rva.model import Report, RowResult, Smoke

    row = RowResult("r", "cli", "t", "native", status)
    done = Report("1", (row,), (Smoke("r", smoke),), 1.0)
    assert cli._exit_code(done, None, strict) == code
    assert cli._exit_code(done, errors.NetworkError("x"), strict) == 6


@pytest.mark.skipif(os.name != "posix", reason="POSIX signals")
@pytest.mark.parametrize("number", ["SIGINT", "SIGTERM"])
def test_an_interrupt_ends_children_and_gives_130(tmp_path: Path, root: Path, number: str) -> None:
    import signal

    pid = tmp_path / "pid"
    child = f"import os, time; open({str(pid)!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    code = (
        "import sys\n"
        "from rva import cli, edge, shell\n"
        "@cli.app.command()\n"
        "def sleep() -> None:\n"
        f"    shell.run([sys.executable, '-c', {child!r}])\n"
        "sys.argv = ['rva', 'sleep']\n"
        "edge.main()\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={"PYTHONPATH": str(root / "toolkit")},
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 10
    while not (pid.exists() and pid.read_text()) and time.monotonic() < deadline:
        time.sleep(0.02)
    before = time.monotonic()
    process.send_signal(getattr(signal, number))
    _, said = process.communicate(timeout=10)
    assert time.monotonic() - before < 2
    assert process.returncode == 130
    assert "interrupted" in said and "Traceback" not in said
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)


def test_packing_without_a_build(rva: Rva) -> None:
    refused(rva("package"), 2, "dist/ holds no finished build")


def test_packing_what_was_changed_after_the_build(rva: Rva, project: Path) -> None:
    artifact = {
        "id": "native-crate", "family": "native", "triple": "any", "path": "native/native-crate/x.crate", "size": 1,
        "sha256": "0" * 64, "kind": "crate", "build": "native", "tool": "cargo", "duration_s": 1.0,
    }  # fmt: skip
    (project / "dist").mkdir()
    manifest = {"version": "1.2.3", "commit": "", "artifacts": [artifact]}
    (project / "dist" / "manifest.json").write_text(json.dumps(manifest))
    refused(rva("package"), 7, "native/native-crate/x.crate is missing or was changed")
