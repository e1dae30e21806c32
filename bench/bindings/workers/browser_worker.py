"""This library as WebAssembly in a browser: `browser_worker.py BROWSER PACKAGE LEVEL`, lines of JSON in and out.

The page asks for its next task with a request that is answered when there is one.
"""

from __future__ import annotations

import json
import queue
import shutil
import subprocess
import sys
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np

HERE = Path(__file__).parent
_TYPES = {".mjs": "text/javascript", ".js": "text/javascript", ".wasm": "application/wasm", ".html": "text/html"}
# What the page imports, where attend.mjs looks for it.
_SCRIPTS = {
    "/attend.mjs": HERE / "attend.mjs",
    "/core/workers/answer.mjs": HERE.parents[1] / "core" / "workers" / "answer.mjs",
}
_START_S = 60.0


class _Server(ThreadingHTTPServer):
    """Serves the page, the module, the tensors, and passes tasks and answers."""

    def __init__(self, folder: Path, level: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.folder, self.level = folder, level
        self.tasks: queue.Queue[bytes] = queue.Queue()
        self.answers: queue.Queue[dict[str, Any]] = queue.Queue()


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path, _, rest = self.path.partition("?")
        if path == "/":
            self._send(200, ".html", (HERE / "page.html").read_bytes())
        elif path in _SCRIPTS:
            self._send(200, ".mjs", _SCRIPTS[path].read_bytes())
        elif path == "/entry.mjs":
            text = f'export * from "/files/js/esm/web.js"; export const level = {json.dumps(self.server.level)};'
            self._send(200, ".mjs", text.encode())
        elif path == "/tensor":
            self._send(200, "", Path(unquote(rest)).read_bytes())
        else:
            file = (self.server.folder / path.removeprefix("/files/")).resolve()
            inside = file.is_file() and file.is_relative_to(self.server.folder)
            self._send(200 if inside else 404, file.suffix, file.read_bytes() if inside else b"")

    def do_POST(self) -> None:
        self.server.answers.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self._send(200, "", self.server.tasks.get())

    def _send(self, status: int, suffix: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", _TYPES.get(suffix, "application/octet-stream"))
        # Isolated pages have a clock of 5 microseconds instead of 100.
        self.send_header("Cross-Origin-Opener-Policy", "same-origin")
        self.send_header("Cross-Origin-Embedder-Policy", "require-corp")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing."""


def main() -> None:
    """Answer requests until standard input ends."""
    browser, folder, level = sys.argv[1], Path(sys.argv[2]).resolve(), sys.argv[3]
    program = shutil.which(browser)
    if program is None:
        raise SystemExit(f"{browser} was not found")
    server = _Server(folder, level)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory(prefix="rva-bench-browser-") as profile:
        options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"]
        argv = [program, *options, f"--user-data-dir={profile}", f"http://127.0.0.1:{server.server_port}/"]
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            ready = server.answers.get(timeout=_START_S)
            for line in sys.stdin:
                ask = json.loads(line)
                answer = ready if "error" in ready else _ask(server, ask)
                if "result" in answer:
                    np.array(answer.pop("result"), dtype="<f4").tofile(ask["path"])
                print(json.dumps(answer), flush=True)
        finally:
            process.terminate()
            process.wait()


def _ask(server: _Server, ask: dict[str, Any]) -> dict[str, Any]:
    server.tasks.put(json.dumps(ask).encode())
    return server.answers.get(timeout=120.0)


main()
