"""Hostile words in platforms.toml, in tags and in branch names: each is refused, or stands inertly in what is made from it."""

from __future__ import annotations

import copy
import json
import re
import subprocess
import tomllib
import xml.etree.ElementTree
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from rva import matrix, pipelines, render, resources, rules
from rva.model import Matrix, MatrixFile

Where = tuple[str | int, ...]
CANARY = "canary-4711"
# What begins something in a shell, an expression of a workflow, YAML, TOML, JSON, Ruby, PowerShell, Jinja, HTML or a path.
CORES = (
    f"$(touch {CANARY})", f"`touch {CANARY}`", f"; touch {CANARY}", f"&& touch {CANARY}", f"| touch {CANARY}", f"|| touch {CANARY}",
    f"> {CANARY}", f"<({CANARY})", "${IFS}", "$HOME", "${HOME}", "$((1+1))", "!!", "!$", "~root", "*", "?", "[a-z]", "{a,b}", "\\", "'", '"',
    "''' + x + '''", "${{ github.token }}", "${{ secrets.TOKEN }}", "${{ github.event.pull_request.title }}", "{{ 7 * 7 }}", "{% raw %}",
    "{# x #}", "{{ self.__init__.__globals__ }}", "#{system('x')}", "#@x", "#$x", "%x(id)", "%(x)s", "%s%n", "%PATH%", "^&calc", "$env:PATH",
    "$(Get-Item .)", "@(1)", "- item", "key: value", "key:\n  - x", "# comment", " # comment", "&anchor", "*alias", "!!python/object/new:x",
    "!tag x", "? x", "|\n  x", ">-\n  x", "---", "...", "[x]", "{x: y}", "@x", "%TAG x", "yes", "null", "~", "0x10", "1e3", "1_000", "12:30:45",
    '"]\nrun = "x', "'\n[tools]\nrust = '1", "\\u0022", "\\n", "\\x00", "<script>alert(1)</script>", "<!-- x -->", "]]>", "&lt;", "&#0;",
    "javascript:alert(1)", "data:text/html,x", "file:///etc/passwd", "https://evil.example/", "http://[::1]/", "//evil.example/x",
    "../../etc/passwd", "..\\..\\x", "/etc/passwd", "C:\\x", "\\\\host\\share", "a/../b", "./x", "~/x", "CON", "aux.txt", "x.", "x ",
    "-rf", "--exec=x", "-oProxyCommand=x", "--", "-", "a\tb", "a\nb", "a\r\nb", "a\rb", "a\x00b", "a\x1b[31mb", "a\x7fb", "a\x85b",
    "a\u2028b", "a\u2029b", "a\u202eb", "a\u200bb", "a\ufeffb", "\ud7ff\ue000", "\u00a0", "\u2003x", "\uff04\uff08x\uff09", "x" * 501,
    "x" * 20_000, "", " ", "' OR 1=1 --", "';drop table x;--", "() { :; }; echo x", "x\n::set-output name=a::b", "::add-mask::x",
    "x\necho y >> $GITHUB_ENV", "%0Aset", "\n- uses: evil/action@main", "\n    permissions: write-all", "@{u}", "refs/heads/x", "v1.0.0;id",
)  # fmt: skip
PAYLOADS = tuple(dict.fromkeys((*CORES, *(f"a{core}" for core in CORES if len(core) < 400))))


@pytest.fixture(scope="module")
def document(root: Path) -> dict[str, Any]:
    return tomllib.loads((root / "platforms.toml").read_text("utf-8"))


def places(value: object, where: Where = (), shape: Where = ()) -> Iterator[tuple[Where, Where]]:
    """Where each string of a document stands, values and keys; of places of one shape, the first."""
    if isinstance(value, dict):
        for key, child in value.items():
            yield (*where, key, -1), (*shape, "(a key)")
            yield from places(child, (*where, key), (*shape, key))
    elif isinstance(value, list):
        for i, child in enumerate(value):
            yield from places(child, (*where, i), (*shape, "[]"))
    elif isinstance(value, str):
        yield where, shape


