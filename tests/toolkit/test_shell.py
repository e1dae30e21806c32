"""The one door to subprocess. The only unit tests that start processes: this Python, a few at a time."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rva import errors, shell

pytestmark = pytest.mark.process
POSIX = os.name == "posix"


def python(code: str, *arguments: str) -> list[str]:
    return [sys.executable, "-c", code, *arguments]


@pytest.fixture(autouse=True)
def _not_stopping() -> Iterator[None]:
    shell._stopping.clear()
    yield
    shell._stopping.clear()
    assert not [p for p in shell._children if p.poll() is None]


def alive(pid: int) -> bool:
    """Whether a process runs; one that ended and is not yet buried does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


def gone(pid: int, within: float = 3.0) -> bool:
    end = time.monotonic() + within
    while alive(pid) and time.monotonic() < end:
        time.sleep(0.02)
    return not alive(pid)


def test_arguments_reach_the_program_as_they_are() -> None:
    hostile = ["a b", "$(id)", "`id`", "; rm -rf /", "*", "'\"", "", "--x", "é\u202e", "a\nb", "%PATH%", "&&", "|"]
    result = shell.run(python("import sys, json; print(json.dumps(sys.argv[1:]))", *hostile))
    assert result.returncode == 0
    import json

    assert json.loads(result.output) == hostile


def test_a_shell_is_never_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[dict[str, Any]] = []
    real = subprocess.Popen

    def popen(args: Any, **options: Any) -> Any:
        seen.append({"args": args, **options})
        return real(args, **options)

    monkeypatch.setattr(subprocess, "Popen", popen)
    shell.run(python(""))
    assert isinstance(seen[0]["args"], tuple)
    assert not seen[0].get("shell")
    assert seen[0]["stdin"] == subprocess.DEVNULL


def test_output_lines_and_log(tmp_path: Path) -> None:
    log, lines = tmp_path / "deep" / "x.log", list[str]()
    argv = python("import sys; print('one', flush=True); print('two', file=sys.stderr, flush=True); print('three')")
    result = shell.run(argv, log=log, on_line=lines.append)
    assert result.output == "one\ntwo\nthree\n"
    assert lines == ["one", "two", "three"]
    assert log.read_text() == f"$ {shell.quoted(argv)}\none\ntwo\nthree\n"
    assert 0 < result.duration_s < 10
    shell.run(argv, log=log)
    assert log.read_text().count("one\n") == 2  # a log grows by each command


def test_the_two_streams_apart(tmp_path: Path) -> None:
    argv = python("import sys; print('data'); print('chatter', file=sys.stderr)")
    result = shell.run(argv, separate_stderr=True, log=tmp_path / "x.log")
    assert result.output == "data\n"
    assert "chatter" in (tmp_path / "x.log").read_text()


def test_output_that_is_no_text() -> None:
    result = shell.run(python(r"import sys; sys.stdout.buffer.write(b'\xff\xfe ok\n')"))
    assert result.output == "\ufffd\ufffd ok\n"


def test_much_output_does_not_block() -> None:
    assert len(shell.run(python("print('x' * 5_000_000)")).output) == 5_000_001


def test_environment_and_folder(tmp_path: Path) -> None:
    code = "import os; print(os.environ['RVA_X'], 'PATH' in os.environ, os.getcwd())"
    result = shell.run(python(code), env={"RVA_X": "1"}, cwd=tmp_path)
    assert result.output.split() == ["1", "True", str(tmp_path.resolve())]
    assert "RVA_X" not in os.environ


def test_nothing_is_read_from_the_terminal() -> None:
    assert shell.run(python("print(repr(input()) if 0 else open(0).read() == '')")).output == "True\n"


def test_a_failed_command_is_quoted_with_its_last_lines(tmp_path: Path) -> None:
    argv = python("import sys\nfor i in range(40): print('line', i)\nsys.exit(3)", "a b")
    with pytest.raises(errors.CheckFailed) as caught:
        shell.run(argv, log=tmp_path / "x.log")
    what = caught.value.what
    assert "ended with exit status 3" in what
    assert "'a b'" in what
    assert "line 39" in what and "line 15" in what and "line 14\n" not in what
    assert f"full output: {tmp_path / 'x.log'}" in what


def test_a_status_may_be_wanted() -> None:
    assert shell.run(python("raise SystemExit(7)"), check=False).returncode == 7


@pytest.mark.parametrize("words", shell._DISK_WORDS)
def test_words_of_a_full_disk(words: str) -> None:
    with pytest.raises(errors.DiskError) as caught:
        shell.run(python("import sys; print(sys.argv[1]); sys.exit(1)", f"error: {words}: x"))
    assert "disk space" in caught.value.fix


@pytest.mark.parametrize("words", shell._NETWORK_WORDS)
def test_words_of_no_network(words: str) -> None:
    with pytest.raises(errors.NetworkError) as caught:
        shell.run(python("import sys; print(sys.argv[1]); sys.exit(1)", f"error: {words}: x"), separate_stderr=True)
    assert "network" in caught.value.fix


def test_words_alone_are_no_fault() -> None:
    assert shell.run(python("print('No space left on device, ENOTFOUND')")).returncode == 0


def test_a_missing_program() -> None:
    with pytest.raises(errors.ToolError, match="`no-such-program-here` was not found") as caught:
        shell.run(["no-such-program-here"])
    assert "rva doctor" in caught.value.fix and "rva setup" in caught.value.fix


