"""The command line: composes the stages, prints, exits. Nothing else does."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, NoReturn

import msgspec
import typer

from rva import errors, host, matrix, report, shell
from rva.errors import RvaError, Unavailable
from rva.log import Log, wants_colour
from rva.model import Matrix, Report, Target, to_json

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
    "  rva doctor                      which tools are here, which are missing\n",
)

TargetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--target",
        "-t",
        metavar="WHAT",
        help="all, host, a family, a recipe, a row id, a triple, P0-P2 or a glob; may be repeated",
    ),
]
ExcludeOption = Annotated[
    list[str] | None,
    typer.Option("--exclude", "-x", metavar="WHAT", help="leave these out; the same words as --target"),
]
ProfileOption = Annotated[str, typer.Option("--profile", metavar="NAME", help="release, ci (faster to build) or dev")]
JsonOption = Annotated[bool, typer.Option("--json", help="print the result as JSON on standard output")]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="errors only")]
VerboseOption = Annotated[bool, typer.Option("--verbose", "-v", help="every line of every tool")]
JobsOption = Annotated[
    int | None,
    typer.Option("--jobs", "-j", min=1, max=256, help="rows built at the same time (default: the number of cores)"),
]
PROFILES = ("release", "ci", "dev")


@app.command()
def build(
    target: TargetOption = None,
    exclude: ExcludeOption = None,
    jobs: JobsOption = None,
    profile: ProfileOption = "release",
    strict: Annotated[
        bool, typer.Option("--strict", help="a selected row that cannot be built here fails the run (exit 5)")
    ] = False,
    keep_going: Annotated[bool, typer.Option("--keep-going", "-k", help="build the other rows when one fails")] = False,
    export: Annotated[
        Path | None, typer.Option("--export", metavar="DIR", help="also copy each selected row's files to DIR/<row>")
    ] = None,
    smoke: Annotated[
        bool, typer.Option("--smoke/--no-smoke", help="run what can be run here on the reference cases")
    ] = True,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Build the selected rows into dist/ and run what this machine can run.

    Examples: rva build --target all; rva build -t wasm -t cli; rva build -t all -x '*-windows-*' --strict
    """
    from rva import workflow

    log = _log(quiet, verbose)
    root = _root()
    table = matrix.load(root)
    targets = _select(table, target, exclude)
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
        _print(to_json(final))
    elif not quiet:
        _print(report.build_table(final, colour=wants_colour(sys.stdout), width=_width()))
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

    table = matrix.load(_root())
    made = packaging.package(_root(), table, _select(table, target, exclude), _log(quiet, verbose))
    if as_json:
        _print(to_json(made))
    elif not quiet:
        _print(report.package_table(made, colour=wants_colour(sys.stdout), width=_width()))
    raise typer.Exit(Unavailable.code if strict and made.gaps else 0)


@app.command()
def plan(
    target: TargetOption = None,
    exclude: ExcludeOption = None,
    profile: ProfileOption = "release",
    as_json: JsonOption = False,
) -> None:
    """Show what would be built: by which tool, from where, what is up to date, what is unavailable and why.

    Starts no compiler. Examples: rva plan; rva plan --target P0 --json
    """
    from rva import workflow

    root = _root()
    table = matrix.load(root)
    _check_profile(profile)
    made = workflow.plan(root, table, _select(table, target, exclude), profile)
    _print(to_json(made) if as_json else report.plan_table(made, colour=wants_colour(sys.stdout), width=_width()))


@app.command()
def doctor(target: TargetOption = None, as_json: JsonOption = False) -> None:
    """List each tool: whether it is here, its version, which rows need it, how to get it.

    Examples: rva doctor; rva doctor --target host --json
    """
    from rva import workflow

    root = _root()
    table = matrix.load(root)
    checks = workflow.diagnose(root, table, _select(table, target, None))
    if as_json:
        _print(to_json(checks))
    else:
        rows = [(c.name, c.status, c.version, c.source, f"{len(c.rows)} rows", c.fix or c.note) for c in checks]
        _table(("tool", "status", "version", "from", "needed by", "note"), rows)


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

    root = _root()
    table = matrix.load(root)
    workflow.setup(root, table, _select(table, target, None), system=system, dry_run=dry_run, log=_log(quiet, verbose))


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

    for line in workflow.clean(_root(), cache=cache, tools=tools):
        _print(line + "\n")


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

    root = _root()
    outcome = workflow.test(root, matrix.load(root), only or [], _log(quiet, verbose))
    if as_json:
        _print(to_json(outcome))
    else:
        rows = [(c.stage, c.name, c.status, f"{c.duration_s:.1f} s", c.reason) for c in outcome.checks]
        _table(("stage", "check", "status", "time", "note"), rows)
        passed, failed, idle = (sum(c.status == s for c in outcome.checks) for s in ("pass", "fail", "not-run"))
        _print(f"checks: {passed} passed, {failed} failed, {idle} skipped\n")
    raise typer.Exit(0 if all(c.status != "fail" for c in outcome.checks) else errors.CheckFailed.code)


