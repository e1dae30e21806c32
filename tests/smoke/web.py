"""A browser without a window, a page served to it, and what the page sends back.

No driver is needed: the page does its work by itself and posts one JSON value to /results.
"""

from __future__ import annotations

import contextlib
import json
import mimetypes
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

_TYPES = {".js": "text/javascript", ".mjs": "text/javascript", ".wasm": "application/wasm", ".json": "application/json"}


class Server(ThreadingHTTPServer):
    """Serves `pages` by path and the files of a folder under /files/, to this machine only."""

    def __init__(self, pages: Mapping[str, bytes], folder: Path, *, isolated: bool = True) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.pages = pages
        self.folder = folder
        self.isolated = isolated
        self.answer: Any = None
        self.answered = threading.Event()


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        path = self.path.split("?")[0]
        body = self.server.pages.get(path)
        if body is None and path.startswith("/files/"):
            file = (self.server.folder / path.removeprefix("/files/")).resolve()
            if file.is_file() and file.is_relative_to(self.server.folder.resolve()):
                body = file.read_bytes()
        if body is None:
            self.send_error(404)
            return
        self.send_response(200)
        kind = _TYPES.get(Path(path).suffix) or mimetypes.guess_type(path)[0] or "text/html; charset=utf-8"
        self.send_header("Content-Type", kind)
        if self.server.isolated:
            # What SharedArrayBuffer and exact clocks ask for.
            self.send_header("Cross-Origin-Opener-Policy", "same-origin")
            self.send_header("Cross-Origin-Embedder-Policy", "require-corp")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        self.server.answer = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(204)
        self.end_headers()
        self.server.answered.set()

    def log_message(self, *_: object) -> None:
        """Nothing: the verdict is what counts."""


def visit(
    browser: str, pages: Mapping[str, bytes], folder: Path, timeout: float = 300.0, *, isolated: bool = True
) -> Any:
    """What the page at / posts; SystemExit where the browser is absent, ends early or says nothing."""
    program = shutil.which(browser)
    if program is None:
        raise SystemExit(f"{browser} was not found")
    with (
        Server(pages, folder, isolated=isolated) as server,
        tempfile.TemporaryDirectory(prefix="rva-browser-") as profile,
    ):
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        record = Path(profile) / "log"
        with record.open("wb") as log:
            process = subprocess.Popen(
                [program, *_options(browser, profile), f"http://127.0.0.1:{server.server_port}/"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
            try:
                waited = 0.0
                while not server.answered.wait(0.25) and process.poll() is None and waited < timeout:
                    waited += 0.25
            finally:
                _end(process)
                server.shutdown()
        if not server.answered.is_set():
            last = record.read_text("utf-8", "replace").strip()[-2000:]
            raise SystemExit(f"{browser} gave no answer within {waited:.0f} s; it said: {last}")
        return server.answer


def _options(browser: str, profile: str) -> list[str]:
    if "firefox" in browser:
        return ["--headless", "--no-remote", "--profile", profile]
    # A container's shared memory is small, and its root user has no sandbox.
    return [
        "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
        f"--user-data-dir={profile}",
    ]  # fmt: skip


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(10)
        return
    process.kill()
    process.wait()
