"""A release at GitHub: a draft gets the files, each is read back, then it is made public."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import httpx

from rva.errors import CheckFailed
from rva.registries import reading
from rva.release.desks import Means, refused, request
from rva.release.journal import Journal
from rva.release.plan import ReleasePlan, Upload

API = "https://api.github.com"
_PAGE = 100


class GitHub:
    """GitHub's interface, or one that speaks its language."""

    def __init__(self, api: str, plan: ReleasePlan, means: Means) -> None:
        self._base = f"{api.rstrip('/')}/repos/{plan.repository}"
        self._plan = plan
        self._means = means

    def held(self, upload: Upload) -> str | None:
        """The SHA-256 of a file of the release."""
        release = self._find()
        asset = _asset(release, Path(upload.file).name) if release else None
        if asset is None or asset["state"] != "uploaded":
            return None
        digest = asset.get("digest") or ""
        return digest.removeprefix("sha256:") if digest else self._digest(asset)

    def send(self, upload: Upload, journal: Journal) -> None:
        """Add the file to the release, which is made where there is none."""
        release = self._find() or self._create()
        name = Path(upload.file).name
        broken = _asset(release, name)
        if broken is not None and broken["state"] != "uploaded":
            self._ask("DELETE", f"{self._base}/releases/assets/{broken['id']}")
        self._ask(
            "POST",
            release["upload_url"].partition("{")[0],
            params={"name": name},
            content=journal.file(upload).read_bytes(),
            headers={"Content-Type": "application/octet-stream"},
        )

    def owners(self, name: str) -> tuple[bool, tuple[str, ...] | None]:
        """Whose the repository is: ours where the token may write to it."""
        answer = self._ask("GET", self._base, fine=(404,))
        if answer.status_code == 404:
            return False, None
        may = answer.json().get("permissions", {}).get("push")
        return True, (name.partition("/")[0],) if may else ()

    def close(self) -> None:
        """Make the release public, unless it is."""
        release = self._find()
        if release is None:
            raise CheckFailed(f"the release {self._plan.tag} is gone", fix="run the same command again")
        if release["draft"]:
            self._ask("PATCH", f"{self._base}/releases/{release['id']}", json={"draft": False})

    def _find(self) -> dict[str, Any] | None:
        """The release of the tag, a draft or not; the newest hundreds are looked through."""
        found: list[dict[str, Any]] = []
        for page in range(1, 11):
            listed = self._ask("GET", f"{self._base}/releases", params={"per_page": _PAGE, "page": page}).json()
            found += [r for r in listed if r["tag_name"] == self._plan.tag]
            if len(listed) < _PAGE:
                break
        if len(found) > 1:
            raise CheckFailed(
                f"{self._base} has {len(found)} releases for {self._plan.tag}", fix="remove those that are drafts"
            )
        return found[0] if found else None

    def _create(self) -> dict[str, Any]:
        told = {
            "tag_name": self._plan.tag,
            "target_commitish": self._plan.commit,
            "name": self._plan.version,
            "body": self._plan.notes,
            "draft": True,
            "prerelease": self._plan.is_prerelease,
        }
        made: dict[str, Any] = self._ask("POST", f"{self._base}/releases", json=told).json()
        return made

    def _digest(self, asset: dict[str, Any]) -> str:
        """By its bytes: files of older services carry no digest."""
        accept = {"Accept": "application/octet-stream"}
        got = self._ask("GET", f"{self._base}/releases/assets/{asset['id']}", headers=accept, follow_redirects=True)
        return hashlib.sha256(got.content).hexdigest()

    def _ask(
        self, method: str, url: str, headers: dict[str, str] | None = None, fine: tuple[int, ...] = (), **more: Any
    ) -> httpx.Response:
        own = {
            "Authorization": f"Bearer {self._means.tokens.of('github')}",
            "Accept": "application/vnd.github+json",
            "X-GitHub-Api-Version": "2022-11-28",
            "User-Agent": reading.AGENT,
        }
        answer = request(method, url, self._means, headers={**own, **(headers or {})}, **more)
        if not answer.is_success and answer.status_code not in fine:
            raise refused(url, answer, self._means.tokens)
        return answer


def _asset(release: dict[str, Any], name: str) -> dict[str, Any] | None:
    return next((a for a in release["assets"] if a["name"] == name), None)
