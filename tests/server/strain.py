"""What a server must bear: overload, slow clients, the end under load. Each is a command; check.py runs some in short.

python tests/server/strain.py overload|slow|drain [--seconds N] [--clients N] [--rounds N] [--untimed] [--program PATH]
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from running import Client, Failed, Server, Torn, floats, percentile, program, raw, request, serving, small_json

HEALTH = request("/health", method="GET")
# What an overloaded server may answer.
ALLOWED = {200, 429, 503}


@dataclass
class Tally:
    """What many clients saw."""

    statuses: Counter[str] = field(default_factory=Counter)
    # Seconds of each answer with status 200.
    accepted: list[float] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, status: object, seconds: float) -> None:
        with self.lock:
            self.statuses[str(status)] += 1
            if status == 200:
                self.accepted.append(seconds)


def hammer(port: int, data: bytes, until: float, tally: Tally, pause: float = 0) -> None:
    """One client that asks as soon as it is answered, but no sooner than `pause` after it asked last."""
    client: Client | None = None
    due = time.monotonic()
    while (start := time.monotonic()) < until:
        if start < due:
            time.sleep(due - start)
            continue
        due = max(due + pause, start)
        try:
            client = client or Client(port)
            answer = client.ask(data)
        except (Torn, OSError) as error:
            tally.add(type(error).__name__, 0)
            client = None
            continue
        if answer is None:
            tally.add("closed", 0)
            client = None
            continue
        tally.add(answer.status, time.monotonic() - start)
        if answer.headers.get("connection") == "close":
            client.close()
            client = None
    if client:
        client.close()


def crowd(port: int, data: bytes, clients: int, seconds: float, pause: float = 0) -> Tally:
    tally = Tally()
    until = time.monotonic() + seconds
    threads = [threading.Thread(target=hammer, args=(port, data, until, tally, pause)) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return tally


class Watch:
    """Asks /health and looks at the memory until told to stop."""

    def __init__(self, server: Server) -> None:
        self.health: list[float] = []
        self.resident: list[int] = []
        self._server = server
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def _look(self) -> None:
        with Client(self._server.port) as client:
            while not self._stop.wait(0.05):
                start = time.monotonic()
                client.ask(HEALTH)
                self.health.append(time.monotonic() - start)
                self.resident.append(self._server.usage().resident)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


# Compute threads, and requests that may wait for one.
THREADS, QUEUE = 2, 8
# 2048 queries over 2048 keys of 2 numbers: 48 KiB that keep a thread at work for milliseconds, so that work is the limit
# and not the network.
QUERIES, WIDTH = 2048, 2
SCRIPT = """
wrk.method = "POST"
wrk.headers["content-type"] = "application/octet-stream"
local file = io.open("body", "rb")
wrk.body = file:read("*a")
file:close()
local pause = tonumber(os.getenv("PAUSE"))
function delay() return pause end
local threads = {}
function setup(thread) table.insert(threads, thread) end
function init() counts = "" ; statuses = {} ; times = {} end
function response(status) statuses[status] = (statuses[status] or 0) + 1
  counts = "" for k, v in pairs(statuses) do counts = counts .. k .. "=" .. v .. " " end end
function done(summary, latency)
  local all = "" for _, thread in ipairs(threads) do all = all .. thread:get("counts") end
  local e = summary.errors
  io.write("FOUND ", all, "connect=", e.connect, " read=", e.read, " write=", e.write, " timeout=", e.timeout, "\\n")