def one_of_each(entries: list[Any]) -> list[Any]:
    """Of many entries alike, those with a string that none before them has."""
    shapes: set[Where] = set()
    kept = []
    for entry in entries:
        own = {shape for _, shape in places(entry)}
        if own - shapes:
            kept.append(entry)
            shapes |= own
    return kept


def put(document: dict[str, Any], where: Where, word: str) -> dict[str, Any]:
    """The document with another word in a place; a place that ends in -1 is the key before it."""
    changed = copy.deepcopy(document)
    is_key = where[-1] == -1
    *path, last = where[:-1] if is_key else where
    home: Any = changed
    for part in path:
        home = home[part]
    if is_key:
        home[word] = home.pop(last)
    else:
        home[last] = word
    return changed


def refused(document: dict[str, Any]) -> bool:
    """Whether the schema or the rule on characters turns the document away, as loading it would."""
    return isinstance(matrix._convert(document), str) or any(rules._characters(document))


def test_there_are_enough_payloads() -> None:
    assert len(PAYLOADS) >= 200


def test_every_string_of_the_table_refuses_or_bears_every_payload(document: dict[str, Any], root: Path) -> None:
    small = {**document, **{name: one_of_each(document[name]) for name in ("rows", "lanes", "checks")}}
    seen = {shape: where for where, shape in reversed(list(places(small)))}
    assert seen.keys() == {shape for _, shape in places(document)}
    kept: dict[Where, list[str]] = {}
    for shape, where in seen.items():
        # Keys of tables with fixed fields are unknown keys; of the others the key is a string like any.
        kept[shape] = [word for word in PAYLOADS if not refused(put(small, where, word))]
    # What is accepted holds nothing that any reader of it would act on: words of free text, and plain names.
    free = {("project", "description"), ("project", "licence"), ("project", "maintainer")}
    # Braces name a program; commands are lists of arguments that no shell reads.
    plain = re.compile(r"[A-Za-z0-9_.{][A-Za-z0-9_.,:/=*@{}-]*|--?[A-Za-z][A-Za-z0-9=_./,:-]*|--|/[\w./+-]+|")
    for shape, words in kept.items():
        if shape in free:
            assert [w for w in words if re.search(r"[$`\\{}\x00-\x1f\x7f]", w)] == [], shape
        elif shape[0] == "release":
            continue  # text of other files, looked for and never run
        else:
            assert [w for w in words if not plain.fullmatch(w)] == [], shape
    assert kept["project", "description"], "the test sees nothing"


def with_text(table: Matrix, word: str) -> Matrix | None:
    """The table with a word in its free texts, where they take it."""
    project = msgspec.structs.replace(table.project, description=word, licence=word, maintainer=word)
    try:
        msgspec.convert(msgspec.to_builtins(project), type(project))
    except msgspec.ValidationError:
        return None
    return None if any(rules._characters({"x": word})) else msgspec.structs.replace(table, project=project)


def test_free_text_stands_inertly_wherever_it_is_written(root: Path, table: Matrix) -> None:
    clean, other = pipelines.texts(root, table), pipelines.gitlab(root, table)
    borne = 0
    for word in PAYLOADS:
        changed = with_text(table, word)
        if changed is None:
            continue
        borne += 1
        assert (pipelines.texts(root, changed), pipelines.gitlab(root, changed)) == (clean, other)
        check_templates(word)
    assert borne > 50


def check_templates(word: str) -> None:
    """Each template that takes free text, read back by the format it writes."""
    facts = {
        "description": word, "licence": word, "licences": [word], "maintainer": word, "repository": "https://x.example/y",
        "name": "n", "version": "1.0.0", "program": "p", "class_name": "P", "base": "https://x.example/y", "documents": True,
        "architecture": "amd64", "form": "deb", "floor": "2.17", "parts": [], "architectures": {}, "systems": {}, "package": "n",
        "own": {"description": word, "keywords": [word], "engines": {"node": word}}, "key": "k", "file": "f", "stand_in": "",
        "os": "linux", "cpu": "x64", "libc": "glibc", "engines": word,
    }  # fmt: skip

    def text(name: str) -> str:
        return render.render(resources.templates(), name, facts)

    assert json.loads(text("npm/package.json.j2"))["description"] == word
    assert json.loads(text("npm/platform.json.j2"))["description"] == f"{word} (k)"
    assert json.loads(text("managers/scoop.json.j2"))["description"] == word
    nfpm = yaml.safe_load(text("archives/nfpm.yaml.j2"))
    assert (nfpm["description"], nfpm["maintainer"], nfpm["license"]) == (word, word, word)
    line = next(line for line in text("managers/formula.rb.j2").splitlines() if line.startswith("  desc "))
    assert "#" not in line and json.loads(line.removeprefix("  desc ")) == word


