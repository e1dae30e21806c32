"""Secrets that a package must not carry: tokens by the fixed words they begin with, private keys, files of passwords."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Final

# What it is, the bytes that any of them begins with (looked for first, which is fast), the whole.
_TOKENS: Final = (
    ("an npm token", b"npm_", re.compile(rb"(?<![A-Za-z0-9_])npm_[A-Za-z0-9]{36}(?![A-Za-z0-9_])")),
    ("a GitHub token", b"gh", re.compile(rb"(?<![A-Za-z0-9_])gh[pousr]_[A-Za-z0-9]{36}(?![A-Za-z0-9_])")),
    ("a GitHub token", b"github_pat_", re.compile(rb"(?<![A-Za-z0-9_])github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59}")),
    ("a GitLab token", b"glpat-", re.compile(rb"(?<![A-Za-z0-9_])glpat-[A-Za-z0-9_-]{20}(?![A-Za-z0-9_-])")),
    ("a PyPI token", b"pypi-AgEI", re.compile(rb"pypi-AgEI[A-Za-z0-9_-]{60}")),
    ("a crates.io token", b"cio", re.compile(rb"(?<![A-Za-z0-9_])cio[A-Za-z0-9]{32}(?![A-Za-z0-9_])")),
    ("an AWS key", b"AKIA", re.compile(rb"(?<![A-Za-z0-9])AKIA[A-Z2-7]{16}(?![A-Za-z0-9])")),
    # With some of the key: the words alone stand in every program that reads keys.
    (
        "a private key",
        b"PRIVATE KEY-----",
        re.compile(rb"-----BEGIN [A-Z ]{0,20}PRIVATE KEY-----\r?\n[A-Za-z0-9+/=\r\n]{100}"),
    ),
    ("an npm password", b":_authToken=", re.compile(rb":_authToken=[A-Za-z0-9]")),
)
_FILES: Final = frozenset({".npmrc", ".pypirc", ".netrc", ".env", ".git-credentials", "id_rsa", "id_ed25519"})


def found(name: str, body: bytes) -> Iterator[str]:
    """What of the kind a file holds, or is."""
    if PurePosixPath(name).name in _FILES:
        yield "what its name says: settings with passwords"
    for what, begin, whole in _TOKENS:
        hit = whole.search(body) if begin in body else None
        if hit:
            yield f"{what} (byte {hit.start()})"
