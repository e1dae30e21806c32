"""verdaccio: npm's registry on loopback."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx

from rva import files, shell
from rva.errors import ToolError
from rva.registries.base import HOST, Registry, clean, free_port, wait

_USER = "rehearsal"


@contextmanager
def serve(place: Path, node: str, modules: Path, ours: Sequence[str] = (), uplink: str = "") -> Iterator[Registry]:
    """The registry, empty where ``place`` is; its packages are published with a token and never replaced.

    Names of ``ours`` are never asked for elsewhere; other names are fetched from ``uplink``, none where it is empty.
    """
    place.mkdir(parents=True, exist_ok=True)
    url = f"http://{HOST}:{free_port()}/"
    config = place / "config.json"
    # verdaccio reads YAML, of which JSON is a part.
    files.write(config, json.dumps(_config(place, ours, uplink), indent=2))
    argv: list[str | Path] = [
        node,
        modules / "verdaccio" / "bin" / "verdaccio",
        "--config",
        config,
        "--listen",
        url.rstrip("/"),
    ]
    with shell.serving(argv, cwd=place, env=clean(place / "home"), log=place / "log.txt") as server:
        wait(server, f"{url}-/ping")
        yield Registry("npm", url, _token(url), place)


def _config(place: Path, ours: Sequence[str], uplink: str) -> dict[str, object]:
    rules: dict[str, object] = {"access": "$all", "publish": "$authenticated", "unpublish": "nobody"}
    proxied = {**rules, "proxy": "elsewhere"} if uplink else rules
    return {
        "storage": str(place / "storage"),
        "auth": {"htpasswd": {"file": str(place / "htpasswd"), "algorithm": "bcrypt", "rounds": 4}},
        "uplinks": {"elsewhere": {"url": uplink}} if uplink else {},
        "packages": {**{name: rules for name in ours}, "**": proxied},
        "web": {"enable": False},
        "max_body_size": "500mb",
        "log": {"type": "stdout", "format": "json", "level": "warn"},
        "server": {"keepAliveTimeout": 5},
    }


def _token(url: str) -> str:
    """A user of the registry, made for this run."""
    name = f"{_USER}-{secrets.token_hex(4)}"
    user = {"name": name, "password": secrets.token_hex(16)}
    answer = httpx.put(f"{url}-/user/org.couchdb.user:{name}", json=user, trust_env=False, timeout=30)
    token = answer.json().get("token") if answer.is_success else None
    if not isinstance(token, str):
        raise ToolError(f"the registry at {url} made no user: {answer.status_code} {answer.text[:200]}")
    return token
