"""What `rva audit` is asked to read: npm:NAME@VERSION, pypi:NAME==VERSION, or a file or folder of this machine."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final, Literal

from msgspec import Struct

from rva.errors import UsageError

_NPM: Final = re.compile(
    r"npm:((?:@[a-z0-9][a-z0-9._-]*/)?[A-Za-z0-9][A-Za-z0-9._-]*)(?:@([A-Za-z0-9][A-Za-z0-9.+-]*))?"
)
_PYPI: Final = re.compile(r"pypi:([A-Za-z0-9][A-Za-z0-9._-]*)==([A-Za-z0-9][A-Za-z0-9.+!-]*)")


class Spec(Struct, frozen=True):
    """One thing to read."""

    kind: Literal["npm", "pypi", "path"]
    name: str
    version: str = ""


def parse(text: str) -> Spec:
    """A word of the command line; UsageError where it is none of the three."""
    if found := _NPM.fullmatch(text):
        return Spec("npm", found[1], found[2] or "latest")
    if found := _PYPI.fullmatch(text):
        return Spec("pypi", found[1], found[2])
    if text.startswith(("npm:", "pypi:")):
        raise UsageError(
            f"{text!r} names no package", fix="write npm:NAME@VERSION, npm:@SCOPE/NAME@VERSION or pypi:NAME==VERSION"
        )
    if not Path(text).exists():
        raise UsageError(
            f"{text} does not exist", fix="for a published package write npm:NAME@VERSION or pypi:NAME==VERSION"
        )
    return Spec("path", text)
