"""A verification as a table, Markdown, JUnit and HTML."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest
from rva import report
from rva.errors import UsageError
from rva.verified import Cell, Verification
from rva.verify import reports

CELLS = (
    Cell("one", "files", "pass", evidence="2 files", duration_s=0.5),
    Cell("one", "direct", "pass", how="run", evidence="45 reference cases"),
    Cell("two", "files", "pass", stand_in=True),
    Cell("two", "qemu", "pass", how="emulated"),
    Cell("three", "files", "fail", reason="built for <arm64> & not x64"),
    Cell("three", "qemu", "not-run", reason="qemu-arm was not found"),
    Cell("one", "npm", "pass", how="run", package="npm/one.tgz", lane="node-18"),
    Cell("two", "pip", "pass", how="installs", stand_in=True, package="python/two.whl"),
    Cell("three", "npm", "not-run", reason="npm was not found", package="npm/three.tgz"),
)
MADE = Verification(
    "1.2.3",
    "c0ffeec0ffeec0ffee",
    "a machine",
    "2026-11-23",
    ("one", "two", "three"),
    ("files", "direct", "qemu", "npm", "pip"),
    CELLS,
    2.0,
)


def test_the_table_says_everything_once() -> None:
    text = report.verification_table(MADE, colour=False, width=200)
    lines = {line.split()[0]: line.split()[1:] for line in text.splitlines()[1:4]}
    assert lines["one"] == ["pass", "pass", "direct", "pass", "npm", "node-18"]
    assert lines["two"] == ["stand-in", "emulated", "qemu", "installs", "pip"]
    assert lines["three"] == ["fail", "not", "run", "no"]
    assert text.count("built for <arm64> & not x64") == 1
    assert text.count("qemu-arm was not found") == 1
    assert text.endswith("3 rows: 1 emulated, 1 fail, 1 installs, 2 not run, 3 pass, 1 stand-in; 2 s\n")


def test_a_rehearsal_shows_what_was_installed() -> None:
    cells = (Cell("one", "published", "pass", package="p"), Cell("one", "npm", "pass", how="run", package="p"))
    made = Verification("1", "", "", "", ("one", "two"), ("published", "npm"), cells)
    lines = report.verification_table(made, colour=False, width=200).splitlines()
    assert [line.split() for line in lines[:3]] == [
        ["row", "installed"],
        ["one", "pass", "published,", "pass", "npm"],
        ["two", "no"],
    ]


def test_nothing_checked_is_no_success() -> None:
    assert Verification("1", "", "", "", (), (), ()).summary == "0 rows: nothing checked; 0 s"


def test_markdown_has_a_cell_for_each_check() -> None:
    title, first, summary, second, head, rule, *lines = reports.markdown(MADE).splitlines()
    assert (title, first, second) == ("# Verification of 1.2.3", "", "")
    assert summary == f"{MADE.summary}. a machine, 2026-11-23, c0ffeec0ffee."
    assert (head, rule) == ("| row | files | direct | qemu | npm | pip |", "| --- | --- | --- | --- | --- | --- |")
    assert lines == [
        "| `one` | pass | pass |  | pass |  |",
        "| `two` | stand-in |  | emulated |  | installs |",
        "| `three` | fail |  | not run | not run |  |",
        "",
        "**three, files**: built for <arm64> & not x64",
    ]


def test_a_cell_of_several_runs_has_all_their_words() -> None:
    cells = [Cell("one", "npm", "pass", how="run", lane=lane) for lane in ("node-18", "node-20")]
    fails = Cell("one", "npm", "fail", lane="node-22", reason="1 of 2 cases failed")
    text = reports.markdown(Verification("1", "", "", "", ("one",), ("npm",), (*cells, fails)))
    assert "| `one` | pass, pass, fail |" in text
    assert "**one, npm node-22**: 1 of 2 cases failed" in text


def test_junit_counts_failures_and_what_was_not_run() -> None:
    suites = ElementTree.fromstring(reports.junit(MADE))
    found = {s.get("name"): (s.get("tests"), s.get("failures"), s.get("skipped")) for s in suites}
    assert found == {
        "files": ("3", "1", "0"),
        "direct": ("1", "0", "0"),
        "qemu": ("2", "0", "1"),
        "npm": ("2", "0", "1"),
        "pip": ("1", "0", "0"),
    }
    assert (suites.get("name"), suites.get("time")) == ("rva verify", "2.0")
    cases = [(c.get("classname"), c.get("name"), c.get("time")) for c in suites.iter("testcase")]
    assert cases == [
        ("files", "one", "0.5"),
        ("files", "two (stand-in)", "0.0"),
        ("files", "three", "0.0"),
        ("direct", "one", "0.0"),
        ("qemu", "two", "0.0"),
        ("qemu", "three", "0.0"),
        ("npm", "one (npm/one.tgz, node-18)", "0.0"),
        ("npm", "three (npm/three.tgz)", "0.0"),
        ("pip", "two (python/two.whl, stand-in)", "0.0"),
    ]
    [failure] = suites.iter("failure")
    assert failure.get("message") == "built for <arm64> & not x64"
    assert [s.get("message") for s in suites.iter("skipped")] == ["qemu-arm was not found", "npm was not found"]
    assert [s.text for s in suites.iter("system-out") if s.text] == ["2 files", "45 reference cases"]


def test_junit_says_what_encoding_it_is_in() -> None:
    text = reports.junit(MADE)
    assert text.startswith("<?xml version='1.0' encoding=") and text.endswith("</testsuites>\n")
    assert '\n  <testsuite name="direct"' in text  # for people too


class _Words(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_data(self, data: str) -> None:
        self.found += [line.strip() for line in data.splitlines() if line.strip()]


def test_the_page_is_whole_and_escaped(root: Path) -> None:
    text = reports.html(MADE, root / "templates")
    assert "built for &lt;arm64&gt; &amp; not x64" in text
    assert "http" not in text  # self-contained
    words = _Words()
    words.feed(text)
    for row in MADE.rows:
        assert row in words.found
    assert words.found.count("stand-in") == words.found.count("emulated") == words.found.count("fail") == 1


@pytest.mark.parametrize(("name", "start"), [("a.html", "<!doctype html>"), ("a.md", "# "), ("a.xml", "<?xml")])
def test_the_files_name_says_which_report(root: Path, name: str, start: str) -> None:
    assert reports.text(MADE, Path(name), root / "templates").startswith(start)


def test_other_files_are_refused(root: Path) -> None:
    with pytest.raises(UsageError, match=r"a\.pdf: no report has this extension") as caught:
        reports.text(MADE, Path("a.pdf"), root / "templates")
    assert caught.value.fix.startswith("use .html, .md or .xml")
