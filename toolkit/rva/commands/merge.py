"""`rva merge`: what several machines built, as one dist/."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rva import matrix, merging
from rva.console import here, log_for, print_out
from rva.model import to_json
from rva.options import JsonOption
from rva.workflow import one_run

app = typer.Typer()


@app.command()
def merge(
    folders: Annotated[list[Path], typer.Argument(metavar="FOLDER...", help="each the dist/ of another machine")],
    as_json: JsonOption = False,
) -> None:
    """Replace dist/ by the rows of these folders; every file is held against its manifest, and they against each other.

    Examples: rva merge incoming/dist-*; rva build --shard 1/2, and 2/2 elsewhere, then rva merge first second
    """
    root = here()
    with one_run(root, log_for(False, False)):
        made = merging.merge(root, matrix.load(root), folders)
    rows = {a.id for a in made.artifacts}
    print_out(to_json(made) if as_json else f"{len(rows)} rows, {len(made.artifacts)} files in dist/\n")
