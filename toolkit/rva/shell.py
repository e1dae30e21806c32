"""The only door to subprocess.

Commands are argument lists, never shell strings. A child runs in a process group of its own, so that an
interrupted run can end the child together with everything it started; where rva is killed, its leash does.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from rva.errors import CheckFailed, DiskError, Interrupted, NetworkError, RvaError, ToolError

_KILL_AFTER_S = 1.0
_POLL_S = 0.05

# What a child's own words say of the cause. Taken from the texts of cargo, npm, pip, apt, zig and the linkers.
_DISK_WORDS = ("No space left on device", "ENOSPC", "os error 28", "Disk quota exceeded", "Read-only file system")
# Less than this, in bytes, is no disk to work on.
_LEAST_FREE = 1_000_000
_NETWORK_WORDS = (
    "Could not resolve host",
    "Temporary failure in name resolution",
    "Temporary failure resolving",
    "ENOTFOUND",
    "ECONNREFUSED",
    "EAI_AGAIN",
    "network failure",
    "failed to download",
    "download of config.json failed",
    "Could not connect to server",
    "Failed to establish a new connection",
    "spurious network error",
)

_children: set[subprocess.Popen[bytes]] = set()
_leash: subprocess.Popen[bytes] | None = None
# Re-entrant: the signal handler runs in the main thread, which may be holding it.
_children_lock = threading.RLock()
_stopping = threading.Event()


@dataclass(frozen=True)
class Result:
    """What a finished child left: its exit status, its text (both streams, in order), how long it took, where it ran."""

    argv: tuple[str, ...]
    returncode: int
    output: str
    duration_s: float
    cwd: Path | None = None


@dataclass(frozen=True)
class Server:
    """A server that runs: its command, where its output goes, and whether it still does."""

    argv: tuple[str, ...]
    log: Path
    is_up: Callable[[], bool]


def quoted(argv: Sequence[str]) -> str:
    """The command as a person would type it; for reading, never for running."""
    return shlex.join(argv)


def filled(words: Sequence[str], programs: Mapping[str, Sequence[str]]) -> list[str]:
    """A command of platforms.toml with its programs in their places.

    {python} becomes a command, {dev}/ruff a path below one; what is no program stays as it is.
    """
    found: list[str] = []
    for word in words:
        name, brace, rest = word.removeprefix("{").partition("}")
        if word.startswith("{") and brace and name in programs:
            *before, last = programs[name]
            found += [*before, last + rest]
        else:
            found.append(word)
    return found


def run(
    argv: Sequence[str | os.PathLike[str]],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    log: Path | None = None,
    on_line: Callable[[str], None] | None = None,
    timeout: float | None = None,
    check: bool = True,
    separate_stderr: bool = False,
    stdin: Path | None = None,
) -> Result:
    """Run one command to its end and return its result.

    ``env`` is added to rva's own environment. ``log`` receives the quoted command and all output.
    ``on_line`` is called with each line as it comes. With ``separate_stderr`` the result holds standard
    output alone (for tools that print data), the log still holds both. ``stdin`` is a file that the command reads.
    A missing program raises ToolError; with ``check``, an exit status other than 0 raises CheckFailed,
    or DiskError or NetworkError where the child's words say so.
    """
    args = tuple(os.fspath(a) for a in argv)
    if _stopping.is_set():
        raise Interrupted("interrupted")
    started = time.monotonic()
    process = _start(args, cwd, env, separate_stderr, stdin)
    try:
        output, errors = _listen(process, args, log, on_line, timeout, started)
    finally:
        _end(process)
    result = Result(args, process.returncode, output, time.monotonic() - started, cwd)
    if _stopping.is_set():
        raise Interrupted("interrupted")
    if check and result.returncode != 0:
        raise failure(result, output + errors, log)
    return result


@contextlib.contextmanager
def serving(
    argv: Sequence[str | os.PathLike[str]], *, cwd: Path, env: Mapping[str, str], log: Path
) -> Iterator[Server]:
    """Run a server while the block lasts; it ends with everything it started, even where rva is killed.

    ``env`` is its whole environment: nothing of rva's own, such as a token, reaches it. ``log`` receives its output.
    """
    args = tuple(os.fspath(a) for a in argv)
    with log.open("ab", buffering=0) as record:
        try:
            process = subprocess.Popen(
                args, cwd=cwd, env=dict(env), stdin=subprocess.DEVNULL, stdout=record,
                stderr=subprocess.STDOUT, start_new_session=os.name == "posix",
            )  # fmt: skip
        except OSError as error:
            raise from_os_error(error, f"cannot start `{args[0]}`") from error
    _begin(process)
    try:
        yield Server(args, log, lambda: process.poll() is None)
    finally:
        _end(process)


def failure(result: Result, text: str, log: Path | None) -> RvaError:
    """The error that fits how a command failed, quoting its last lines."""
    tail = "\n".join(text.strip().splitlines()[-25:])
    where = f"\nfull output: {log}" if log else ""
    what = f"`{quoted(result.argv)}` ended with exit status {result.returncode}\n{tail}{where}"
    if any(word in text for word in _DISK_WORDS) or _is_full(result.cwd):
        return DiskError(
            what,
            fix="free some disk space, or point TMPDIR and RVA_CACHE_DIR at a larger disk, then run the same command again",
        )
    if any(word in text for word in _NETWORK_WORDS):
        return NetworkError(
            what, fix="check the network or proxy settings, then run the same command again; what was fetched is kept"
        )
    return CheckFailed(what, fix="read the tool's message above; the command can be run by hand as shown")


def _is_full(folder: Path | None) -> bool:
    """Whether the disk that a command worked on has no room: not every program says what it failed of."""
    try:
        return folder is not None and shutil.disk_usage(folder).free < _LEAST_FREE
    except OSError:
        return False


def stop_all() -> None:
    """End every running child with its group: first politely, after a second by force."""
    _stopping.set()
    with _children_lock:
        running = [p for p in _children if p.poll() is None]
    for process in running:
        _signal_group(process, signal.SIGTERM)
    deadline = time.monotonic() + _KILL_AFTER_S
    while any(p.poll() is None for p in running) and time.monotonic() < deadline:
        time.sleep(_POLL_S)
    for process in running:
        # The group may outlive its leader: wrappers end before the compilers they started.
        _signal_group(process, getattr(signal, "SIGKILL", signal.SIGTERM))


def _start(
    args: tuple[str, ...],
    cwd: Path | None,
    env: Mapping[str, str] | None,
    separate_stderr: bool,
    stdin: Path | None,
) -> subprocess.Popen[bytes]:
    try:
        with contextlib.ExitStack() as stack:
            source = stack.enter_context(stdin.open("rb")) if stdin else subprocess.DEVNULL
            process = subprocess.Popen(
                args,
                cwd=cwd,
                env={**os.environ, **(env or {})},
                stdin=source,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE if separate_stderr else subprocess.STDOUT,
                start_new_session=os.name == "posix",
            )
    except FileNotFoundError as error:
        if cwd is not None and not cwd.is_dir():
            raise ToolError(f"cannot run `{args[0]}`: its folder {cwd} does not exist") from error
        raise ToolError(
            f"`{args[0]}` was not found", fix="run `rva doctor` to see what is missing, `rva setup` to get it"
        ) from error
    except PermissionError as error:
        raise ToolError(f"`{args[0]}` is not an executable program") from error
    except OSError as error:
        raise from_os_error(error, f"cannot start `{args[0]}`") from error
    _begin(process)
    if _stopping.is_set():  # stop_all may have looked at the children just before this one came
        _signal_group(process, signal.SIGTERM)
    return process


class _Record:
    """Where the lines of one child go: memory, the log file, the caller's function."""

    def __init__(self, log: Path | None, on_line: Callable[[str], None] | None) -> None:
        self.lines: dict[str, list[str]] = {"out": [], "err": []}
        self.fault: OSError | None = None
        self._on_line = on_line
        self._lock = threading.Lock()
        self._file = None
        if log is not None:
            log.parent.mkdir(parents=True, exist_ok=True)
            self._file = log.open("ab", buffering=0)

    def write(self, raw: bytes) -> None:
        """Add bytes to the log file. A full disk is remembered, not raised: a child nobody reads from hangs."""
        if self._file is not None and self.fault is None:
            try:
                self._file.write(raw)
            except OSError as error:
                self.fault = error

    def drain(self, name: str, stream: IO[bytes]) -> None:
        """Take every line of one of the child's streams."""
        for raw in stream:
            line = raw.decode("utf-8", "replace")
            self.lines[name].append(line)
            with self._lock:
                self.write(raw)
                if self._on_line is not None:
                    self._on_line(line.rstrip("\n"))

    def close(self) -> None:
        """Close the log file; lines that come later are kept in memory alone."""
        with self._lock:
            file, self._file = self._file, None
            if file is not None:
                file.close()


