"""The command line: composes the stages, prints, exits. Commands beyond building and checking are in commands/."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from rva import errors, files, host, matrix, report, resources
from rva.console import here, log_for, print_out, select, show_table, width
from rva.errors import RvaError, Unavailable
from rva.log import wants_colour
from rva.model import Report, to_json
from rva.options import (
    ExcludeOption,
    ExportOption,
    JobsOption,
    JsonOption,
    KeepGoingOption,
    ProfileOption,
    QuietOption,
    ShardOption,
    SmokeOption,
    TargetOption,
    VerboseOption,
    WriteOption,
)  # fmt: skip

app = typer.Typer(
    name="rva",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    help="Build, check and ship one Rust core for every platform that platforms.toml names.\n\n"
    "Examples:\n\n"
    "  rva build --target all          everything this machine can build\n\n"
    "  rva build --target host         what runs on this machine\n\n"
    "  rva plan --target 'napi-*'      what would be done, and what stands in the way\n\n"
    "  rva verify                      read and run what was built, wherever this machine can\n\n"
    "  rva doctor                      which tools are here, which are missing\n",
)

PROFILES = ("release", "ci", "dev")


@app.command()
def build(
    target: TargetOption = None,
    exclude: ExcludeOption = None,
    shard: ShardOption = "",
    jobs: JobsOption = None,
    profile: ProfileOption = "release",
    strict: Annotated[
        bool, typer.Option("--strict", help="a selected row that cannot be built here fails the run (exit 5)")
    ] = False,
    keep_going: KeepGoingOption = False,
    export: ExportOption = None,
    smoke: SmokeOption = True,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Build the selected rows into dist/ and run what this machine can run.

    Examples: rva build --target all; rva build -t wasm -t cli; rva build -t all -x '*-windows-*' --strict
    """
    from rva import workflow

    log = log_for(quiet, verbose)
    root = here()
    table = matrix.load(root)
    targets = select(table, target, exclude, shard)
    _check_profile(profile)
    cpus = jobs or host.detect().cpus
    outcome = workflow.build(
        root, table, targets, profile=profile, jobs=cpus, keep_going=keep_going, with_smoke=smoke, log=log
    )
    if export is not None:
        workflow.export(root, outcome.manifest, targets, export.absolute())
    code = _exit_code(outcome.report, outcome.error, strict)
    final = msgspec.structs.replace(outcome.report, exit_code=code)
    if as_json:
        print_out(to_json(final))
    elif not quiet:
        print_out(report.build_table(final, colour=wants_colour(sys.stdout), width=width()))
    if code == Unavailable.code:
        log.error("--strict: these rows cannot be built here: " + ", ".join(report.unavailable(final.rows)))
    raise typer.Exit(code)


@app.command()
def package(
    target: TargetOption = None,
    exclude: ExcludeOption = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="a package that is lacking or incomplete fails the run (exit 5)")
    ] = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Turn what was built into what registries and people take, in dist/packages. Builds nothing.

    Examples: rva package; rva package --target napi --strict; rva package --json
    """
    from rva import packaging

    table = matrix.load(here())
    made = packaging.package(here(), table, select(table, target, exclude), log_for(quiet, verbose))
    if as_json:
        print_out(to_json(made))
    elif not quiet:
        print_out(report.package_table(made, colour=wants_colour(sys.stdout), width=width()))
    raise typer.Exit(Unavailable.code if strict and made.gaps else 0)


@app.command()
def verify(
    target: TargetOption = None,
    exclude: ExcludeOption = None,
    write: WriteOption = None,
    provenance: Annotated[
        bool, typer.Option("--provenance", help="check signatures and statements of dist/packages instead")
    ] = False,
    allowed: Annotated[
        Path | None, typer.Option("--allowed-signers", metavar="FILE", help="whose (default: allowed_signers)")
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="what could not be run here fails the run (exit 5)")] = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Read every file of dist/ and run it wherever this machine can: directly, emulated, in browsers. Builds nothing.

    Examples: rva verify; rva verify -t napi --write verify.html; rva verify --json; rva verify --provenance
    """
    if provenance:
        _check_provenance(allowed)
        return
    from rva import verification
    from rva.verify import reports

    log = log_for(quiet, verbose)
    root = here()
    table = matrix.load(root)
    made = verification.verify(root, table, select(table, target, exclude), log)
    for path in write or ():
        files.write(path.absolute(), reports.text(made, path, resources.templates()))
    if as_json:
        print_out(to_json(made))
    elif not quiet:
        print_out(report.verification_table(made, colour=wants_colour(sys.stdout), width=width()))
    found = {cell.status for cell in made.cells}
    failed = errors.CheckFailed.code if "fail" in found else 0
    raise typer.Exit(failed or (Unavailable.code if strict and "not-run" in found else 0))


