"""`rva version`: one version in every place that platforms.toml lists."""

from __future__ import annotations

from typing import Annotated

import typer

from rva import errors, matrix, versions
from rva.console import here, log_for, print_out
from rva.model import to_json
from rva.options import JsonOption, QuietOption

app = typer.Typer(no_args_is_help=True, help="Show, set and check the one version of everything that is shipped.")

ChangelogOption = Annotated[
    bool, typer.Option("--changelog/--no-changelog", help="make the changelog's section from the fragments")
]


@app.command()
def show(as_json: JsonOption = False) -> None:
    """Print the version. Examples: rva version show; rva version show --json"""
    table = matrix.load(here())
    files = sorted({place.file for place in table.release.places})
    print_out(to_json({"version": table.version, "files": files}) if as_json else f"{table.version}\n")


@app.command("set")
def set_(
    version: Annotated[str, typer.Argument(metavar="X.Y.Z", help="such as 1.2.3 or 1.2.3-rc.1")],
    changelog: ChangelogOption = True,
    quiet: QuietOption = False,
) -> None:
    """Write a version to every place, and the changelog's section for it.

    Examples: rva version set 1.2.3; rva version set 1.2.3-rc.1 --no-changelog
    """
    _put(version, changelog, quiet)


@app.command()
def bump(
    part: Annotated[str, typer.Argument(metavar="PART", help="major, minor, patch, or alpha, beta, rc")],
    changelog: ChangelogOption = True,
    quiet: QuietOption = False,
) -> None:
    """Count the version up: 1.2.3 becomes 1.2.4 by patch, 1.2.4-rc.1 by rc; 1.2.4-rc.1 becomes 1.2.4 by patch.

    Examples: rva version bump minor; rva version bump rc
    """
    _put(versions.bumped(matrix.load(here()).version, part), changelog, quiet)


@app.command()
def check(as_json: JsonOption = False) -> None:
    """Fail where a place, the changelog or a package of dist/ says another version than Cargo.toml.

    Examples: rva version check; rva version check --json
    """
    table = matrix.load(here())
    skews = versions.check(here(), table)
    if as_json:
        print_out(to_json({"version": table.version, "skews": skews}))
    else:
        for skew in skews:
            print_out(f"{skew.where}: {skew.found}\n")
        says = f"{len(skews)} do not agree with {table.version}" if skews else f"{table.version} everywhere"
        print_out(f"version: {says}\n")
    raise typer.Exit(errors.CheckFailed.code if skews else 0)


def _put(version: str, changelog: bool, quiet: bool) -> None:
    root = here()
    table = matrix.load(root)
    changed = versions.write(root, table, version)
    if changelog and table.release.changelog is not None:
        from rva import releasing

        changed += releasing.changelog(root, table, version, log_for(quiet, False))
    for name in changed:
        print_out(f"written: {name}\n")
    print_out(f"version: {version}\n")
