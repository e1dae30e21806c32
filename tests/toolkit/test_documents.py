"""Documents keep their promises: a guide a platform with the same four parts, a comparison whose cells cite, links that lead somewhere."""

from __future__ import annotations

import itertools
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import session
import snippets
import typer
from rva import cli
from rva.model import Matrix

GUIDES = ("javascript", "browser", "wasi", "rust", "python", "c", "command-line", "server")
PARTS = ("## Quick start", "## Advanced", "## Performance", "## Troubleshooting")
# A link, whose file another test looks for, or a command of one of the tools.
CITES = re.compile(r"\]\([^)]+\)|`(\./)?(rva|napi|wasm-pack|maturin|dist) [^`]+`")
# What looks like a command in a sentence and is a message, a choice, or answered by --help alone.
SAID = re.compile(r"needs Python|\||--help")


def parts_missing(text: str) -> list[str]:
    """The parts of a guide that a page lacks."""
    return [part for part in PARTS if not re.search(rf"^{part}", text, re.MULTILINE)]


def uncited(text: str) -> list[str]:
    """The cells of a page's tables that cite nothing; the first column names, an empty cell says nothing."""
    rows = [line.strip("| \n").split(" | ") for line in text.splitlines() if line.startswith("| ")]
    bodies = [row for row in rows if not set("".join(row)) <= set("- |") and row[0] not in ("tool", "question")]
    return [cell for row in bodies for cell in row[1:] if cell.strip(" |") and not CITES.search(cell)]


def dead_links(path: Path) -> list[str]:
    """Links of a page to files that are not there; what the site makes itself, its own build checks."""
    text = re.sub(r"^```.*?^```$", "", path.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)
    links = [link for link in re.findall(r"\]\(([^)#\s]+)", text) if not re.match(r"[a-z]+:", link)]
    return [
        link
        for link in links
        if not re.match(r"(\.\./)?(reference|api)/|c\.md$", link) and not (path.parent / link).exists()
    ]


@pytest.mark.parametrize("name", GUIDES)
def test_a_guide_has_its_four_parts(root: Path, name: str) -> None:
    assert parts_missing((root / "docs" / f"{name}.md").read_text("utf-8")) == []


def test_a_part_that_is_missing_is_seen() -> None:
    assert parts_missing("## Quick start\n## Advanced patterns\n## Performance\n") == ["## Troubleshooting"]


def test_every_cell_of_the_comparison_cites(root: Path) -> None:
    text = (root / "docs" / "comparison.md").read_text("utf-8")
    assert text.count("\n| ") > 15 and uncited(text) == []
    page = "| tool | makes |\n| --- | --- |\n| x | much |\n| y | [z](a) | `rva b` | |\n| z | `b` in `dist.toml` |\n"
    assert uncited(page) == ["much", "`b` in `dist.toml`"]


def test_links_lead_to_files(root: Path, tmp_path: Path) -> None:
    pages = [*root.glob("*.md"), *(root / "docs").rglob("*.md")]
    assert len(pages) > 25
    assert {p.name: dead for p in pages if (dead := dead_links(p))} == {}
    (tmp_path / "x.md").write_text("[a](https://b) [c](d.md) [e](x.md)")
    assert dead_links(tmp_path / "x.md") == ["d.md"]


def test_the_menu_has_each_page_once(root: Path) -> None:
    named = re.findall(r": ([\w/-]+\.md)$", (root / "mkdocs.yml").read_text("utf-8"), re.MULTILINE)
    made = {"reference/commands.md", "reference/platforms.md", "reference/c.md"}
    pages = {path.relative_to(root / "docs").as_posix() for path in (root / "docs").rglob("*.md")}
    assert sorted(named) == sorted(pages | made)


def languages(path: Path) -> set[str]:
    """The languages of a page's blocks."""
    return set(re.findall(r"^```(\S*)\n.*?^```$", path.read_text("utf-8"), re.DOTALL | re.MULTILINE))


