"""`rva dev`: what those who change the project do every day."""

from __future__ import annotations

from rva import matrix
from rva.console import here, print_out, show_table

_TASKS = (
    ("rva test --only lint", "formatters, linters, types, generated files"),
    ("rva test --only unit", "tests that need nothing built"),
    ("rva build -t host", "what runs on this machine, with its reference cases"),
    ("rva verify -t host", "read and run it again, in every way there is here"),
    ("rva test --only NAME", "one check; their names stand below"),
    ("rva bench", "measure, and say what became slower than in the runs before"),
    ("rva docs", "write the generated files after a change of platforms.toml"),
    ("rva test", "everything, as CI does"),
    ("rva clean", "remove dist/ and the build folders; finished rows stay in the cache"),
)


def dev() -> None:
    """List the everyday tasks, and the checks by name.

    Example: rva dev
    """
    show_table(("command", "what it does"), _TASKS)
    checks = matrix.load(here()).checks
    stages = {check.stage: [c.name for c in checks if c.stage == check.stage] for check in checks}
    print_out("\n" + "".join(f"{stage}: {', '.join(names)}\n" for stage, names in stages.items()))
