"""All four registries at once, each in a folder of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

from msgspec import Struct

from rva.registries import cargo, github, npm, pypi
from rva.registries.base import Registry


class Programs(Struct, frozen=True):
    """What the registries are run with: Node.js, a folder with verdaccio's packages, one with pypiserver's program."""

    node: str
    modules: Path
    python: Path


class Registries(Struct, frozen=True):
    """The four that a release goes to."""

    npm: Registry
    pypi: Registry
    cargo: Registry
    github: Registry


@contextmanager
def serve(place: Path, programs: Programs, ours: Sequence[str] = (), uplink: str = "") -> Iterator[Registries]:
    """All of them below ``place``, started side by side, ended with the block."""
    with ExitStack() as stack, ThreadPoolExecutor(max_workers=2) as pool:
        slow = pool.submit(stack.enter_context, npm.serve(place / "npm", programs.node, programs.modules, ours, uplink))
        index = pool.submit(stack.enter_context, pypi.serve(place / "pypi", programs.python))
        crates = stack.enter_context(cargo.serve(place / "cargo"))
        releases = stack.enter_context(github.serve(place / "github"))
        yield Registries(slow.result(), index.result(), crates, releases)
