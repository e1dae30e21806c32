"""`rva rehearse`: a release without the world."""

from __future__ import annotations

import sys

import typer

from rva import errors, files, matrix, report
from rva.console import here, log_for, print_out, select, width
from rva.log import wants_colour
from rva.model import to_json
from rva.options import ExcludeOption, JsonOption, QuietOption, TargetOption, VerboseOption, WriteOption

app = typer.Typer(rich_markup_mode=None)


@app.command()
def rehearse(
    target: TargetOption = None,
    exclude: ExcludeOption = None,
    write: WriteOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Publish dist/packages to registries on this machine, install everything from them by name, and run it.

    The registries start empty and end with the run; your own settings are neither read nor written. All packages are
    published; those of the selected rows are installed.

    Examples: rva rehearse; rva rehearse -t host; rva rehearse --write rehearsal.md
    """
    from rva import rehearsal
    from rva.verify import reports

    root = here()
    table = matrix.load(root)
    made = rehearsal.rehearse(root, table, select(table, target, exclude), log_for(quiet, verbose))
    for path in write or ():
        files.write(path.absolute(), reports.text(made, path, root / "templates"))
    if as_json:
        print_out(to_json(made))
    elif not quiet:
        print_out(report.verification_table(made, colour=wants_colour(sys.stdout), width=width()))
    raise typer.Exit(errors.CheckFailed.code if any(cell.status == "fail" for cell in made.cells) else 0)
