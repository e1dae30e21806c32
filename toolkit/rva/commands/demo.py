"""`rva demo`: the project's own demonstration, as platforms.toml names it."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from rva import matrix, shell
from rva.console import here, print_out
from rva.errors import CheckFailed, Interrupted, UsageError


def demo(
    port: Annotated[int, typer.Option("--port", "-p", min=0, max=65535, help="0 takes a free one")] = 8080,
) -> None:
    """Serve the project's demonstration on this machine alone, from what `rva package` made.

    Examples: rva demo; rva demo --port 0
    """
    root = here()
    words = matrix.load(root).project.demo
    if not words:
        raise UsageError(
            "platforms.toml names no demonstration", fix='add `demo = ["{python}", "..."]` to its [project]'
        )
    argv = shell.filled([*words, str(port)], {"python": [sys.executable]})
    try:
        done = shell.run(argv, cwd=root, on_line=lambda line: print_out(f"{line}\n"), check=False)
    except Interrupted:
        print_out("ended\n")  # as it was told to end
        return
    if done.returncode != 0:
        raise CheckFailed("the demonstration did not start", fix="its message stands above")
