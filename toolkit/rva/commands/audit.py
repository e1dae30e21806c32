"""`rva audit`: packages that were already made, others' and one's own."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from rva import errors, report
from rva.console import log_for, print_out, width
from rva.log import wants_colour
from rva.model import to_json
from rva.options import JsonOption, QuietOption, VerboseOption

app = typer.Typer(rich_markup_mode=None)


@app.command()
def audit(
    spec: Annotated[
        list[str],
        typer.Argument(
            metavar="SPEC...", help="npm:NAME@VERSION, pypi:NAME==VERSION, a .tgz, .whl or .crate, a folder"
        ),
    ],
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Say what is wrong with packages that were already made. Reads, never runs them; exit 1 where there are errors.

    An npm package is read together with the platform packages of its optionalDependencies.

    Examples: rva audit npm:@napi-rs/canvas@1.1.1; rva audit pypi:orjson==3.11.4; rva audit dist/packages/npm
    """
    from rva.audit import reading, specs

    made = reading.run([specs.parse(word) for word in spec], log_for(quiet, verbose))
    if as_json:
        print_out(to_json(made))
    elif not quiet:
        print_out(report.audit_table(made, colour=wants_colour(sys.stdout), width=width()))
    raise typer.Exit(errors.CheckFailed.code if made.errors else 0)