def _listen(
    process: subprocess.Popen[bytes],
    args: tuple[str, ...],
    log: Path | None,
    on_line: Callable[[str], None] | None,
    timeout: float | None,
    started: float,
) -> tuple[str, str]:
    record = _Record(log, on_line)
    try:
        record.write(f"$ {quoted(args)}\n".encode())
        streams = {"out": process.stdout, "err": process.stderr}
        readers = [
            threading.Thread(target=record.drain, args=(name, stream), daemon=True)
            for name, stream in streams.items()
            if stream is not None
        ]
        for reader in readers:
            reader.start()
        _wait(process, args, timeout, started)
        for reader in readers:
            # A grandchild may keep the pipe open after the command itself has ended.
            reader.join(timeout=5)
    finally:
        record.close()
    if record.fault is not None:
        raise from_os_error(record.fault, f"cannot write {log}")
    return "".join(record.lines["out"]), "".join(record.lines["err"])


def _wait(process: subprocess.Popen[bytes], args: tuple[str, ...], timeout: float | None, started: float) -> None:
    while True:
        try:
            process.wait(timeout=1.0)
            return
        except subprocess.TimeoutExpired:
            if timeout is not None and time.monotonic() - started > timeout:
                _signal_group(process, getattr(signal, "SIGKILL", signal.SIGTERM))
                process.wait()
                raise CheckFailed(f"`{quoted(args)}` did not end within {timeout:.0f} s") from None


