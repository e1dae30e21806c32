"""A server under test, and a client that sees every byte."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import struct
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


class Failed(Exception):
    """A server or an answer is not as it must be."""


@dataclass(frozen=True)
class Usage:
    """What a process holds."""

    resident: int
    descriptors: int


@dataclass
class Server:
    """A running server."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path

    def usage(self) -> Usage:
        folder = Path(f"/proc/{self.process.pid}")
        found = re.search(r"VmRSS:\s+(\d+) kB", (folder / "status").read_text())
        if found is None:
            raise Failed("the process has no VmRSS")
        return Usage(int(found[1]) * 1024, len(list((folder / "fd").iterdir())))

    def stop(self, seconds: float = 15) -> int:
        """Its exit code after SIGTERM."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(seconds)

    def answered(self) -> int:
        """How many requests it says to have answered, when it has drained."""
        for line in reversed(self.log.read_text().splitlines()):
            entry = json.loads(line)
            if entry["message"] == "drained":
                return int(entry["answered"])
        raise Failed("the log has no line 'drained'")


def program() -> Path:
    """The program in dist/ that this machine runs."""
    found = []
    for path in sorted((ROOT / "dist" / "cli").glob("*/ruvector-attention")):
        with contextlib.suppress(OSError):
            if subprocess.run([path, "--version"], capture_output=True, check=False).returncode == 0:
                found.append(path)
    if not found:
        raise Failed("dist/cli has no program that runs here; run `./rva build --target cli`")
    # The one for glibc where there are several; the others differ in their libc alone.
    return next((path for path in found if path.parent.name.endswith("gnu")), found[0])


@contextlib.contextmanager
def serving(path: Path, **settings: object) -> Iterator[Server]:
    """A server with these [server] settings, on a free port; ended at the end."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RUVECTOR_")}
    environment |= {
        "RUVECTOR_LOGGING_FORMAT": "json",
        "RUVECTOR_LOGGING_LEVEL": "warn,ruvector_attention_cli::server::listener=info",
    }
    environment |= {f"RUVECTOR_{name.upper()}": str(value) for name, value in settings.items()}
    with tempfile.TemporaryDirectory(prefix="rva-server-") as folder:
        log = Path(folder) / "log"
        with log.open("wb") as stderr:
            argv: list[str | Path] = [path, "serve", "--port", "0"]
            process = subprocess.Popen(argv, env=environment, stdout=subprocess.PIPE, stderr=stderr, cwd=folder)
        assert process.stdout is not None
        try:
            line = process.stdout.readline().decode()
            found = re.fullmatch(r"Listening on http://127\.0\.0\.1:(\d+)\n", line)
            if found is None:
                raise Failed(f"the server said {line!r} and {log.read_text()!r}")
            yield Server(process, int(found[1]), log)
        finally:
            process.kill()
            process.wait()
            process.stdout.close()


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes


class Torn(Exception):
    """An answer began and did not end."""


class Client:
    """One connection, kept alive."""

    def __init__(self, port: int, timeout: float = 15) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._rest = b""

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def receive(self) -> Answer | None:
        """The next answer; None where the server closed before it began."""
        data = self._rest
        while (end := data.find(b"\r\n\r\n")) < 0:
            try:
                more = self._socket.recv(1 << 16)
            except ConnectionError:
                more = b""
            if not more:
                if data:
                    raise Torn(data)
                return None
            data += more
        first, *lines = data[:end].decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        body = data[end + 4 :]
        length = int(headers.get("content-length", "0"))
        pieces = [body]
        have = len(body)
        while have < length:
            try:
                more = self._socket.recv(1 << 18)
            except ConnectionError:
                more = b""
            if not more:
                raise Torn(data)
            pieces.append(more)
            have += len(more)
        body = b"".join(pieces)
        self._rest = body[length:]
        return Answer(int(first.split(" ")[1]), headers, body[:length])

    def ask(self, data: bytes) -> Answer | None:
        # What the server said before it closed is still to be read.
        with contextlib.suppress(ConnectionError):
            self.send(data)
        return self.receive()

    def close(self) -> None:
        self._socket.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def request(
    path: str, body: bytes = b"", kind: str = "application/json", method: str = "POST", **headers: str
) -> bytes:
    """The bytes of a request."""
    lines = [f"{method} {path} HTTP/1.1", "host: localhost", f"content-length: {len(body)}"]
    if body:
        lines.append(f"content-type: {kind}")
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


def floats(count: int) -> bytes:
    """Numbers that are no accident: the same every time, of mixed sign."""
    return struct.pack(f"<{count}f", *(((i * 37) % 101 - 50) / 64 for i in range(count)))


def raw(queries: int, keys: int, dim: int, route: str = "/attention", kind: str = "scaled-dot-product") -> bytes:
    """A request in raw float32."""
    path = f"{route}?attention_type={kind}&hidden_dim={dim}&num_keys={keys}"
    return request(path, floats(queries * dim + 2 * keys * dim), "application/octet-stream")


def small_json() -> bytes:
    body = {"attention_type": "scaled-dot-product", "query": [1, 0], "keys": [1, 0, 0, 1], "values": [1, 2, 3, 4]}
    return request("/attention", json.dumps(body).encode())


def percentile(values: list[float], share: float) -> float:
    """The value that so large a share does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def sleep_until(moment: float) -> None:
    time.sleep(max(0.0, moment - time.monotonic()))
