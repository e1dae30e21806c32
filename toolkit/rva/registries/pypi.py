"""pypiserver: Python's package index on loopback."""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rva import files, shell
from rva.registries.base import HOST, Registry, clean, free_port, wait

# PyPI's name for those who come with a token.
USER = "__token__"


@contextmanager
def serve(place: Path, programs: Path) -> Iterator[Registry]:
    """The index, empty where ``place`` is: files are added with a token, never replaced, never looked for elsewhere."""
    (place / "files").mkdir(parents=True, exist_ok=True)
    port, token = free_port(), secrets.token_hex(16)
    digest = base64.b64encode(hashlib.sha1(token.encode(), usedforsecurity=False).digest()).decode()
    files.write(place / "htpasswd", f"{USER}:{{SHA}}{digest}\n")
    argv: list[str | Path] = [
        programs / "pypi-server", "run", "--port", str(port), "--interface", HOST, "--passwords", place / "htpasswd",
        "--authenticate", "update", "--disable-fallback", "--hash-algo", "sha256", "--backend", "simple-dir",
        place / "files",
    ]  # fmt: skip
    with shell.serving(argv, cwd=place, env=clean(place / "home"), log=place / "log.txt") as server:
        url = f"http://{HOST}:{port}/"
        wait(server, f"{url}simple/")
        yield Registry("pypi", f"{url}simple/", token, place, upload=url)
