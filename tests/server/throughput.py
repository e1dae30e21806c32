"""Calls a second on two cores: the core's own, /attention and /attention/batch in raw float32, and FastAPI with NumPy;
beside them what the loopback interface itself carries: a server that reads the same bodies and computes nothing.

python tests/server/throughput.py [--seconds 3] [--rounds 3] [--peer PYTHON] [--program PATH]; needs wrk.

PYTHON has requirements/server-peer.txt. The contenders take turns; wrk shares the two cores with the server.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from running import Failed, floats, program, serving

DIM, KEYS, QUERIES = 128, 1000, 256
PIECE = 1 << 16
HERE = Path(__file__).resolve().parent
SCRIPT = """
wrk.method = "POST"
wrk.headers["content-type"] = "application/octet-stream"
local file = io.open("body", "rb")
wrk.body = file:read("*a")
file:close()
"""


def asked(url: str, queries: int, seconds: float, connections: int = 4, keys: int = KEYS) -> float:
    """Requests a second that wrk has answered with 200."""
    with tempfile.TemporaryDirectory(prefix="rva-wrk-") as folder:
        (Path(folder) / "body").write_bytes(floats((queries + 2 * keys) * DIM))
        (Path(folder) / "script.lua").write_text(SCRIPT)
        argv = ["wrk", "-t1", f"-c{connections}", f"-d{seconds:.0f}s", "-s", "script.lua", url]
        text = subprocess.run(argv, cwd=folder, capture_output=True, text=True, check=True).stdout
    rate = re.search(r"Requests/sec:\s+([\d.]+)", text)
    if rate is None or "Non-2xx" in text or "Socket errors" in text:
        raise Failed(f"wrk said {text!r}")
    return float(rate[1])


def core_alone(path: Path, seconds: float) -> float:
    """Calls a second of two processes that call the core with one thread each."""
    count = max(1000, int(seconds * 50_000))
    with tempfile.TemporaryDirectory(prefix="rva-core-") as folder:
        argv: list[str | Path] = [path, "benchmark", "--types", "scaled-dot-product", "--dims", str(DIM)]
        argv += ["--neighbors", str(KEYS), "--iterations", str(count), "--output"]
        environment = os.environ | {"RUVECTOR_OPTIMIZATION_NUM_THREADS": "1"}
        started = [
            subprocess.Popen([*argv, Path(folder) / f"{index}.json"], env=environment, stdout=subprocess.DEVNULL)
            for index in range(2)
        ]
        if any(process.wait() != 0 for process in started):
            raise Failed("the program's benchmark failed")
        results = [json.loads((Path(folder) / f"{index}.json").read_text())["results"][0] for index in range(2)]
    return sum(1e3 / float(result["median_ms"]) for result in results)


def swallow(client: socket.socket) -> None:
    """Reads bodies into one small place, which stays in the processor's cache, and answers as many bytes as a result has."""
    answer = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % (4 * DIM) + bytes(4 * DIM)
    space = memoryview(bytearray(PIECE))
    with client, contextlib.suppress(ConnectionError):
        while have := client.recv_into(space):
            head, _, body = bytes(space[: min(have, 4096)]).partition(b"\r\n\r\n")
            length = re.search(rb"(?i)content-length: *(\d+)", head)
            assert body and length, "the head comes in one piece, with some of the body"
            rest = len(head) + 4 + int(length[1]) - have
            while rest:
                rest -= client.recv_into(space, min(rest, PIECE), socket.MSG_WAITALL)
            client.sendall(answer)


@contextlib.contextmanager
def reader() -> Iterator[str]:
    """A server that only reads; its address. Its threads wait in the system, where Python holds no lock."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    client, _ = listener.accept()
                    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    threading.Thread(target=swallow, args=(client,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"


@contextlib.contextmanager
def peer(python: Path) -> Iterator[str]:
    """FastAPI under uvicorn with two workers; its address."""
    port = 18981
    argv: list[str | Path] = [
        python,
        "-m",
        "uvicorn",
        "peer:app",
        "--workers",
        "2",
        "--port",
        str(port),
        "--log-level",
        "error",
    ]
    environment = os.environ | {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
    process = subprocess.Popen(argv, cwd=HERE, env=environment)
    try:
        for _ in range(100):
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health")
                break
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}/attention?hidden_dim={DIM}&num_keys={KEYS}"
    finally:
        process.terminate()
        process.wait()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peer", type=Path)
    parser.add_argument("--program", type=Path)
    given = parser.parse_args()
    rates: dict[str, list[float]] = {}

    def note(name: str, rate: float) -> None:
        rates.setdefault(name, []).append(round(rate, 1))

    try:
        path = given.program or program()
        with contextlib.ExitStack() as stack:
            server = stack.enter_context(serving(path))
            limit = stack.enter_context(reader())
            other = stack.enter_context(peer(given.peer)) if given.peer else None
            url = f"http://127.0.0.1:{server.port}/attention%s?hidden_dim={DIM}&num_keys={KEYS}&attention_type=scaled-dot-product"
            tiny = f"http://127.0.0.1:{server.port}/attention?hidden_dim={DIM}&num_keys=1&attention_type=scaled-dot-product"
            for _ in range(given.rounds):
                note("core", core_alone(path, given.seconds))
                note("loopback alone", asked(limit, 1, given.seconds))
                note("server", asked(url % "", 1, given.seconds))
                # What is left of a request when it brings no keys to speak of, as if they were kept by the server.
                note("server, one key", asked(tiny, 1, given.seconds, 32, keys=1))
                note("server, queries of a batch", QUERIES * asked(url % "/batch", QUERIES, given.seconds))
                if other:
                    # uvicorn's workers leave Nagle's algorithm on, and each answer waits for it: more connections fill the time.
                    note("FastAPI and NumPy", asked(other, 1, given.seconds, 64))
    except Failed as error:
        sys.stderr.write(f"{error}\n")
        return 1
    core = statistics.median(rates["core"])
    shares = {name: round(statistics.median(found) / core, 3) for name, found in rates.items()}
    sys.stdout.write(json.dumps({"per_second": rates, "of_the_core": shares, "wanted": 0.7}, indent=1) + "\n")
    return 0 if shares["server"] >= 0.7 else 1


if __name__ == "__main__":
    sys.exit(main())