def _begin(process: subprocess.Popen[bytes]) -> None:
    with _children_lock:
        _children.add(process)
        _tell_leash(f"+{process.pid}\n")


def _tell_leash(word: str) -> None:
    """Say it to the program that outlives rva, which is started with the first child."""
    global _leash
    with contextlib.suppress(OSError):  # without it, rva still ends its children where it can
        if _leash is None:
            argv = [sys.executable, "-I", "-S", os.fspath(Path(__file__).with_name("leash.py"))]
            quiet = subprocess.DEVNULL
            env = {name: os.environ[name] for name in ("SYSTEMROOT",) if name in os.environ}
            _leash = subprocess.Popen(
                argv, bufsize=0, env=env, stdin=subprocess.PIPE, stdout=quiet, stderr=quiet, start_new_session=os.name == "posix"
            )  # fmt: skip
        if _leash.stdin is not None:
            _leash.stdin.write(word.encode())


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        _signal_group(process, getattr(signal, "SIGKILL", signal.SIGTERM))
        process.wait()
    with _children_lock:
        _children.discard(process)
        _tell_leash(f"-{process.pid}\n")


def _signal_group(process: subprocess.Popen[bytes], number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if os.name == "posix":
            os.killpg(process.pid, number)
        else:
            process.terminate()


def from_os_error(error: OSError, doing: str) -> RvaError:
    """The disk error for an OSError met while writing or starting something."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskError(
            f"{doing}: the disk is full ({error.filename or error.strerror})",
            fix="free some space and run the same command again; finished rows are kept",
        )
    if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        return DiskError(
            f"{doing}: {error.filename or ''} cannot be written ({error.strerror})",
            fix="make the folder writable or set RVA_CACHE_DIR to one that is",
        )
    if error.errno in (errno.ENOTDIR, errno.EEXIST):
        return DiskError(
            f"{doing}: a file stands where a folder should be ({error.filename or error.strerror})",
            fix="remove or rename that file, or set RVA_CACHE_DIR to a folder",
        )
    return DiskError(f"{doing}: {error}", fix="see the message of the operating system")