def test_the_formula_would_run_what_is_not_escaped() -> None:
    assert "#" in json.dumps("#@x"), "JSON's own escapes leave Ruby's interpolation alone"


@pytest.mark.process
def test_tags_and_branches_reach_no_shell(root: Path, table: Matrix, tmp_path: Path) -> None:
    """Every command of the workflows, run with a hostile word wherever a variable may bring one in."""
    commands = [
        step["run"]
        for text in pipelines.texts(root, table).values()
        for job in yaml.safe_load(text)["jobs"].values()
        for step in job["steps"]
        if "rva" in step.get("run", "").lower()
    ]
    assert len(commands) > 8
    stub = tmp_path / "rva"
    stub.write_text('#!/bin/sh\nprintf "%s\\0" "$@" >> said\nprintf "\\1" >> said\n', "utf-8")
    stub.chmod(0o755)
    for part in ("incoming/dist-a", "dist"):
        (tmp_path / part / "verified").mkdir(parents=True)
        (tmp_path / part / "verified" / "a.json").write_text("{}", "utf-8")
    (tmp_path / "verification.md").write_text("", "utf-8")
    script = "\n".join(command if "\n" not in command else command.strip() for command in commands)
    words = [w for w in PAYLOADS if "\0" not in w and len(w) < 5000]
    assert len(words) >= 200
    there = {p.name for p in tmp_path.iterdir()} | {"said"}
    for word in words:
        (tmp_path / "said").unlink(missing_ok=True)
        env = {
            "PATH": "/usr/bin:/bin",
            "RVA": "./rva",
            "NAME": "a",
            "ROWS": word,
            "TAG": word,
            "GITHUB_REF": word,
            "GITHUB_REF_NAME": word,
        }
        env |= {"GITHUB_HEAD_REF": word, "GITHUB_OUTPUT": "/dev/null", "GITHUB_STEP_SUMMARY": "/dev/null"}
        done = subprocess.run(["bash", "-eu", "-c", script], cwd=tmp_path, env=env, capture_output=True)
        assert done.returncode == 0, (word, done.stderr)
        calls = [c.split(b"\0")[:-1] for c in (tmp_path / "said").read_bytes().split(b"\1\0"[:1])]
        rows = [c[c.index(b"--target") + 1] for c in calls if b"--target" in c]
        assert rows and set(rows) == {word.encode("utf-8", "surrogatepass")}, word
        assert {p.name for p in tmp_path.iterdir()} == there, word


@pytest.mark.process
def test_a_command_that_let_a_word_in_would_be_seen(tmp_path: Path) -> None:
    word = f"$(touch {CANARY})"
    subprocess.run(["bash", "-c", f"echo {word}"], cwd=tmp_path, check=True, capture_output=True)
    assert (tmp_path / CANARY).exists()


def test_a_report_shows_hostile_words_as_text() -> None:
    from rva.verified import Cell, Verification
    from rva.verify import reports

    for word in (w for w in PAYLOADS if w.isprintable() and len(w) < 500):
        cell = Cell("row", "check", "fail", reason=word)
        made = Verification(word, word, word, word, ("row",), ("check",), (cell,))
        case = xml.etree.ElementTree.fromstring(reports.junit(made)).find(".//failure")
        assert case is not None and case.get("message") == word
        assert "<script>alert" not in reports.html(made, resources.templates())


def test_schema_and_types_name_the_same_words() -> None:
    assert json.dumps(msgspec.json.schema(MatrixFile)).count("pattern") > 10
