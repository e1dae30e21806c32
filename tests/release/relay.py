"""Stands between `rva publish` and a registry: kills, interrupts, loses answers, or answers for the registry."""

from __future__ import annotations

import http.client
import re
import signal
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar
from urllib.parse import parse_qs, urlsplit

BEFORE = ("kill-before", "stop-before", "500", "time-out")
AFTER = ("kill-after", "stop-after", "500-after", "lost-answer")
# Longer than any program of a release needs to start on a busy machine; a shorter one is one more time-out.
TIMEOUT_S = 8
Faults = dict[str, list[str]]


class Stage:
    """One release: its checkout, the faults that are due, what the registries took, what was said."""

    def __init__(self, checkout: Path) -> None:
        self.checkout = checkout
        self.faults: Faults = {}
        self.hit: list[str] = []
        self.taken: Counter[str] = Counter()
        self.publisher: subprocess.Popen[bytes] | None = None
        self.said = b""
        self.lock = threading.Lock()

    def next(self, step: str) -> str:
        """The fault that is due at a step."""
        with self.lock:
            due = self.faults.get(step)
            if not due:
                return ""
            self.hit.append(f"{step} {due[0]}")
            return due.pop(0)

    def took(self, step: str) -> None:
        """The registry accepted it."""
        with self.lock:
            self.taken[step] += 1

    def end(self, number: int) -> None:
        """Signal rva, and it alone: what it started is its own affair."""
        if self.publisher is not None:
            self.publisher.send_signal(number)
            if number == signal.SIGKILL:
                self.publisher.wait()


def step_of(kind: str, method: str, path: str, body: bytes) -> str:
    """The name of a request that changes something, empty for all others."""
    parts = urlsplit(path)
    if kind == "npm" and method == "PUT" and not parts.path.startswith("/-/"):
        return f"npm {parts.path.strip('/')}"
    if kind == "pypi" and method == "POST":
        found = re.search(rb'filename="([^"]+)"', body)
        return f"pypi {found[1].decode()}" if found else "pypi ?"
    if kind == "cargo" and method == "PUT":
        return "cargo crate"
    if kind == "github" and method in ("POST", "PATCH"):
        name = parse_qs(parts.query).get("name", [""])[0]
        return f"github {name or ('public' if method == 'PATCH' else 'draft')}"
    return ""


class Relay(BaseHTTPRequestHandler):
    """One request: what is due goes wrong, the rest is passed on as it is."""

    protocol_version = "HTTP/1.1"
    kind: ClassVar[str]
    there: ClassVar[str]
    here: ClassVar[str]
    stage: ClassVar[Stage]

    def answer(self) -> None:
        """Take the request, fail before, pass it on, fail after, or answer."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        step = step_of(self.kind, self.command, self.path, body)
        fault = self.stage.next(step) if step else ""
        if fault in BEFORE:
            self.fail(fault)
            return
        status, data, sort = self.forward(body)
        if step and status < 300:
            self.stage.took(step)
        if fault:
            self.fail(fault)
            return
        # cargo and GitHub tell where to go on: through here.
        told = data if self.kind == "npm" else data.replace(self.there.encode(), self.here.encode())
        self.reply(status, told, sort)

    do_GET = do_HEAD = do_PUT = do_POST = do_PATCH = do_DELETE = answer

    def fail(self, fault: str) -> None:
        """Answer with an error, or not at all."""
        if fault.startswith("500"):
            self.reply(500, b'{"error": "a fault", "errors": [{"detail": "a fault"}]}')
            return
        if fault.startswith("kill"):
            self.stage.end(signal.SIGKILL)
        elif fault.startswith("stop"):
            self.stage.end(signal.SIGTERM)
        elif fault == "time-out":
            # Until the other side has had enough.
            self.connection.settimeout(TIMEOUT_S * 3)
            with suppress(OSError):
                self.connection.recv(1)
        self.close_connection = True

    def forward(self, body: bytes) -> tuple[int, bytes, str]:
        """Status, body and type of what the registry answers."""
        dropped = ("host", "connection", "accept-encoding")
        link = http.client.HTTPConnection(self.there.partition("://")[2], timeout=60)
        link.request(
            self.command, self.path, body or None, {k: v for k, v in self.headers.items() if k.lower() not in dropped}
        )
        got = link.getresponse()
        data = got.read()
        link.close()
        return got.status, data, got.headers.get("Content-Type", "application/json")

    def reply(self, status: int, data: bytes, sort: str = "application/json") -> None:
        """Send an answer."""
        self.send_response(status)
        self.send_header("Content-Type", sort)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


class Server(ThreadingHTTPServer):
    """Quiet about those who were killed, and leave their connections in pieces."""

    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Nothing."""


@contextmanager
def relay(kind: str, upstream: str, stage: Stage) -> Iterator[str]:
    """An address that stands for another one, and fails as the stage says."""
    parts = urlsplit(upstream)
    own = type("Own", (Relay,), {"kind": kind, "there": f"{parts.scheme}://{parts.netloc}", "stage": stage})
    server = Server(("127.0.0.1", 0), own)
    own.here = f"http://127.0.0.1:{server.server_address[1]}"  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        yield own.here  # type: ignore[attr-defined]
    finally:
        server.shutdown()
        server.server_close()