def test_every_snippet_is_run_or_says_why_not(root: Path, table: Matrix) -> None:
    pages = [
        *root.glob("*.md"),
        *(root / "docs").rglob("*.md"),
        *root.glob("bindings/*/README.md"),
        root / "core/README.md",
    ]
    found = {(p.relative_to(root).as_posix(), language) for p in pages for language in languages(p)}
    parsed = {(page, "sh") for page in snippets.PARSED}
    assert found - snippets.RUN_BY.keys() - snippets.NOT_RUN.keys() - parsed == set(), (
        "say who runs them, in snippets.py"
    )
    assert (snippets.RUN_BY.keys() | snippets.NOT_RUN.keys() | parsed) - found == set(), "these are no more"
    assert set(snippets.RUN_BY.values()) <= {check.name for check in table.checks}


def refusals(text: str) -> list[str]:
    """The commands of rva in a page that its own parser refuses; nothing is run."""
    program = typer.main.get_command(cli.app)
    found = []
    for block in re.findall(r"^```sh\n(.*?)^```$", text, re.DOTALL | re.MULTILINE):
        for line in block.splitlines():
            for command in line.partition(" #")[0].split("&&"):
                words = list(itertools.takewhile(lambda word: word not in (">", "|"), shlex.split(command)))
                if not words or words[0] == "git":
                    continue
                try:
                    assert words[0] in ("rva", "./rva"), "no command of rva"
                    _parse(program, "rva", words[1:])
                except Exception as error:  # noqa: BLE001 - the parser's own errors have no public class
                    found.append(f"{command.strip()}: {error}")
    return found


def _parse(command: Any, name: str, words: list[str]) -> None:
    context = command.make_context(name, list(words))
    if hasattr(command, "resolve_command") and context._protected_args:
        inner, below, rest = command.resolve_command(context, [*context._protected_args, *context.args])
        assert below is not None
        _parse(below, inner, rest)


@pytest.mark.parametrize("page", snippets.PARSED)
def test_commands_of_the_pages_are_commands(root: Path, page: str) -> None:
    assert refusals((root / page).read_text("utf-8")) == []


def inline_commands(text: str) -> list[str]:
    """The commands of rva that sentences and tables name."""
    prose = re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)
    return [found for found in re.findall(r"`((?:\./)?rva [^`]+)`", prose) if not SAID.search(found)]


def wrong_words(commands: list[str]) -> list[str]:
    """Those that the parser refuses for another reason than that a name is left to the reader."""
    return [said for said in refusals("```sh\n" + "\n".join(commands) + "\n```\n") if "Missing parameter" not in said]


def test_commands_within_sentences_are_commands(root: Path) -> None:
    pages = [*root.glob("*.md"), *(root / "docs").rglob("*.md")]
    found = {page.name: inline_commands(page.read_text("utf-8")) for page in pages}
    assert sum(map(len, found.values())) > 80
    assert {name: wrong for name, commands in found.items() if (wrong := wrong_words(commands))} == {}
    assert wrong_words(inline_commands("`rva biuld` and `rva plan -x` and `rva bench`")) != []


def test_a_wrong_command_is_seen() -> None:
    page = "```sh\n./rva build --traget all\n./rva biuld\n./rva build -t all # fine\nrm x\n./rva ci chekc\n```\n"
    assert [said.split(":")[0] for said in refusals(page)] == [
        "./rva build --traget all",
        "./rva biuld",
        "rm x",
        "./rva ci chekc",
    ]


def test_the_page_of_sessions_has_what_the_program_said(root: Path) -> None:
    kept = (root / "tests" / "golden" / "cli-session.txt").read_text("utf-8")
    assert f"```console\n{kept.rstrip()}\n```\n" in (root / "docs" / "session.md").read_text("utf-8")


def test_what_of_a_session_has_to_last() -> None:
    first = "[ 1/1] built  x  2.0 s\nrow  status  size    time\nx    built   1.2 kB  2.0 s\n\n1 built; 2.1 s\n"
    again = "row  status   size     time\nx    current  17.3 kB\n\n1 current; 0.1 s\n"
    assert session.lasting(first) == session.lasting(again)
    assert session.lasting(first) != session.lasting(first.replace("x", "y"))
    assert session.lasting(first) != session.lasting(first.replace("built  ", "failed "))


def test_the_readme_is_short(root: Path) -> None:
    text = (root / "README.md").read_text("utf-8")
    own = re.sub(r"<!-- begin generated.*?<!-- end generated[^>]*>", "", text, flags=re.DOTALL)
    assert own.count("\n") < 80
    for file in re.findall(r'(?:src|srcset)="([^"]+)"', text):
        assert (root / file).is_file(), file
