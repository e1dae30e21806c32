"""Small packages, sound but for what a test spoils, and a registry on this machine that serves them."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import unquote

import pytest
from rva.audit import reading, registries, specs
from rva.audited import Audited
from rva.log import Log

Files = dict[str, bytes]
Reply = tuple[int, bytes]
PLATFORMS = {
    "linux-x64-gnu": ("x86_64-unknown-linux-gnu", "linux", "x64", "glibc"),
    "linux-arm64-gnu": ("aarch64-unknown-linux-gnu", "linux", "arm64", "glibc"),
    "linux-arm-gnueabihf": ("armv7-unknown-linux-gnueabihf", "linux", "arm", "glibc"),
    "linux-x64-musl": ("x86_64-unknown-linux-musl", "linux", "x64", "musl"),
    "linux-arm64-musl": ("aarch64-unknown-linux-musl", "linux", "arm64", "musl"),
    "darwin-x64": ("x86_64-apple-darwin", "darwin", "x64", ""),
    "darwin-arm64": ("aarch64-apple-darwin", "darwin", "arm64", ""),
    "win32-x64-msvc": ("x86_64-pc-windows-msvc", "win32", "x64", ""),
    "win32-arm64-msvc": ("aarch64-pc-windows-msvc", "win32", "arm64", ""),
}
MAIN = "@maker/thing"
VERSION = "1.2.3"


def tgz(files: Files, folder: str = "package") -> bytes:
    """A .tar.gz with these files below one folder."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name, body in files.items():
            info = tarfile.TarInfo(f"{folder}/{name}")
            info.size = len(body)
            archive.addfile(info, io.BytesIO(body))
    return out.getvalue()


def npm(manifest: dict[str, Any], files: Files) -> Files:
    """Files of an npm package."""
    return {"package.json": json.dumps(manifest).encode(), **files}


def platform_package(samples: Files, key: str, *, binary: bytes = b"", version: str = VERSION, **fields: Any) -> Files:
    """The package of one platform; ``fields`` replace those of its package.json."""
    triple, os, cpu, libc = PLATFORMS[key]
    manifest = {"name": f"{MAIN}-{key}", "version": version, "os": [os], "cpu": [cpu], "main": f"thing.{key}.node"}
    manifest |= {"libc": [libc]} if libc else {}
    return npm({**manifest, **fields}, {f"thing.{key}.node": binary or samples[f"{triple}/shared"]})


def main_package(**fields: Any) -> Files:
    """The package that asks for those of all platforms."""
    manifest = {
        "name": MAIN, "version": VERSION, "main": "index.js", "types": "index.d.ts",
        "optionalDependencies": {f"{MAIN}-{key}": VERSION for key in PLATFORMS},
    }  # fmt: skip
    script, types = b"module.exports.add = (a, b) => a + b\n", b"export function add(a: number, b: number): number\n"
    return npm({**manifest, **fields}, {"index.js": script, "index.d.ts": types})


def whl(
    files: Files, *, version: str = VERSION, tags: tuple[str, ...] = ("cp39-abi3-any",), wrong: bytes = b""
) -> bytes:
    """A wheel of these files, with its description and RECORD, in which ``wrong`` takes the place of a hash."""
    name = "thing"
    info = f"{name}-{version}.dist-info"
    files = {
        **files,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode(),
        f"{info}/WHEEL": (
            "Wheel-Version: 1.0\nRoot-Is-Purelib: false\n" + "".join(f"Tag: {t}\n" for t in tags)
        ).encode(),
    }
    lines = [
        f"{n},sha256={base64.urlsafe_b64encode(hashlib.sha256(b).digest()).rstrip(b'=').decode()},{len(b)}\n"
        for n, b in files.items()
    ]
    text = "".join(lines).encode()
    text = text.replace(b"sha256=", wrong, 1) if wrong else text
    files[f"{info}/RECORD"] = text + f"{info}/RECORD,,\n".encode()
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for inner, body in files.items():
            archive.writestr(inner, body)
    return out.getvalue()


@contextmanager
def serving(answer: Callable[[str], Reply]) -> Iterator[str]:
    """A server on this machine; gives its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = answer(unquote(self.path))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/"
    finally:
        server.shutdown()
        server.server_close()


class Registry:
    """What a registry of npm's kind holds: (name, version) -> files, described as npm does."""

    def __init__(self) -> None:
        self.address = ""
        self.packages: dict[tuple[str, str], bytes] = {}
        self.digests: dict[tuple[str, str], str] = {}

    def add(self, files: Files, name: str = "", version: str = "") -> None:
        """Publish a package; under another name or version where they are given."""
        own = json.loads(files["package.json"])
        self.packages[name or own["name"], version or own["version"]] = tgz(files)

    def answer(self, path: str) -> Reply:
        """npm's interface: /NAME/VERSION, /NAME, and the files."""
        for (name, version), data in self.packages.items():
            digest = self.digests.get((name, version), base64.b64encode(hashlib.sha512(data).digest()).decode())
            if path == f"/file/{name}/{version}":
                return 200, data
            if path in (f"/{name}/{version}", f"/{name}/latest"):
                dist = {"tarball": f"{self.address}file/{name}/{version}", "integrity": f"sha512-{digest}"}
                return 200, json.dumps({"name": name, "version": version, "dist": dist}).encode()
        known = {version: {} for name, version in self.packages if path == f"/{name}"}
        return (200, json.dumps({"versions": known}).encode()) if known else (404, b"")


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch, samples: Files) -> Iterator[Registry]:
    """A registry with a sound package for all platforms, which the audit is made to ask."""
    made = Registry()
    made.add(main_package())
    for key in PLATFORMS:
        made.add(platform_package(samples, key))
    with serving(made.answer) as address:
        made.address = address
        monkeypatch.setattr(registries, "npm_address", lambda _scope: address)
        yield made


def audit(*words: str) -> tuple[Audited, ...]:
    """What `rva audit` says."""
    return reading.run([specs.parse(word) for word in words], Log(0)).packages


def said(packages: tuple[Audited, ...], level: str = "error") -> list[str]:
    """Findings of a level, in the form package: check: message."""
    return [f"{p.name}: {f.check}: {f.message}" for p in packages for f in p.findings if f.level == level]
