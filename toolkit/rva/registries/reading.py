"""What a registry says of what it holds: the same questions to the real ones and to those on loopback."""

from __future__ import annotations

import json
from collections.abc import Mapping
from html.parser import HTMLParser
from typing import Any
from urllib.parse import quote, unquote, urldefrag, urlsplit

import httpx

from rva import __version__
from rva.errors import NetworkError
from rva.registries.cargo import index_path

_TIMEOUT_S = 30.0
# crates.io refuses those who do not say who they are.
AGENT = f"rva/{__version__} (a release tool)"


def npm(url: str, name: str) -> dict[str, str]:
    """Version -> integrity of a package; empty where there is no such package."""
    told = json_at(f"{url.rstrip('/')}/{quote(name, safe='@')}") or {}
    found: Mapping[str, Any] = told.get("versions", {})
    return {version: told["dist"].get("integrity", "") for version, told in found.items()}


def pypi(url: str, name: str) -> dict[str, str]:
    """File name -> SHA-256 of a project in a simple index; empty where there is no such project."""
    text = fetched(f"{url.rstrip('/')}/{name}/", {"Accept": "text/html"})
    page = _Links()
    page.feed(text or "")
    return page.found


def cargo(index: str, name: str) -> dict[str, str]:
    """Version -> SHA-256 of a crate in a sparse index; empty where there is no such crate."""
    address = f"{index.removeprefix('sparse+').rstrip('/')}/{index_path(name)}"
    lines = [parsed(address, line) for line in (fetched(address) or "").splitlines()]
    return {line["vers"]: line["cksum"] for line in lines}


def fetched(url: str, headers: Mapping[str, str] | None = None) -> str | None:
    """The text at an address, None where there is nothing; anything else is a NetworkError.

    Caches on the way are asked to look anew: what was just published has to be seen.
    """
    try:
        answer = httpx.get(
            url,
            headers={"User-Agent": AGENT, "Cache-Control": "no-cache", **(headers or {})},
            timeout=_TIMEOUT_S,
            follow_redirects=True,
            trust_env=not is_loopback(url),
        )
    except httpx.HTTPError as error:
        raise NetworkError(
            f"{url}: {error!r}", fix="run the same command again; it goes on where it stopped"
        ) from error
    if answer.status_code in (404, 410, 451):
        return None
    if not answer.is_success:
        raise NetworkError(f"{url} answers {answer.status_code}", fix="run the same command again when it is well")
    return answer.text


def json_at(url: str) -> dict[str, Any] | None:
    """The JSON object at an address, None where there is nothing."""
    text = fetched(url)
    return None if text is None else parsed(url, text)


def parsed(url: str, text: str) -> dict[str, Any]:
    """An answer that has to be a JSON object."""
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise NetworkError(f"{url} does not answer as a registry does: {text[:100]!r}", fix="check the address")
    return value


def is_loopback(url: str) -> bool:
    """Whether an address is this machine's own, which no proxy is asked for."""
    return urlsplit(url).hostname in ("127.0.0.1", "localhost", "::1")


class _Links(HTMLParser):
    """The files of a page of a simple index, by the digest that its addresses carry."""

    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, str] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        url, fragment = urldefrag(dict(attrs).get("href") or "")
        if tag == "a" and url:
            algorithm, _, digest = fragment.partition("=")
            name = unquote(urlsplit(url).path.rsplit("/", 1)[-1])
            self.found[name] = digest if algorithm == "sha256" else ""
