"""A small server in a thread of rva itself: nothing of it outlives rva."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

from msgspec import Struct

from rva.registries.base import HOST


class Request(Struct, frozen=True):
    """What came in."""

    method: str
    path: str
    query: dict[str, str]
    token: str
    body: bytes


class Answer(Struct, frozen=True):
    """What goes out."""

    status: int
    body: bytes = b""
    kind: str = "application/json"


Handler = Callable[[Request], Answer]


def told(status: int, value: object) -> Answer:
    """An answer in JSON."""
    return Answer(status, json.dumps(value).encode())


@contextmanager
def serve(handler: Handler) -> Iterator[str]:
    """Answer requests until the block ends; yields the address, without a slash at its end."""

    class Door(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            parts = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            token = self.headers.get("Authorization", "").rpartition(" ")[2]
            answer = handler(Request(self.command, parts.path, dict(parse_qsl(parts.query)), token, body))
            self.send_response(answer.status)
            self.send_header("Content-Type", answer.kind)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(answer.body)

        do_GET = do_HEAD = do_PUT = do_POST = do_PATCH = do_DELETE = _answer

        def log_message(self, format: str, *args: object) -> None:
            """Nothing: the handler's state is the record."""

    server = ThreadingHTTPServer((HOST, 0), Door)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://{HOST}:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
