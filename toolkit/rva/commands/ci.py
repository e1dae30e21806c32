"""`rva ci`: the workflows that are made from platforms.toml."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rva import errors, files, matrix, pipelines
from rva.console import here, print_out
from rva.packages import write

app = typer.Typer(
    no_args_is_help=True, help="Make the workflows of GitHub and GitLab from platforms.toml, or check them."
)


@app.command()
def generate(
    gitlab: Annotated[
        Path | None, typer.Option("--gitlab", metavar="FILE", help="also write GitLab's, to this file")
    ] = None,
) -> None:
    """Write .github/workflows from platforms.toml.

    Examples: rva ci generate; rva ci generate --gitlab .gitlab-ci.yml
    """
    root = here()
    table = matrix.load(root)
    wanted = {root / name: text for name, text in pipelines.texts(root, table).items()}
    if gitlab is not None:
        wanted[gitlab.absolute()] = pipelines.gitlab(root, table)
    for path, text in wanted.items():
        if not path.is_file() or path.read_text("utf-8") != text:
            files.write(path, text)
            print_out(f"written: {path}\n")


@app.command()
def check() -> None:
    """Fail where a workflow is not what platforms.toml gives. Writes nothing.

    Example: rva ci check
    """
    root = here()
    stale = [n for n, text in pipelines.texts(root, matrix.load(root)).items() if _read(root / n) != text]
    for name in stale:
        print_out(f"out of date: {name}\n")
    if stale:
        raise errors.CheckFailed("workflows are not what platforms.toml gives", fix="rva ci generate")


@app.command()
def sboms() -> None:
    """Print which package has which list of contents, as a matrix for a workflow that attests them.

    Example: rva ci sboms
    """
    print_out(pipelines.sboms(write.finished(here())))


def _read(path: Path) -> str:
    return path.read_text("utf-8") if path.is_file() else ""
