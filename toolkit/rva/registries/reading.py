"""What a registry says of what it holds: the same questions to the real ones and to those on loopback."""

from __future__ import annotations

import functools
import time
from collections.abc import Mapping
from html.parser import HTMLParser
from typing import Any, Final
from urllib.parse import quote, unquote, urldefrag, urlsplit

import msgspec

from rva import __version__
from rva.errors import NetworkError, ToolError

TIMEOUT_S: Final = 30.0
MOST_S: Final = 300.0
MOST_BYTES: Final = 200_000_000
# crates.io refuses those who do not say who they are.
AGENT = f"rva/{__version__} (a release tool)"


def npm(url: str, name: str) -> dict[str, str]:
    """Version -> integrity of a package; empty where there is no such package."""
    told = json_at(f"{url.rstrip('/')}/{quote(name, safe='@')}") or {}
    found: Mapping[str, Any] = told.get("versions", {})
    return {version: told["dist"].get("integrity", "") for version, told in found.items()}


def pypi(url: str, name: str) -> dict[str, str]:
    """File name -> SHA-256 of a project in a simple index; empty where there is no such project."""
    data = got(f"{url.rstrip('/')}/{name}/", "text/html")
    page = _Links()
    page.feed((data or b"").decode("utf-8", "replace"))
    return page.found


def cargo(index: str, name: str) -> dict[str, str]:
    """Version -> SHA-256 of a crate in a sparse index; empty where there is no such crate."""
    address = f"{index.removeprefix('sparse+').rstrip('/')}/{index_path(name)}"
    lines = [parsed(address, line) for line in (got(address) or b"").splitlines()]
    return {line["vers"]: line["cksum"] for line in lines}


def index_path(name: str) -> str:
    """Where a sparse index has a crate."""
    name = name.lower()
    if len(name) <= 3:
        return f"{len(name)}/{name}" if len(name) < 3 else f"3/{name[0]}/{name}"
    return f"{name[:2]}/{name[2:4]}/{name}"


def got(url: str, accept: str = "*/*") -> bytes | None:
    """What an address holds, None where there is nothing; NetworkError for every other trouble, and for too much of it.

    Caches on the way are asked to look anew: what was just published has to be seen.
    """
    import httpx  # here, because it takes a while to import

    host, path, started, body = urlsplit(url).hostname, urlsplit(url).path, time.monotonic(), bytearray()
    headers = {"User-Agent": AGENT, "Cache-Control": "no-cache", "Accept": accept}
    try:
        with _client(is_loopback(url)).stream("GET", url, headers=headers, timeout=TIMEOUT_S) as answer:
            if answer.status_code in (404, 410, 451):
                return None
            if answer.status_code in (401, 403):
                raise ToolError(
                    f"{host} wants a password, which rva does not use to read",
                    fix="name a registry that answers without; to audit a file, fetch it by npm or pip: rva audit ./FILE",
                )
            answer.raise_for_status()
            for part in answer.iter_bytes():
                body += part
                if len(body) > MOST_BYTES:
                    raise NetworkError(f"{host} sends more than {MOST_BYTES} bytes for {path}")
                if time.monotonic() - started > MOST_S:
                    raise NetworkError(f"{host} takes longer than {MOST_S:.0f} s for {path}")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise NetworkError(
            f"{host} could not be asked for {path}: {type(error).__name__} {error}".rstrip(),
            fix="check the network or proxy settings and the registry's address, then run the same command again",
        ) from error
    return bytes(body)


def json_at(url: str, accept: str = "application/json") -> dict[str, Any] | None:
    """The JSON object at an address, None where there is nothing."""
    data = got(url, accept)
    return None if data is None else parsed(url, data)


def parsed(url: str, data: bytes | str) -> dict[str, Any]:
    """An answer that has to be a JSON object."""
    try:
        value = msgspec.json.decode(data)
    except msgspec.DecodeError as error:
        raise NetworkError(f"the answer of {url} is no JSON", fix="check the registry's address") from error
    if not isinstance(value, dict):
        raise NetworkError(f"the answer of {url} is no object", fix="check the registry's address")
    return value


def is_loopback(url: str) -> bool:
    """Whether an address is this machine's own, which no proxy is asked for."""
    return urlsplit(url).hostname in ("127.0.0.1", "localhost", "::1")


@functools.cache
def _client(loopback: bool) -> Any:
    """One for all: reading the machine's certificates takes longer than a small package. Registries may end in between."""
    import httpx

    return httpx.Client(follow_redirects=True, trust_env=not loopback, limits=httpx.Limits(max_keepalive_connections=0))


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
