"""The checks of the server see what they look for: each fault is shown red."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "server"))
import check
import running
import soak
import strain

OVERLOAD: dict[str, object] = {
    "statuses": {"200": 9, "503": 90},
    "probe_statuses": {"200": 1},
    "accepted_p99_ms": 10.0,
    "limit_ms": 20.0,
    "health_max_ms": 9.0,
    "resident_mib": [40.0, 41.0],
    "exit": 0,
}
SLOW: dict[str, object] = {
    "clients": 100,
    "peak_connections": 104,
    "dropped_after_s": 6.0,
    "ordinary_share": 0.99,
    "statuses": {"200": 100},
    "exit": 0,
}
DRAIN = {"whole": 9, "torn": 0, "answered": 9, "exit": 0}


@pytest.mark.parametrize(
    "change",
    [
        {"statuses": {"200": 9, "500": 1, "503": 1}},
        {"statuses": {"200": 9, "503": 1, "read": 2}},
        {"probe_statuses": {"closed": 1}},
        {"statuses": {"200": 9}},
        {"statuses": {"503": 9}},
        {"accepted_p99_ms": 21.0},
        {"health_max_ms": 100.0},
        {"resident_mib": [40.0, 60.0]},
        {"exit": 7},
    ],
)
def test_overload_is_judged(change: dict[str, object]) -> None:
    assert strain.judge_overload(OVERLOAD, True) == []
    assert len(strain.judge_overload(OVERLOAD | change, True)) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"peak_connections": 80},
        {"dropped_after_s": 10.1},
        {"ordinary_share": 0.89},
        {"statuses": {"200": 1, "503": 1}},
        {"exit": 7},
    ],
)
def test_slow_clients_are_judged(change: dict[str, object]) -> None:
    assert strain.judge_slow(SLOW, True) == []
    assert len(strain.judge_slow(SLOW | change, True)) == 1


@pytest.mark.parametrize("change", [{"torn": 1}, {"answered": 10}, {"exit": 7}, {"whole": 0, "answered": 0}])
def test_lost_answers_are_seen(change: dict[str, int]) -> None:
    assert strain.judge_drain(DRAIN) == []
    assert len(strain.judge_drain(DRAIN | change)) == 1


def test_findings_of_the_description_are_seen() -> None:
    assert check.judge_described(0, "1045 generated, 1045 passed", 0) == []
    assert check.judge_described(1, "1 failed", 0) == ["schemathesis: 1 failed"]
    assert check.judge_described(0, "", 0) == ["schemathesis asked nothing"]
    assert check.judge_described(0, "1 generated", 7) == ["the server ended with 7"]


def test_a_page_is_held_to_what_it_says() -> None:
    page = '```sh\ncurl x\n```\n\n```json\n{"a": 1}\n```\n'
    assert check.blocks(page) == [("sh", "curl x\n", '{"a": 1}\n')]
    assert check.same('{"a":1,"computation_time_ms":0.3}', '{"a": 1, "computation_time_ms": 0.0}')
    assert not check.same('{"a":2}', '{"a": 1}')
    assert check.same("2.0\n", "2.0") and not check.same("2.5\n", "2.0")


def usage(minutes: int, resident: float, descriptors: int) -> tuple[float, running.Usage]:
    return minutes * 60.0, running.Usage(int(resident * 2**20), descriptors)


@pytest.mark.parametrize(
    ("samples", "well"),
    [
        ([usage(m, 30, 11) for m in range(31)], True),
        # Buffers that grow in the first tenth are no leak.
        ([usage(m, 20 if m < 3 else 30, 11) for m in range(31)], True),
        ([usage(m, 30 + m * 0.11, 11) for m in range(31)], False),
        ([usage(m, 30, 11 + (m > 20)) for m in range(31)], False),
    ],
)
def test_leaks_are_seen(samples: list[tuple[float, running.Usage]], well: bool) -> None:
    assert soak.verdict(samples)["ok"] is well
