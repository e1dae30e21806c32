"""What rva started ends with it, whatever ends that."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from rva import shell
from rva.errors import DiskError

# A server that starts another process, as node and wrappers do, and says both numbers.
NESTED = (
    "import subprocess, sys, os, time; c = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']);"
    "print(os.getpid(), c.pid, flush=True); time.sleep(600)"
)
OWNERS = {
    "serving": """
import os, sys, time
from pathlib import Path
from rva import shell
with shell.serving(sys.argv[1:], cwd=Path("."), env=dict(os.environ), log=Path("log.txt")):
    time.sleep(600)
""",
    "running": """
import sys
from pathlib import Path
from rva import shell
shell.run([sys.executable, "-c", "pass"])
shell.run(sys.argv[1:], on_line=lambda line: Path("log.txt").write_text(line))
""",
}


def pids(log: Path) -> list[int]:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        words = log.read_text().split() if log.is_file() else []
        if len(words) == 2:
            return [int(word) for word in words]
        time.sleep(0.02)
    raise AssertionError("the server did not start")


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def all_end(numbers: list[int]) -> bool:
    deadline = time.monotonic() + 10
    while any(alive(n) for n in numbers) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not any(alive(n) for n in numbers)


@pytest.mark.process
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at processes through /proc")
def test_a_server_ends_with_the_block(tmp_path: Path) -> None:
    argv = [sys.executable, "-c", NESTED]
    with shell.serving(argv, cwd=tmp_path, env=dict(os.environ), log=tmp_path / "log.txt") as server:
        numbers = pids(tmp_path / "log.txt")
        assert server.is_up() and all(alive(n) for n in numbers)
    assert all_end(numbers) and not server.is_up()


@pytest.mark.process
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at processes through /proc")
@pytest.mark.parametrize("how", OWNERS)
def test_a_child_ends_where_its_owner_is_killed(how: str, tmp_path: Path, root: Path) -> None:
    env = {**os.environ, "PYTHONPATH": str(root / "toolkit")}
    owner = subprocess.Popen([sys.executable, "-c", OWNERS[how], sys.executable, "-c", NESTED], cwd=tmp_path, env=env)
    numbers = pids(tmp_path / "log.txt")
    assert all(alive(n) for n in numbers)
    owner.send_signal(signal.SIGKILL)
    owner.wait()
    assert all_end(numbers)


@pytest.mark.process
def test_a_server_that_ends_by_itself_is_seen(tmp_path: Path) -> None:
    with shell.serving([sys.executable, "-c", "exit(3)"], cwd=tmp_path, env={}, log=tmp_path / "log.txt") as server:
        deadline = time.monotonic() + 10
        while server.is_up() and time.monotonic() < deadline:
            time.sleep(0.02)
        assert not server.is_up()


def test_a_server_that_cannot_start_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(subprocess, "Popen", refuse)
    with pytest.raises(DiskError), shell.serving(["x"], cwd=tmp_path, env={}, log=tmp_path / "log.txt"):
        pass