@app.command()
def bench(
    name: Annotated[str, typer.Argument(metavar="NAME", help="a comparison of platforms.toml, such as core")],
    peers: Annotated[
        bool, typer.Option("--peers", help="also measure the packages of others (gigabytes, fetched once)")
    ] = False,
    only: Annotated[
        list[str] | None, typer.Option("--only", metavar="CASE", help="a case's name or a glob; may be repeated")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="small sizes, short turns: whether it works")] = False,
    output: Annotated[Path | None, typer.Option("--output", metavar="DIR", help="default: .rva/bench-NAME")] = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Measure against the machine's limits and, with --peers, against what others publish.

    Examples: rva bench core; rva bench core --peers --output docs/measured; rva bench core --only 'many-*'
    """
    from rva import workflow
    from rva.bench import Wish

    root = _root()
    place = output.absolute() if output else root / ".rva" / f"bench-{name}"
    wish = Wish(name, place, tuple(only or ()), quick, peers)
    folder = workflow.bench(root, matrix.load(root), wish, _log(quiet, verbose))
    _print((folder / f"{name}.json").read_text("utf-8") if as_json else f"results: {folder}\n")


@app.command()
def docs(
    check: Annotated[
        bool, typer.Option("--check", help="change nothing; fail where a generated file is out of date")
    ] = False,
) -> None:
    """Write the files generated from platforms.toml: its JSON schema and the README's table.

    Examples: rva docs; rva docs --check
    """
    from rva import generated

    root = _root()
    stale = generated.check(root, matrix.load(root)) if check else generated.write(root, matrix.load(root))
    for name in stale:
        _print(f"{'out of date' if check else 'written'}: {name}\n")
    raise typer.Exit(errors.CheckFailed.code if check and stale else 0)


@app.callback(invoke_without_command=True)
def version(show: Annotated[bool, typer.Option("--version", help="print rva's version")] = False) -> None:
    """Build, check and ship one Rust core for every platform."""
    if show:
        from rva import __version__

        _print(f"rva {__version__}\n")
        raise typer.Exit(0)


def main() -> NoReturn:
    """Run the program; every ending goes through here."""
    _handle_signals()
    try:
        result = app(standalone_mode=False, prog_name="rva")
        code = result if isinstance(result, int) else 0
    except RvaError as error:
        code = _complain(error)
    except KeyboardInterrupt:
        code = _complain(errors.Interrupted("interrupted"))
    except OSError as error:
        code = _complain(shell.from_os_error(error, "rva"))
    except Exception as error:  # noqa: BLE001 - the last door: a click error, or a fault of rva itself
        code = _last_resort(error)
    sys.stdout.flush()
    if code == errors.Interrupted.code:
        os._exit(code)  # threads may still wait for children that are being ended
    sys.exit(code)


def _last_resort(error: Exception) -> int:
    show = getattr(error, "show", None)
    if callable(show):  # click's own usage errors
        show()
        return errors.UsageError.code
    if type(error).__name__ in ("Abort", "Exit"):
        return int(getattr(error, "exit_code", errors.Interrupted.code))
    record = _root() / ".rva" / "logs" / "crash.log"
    try:
        record.parent.mkdir(parents=True, exist_ok=True)
        record.write_text(traceback.format_exc(), "utf-8")
        where = f"; the traceback is in {record}"
    except OSError:
        where = ""
    return _complain(
        errors.InternalError(
            f"{type(error).__name__}: {error}{where}", fix="this is a fault of rva: please report it with that file"
        )
    )


def _complain(error: RvaError) -> int:
    if "--json" in sys.argv:
        _print(to_json(error.as_json()))
    log = Log()
    log.error(error.what)
    if error.fix:
        log.stream.write(f"  fix: {error.fix}\n")
    return error.code


def _handle_signals() -> None:
    def stop(number: int, _frame: object) -> None:
        signal.signal(number, signal.SIG_IGN)
        shell.stop_all()
        raise errors.Interrupted("interrupted; finished rows are kept, the next run goes on from there")

    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)


def _select(table: Matrix, target: Sequence[str] | None, exclude: Sequence[str] | None) -> tuple[Target, ...]:
    return matrix.select(table, target or ["all"], exclude or [], host.detect().triple)


def _check_profile(profile: str) -> None:
    if profile not in PROFILES:
        raise errors.UsageError(f"no profile is named {profile!r}", fix=f"use one of {', '.join(PROFILES)}")


def _exit_code(done: Report, error: RvaError | None, strict: bool) -> int:
    if error is not None:
        return error.code
    if any(s.status == "fail" for s in done.smoke):
        return errors.CheckFailed.code
    return Unavailable.code if strict and report.unavailable(done.rows) else 0


def _root() -> Path:
    return host.find_root(Path.cwd())


def _log(quiet: bool, verbose: bool) -> Log:
    return Log(0 if quiet else 2 if verbose else 1)


def _width() -> int:
    # In a pipe, lines are as long as they need to be.
    return shutil.get_terminal_size((160, 24)).columns if sys.stdout.isatty() else 220


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    _print(report.table(head, rows, colour=wants_colour(sys.stdout), width=_width()))


def _print(text: str) -> None:
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError as error:
        # What is still in the buffer has nowhere to go; a reader that left early is no fault.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):
            raise shell.from_os_error(error, "cannot write to standard output") from error
