"""Examples run, in docstrings, pages and programs; types agree with what runs."""

from __future__ import annotations

import doctest
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import ruvector_attention as api

BINDING = Path(__file__).resolve().parents[1]
PAGE = BINDING.parents[1] / "docs" / "python.md"
EXAMPLES = sorted(path.name for path in (BINDING / "examples").glob("*.py"))


def docstrings() -> list[doctest.DocTest]:
    """The examples of every public name, its methods included."""
    finder = doctest.DocTestFinder(exclude_empty=True)
    names = {name: getattr(api, name) for name in api.__all__}
    found = []
    for name, value in names.items():
        # Without a module the finder takes everything it meets, and a compiled class has none that it knows.
        found += [t for t in finder.find(value, name, module=False, globs=dict(names)) if t.examples]
    return found


def ran(test: doctest.DocTest) -> tuple[int, str]:
    said: list[str] = []
    runner = doctest.DocTestRunner(verbose=False)
    results = runner.run(test, out=said.append)
    return results.failed, "".join(said)


@pytest.mark.parametrize("test", docstrings(), ids=lambda test: test.name)
def test_docstrings_hold(test: doctest.DocTest) -> None:
    failed, said = ran(test)
    assert failed == 0, said


def test_a_wrong_docstring_is_found() -> None:
    parsed = doctest.DocTestParser().get_doctest(">>> version()\n'0.0.0'\n", {"version": api.version}, "wrong", None, 0)
    assert ran(parsed)[0] == 1


def test_every_class_has_an_example() -> None:
    shown = {test.name.split(".")[0] for test in docstrings()}
    classes = {name for name in api.__all__ if isinstance(getattr(api, name), type)}
    # Never made by hand.
    assert classes - shown <= {"AttentionError", "ForwardStream"}


def test_everything_has_a_docstring() -> None:
    for name in api.__all__:
        value: Any = getattr(api, name)
        if name != "__version__":
            assert value.__doc__, name
        for member in vars(value) if isinstance(value, type) and name != "AttentionType" else ():
            if not member.startswith("_") and name != "AttentionError":
                assert getattr(value, member).__doc__, f"{name}.{member}"


def snippets() -> list[str]:
    return re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


@pytest.mark.skipif(not PAGE.exists(), reason="the tests were copied without the page")
def test_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From top to bottom, as a reader types it; a comment after an expression says what it gives."""
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": "__page__"}
    found = snippets()
    assert len(found) >= 8
    for snippet in found:
        exec(compile(snippet, str(PAGE), "exec"), names)


@pytest.mark.parametrize("example", EXAMPLES)
def test_examples_run(example: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(BINDING / "examples" / example)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
    if example == "plot.py":
        import matplotlib.image

        pixels = np.asarray(matplotlib.image.imread(tmp_path / "weights.png"))
        assert pixels.shape[:2] == (400, 1200) and pixels.std() > 0.05


def mypy(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", *arguments]
    return subprocess.run(argv, cwd=cwd, capture_output=True, text=True, check=False, timeout=300)


def test_tests_and_examples_are_typed(tmp_path: Path) -> None:
    done = mypy("mypy", "--strict", str(BINDING / "tests"), str(BINDING / "examples"), cwd=tmp_path)
    assert done.returncode == 0, done.stdout


def test_wrong_uses_do_not_type_check(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.py"
    wrong.write_text(
        "from ruvector_attention import SelfAttention\nSelfAttention('4').forward([1.0], num_neighbours=1)\n"
    )
    said = mypy("mypy", "--strict", str(wrong), cwd=tmp_path).stdout
    assert "num_neighbours" in said and 'incompatible type "str"' in said


# mypy's own account of an enum of strings differs from Python's.
ALLOWED = "ruvector_attention._types.AttentionType.__new__\n"


def stubtest(cwd: Path) -> subprocess.CompletedProcess[str]:
    (cwd / "allowed").write_text(ALLOWED)
    return mypy("mypy.stubtest", "ruvector_attention", "--allowlist", "allowed", "--ignore-unused-allowlist", cwd=cwd)


def test_the_stubs_say_what_is_there(tmp_path: Path) -> None:
    done = stubtest(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_stubs_that_lie_are_found(tmp_path: Path) -> None:
    """Parameters too many, a method that is not there."""
    copy = tmp_path / "ruvector_attention"
    shutil.copytree(Path(api.__file__).parent, copy)
    stub = copy / "_native.pyi"
    text = stub.read_text(encoding="utf-8")
    for pattern, lie in [
        (r"def finish\(self\)", "def finish(self, again: int)"),
        (r"def features\(\)", "def features(first: int)"),
        (r"def clear\(self\)", "def clear_all(self)"),
    ]:
        text, count = re.subn(pattern, lie, text)
        assert count == 1, pattern
    stub.write_text(text, encoding="utf-8")
    done = stubtest(tmp_path)
    assert done.returncode != 0
    for complaint in ("AttentionState.finish", "features", "clear_all"):
        assert complaint in done.stdout
