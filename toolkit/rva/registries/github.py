"""The part of GitHub's interface that a release uses, on loopback: releases, drafts among them, and their files."""

from __future__ import annotations

import hashlib
import json
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rva import files
from rva.registries import web
from rva.registries.base import Registry


@contextmanager
def serve(place: Path) -> Iterator[Registry]:
    """The service; ``upload`` of what is yielded is where a release's files are fetched from, by tag and name."""
    token = secrets.token_hex(16)
    holding = _Holding(place, token)
    with web.serve(holding.answer) as url:
        holding.url = url
        yield Registry("github", url, token, place, upload=f"{url}/download")


class _Holding:
    def __init__(self, place: Path, token: str) -> None:
        self.url = ""
        self._token = token
        self._place = place
        self._lock = threading.Lock()
        known = place / "releases.json"
        self._releases: list[dict[str, Any]] = json.loads(known.read_text("utf-8")) if known.is_file() else []

    def answer(self, request: web.Request) -> web.Answer:
        with self._lock:
            match request.method, request.path.strip("/").split("/"):
                case "GET", ["download", tag, name]:
                    return self._download(tag, name)
                case _ if not secrets.compare_digest(request.token, self._token):
                    return web.told(401, {"message": "Bad credentials"})
                case method, ["repos", owner, name, *rest]:
                    return self._repository(method, f"{owner}/{name}", rest, request)
        return web.told(404, {"message": "Not Found"})

    def _repository(self, method: str, name: str, rest: list[str], request: web.Request) -> web.Answer:
        match method, rest:
            case "GET", []:
                return web.told(200, {"full_name": name, "permissions": {"push": True}})
            case "GET", ["releases"]:
                return web.told(
                    200, [self._shown(r) for r in self._releases] if request.query.get("page", "1") == "1" else []
                )
            case "POST", ["releases"]:
                return self._create(name, json.loads(request.body))
            case "PATCH", ["releases", number] if release := self._find(number):
                release.update(json.loads(request.body))
                self._keep()
                return web.told(200, self._shown(release))
            case "POST", ["releases", number, "assets"] if release := self._find(number):
                return self._attach(release, request)
            case "DELETE", ["releases", "assets", number]:
                for release in self._releases:
                    release["assets"] = [a for a in release["assets"] if str(a["id"]) != number]
                self._keep()
                return web.Answer(204)
        return web.told(404, {"message": "Not Found"})

    def _create(self, repository: str, told: dict[str, Any]) -> web.Answer:
        if any(r["tag_name"] == told["tag_name"] and not r["draft"] for r in self._releases):
            return web.told(422, {"message": "Validation Failed", "errors": [{"code": "already_exists"}]})
        release = {"id": len(self._releases) + 1, "repository": repository, "draft": False, "assets": [], **told}
        self._releases.append(release)
        self._keep()
        return web.told(201, self._shown(release))

    def _attach(self, release: dict[str, Any], request: web.Request) -> web.Answer:
        name = request.query.get("name", "")
        if not name or "/" in name or any(a["name"] == name for a in release["assets"]):
            return web.told(422, {"message": "Validation Failed", "errors": [{"code": "already_exists"}]})
        files.write(self._place / "files" / str(release["id"]) / name, request.body)
        digest = "sha256:" + hashlib.sha256(request.body).hexdigest()
        number = 1 + max((a["id"] for r in self._releases for a in r["assets"]), default=0)
        asset = {"id": number, "name": name, "size": len(request.body), "digest": digest, "state": "uploaded"}
        release["assets"].append(asset)
        self._keep()
        return web.told(201, asset)

    def _download(self, tag: str, name: str) -> web.Answer:
        for release in self._releases:
            path = self._place / "files" / str(release["id"]) / name
            if release["tag_name"] == tag and not release["draft"] and name != ".." and path.is_file():
                return web.Answer(200, path.read_bytes(), "application/octet-stream")
        return web.told(404, {"message": "Not Found"})

    def _find(self, number: str) -> dict[str, Any] | None:
        return next((r for r in self._releases if str(r["id"]) == number), None)

    def _shown(self, release: dict[str, Any]) -> dict[str, Any]:
        place = f"{self.url}/repos/{release['repository']}/releases/{release['id']}/assets"
        return {**release, "upload_url": f"{place}{{?name,label}}"}

    def _keep(self) -> None:
        files.write(self._place / "releases.json", json.dumps(self._releases, indent=2))