def test_a_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(errors.ToolError, match=r"its folder .* does not exist"):
        shell.run(python(""), cwd=tmp_path / "gone")


@pytest.mark.skipif(not POSIX, reason="POSIX permissions")
def test_a_file_that_is_no_program(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("text")
    with pytest.raises(errors.ToolError, match="is not an executable program"):
        shell.run([tmp_path / "x"])
    (tmp_path / "x").chmod(0o755)
    with pytest.raises(errors.RvaError):
        shell.run([tmp_path / "x"])


def test_too_many_arguments_for_the_system() -> None:
    with pytest.raises(errors.RvaError, match="cannot start"):
        shell.run([sys.executable, "x" * 50_000_000])


def test_a_command_that_takes_too_long() -> None:
    before = time.monotonic()
    with pytest.raises(errors.CheckFailed, match="did not end within 1 s"):
        shell.run(python("import time; time.sleep(60)"), timeout=1)
    assert time.monotonic() - before < 5


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks into /proc")
def test_the_whole_group_ends_with_a_timeout(tmp_path: Path) -> None:
    code = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "open(sys.argv[1], 'w').write(str(child.pid))\n"
        "time.sleep(60)"
    )
    with pytest.raises(errors.CheckFailed):
        shell.run(python(code, str(tmp_path / "pid")), timeout=3)
    assert gone(int((tmp_path / "pid").read_text()))


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks into /proc")
@pytest.mark.parametrize("deaf", [False, True])
def test_stop_all_ends_every_child_and_grandchild(tmp_path: Path, deaf: bool) -> None:
    """Also those that pay no heed to SIGTERM, within two seconds."""
    ignore = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" if deaf else ""
    inner = f"{ignore}import time; time.sleep(60)"
    code = (
        f"{ignore}import subprocess, sys, time\n"
        f"child = subprocess.Popen([sys.executable, '-c', {inner!r}])\n"
        "time.sleep(0.3)\n"
        "open(sys.argv[1], 'w').write(str(child.pid))\n"
        "time.sleep(60)"
    )
    ended: list[BaseException] = []

    def work(name: str) -> None:
        try:
            shell.run(python(code, str(tmp_path / name)))
        except errors.RvaError as error:
            ended.append(error)

    threads = [threading.Thread(target=work, args=(str(i),)) for i in range(2)]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + 10
    while len([p for p in tmp_path.iterdir() if p.read_text()]) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    pids = [int(p.read_text()) for p in tmp_path.iterdir()]
    before = time.monotonic()
    shell.stop_all()
    for thread in threads:
        thread.join(timeout=8)
    assert time.monotonic() - before < 2.0 + 1.0  # a reader waits at most for its one-second poll
    assert [type(e) for e in ended] == [errors.Interrupted, errors.Interrupted]
    assert all(gone(pid) for pid in pids)
    with pytest.raises(errors.Interrupted):
        shell.run(python(""))


def test_an_exception_in_the_caller_ends_the_child(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C reaches the main thread as KeyboardInterrupt while it waits."""
    started: list[subprocess.Popen[bytes]] = []

    def interrupted(process: subprocess.Popen[bytes], *_rest: object) -> None:
        started.append(process)
        raise KeyboardInterrupt

    monkeypatch.setattr(shell, "_wait", interrupted)
    with pytest.raises(KeyboardInterrupt):
        shell.run(python("import time; time.sleep(60)"))
    assert started[0].poll() is not None
    assert started[0] not in shell._children


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_under_the_log_is_an_error_and_no_hang() -> None:
    before = time.monotonic()
    with pytest.raises(errors.DiskError, match="the disk is full"):
        shell.run(python("print('x\\n' * 500_000)"), log=Path("/dev/full"))
    assert time.monotonic() - before < 20


def test_a_grandchild_that_keeps_the_pipe_open_does_not_hold_up_the_run() -> None:
    code = (
        "import subprocess, sys\n"
        "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(9)'])\n"
        "print('done', flush=True)"
    )
    before = time.monotonic()
    result = shell.run(python(code))
    assert time.monotonic() - before < 8
    assert result.output == "done\n"


def test_a_child_that_fails_on_a_full_disk_need_not_say_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(errors.CheckFailed):
        shell.run(python("exit(1)"), cwd=tmp_path)
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=999_999))
    with pytest.raises(errors.DiskError):
        shell.run(python("exit(1)"), cwd=tmp_path)
    assert shell.run(python("pass"), cwd=tmp_path).returncode == 0


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.ENOSPC, "the disk is full"),
        (errno.EDQUOT, "the disk is full"),
        (errno.EROFS, "cannot be written"),
        (errno.EACCES, "cannot be written"),
        (errno.ENOTDIR, "a file stands where a folder should be"),
        (errno.EIO, "writing x"),
    ],
)
def test_faults_of_the_system(number: int, said: str) -> None:
    error = shell.from_os_error(OSError(number, os.strerror(number), "/some/file"), "writing x")
    assert isinstance(error, errors.DiskError) and error.code == 7
    assert said in error.what and "/some/file" in error.what
    assert error.fix


def test_quoting_is_for_reading() -> None:
    assert shell.quoted(["a b", "$x", "plain"]) == "'a b' '$x' plain"


def test_a_child_that_dies_by_a_signal() -> None:
    if not POSIX:
        pytest.skip("POSIX signals")
    with pytest.raises(errors.CheckFailed, match=f"exit status -{int(signal.SIGKILL)}"):
        shell.run(python("import os, signal; os.kill(os.getpid(), signal.SIGKILL)"))
