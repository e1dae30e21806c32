"""`rva docs`: the committed files that are generated, and the pages of the reference."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from rva import errors, files, generated, matrix
from rva.console import here, print_out

# As wide as a page.
_WIDE: dict[str, Any] = {"max_content_width": 100, "terminal_width": 100}


def docs(
    context: typer.Context,
    check: Annotated[
        bool, typer.Option("--check", help="change nothing; fail where a generated file is out of date")
    ] = False,
    reference: Annotated[
        Path | None,
        typer.Option("--reference", metavar="DIR", help="write the reference there instead: commands, platforms.toml"),
    ] = None,
) -> None:
    """Write the files generated from platforms.toml: its JSON schema and the tables of documents.

    Examples: rva docs; rva docs --check; rva docs --reference pages
    """
    root = here()
    if reference is not None:
        program = context.find_root().command
        assert isinstance(program, TyperGroup)
        pages = {"commands.md": commands_page(program), "platforms.md": generated.schema_markdown()}
        for name, text in pages.items():
            files.write(reference.absolute() / name, text)
            print_out(f"written: {reference / name}\n")
        return
    stale = generated.check(root, matrix.load(root)) if check else generated.write(root, matrix.load(root))
    for name in stale:
        print_out(f"{'out of date' if check else 'written'}: {name}\n")
    raise typer.Exit(errors.CheckFailed.code if check and stale else 0)


def commands_page(program: TyperGroup) -> str:
    """What `--help` says of the program and of each command, as one page."""
    lines = ["# Commands", "", "What `--help` prints, for each command. Generated from the program.", ""]
    for context in _all(typer.Context(program, info_name=program.name, **_WIDE)):
        lines += [f"## {context.command_path}", "", "```text", context.get_help().rstrip(), "```", ""]
    return "\n".join(lines)


def _all(context: typer.Context) -> Iterator[typer.Context]:
    """The contexts of a command and of those below it."""
    yield context
    command = context.command
    if isinstance(command, TyperGroup):
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            if found is not None and not found.hidden:
                yield from _all(typer.Context(found, context, name, **_WIDE))
