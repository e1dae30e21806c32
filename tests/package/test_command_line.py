"""The checks of the command line see what is wrong: each is run with a program that does not do its work."""

from __future__ import annotations

import sys
from pathlib import Path

import command_line
import pytest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the stand-ins are shell scripts")


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program that is not ours; a test writes what it does."""
    path = tmp_path / "program"
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    monkeypatch.setenv("RVA_CLI", str(path))
    return path


def does(program: Path, script: str) -> None:
    program.write_text(f"#!/bin/sh\n{script}\n")


def test_long_lines_and_colour_are_seen(stand_in: Path) -> None:
    does(stand_in, f"printf '\\033[1m{'x' * 81}\\n'")
    faults = " ".join(command_line.session()["faults"])
    assert "longer than 80 columns" in faults
    assert "colour in spite of NO_COLOR" in faults
    assert "differs from tests/golden" in faults


def test_missing_colour_is_seen(stand_in: Path) -> None:
    does(stand_in, "echo plain")
    assert "no colour at a terminal" in command_line.session()["faults"]


def test_files_that_are_not_read_are_seen(stand_in: Path) -> None:
    does(stand_in, "exit 0")
    assert command_line.files(4)["faults"] == ["0 of 4 files were loaded", ""]
    does(stand_in, "echo broken >&2; exit 1")
    assert command_line.files(4)["faults"][1] == "broken\n"


def test_files_that_are_read_wrongly_are_seen(stand_in: Path) -> None:
    does(stand_in, "for i in 0 1 2 3; do : > $i.f32; echo 'a: [9]'; done")
    assert len(command_line.files(4)["faults"]) == 4


def test_commands_that_fail_are_seen(stand_in: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = stand_in.rename(stand_in.with_name(command_line.NAME))
    monkeypatch.setenv("RVA_CLI", str(program))
    does(program, "exit 9")
    assert "exit 9" in command_line.docs()["faults"][0]


def test_memory_and_failures_are_seen(stand_in: Path) -> None:
    does(stand_in, "exit 3")
    assert all("exit 3" in fault for fault in command_line.memory(1)["faults"])
    greedy = "import time; b = bytearray(600 << 20); print(dict()); time.sleep(0.3)"
    does(stand_in, f"exec {sys.executable} -c '{greedy}'")
    assert "of 524288" in command_line.memory(1)["faults"][0]


def test_overhead_is_seen(stand_in: Path, tmp_path: Path) -> None:
    does(stand_in, """echo '{"times_ms": {"compute": 1.2}}'""")
    core = tmp_path / "core"
    core.write_text("#!/bin/sh\necho 1.0\n")
    core.chmod(0o755)
    verdict = command_line.overhead(str(core), 1)
    assert verdict["faults"] == ["more than 5 %"]
    assert verdict["overhead_percent"] == 20.0
