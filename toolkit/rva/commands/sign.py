"""`rva sign`: what dist/packages holds, signed by a key of yours."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rva import dist, matrix, provenance
from rva.console import here, log_for, print_out
from rva.errors import UsageError
from rva.workflow import one_run

app = typer.Typer()


@app.command()
def sign(
    key: Annotated[
        Path, typer.Option("--key", metavar="FILE", help="an OpenSSH or PEM private key without passphrase")
    ],
) -> None:
    """Sign SHA256SUMS as OpenSSH signs files, and for each package a statement of where it came from.

    Examples: ssh-keygen -t ed25519 -N '' -f release-key; rva sign --key release-key; rva verify --provenance
    """
    root = here()
    with one_run(root, log_for(False, False)):
        built = dist.Dist(root).manifest()
        if built is None:
            raise UsageError("dist/ holds no finished build", fix="run `rva build`, then `rva package`")
        written = provenance.sign(root, matrix.load(root), built, key.absolute())
    print_out(f"{len(written)} files in dist/packages: statements below provenance/, and {written[-1]}\n")
