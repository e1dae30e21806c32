"""What the loopback registries share."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping
from pathlib import Path

import httpx
from msgspec import Struct

from rva.errors import ToolError
from rva.shell import Server

HOST = "127.0.0.1"
# A busy machine takes long to start a server; one that has ended is not waited for.
_START_S = 120.0
_LOOK_S = 0.05
# What a program needs of the user's environment to start at all; no token, no proxy, no configuration.
_KEPT = ("PATH", "LANG", "LC_ALL", "TMPDIR", "SYSTEMROOT", "TEMP", "TMP")


class Registry(Struct, frozen=True):
    """A registry that runs: its address, the token that it takes, the folder where everything of it lies.

    ``url`` is what clients are given: npm's `--registry`, pip's `--index-url`, cargo's index, the base of GitHub's API.
    ``upload`` is where files are sent, where that is another address.
    """

    kind: str
    url: str
    token: str
    folder: Path
    upload: str = ""


def clean(home: Path, more: Mapping[str, str] | None = None) -> dict[str, str]:
    """An environment with a home of its own and nothing of the user's settings."""
    home.mkdir(parents=True, exist_ok=True)
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    return {
        **kept,
        "HOME": str(home),
        "USERPROFILE": str(home),
        "XDG_CONFIG_HOME": str(home / ".config"),
        **(more or {}),
    }


def free_port() -> int:
    """A port that nothing listens on. For servers that cannot say which one the system gave them."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def wait(server: Server, url: str) -> None:
    """Until the server answers; ToolError with its last words where it does not."""
    deadline = time.monotonic() + _START_S
    with httpx.Client(trust_env=False, timeout=2) as client:
        while time.monotonic() < deadline and server.is_up():
            try:
                if client.get(url).status_code < 500:
                    return
            except httpx.TransportError:
                time.sleep(_LOOK_S)
    words = "\n".join(server.log.read_text("utf-8", "replace").splitlines()[-15:])
    raise ToolError(f"`{server.argv[0]}` does not answer at {url}\n{words}", fix=f"its output is in {server.log}")
