"""What `rva bench` tells every comparison."""

from __future__ import annotations

import argparse
import fnmatch
from collections.abc import Sequence
from pathlib import Path

from versus.model import Case


def parser(about: str | None, script: str) -> argparse.ArgumentParser:
    """The options that all scripts know; each adds its own."""
    made = argparse.ArgumentParser(description=about)
    made.add_argument("--driver", type=Path, required=True)
    made.add_argument("--output", type=Path, required=True)
    made.add_argument("--peers-modules", type=Path)
    made.add_argument("--node", type=Path)
    made.add_argument("--wasm-python", type=Path, help="an interpreter that has wasmtime")
    made.add_argument("--wasm-node", type=Path)
    made.add_argument("--only", action="append", metavar="CASE")
    made.add_argument("--quick", action="store_true")
    made.add_argument("--title", default=f"python {script}")
    made.add_argument("--commit", default="")
    return made


def chosen(cases: Sequence[Case], only: Sequence[str] | None) -> list[Case]:
    """The cases that --only names; none of them named is told, not passed over."""
    found = [case for case in cases if any(fnmatch.fnmatchcase(case.id, pattern) for pattern in only or ["*"])]
    if not found:
        known = ", ".join(case.id for case in cases)
        raise SystemExit(f"no case is named {' or '.join(only or [])}; they are {known}")
    return found