end
"""


def storm(server: Server, connections: int, seconds: float, pause: float) -> dict[str, int]:
    """What wrk saw: how often each status, and each error of a socket."""
    with tempfile.TemporaryDirectory(prefix="rva-wrk-") as folder:
        (Path(folder) / "body").write_bytes(floats(3 * QUERIES * WIDTH))
        (Path(folder) / "script.lua").write_text(SCRIPT)
        path = f"/attention/batch?attention_type=scaled-dot-product&hidden_dim={WIDTH}&num_keys={QUERIES}"
        argv = ["wrk", "-t1", f"-c{connections}", f"-d{seconds:.0f}s", "-s", "script.lua"]
        argv.append(f"http://127.0.0.1:{server.port}{path}")
        environment = os.environ | {"PAUSE": str(round(pause * 1e3))}
        done = subprocess.run(argv, cwd=folder, env=environment, capture_output=True, text=True, check=True)
    found = re.search(r"^FOUND (.*)$", done.stdout, re.MULTILINE)
    if found is None:
        raise Failed(f"wrk said {done.stdout!r}")
    pairs = (pair.split("=") for pair in found[1].split())
    return {name: int(count) for name, count in pairs if int(count)}


def overload(path: Path, seconds: float, timed: bool) -> dict[str, object]:
    """Ten times what the server can do, from wrk; a client beside it measures what accepted requests take."""
    work = raw(QUERIES, QUERIES, WIDTH, "/attention/batch")
    settings = {"server_queue_size": QUEUE, "optimization_num_threads": THREADS, "server_max_batch_size": QUERIES}
    with serving(path, **settings) as server:
        alone = crowd(server.port, work, 1, max(2.0, seconds / 10))
        # What the server can do: as many clients as threads and then some, none of them refused.
        capacity = len(crowd(server.port, work, THREADS + 2, 2).accepted) / 2
        connections = 100
        probe: list[Tally] = []
        with Watch(server) as watch:
            thread = threading.Thread(target=lambda: probe.append(crowd(server.port, work, 1, seconds, 0.02)))
            thread.start()
            statuses = storm(server, connections, seconds, connections / (10 * capacity))
            thread.join()
        exit_code = server.stop()
    unloaded = percentile(alone.accepted, 0.99)
    quarter = len(watch.resident) // 4
    found: dict[str, object] = {
        "seconds": seconds,
        "capacity_per_s": round(capacity, 1),
        "asked_per_s": round(sum(statuses.values()) / seconds, 1),
        "statuses": statuses,
        "probe_statuses": dict(probe[0].statuses),
        "unloaded_p99_ms": round(unloaded * 1e3, 2),
        "accepted_p50_ms": round(percentile(probe[0].accepted, 0.5) * 1e3, 2),
        "accepted_p99_ms": round(percentile(probe[0].accepted, 0.99) * 1e3, 2),
        # Twice its own time, and the time of those before it in the queue at the rate measured.
        "limit_ms": round((2 * unloaded + (QUEUE + THREADS) / capacity) * 1e3, 2),
        "health_p99_ms": round(percentile(watch.health, 0.99) * 1e3, 2),
        "health_max_ms": round(max(watch.health) * 1e3, 2),
        "resident_mib": [
            round(x / 2**20, 1) for x in (max(watch.resident[: quarter + 1]), max(watch.resident[quarter:]))
        ],
        "exit": exit_code,
    }
    return found | {"faults": judge_overload(found, timed)}


def judge_overload(found: dict[str, object], timed: bool) -> list[str]:
    statuses, probe, resident = found["statuses"], found["probe_statuses"], found["resident_mib"]
    assert isinstance(statuses, dict) and isinstance(probe, dict) and isinstance(resident, list)
    faults = []
    if other := {status for status in {**statuses, **probe} if status not in {str(s) for s in ALLOWED}}:
        faults.append(f"answers other than 200, 429 and 503: {sorted(other)}")
    if not statuses.get("200") or not statuses.get("503"):
        faults.append("the server was never overloaded, or never answered")
    if timed and float(str(found["accepted_p99_ms"])) > float(str(found["limit_ms"])):
        faults.append("accepted requests took longer than their limit")
    if timed and float(str(found["health_max_ms"])) >= 100:
        faults.append("/health took 100 ms or more")
    # Buffers settle in the first quarter; a leak under load goes on.
    if resident[1] > resident[0] * 1.1 + 8:
        faults.append("memory grew")
    if found["exit"] != 0:
        faults.append("the server did not end well")
    return faults


def slow_clients(port: int, count: int) -> list[socket.socket]:
    """Half a head, half a body, and one in fifty with an answer that nobody reads."""
    # 8 MiB, an answer that no socket's buffers hold, and little work.
    queries, width = 1, 1 << 21
    path = f"/attention?attention_type=scaled-dot-product&hidden_dim=1&num_keys=1&value_dim={width}"
    greedy = request(path, bytes(4 * (queries + 1 + width)), "application/octet-stream")
    pieces = [small_json()[:40], small_json()[:-10], greedy]
    found = []
    for index in range(count):
        client = socket.socket()
        # Little room for an answer, so that the server has to wait for the reader.
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.settimeout(10)
        with contextlib.suppress(OSError):
            client.connect(("127.0.0.1", port))
            # Those who do not read come first, for sending 8 MiB takes a moment; a few are enough.
            client.sendall(pieces[2] if index < count / 50 else pieces[index % 2])
        found.append(client)
    return found


def open_connections(port: int) -> int:
    """As the server counts them, this one not."""
    with Client(port) as client:
        answer = client.ask(request("/metrics", method="GET"))
    if answer is None:
        raise Failed("no metrics")
    line = next(line for line in answer.body.decode().splitlines() if line.startswith("ruvector_connections "))
    return int(line.split(" ")[1]) - 1


def slow(path: Path, clients: int, timed: bool = True) -> dict[str, object]:
    """Slow clients, and what ordinary ones notice of them."""
    # 4 clients that ask 50 times a second each: traffic that the machine bears easily.
    ordinary, pause = 4, 0.02
    work = raw(1, 1000, 128)
    with serving(path, server_max_connections=clients + 100) as server:
        before = crowd(server.port, work, ordinary, 4, pause)
        result: list[Tally] = []
        with Watch(server) as watch:
            start = time.monotonic()
            held = slow_clients(server.port, clients)
            connected = time.monotonic() - start
            # While they are all there.
            thread = threading.Thread(target=lambda: result.append(crowd(server.port, work, ordinary, 4, pause)))
            thread.start()
            peak = open_connections(server.port)
            thread.join()
            ended = start + connected
            while open_connections(server.port) > ordinary + 1 and time.monotonic() < ended + 30:
                time.sleep(0.1)
            dropped = time.monotonic() - ended
        for client in held:
            client.close()
        exit_code = server.stop()
    found = {
        "clients": clients,
        "peak_connections": peak,
        "connected_in_s": round(connected, 2),
        "dropped_after_s": round(dropped, 2),
        "ordinary_before_per_s": round(len(before.accepted) / 4, 1),
        "ordinary_beside_per_s": round(len(result[0].accepted) / 4, 1),
        "ordinary_share": round(len(result[0].accepted) / max(1, len(before.accepted)), 3),
        "statuses": dict(result[0].statuses),
        "health_max_ms": round(max(watch.health) * 1e3, 2),
        "exit": exit_code,
    }
    return found | {"faults": judge_slow(found, timed)}


def judge_slow(found: dict[str, object], timed: bool) -> list[str]:
    faults = []
    if int(str(found["peak_connections"])) < int(str(found["clients"])) * 0.9:
        faults.append("the slow clients were not there together")
    if float(str(found["dropped_after_s"])) > 10:
        faults.append("slow clients were there for more than 10 s")
    if timed and float(str(found["ordinary_share"])) < 0.9:
        faults.append("ordinary requests lost more than a tenth of their rate")
    if found["statuses"] and set(found["statuses"]) != {"200"}:  # type: ignore[call-overload]
        faults.append("ordinary requests were refused")
    if found["exit"] != 0:
        faults.append("the server did not end well")
    return faults


def drain_once(path: Path, moment: float) -> dict[str, int]:
    """Ends a server that is at work; counts what its clients got and what it says to have answered."""
    whole = torn = 0
    lock = threading.Lock()

    def client() -> None:
        nonlocal whole, torn
        mine = broken = 0
        with contextlib.suppress(OSError):
            connection = Client(server.port)
            while True:
                try:
                    answer = connection.ask(data)
                except Torn:
                    broken += 1
                    break
                if answer is None:
                    break
                mine += 1
                if answer.headers.get("connection") == "close":
                    break
        with lock:
            whole += mine
            torn += broken

    data = raw(8, 1000, 128, "/attention/batch")
    with serving(path) as server:
        threads = [threading.Thread(target=client) for _ in range(8)]
        for thread in threads:
            thread.start()
        time.sleep(moment)
        exit_code = server.stop()
        for thread in threads:
            thread.join()
        return {"whole": whole, "torn": torn, "answered": server.answered(), "exit": exit_code}


def drain(path: Path, rounds: int) -> dict[str, object]:
    """SIGTERM at moments of chance, by a fixed seed."""
    chance = random.Random(6)
    results = [drain_once(path, chance.uniform(0.02, 0.3)) for _ in range(rounds)]
    total = {key: sum(result[key] for result in results) for key in ("whole", "torn", "answered")}
    return {"rounds": rounds, **total, "faults": [fault for result in results for fault in judge_drain(result)]}


def judge_drain(result: dict[str, int]) -> list[str]:
    faults = []
    if result["torn"]:
        faults.append(f"{result['torn']} answers were torn")
    if result["whole"] != result["answered"]:
        faults.append(f"{result['answered']} requests were answered, {result['whole']} answers arrived")
    if result["whole"] == 0:
        faults.append("nothing was asked")
    if result["exit"] != 0:
        faults.append(f"the server ended with {result['exit']}")
    return faults


def second_signal(path: Path) -> dict[str, object]:
    """A server that waits for a request ends at once with the second signal."""
    with serving(path) as server, Client(server.port) as client:
        client.send(small_json()[:-10])
        time.sleep(0.2)
        server.process.terminate()
        time.sleep(0.3)
        waited = server.process.poll() is None
        start = time.monotonic()
        exit_code = server.stop()
        took = time.monotonic() - start
    faults = [] if waited and took < 1 and exit_code == 7 else ["the second signal did not end it at once with code 7"]
    return {"waited": waited, "seconds": round(took, 2), "exit": exit_code, "faults": faults}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("overload", "slow", "drain"))
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--clients", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--untimed", action="store_true", help="do not judge times: the machine has other work")
    parser.add_argument("--program", type=Path)
    given = parser.parse_args()
    try:
        path = given.program or program()
        runs: dict[str, Callable[[], dict[str, object]]] = {
            "overload": lambda: overload(path, given.seconds, not given.untimed),
            "slow": lambda: slow(path, given.clients),
            "drain": lambda: drain(path, given.rounds),
        }
        found = runs[given.what]()
    except Failed as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(json.dumps(found, indent=1) + "\n")
    return 1 if found["faults"] else 0


if __name__ == "__main__":
    sys.exit(main())
