"""Half an hour and a million requests: memory and descriptors must not grow.

python tests/server/soak.py [--minutes 30] [--requests 1000000] [--program PATH]
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

from running import Client, Failed, Server, Usage, program, raw, request, serving, sleep_until, small_json

# Growth of resident memory that counts as a leak, in bytes per 10 minutes.
MOST_SLOPE = 1 << 20


def slope(samples: list[tuple[float, float]]) -> float:
    """Of the straight line with the least squares, per second."""
    n = len(samples)
    mean_x, mean_y = sum(x for x, _ in samples) / n, sum(y for _, y in samples) / n
    spread = sum((x - mean_x) ** 2 for x, _ in samples)
    return sum((x - mean_x) * (y - mean_y) for x, y in samples) / spread if spread else 0.0


def verdict(samples: list[tuple[float, Usage]]) -> dict[str, object]:
    """Slope of the memory after the first tenth, in which buffers grow to what they need; and the descriptors."""
    start, end = samples[0][0], samples[-1][0]
    settled = [(at, usage) for at, usage in samples if at >= start + (end - start) / 10]
    per_second = slope([(at, usage.resident) for at, usage in settled])
    descriptors = [usage.descriptors for _, usage in settled]
    return {
        "memory_bytes_per_10_minutes": round(per_second * 600),
        "resident_first": settled[0][1].resident,
        "resident_last": settled[-1][1].resident,
        "descriptors": [min(descriptors), max(descriptors)],
        "ok": per_second * 600 < MOST_SLOPE and min(descriptors) == max(descriptors),
    }


def mixture() -> list[tuple[bytes, int]]:
    """Requests of every form and fate, with the status each must have."""
    rows = ", ".join(["[0.5, 0.25]"] * 8)
    batch = f'{{"attention_type": "linear", "queries": [{rows}], "keys": [{rows}], "values": [{rows}]}}'.encode()
    kinds = ("scaled-dot-product", "multi-head", "linear", "cross-attention", "hyperbolic")
    return [
        *[(small_json(), 200)] * 10,
        *[(raw(1, 16, 8, kind=kind), 422 if kind == "hyperbolic" else 200) for kind in kinds],
        (request("/attention/batch", batch), 200),
        (raw(4, 100, 128, "/attention/batch"), 200),
        (request("/attention", b'{"query": [1'), 400),
        (request("/attention", b'{"query": [1], "keys": [1, 2], "values": [1, 2, 3]}'), 422),
        (request("/health", method="GET"), 200),
        (request("/metrics", method="GET"), 200),
        (request("/nothing", method="GET"), 404),
    ]


def soak(server: Server, seconds: float, requests: int) -> dict[str, object]:
    """Asks at an even rate; a new connection every 500 requests."""
    asked = mixture()
    samples: list[tuple[float, Usage]] = []
    wrong: dict[str, int] = {}
    start = time.monotonic()
    client = Client(server.port)
    for count in range(requests):
        data, expected = asked[count % len(asked)]
        answer = client.ask(data)
        if answer is None or answer.status != expected:
            name = f"{answer.status if answer else 'closed'} for {expected}"
            wrong[name] = wrong.get(name, 0) + 1
        if answer is None or count % 500 == 499:
            client.close()
            client = Client(server.port)
        if count % max(1, requests // 360) == 0:
            client.ask(request("/health", method="GET"))
            samples.append((time.monotonic(), server.usage()))
        sleep_until(start + seconds * count / requests)
    client.close()
    took = time.monotonic() - start
    found = verdict(samples)
    found["ok"] = bool(found["ok"]) and not wrong
    return {"requests": requests, "seconds": round(took, 1), "wrong": wrong, **found}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--requests", type=int, default=1_000_000)
    parser.add_argument("--program", type=Path)
    given = parser.parse_args()
    try:
        with serving(given.program or program()) as server:
            found = soak(server, given.minutes * 60, given.requests)
            found["exit"] = server.stop()
    except Failed as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(json.dumps(found) + "\n")
    return 0 if found["ok"] and found["exit"] == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
