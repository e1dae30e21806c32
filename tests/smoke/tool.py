"""Installs rva's own wheel in a fresh virtual environment, with what it imports as it is locked, and uses it in a workspace of another kind.

`tool.py ARTIFACT_DIR VECTORS_JSON`, where the folder may also be an environment into which the wheel was installed by name.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import venv
from collections.abc import Sequence
from pathlib import Path

import cases

LOCKED = Path(__file__).parents[2] / "requirements" / "rva.txt"
WORKSPACE = {
    "Cargo.toml": '[workspace]\nresolver = "2"\nmembers = ["texthash"]\n\n[workspace.package]\nversion = "0.3.0"\nedition = "2021"\n'
    'license = "MIT"\nrepository = "https://example.org/texthash"\n',
    "LICENSE": "MIT License\n",
    "texthash/Cargo.toml": '[package]\nname = "texthash"\nversion.workspace = true\nedition.workspace = true\nlicense.workspace = true\n'
    "repository.workspace = true\n",
    "texthash/src/lib.rs": "//! Hashes of text.\n",
}


def install(wheel: Path | None, folder: Path) -> Path:
    """The environment, made if it is not there, with the locked packages and with the wheel if one is given; its programs."""
    if not (folder / "pyvenv.cfg").is_file():
        venv.create(folder, with_pip=True)
    programs = folder / ("Scripts" if os.name == "nt" else "bin")
    pip = [str(programs / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    wanted = [["--require-hashes", "--only-binary", ":all:", "-r", str(LOCKED)]]
    if wheel:
        wanted.append(["--no-deps", "--no-index", str(wheel)])
    for what in wanted:
        done = subprocess.run([*pip, *what], stdout=sys.stderr, check=False, timeout=600)
        if done.returncode != 0:
            raise SystemExit(f"pip install {' '.join(what)} failed with exit code {done.returncode}")
    return programs


def said(argv: Sequence[str], cwd: Path, status: int = 0) -> str:
    """What a command prints; AssertionError where it ends otherwise than wanted."""
    # Neither this checkout's toolkit nor the user's packages: only what was installed.
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(argv, cwd=cwd, env=env, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == status, f"{argv[1:]} ended with {done.returncode}: {done.stdout}{done.stderr}"
    return done.stdout


def version(rva: str, python: str, place: Path) -> None:
    """It says the version that pip installed."""
    told = said([python, "-m", "pip", "show", "rva"], place)
    wanted = next(line.split()[1] for line in told.splitlines() if line.startswith("Version: "))
    assert said([rva, "--version"], place).split() == ["rva", wanted]


def begin(rva: str, _python: str, place: Path) -> None:
    """A new workspace with a library of another kind, and what it gives that."""
    for name, text in WORKSPACE.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(text, "utf-8")
    said([rva, "init", "--quiet", "--with", "c,cli"], place)


def plan(rva: str, _python: str, place: Path) -> None:
    """Every row of it, by its name."""
    rows = json.loads(said([rva, "plan", "--json"], place))["rows"]
    assert {row["recipe"] for row in rows} == {"c-library", "cli", "crate"}
    assert all("texthash" in str(row["outputs"]) for row in rows)


def generated(rva: str, _python: str, place: Path) -> None:
    """What it made from its templates is what it would make."""
    for check in (["ci", "check"], ["docs", "--check"], ["version", "check"]):
        said([rva, *check], place)
    said([rva, "ci", "generate", "--gitlab", "gitlab.yml"], place)
    assert "rva build" in (place / "gitlab.yml").read_text("utf-8")


def versions(rva: str, _python: str, place: Path) -> None:
    """A version goes to every place; one that is elsewhere is found."""
    said([rva, "version", "set", "0.4.0"], place)
    manifest = place / "Cargo.toml"
    assert 'version = "0.4.0"' in manifest.read_text("utf-8")
    manifest.write_text(manifest.read_text("utf-8").replace("0.4.0", "0.4.1"), "utf-8")
    said([rva, "version", "check"], place, status=1)


def faults(rva: str, _python: str, place: Path) -> None:
    """A table that is wrong is refused with its own exit status."""
    table = place / "platforms.toml"
    table.write_text(table.read_text("utf-8").replace("schema_version = 1", "schema_version = 2"), "utf-8")
    said([rva, "plan"], place, status=3)


USES = (version, begin, plan, generated, versions, faults)


def main(argv: list[str]) -> int:
    folder, _ = cases.arguments(argv)
    installed = (folder / "pyvenv.cfg").is_file()
    wheel = None if installed else cases.only(folder, "*.whl")
    failures: list[str] = []
    with tempfile.TemporaryDirectory(prefix="rva-smoke-") as name:
        programs = install(wheel, folder if installed else Path(name) / "venv")
        place = Path(name) / "project"
        place.mkdir()
        for use in USES:
            try:
                use(str(programs / "rva"), str(programs / "python"), place)
            except (AssertionError, KeyError, ValueError, StopIteration, OSError) as error:
                failures.append(use.__name__)
                print(f"{use.__name__}: {error!r}", file=sys.stderr)
    passed = len(USES) - len(failures)
    print(json.dumps({"cases": len(USES), "passed": passed, "failed": len(failures), "failures": failures}))
    return 1 if failures else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv))