@app.command()
def plan(
    target: TargetOption = None,
    exclude: ExcludeOption = None,
    shard: ShardOption = "",
    profile: ProfileOption = "release",
    form: Annotated[
        str, typer.Option("--format", metavar="NAME", help="table, json, or github-matrix: which machine builds what")
    ] = "table",
    as_json: JsonOption = False,
) -> None:
    """Show what would be built: by which tool, from where, what is up to date, what is unavailable and why.

    Starts no compiler. Examples: rva plan; rva plan --target P0 --json; rva plan --format github-matrix
    """
    from rva import pipelines, workflow

    root = here()
    table = matrix.load(root)
    _check_profile(profile)
    if form not in ("table", "json", "github-matrix"):
        raise errors.UsageError(f"no format is named {form!r}", fix="use table, json or github-matrix")
    targets = select(table, target, exclude, shard)
    if form == "github-matrix":
        print_out(pipelines.github_matrix(root, targets))
        return
    made = workflow.plan(root, table, targets, profile)
    print_out(
        to_json(made)
        if as_json or form == "json"
        else report.plan_table(made, colour=wants_colour(sys.stdout), width=width())
    )


@app.command()
def doctor(target: TargetOption = None, as_json: JsonOption = False) -> None:
    """List each tool: whether it is here, its version, which rows need it, how to get it.

    Examples: rva doctor; rva doctor --target host --json
    """
    from rva import workflow

    root = here()
    table = matrix.load(root)
    checks = workflow.diagnose(root, table, select(table, target, None))
    if as_json:
        print_out(to_json(checks))
    else:
        rows = [(c.name, c.status, c.version, c.source, f"{len(c.rows)} rows", c.fix or c.note) for c in checks]
        show_table(("tool", "status", "version", "from", "needed by", "note"), rows)


@app.command()
def setup(
    target: TargetOption = None,
    system: Annotated[
        bool, typer.Option("--system", help="also install emulators and a browser with apt (changes the system)")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="show what would be fetched and how big it is")] = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Get what the selected rows need, into this checkout and your cache folder.

    Examples: rva setup; rva setup --target host; rva setup --system; rva setup --dry-run
    """
    from rva import workflow

    root = here()
    table = matrix.load(root)
    workflow.setup(
        root, table, select(table, target, None), system=system, dry_run=dry_run, log=log_for(quiet, verbose)
    )


@app.command()
def clean(
    cache: Annotated[
        bool, typer.Option("--cache", help="also remove this user's shared cache: toolchains and finished rows")
    ] = False,
    tools: Annotated[bool, typer.Option("--tools", help="also remove this checkout's tool environments")] = False,
) -> None:
    """Remove dist/ and the build folders of this checkout.

    Examples: rva clean; rva clean --tools; rva clean --cache
    """
    from rva import workflow

    for line in workflow.clean(here(), cache=cache, tools=tools):
        print_out(line + "\n")


@app.command()
def test(
    only: Annotated[
        list[str] | None,
        typer.Option("--only", metavar="NAME", help="lint, unit, build, package or a check; may be repeated"),
    ] = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Run every check of the project: linters, unit tests, the whole build and its smoke tests.

    Examples: rva test; rva test --only lint --only unit; rva test --only conformance
    """
    from rva import workflow

    root = here()
    outcome = workflow.test(root, matrix.load(root), only or [], log_for(quiet, verbose))
    if as_json:
        print_out(to_json(outcome))
    else:
        rows = [(c.stage, c.name, c.status, f"{c.duration_s:.1f} s", c.reason) for c in outcome.checks]
        show_table(("stage", "check", "status", "time", "note"), rows)
        # Said once more where a CI's short view of a long log still shows it.
        for broken in (c for c in outcome.checks if c.words):
            print_out(f"\n{broken.name}: {broken.words}\n\n")
        passed, failed, idle = (sum(c.status == s for c in outcome.checks) for s in ("pass", "fail", "not-run"))
        print_out(f"checks: {passed} passed, {failed} failed, {idle} skipped\n")
    raise typer.Exit(0 if all(c.status != "fail" for c in outcome.checks) else errors.CheckFailed.code)


