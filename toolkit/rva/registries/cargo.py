"""A cargo registry on loopback: the sparse index and the upload of cargo's documentation ("Registry Web API").

Ours, because those to be had are compiled for minutes, with a git library and a database, for these three requests.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rva import files
from rva.registries import web
from rva.registries.base import Registry
from rva.registries.reading import index_path


@contextmanager
def serve(place: Path) -> Iterator[Registry]:
    """The registry, empty where ``place`` is: crates are added with a token and never replaced."""
    token = secrets.token_hex(16)
    holding = _Holding(place, token)
    with web.serve(holding.answer) as url:
        holding.url = url
        yield Registry("cargo", f"sparse+{url}/index/", token, place, upload=url)


class _Holding:
    def __init__(self, place: Path, token: str) -> None:
        self.url = ""
        self._place = place
        self._token = token
        self._lock = threading.Lock()

    def answer(self, request: web.Request) -> web.Answer:
        match request.method, request.path.strip("/").split("/"):
            case "GET", ["index", "config.json"]:
                return web.told(200, {"dl": f"{self.url}/crates", "api": self.url})
            case "GET", ["index", *rest] if ".." not in rest:
                return self._file(self._place / "index" / "/".join(rest))
            case "GET", ["crates", name, version, "download"] if ".." not in (name, version):
                return self._file(self._place / "crates" / f"{name}-{version}.crate")
            case "GET", ["api", "v1", "crates", name, "owners"] if (self._place / "index" / index_path(name)).is_file():
                return web.told(200, {"users": [{"id": 1, "login": "rehearsal"}]})
            case "PUT", ["api", "v1", "crates", "new"]:
                return self._add(request)
        return _refused(404, "not found")

    def _file(self, path: Path) -> web.Answer:
        return web.Answer(200, path.read_bytes(), "text/plain") if path.is_file() else _refused(404, "not found")

    def _add(self, request: web.Request) -> web.Answer:
        if not secrets.compare_digest(request.token, self._token):
            return _refused(403, "this token is not known")
        try:
            facts, crate = _parts(request.body)
            name, version = facts["name"], facts["vers"]
            entry = json.dumps(_entry(facts, hashlib.sha256(crate).hexdigest()))
        except (struct.error, ValueError, KeyError) as error:
            return _refused(400, f"not an upload: {error!r}")
        path = self._place / "index" / index_path(name)
        with self._lock:
            held = path.read_text("utf-8") if path.is_file() else ""
            if any(json.loads(line)["vers"] == version for line in held.splitlines()):
                return _refused(400, f"crate version `{version}` is already uploaded")
            files.write(self._place / "crates" / f"{name}-{version}.crate", crate)
            files.write(path, f"{held}{entry}\n")
        return web.told(200, {"warnings": {"invalid_categories": [], "invalid_badges": [], "other": []}})


def _refused(status: int, why: str) -> web.Answer:
    return web.told(status, {"errors": [{"detail": why}]})


def _parts(body: bytes) -> tuple[dict[str, Any], bytes]:
    """The two parts of an upload, each after its length."""
    (size,) = struct.unpack_from("<I", body)
    (rest,) = struct.unpack_from("<I", body, 4 + size)
    crate = body[8 + size :]
    if len(crate) != rest:
        raise ValueError("its lengths are wrong")
    facts: dict[str, Any] = json.loads(body[4 : 4 + size])
    return facts, crate


def _entry(facts: dict[str, Any], digest: str) -> dict[str, Any]:
    """A line of the index. Features in the newer manner stand apart, so that old cargo passes them by."""
    features = facts["features"]
    newer = {k: v for k, v in features.items() if any(w.startswith("dep:") or "?/" in w for w in v)}
    return {
        "name": facts["name"],
        "vers": facts["vers"],
        "deps": [_dependency(d) for d in facts["deps"]],
        "cksum": digest,
        "features": {k: v for k, v in features.items() if k not in newer},
        "features2": newer,
        "yanked": False,
        "links": facts.get("links"),
        "rust_version": facts.get("rust_version"),
        "v": 2,
    }


def _dependency(told: dict[str, Any]) -> dict[str, Any]:
    renamed = told.get("explicit_name_in_toml")
    return {
        "name": renamed or told["name"],
        "package": told["name"] if renamed else None,
        "req": told["version_req"],
        **{key: told[key] for key in ("features", "optional", "default_features", "target", "kind")},
        "registry": told.get("registry"),
    }
