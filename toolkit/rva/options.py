"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

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
ExportOption = Annotated[
    Path | None, typer.Option("--export", metavar="DIR", help="also copy each selected row's files to DIR/<row>")
]
SmokeOption = Annotated[
    bool, typer.Option("--smoke/--no-smoke", help="run what can be run here on the reference cases")
]
KeepGoingOption = Annotated[bool, typer.Option("--keep-going", "-k", help="build the other rows when one fails")]
WriteOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--write", "-w", metavar="FILE", help="also write a report: .html, .md, or .xml as JUnit's; may be repeated"
    ),
]
ShardOption = Annotated[
    str, typer.Option("--shard", metavar="I/N", help="one of N parts of the selected rows, such as 1/3; see rva merge")
]