@app.command()
def bench(
    name: Annotated[
        str | None,
        typer.Argument(metavar="[NAME]", help="a comparison of platforms.toml, such as core; else all of them"),
    ] = None,
    peers: Annotated[
        bool, typer.Option("--peers", help="also measure the packages of others (gigabytes, fetched once)")
    ] = False,
    only: Annotated[
        list[str] | None, typer.Option("--only", metavar="CASE", help="a case's name or a glob; may be repeated")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="small sizes, short turns: whether it works")] = False,
    output: Annotated[Path | None, typer.Option("--output", metavar="DIR", help="default: .rva/bench-NAME")] = None,
    baseline: Annotated[
        Path | None, typer.Option("--baseline", metavar="FILE", help="compare with this run's JSON (bindings)")
    ] = None,
    fail_above: Annotated[
        float | None,
        typer.Option("--fail-above", metavar="PCT", min=0, help="fail where a figure grew by more (bindings)"),
    ] = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Measure against the machine's limits, earlier runs and, with --peers, what others publish.

    Examples: rva bench; rva bench core; rva bench bindings --fail-above 10
    """
    from rva import workflow
    from rva.bench import Wish

    root = here()
    table = matrix.load(root)
    names = [name] if name else list(table.bench)
    if len(names) > 1 and (only or output or baseline or fail_above is not None or as_json):
        raise errors.UsageError(
            "--only, --output, --baseline, --fail-above and --json are for one comparison",
            fix=f"name it: {' or '.join(names)}",
        )
    if baseline is not None and not baseline.is_file():
        raise errors.UsageError(f"{baseline} is not there", fix="an earlier run wrote it: bench-NAME/NAME.json")
    for each in names:
        place = output.absolute() if output else root / ".rva" / f"bench-{each}"
        wish = Wish(each, place, tuple(only or ()), quick, peers, baseline and baseline.absolute(), fail_above)
        folder = workflow.bench(root, table, wish, log_for(quiet, verbose))
        print_out((folder / f"{each}.json").read_text("utf-8") if as_json else f"results: {folder}\n")


@app.callback(invoke_without_command=True)
def version(show: Annotated[bool, typer.Option("--version", help="print rva's version")] = False) -> None:
    """Build, check and ship one Rust core for every platform."""
    if show:
        from rva import __version__

        print_out(f"rva {__version__}\n")
        raise typer.Exit(0)


def _check_provenance(allowed: Path | None) -> None:
    from rva import provenance

    count, faults = provenance.check(here(), allowed or here() / "allowed_signers")
    if faults:
        raise errors.CheckFailed("what dist/packages holds is not what was signed\n  " + "\n  ".join(faults))
    print_out(f"{count} packages: the sums and every statement are signed by an allowed key\n")


def _check_profile(profile: str) -> None:
    if profile not in PROFILES:
        raise errors.UsageError(f"no profile is named {profile!r}", fix=f"use one of {', '.join(PROFILES)}")


def _exit_code(done: Report, error: RvaError | None, strict: bool) -> int:
    if error is not None:
        return error.code
    if any(s.status == "fail" for s in done.smoke):
        return errors.CheckFailed.code
    return Unavailable.code if strict and report.unavailable(done.rows) else 0


from rva.commands import audit, ci, demo, dev, docs, init, merge, publish, rehearse, sign, versioning  # noqa: E402

app.add_typer(audit.app)
app.add_typer(ci.app, name="ci")
app.add_typer(init.app)
app.add_typer(merge.app)
app.add_typer(rehearse.app)
app.add_typer(publish.app)
app.add_typer(sign.app)
app.add_typer(versioning.app, name="version")
app.command()(docs.docs)
app.command()(demo.demo)
app.command()(dev.dev)
