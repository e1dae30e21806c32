"""Progress: what each level shows, colour by the usual variables, no control characters in pipes."""

from __future__ import annotations

import io
import os
import threading
import time

import pytest
from rva import log as log_module
from rva.log import Log, wants_colour


class Terminal(io.StringIO):
    """A text stream that calls itself a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _plain(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")


@pytest.mark.parametrize(
    ("level", "seen"),
    [(0, ["warning: w", "error: e"]), (1, ["s", "warning: w", "error: e"]), (2, ["s", "warning: w", "error: e", "d"])],
)
def test_levels(level: int, seen: list[str]) -> None:
    stream = io.StringIO()
    log = Log(level, stream)
    log.say("s")
    log.warn("w")
    log.error("e")
    log.detail("d")
    assert stream.getvalue().splitlines() == seen


def test_a_pipe_gets_no_control_characters() -> None:
    stream = io.StringIO()
    log = Log(1, stream)
    with log.stage("work"):
        log.detail("hidden")
        log.say("shown")
    lines = stream.getvalue().splitlines()
    assert lines[:2] == ["work", "shown"]
    assert lines[2].startswith("work: ") and lines[2].endswith(" s")
    assert "\x1b" not in stream.getvalue() and "\r" not in stream.getvalue()


def test_a_stage_that_fails_still_prints_its_time() -> None:
    stream = io.StringIO()
    with pytest.raises(ValueError, match="x"), Log(1, stream).stage("work"):
        raise ValueError("x")
    assert "work: 0.0 s" in stream.getvalue()


def test_a_terminal_gets_one_living_line() -> None:
    stream = Terminal()
    log = Log(1, stream)
    log.detail("a" * 500)
    log.detail("b")
    log.say("done")
    text = stream.getvalue()
    assert text.endswith("\r\x1b[2Kdone\n")
    assert max(len(part) for part in text.split("\r")) <= log_module._columns() + 10
    assert text.count("\n") == 1


def test_verbose_and_dumb_terminals_have_no_living_line(monkeypatch: pytest.MonkeyPatch) -> None:
    verbose = Terminal()
    Log(2, verbose).detail("x")
    assert verbose.getvalue() == "x\n"
    monkeypatch.setenv("TERM", "dumb")
    dumb = Terminal()
    Log(1, dumb).detail("x")
    assert dumb.getvalue() == ""


@pytest.mark.parametrize(
    ("env", "terminal", "colour"),
    [
        ({}, True, True),
        ({}, False, False),
        ({"NO_COLOR": "1"}, True, False),
        ({"NO_COLOR": ""}, True, True),
        ({"FORCE_COLOR": "1"}, False, True),
        ({"NO_COLOR": "1", "FORCE_COLOR": "1"}, True, False),
        ({"TERM": "dumb"}, True, False),
    ],
)
def test_colour(monkeypatch: pytest.MonkeyPatch, env: dict[str, str], terminal: bool, colour: bool) -> None:
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    stream = Terminal() if terminal else io.StringIO()
    assert wants_colour(stream) is colour
    Log(1, stream).warn("w")
    assert ("\x1b[33m" in stream.getvalue()) is colour


def test_long_work_in_a_pipe_shows_that_it_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_module, "SILENCE_S", 0.05)
    stream = io.StringIO()
    log = Log(1, stream)
    log.detail("a" * 500)
    log.detail("compiling b")
    deadline = time.monotonic() + 20
    while stream.getvalue().count("\n") < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert stream.getvalue().splitlines()[:2] == ["  [0:00] compiling b"] * 2


def test_what_was_said_last_is_what_is_being_done(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    log = Log(1, stream)
    log.detail("fetching a")
    log.say("building b")
    log.say("")
    monkeypatch.setattr(log_module, "SILENCE_S", 0.0)
    log.break_silence()
    assert stream.getvalue().splitlines()[-1] == "  [0:00] building b"


def test_what_speaks_or_shall_be_quiet_is_not_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    log = Log(1, stream)
    log.detail("busy")
    log.say("spoken")
    assert 0 < log.break_silence() <= log_module.SILENCE_S
    assert stream.getvalue() == "spoken\n"
    monkeypatch.setattr(log_module, "SILENCE_S", 0.0)
    quiet = io.StringIO()
    Log(0, quiet).detail("busy")
    time.sleep(0.05)
    assert quiet.getvalue() == ""


def test_lines_of_many_threads_stay_whole() -> None:
    stream = Terminal()
    log = Log(1, stream)

    def talk(name: str) -> None:
        for _ in range(50):
            log.detail(f"{name} busy")
            log.say(f"{name} {'x' * 40}")

    threads = [threading.Thread(target=talk, args=(f"t{i}",)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines = [line.rsplit("\x1b[2K", 1)[-1] for line in stream.getvalue().split("\n") if line]
    assert len(lines) == 200
    assert {line[2:] for line in lines} == {" " + "x" * 40}


def test_the_width_of_no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> os.terminal_size:
        raise OSError

    monkeypatch.setattr(os, "get_terminal_size", fail)
    assert log_module._columns() == 80
