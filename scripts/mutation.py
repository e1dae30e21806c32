"""Mutation testing of the modules that inspect, verify and audit: `scripts/proofs.sh mutation`.

python scripts/mutation.py MUTMUT [FOLDER]

MUTMUT is the program of requirements/mutation.txt. It wants packages below src/, so the checkout's files are copied to
FOLDER (.rva/mutation) in that shape. A second run judges what the first did not kill, and what changed since; without the
folder everything is judged. Prints what was killed, and the survivors.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# What judges. What fetches and what prints is left to its own tests.
JUDGES = ("claims", "content", "javascript", "npm", "specs", "wheels")
MUTATED = (
    "src/rva/inspect/*.py",
    "src/rva/verify/*.py",
    "src/rva/verified.py",
    "src/rva/audited.py",
    *(f"src/rva/audit/{name}.py" for name in JUDGES),
)
TESTS = ("tests/toolkit/inspect", "tests/toolkit/verify", "tests/toolkit/audit")
# Tests that start rva itself see nothing of a mutant; those of whole matrices see what single cases see too, and take longer.
ARGUMENTS = ("-m", "not process", "-k", "not matrix and not every_other and not truncated", "-p", "no:cacheprovider")
# Seconds of the processor, not of the clock as mutmut counts them: a busy machine is no reason to call a mutant found.
LIMIT = """
import os, resource, time

def pytest_sessionstart() -> None:
    if "__mutmut_" in os.environ.get("MUTANT_UNDER_TEST", ""):
        most = int(time.process_time()) + 20
        resource.setrlimit(resource.RLIMIT_CPU, (most, most + 1))
"""
LEAST = 80.0
KILLED = 1  # pytest's exit status where a test failed


def lay_out(folder: Path) -> None:
    """The checkout's files in mutmut's shape, with settings of its own."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    shown = sorted(name for name in listed.split("\0") if name)
    for name in (name for name in shown if (ROOT / name).is_file()):
        # toolkit/ too, where platforms.toml says that it is; what runs is below src/.
        for place in {folder / name, folder / re.sub("^toolkit/", "src/", name)}:
            # Copied though it did not change: mutmut trusts mutants that it was still writing.
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, place)
    copied = sorted({name.split("/")[0] for name in shown} - {"pyproject.toml", "src"} | {"conftest.py"})
    lists = {"source_paths": ["src"], "only_mutate": MUTATED, "also_copy": copied}
    lists |= {"pytest_add_cli_args": ARGUMENTS, "pytest_add_cli_args_test_selection": TESTS}
    (folder / "conftest.py").write_text(LIMIT)
    lines = ["timeout_constant = 600.0", "timeout_multiplier = 1.0"]
    lines += [f"{key} = {list(value)!r}" for key, value in lists.items()]
    pytest = '[tool.pytest.ini_options]\naddopts = "--strict-markers --import-mode=importlib"'
    (folder / "pyproject.toml").write_text("[tool.mutmut]\n" + "\n".join(lines) + f"\n\n{pytest}\n")


def forget(folder: Path) -> None:
    """What an earlier run did not kill, and which tests reach what: tests may have changed."""
    (folder / "mutants" / "mutmut-stats.json").unlink(missing_ok=True)
    for path in (folder / "mutants").rglob("*.meta"):
        kept = json.loads(path.read_text())
        ends = kept["exit_code_by_key"]
        kept["exit_code_by_key"] = {name: end if end == KILLED else None for name, end in ends.items()}
        path.write_text(json.dumps(kept))


def verdicts(mutmut: str, folder: Path) -> dict[str, str]:
    """Mutant -> how it ended."""
    done = subprocess.run([mutmut, "results", "--all", "true"], cwd=folder, capture_output=True, text=True, check=True)
    rows = [line.split(": ", 1) for line in done.stdout.splitlines() if ": " in line]
    return {name.strip(): verdict.strip() for name, verdict in rows}


def table(found: dict[str, str]) -> str:
    """Killed of all, module by module."""
    lines = ["| module | mutants | killed | survived | other |", "| --- | --- | --- | --- | --- |"]
    modules = sorted({name.split(".x", 1)[0] for name in found})
    for module in [*modules, ""]:
        ends = Counter(end for name, end in found.items() if name.startswith(module))
        caught = ends["killed"] + ends["timeout"]
        other = ", ".join(
            f"{n} {end}" for end, n in sorted(ends.items()) if end not in ("killed", "timeout", "survived")
        )
        name = module.removeprefix("rva.") or "all"
        lines.append(
            f"| {name} | {ends.total()} | {caught} ({100 * caught / ends.total():.0f} %) | {ends['survived']} | {other} |"
        )
    return "\n".join(lines)


def main() -> int:
    """Run it all; 1 where too many survive."""
    mutmut = str(Path(sys.argv[1]).absolute())
    folder = Path(sys.argv[2]) if len(sys.argv) > 2 else ROOT / ".rva" / "mutation"
    lay_out(folder)
    forget(folder)
    subprocess.run([mutmut, "run", "--max-children", "2"], cwd=folder, check=False)
    found = verdicts(mutmut, folder)
    if not found:
        sys.exit("mutmut made no mutants: see its words above")
    print(table(found))
    print("\n".join(name for name, end in sorted(found.items()) if end not in ("killed", "timeout")))
    caught = sum(end in ("killed", "timeout") for end in found.values())
    return int(100 * caught / len(found) < LEAST)


if __name__ == "__main__":
    sys.exit(main())
