"""`rva publish`: what lies in dist/packages, to the registries, once."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rva import errors, matrix
from rva.console import here, log_for, print_out, show_table
from rva.model import Destination, to_json
from rva.options import JsonOption, QuietOption, VerboseOption

if TYPE_CHECKING:
    from rva.releasing import Prepared

app = typer.Typer()


def _address(name: str) -> typer.models.OptionInfo:
    option: typer.models.OptionInfo = typer.Option(
        f"--registry-{name}", metavar="URL", help=f"send to this {name} registry, and only to those so named"
    )
    return option


@app.command()
def publish(
    yes: Annotated[bool, typer.Option("--yes", "-y", help="do not ask; for CI")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="do all but send")] = False,
    verified: Annotated[
        list[Path] | None,
        typer.Option("--verified", metavar="FILE", help="what `rva verify --json` printed; may be repeated"),
    ] = None,
    npm: Annotated[str | None, _address("npm")] = None,
    pypi: Annotated[str | None, _address("pypi")] = None,
    cargo: Annotated[str | None, _address("cargo")] = None,
    github: Annotated[str | None, _address("github")] = None,
    timeout: Annotated[float, typer.Option("--timeout", metavar="SECONDS", help="for one file", min=1)] = 600,
    wait: Annotated[float, typer.Option("--wait", metavar="SECONDS", help="for a file to be seen", min=0)] = 600,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Send the packages of dist/packages to their registries, each read back as it was sent; platform packages first.

    Tokens come from the environment: NPM_TOKEN, PYPI_TOKEN, CARGO_REGISTRY_TOKEN, GITHUB_TOKEN. After any fault,
    the same command goes on where it stopped, with the same bytes: .rva/release keeps them and the journal.

    Examples: rva publish --dry-run; rva publish --verified verify.json; rva publish --registry-npm http://127.0.0.1:4873/
    """
    from rva import releasing, workflow
    from rva.release import carry, tokens

    secrets = tokens.take(os.environ)
    log, root = log_for(quiet, verbose), here()
    table = matrix.load(root)
    given: dict[Destination, str | None] = {"npm": npm, "pypi": pypi, "cargo": cargo, "github": github}
    patience = carry.Patience(seen_s=wait, fault_s=min(wait, carry.Patience().fault_s))
    wish = releasing.Wish({k: v for k, v in given.items() if v}, tuple(verified or ()), timeout, patience)
    with workflow.one_run(root, log):
        prepared = releasing.prepare(root, table, wish, secrets, log)
        if not as_json:
            _show(prepared)
        done = None
        if prepared.stops and not as_json:
            failed = sorted({f.check for f in prepared.findings if f.status == "fail"})
            raise errors.CheckFailed(f"not published: {', '.join(failed)}", fix="see the findings above")
        if not dry_run and not prepared.stops:
            _confirm(prepared, yes)
            done = releasing.go(root, prepared, log, patience)
    if as_json:
        print_out(to_json({"plan": prepared.plan, "findings": prepared.findings, "done": done}))
    elif done is None:
        print_out("nothing was sent: --dry-run\n")
    else:
        print_out(f"published: {len(done.sent)} sent, {len(done.found)} were there\n")
    raise typer.Exit(errors.CheckFailed.code if prepared.stops else 0)


def _show(prepared: Prepared) -> None:
    uploads = [(u.registry, u.name, u.version, u.file, u.sha256[:12]) for u in prepared.plan.uploads]
    show_table(("registry", "name", "version", "file", "SHA-256"), uploads)
    show_table(("check", "status", "what", "fix"), [(f.check, f.status, f.what, f.fix) for f in prepared.findings])


def _confirm(prepared: Prepared, yes: bool) -> None:
    """Ask once; a version that is out cannot be taken back."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise errors.UsageError("nobody is there to confirm the plan", fix="pass --yes, or run it at a terminal")
    question = f"Send {len(prepared.plan.uploads)} files as version {prepared.plan.version}, for good?"
    typer.confirm(question, abort=True)
