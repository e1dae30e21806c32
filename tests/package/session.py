"""A first session of rva at a terminal, as docs/session.md shows it, tried again in a copy of the checkout.

    python tests/package/session.py        RVA_GOLDEN=write puts what is seen now into the page

Times, sizes, and whether a row was built now or before differ from run to run; everything else has to be as the page says.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "session.md"
ROWS = ("-t", "native-crate", "-t", "wasm-web-simd128")
COMMANDS = (("plan", *ROWS), ("build", *ROWS), ("verify", *ROWS), ("plan", "-t", "wsam"))
BLOCK = re.compile(r"(?<=^```console\n)\$ \./rva plan.*?(?=^```$)", re.DOTALL | re.MULTILINE)
# Told on a slow machine only, with the folder of the checkout.
WAITING = re.compile(r" *\[\d+:\d+\] ")
# Told only when there is something to fetch, to build or to wait for.
PASSING = re.compile(r"(\[ ?\d+/\d+\]|set-up|to be |fetching|smoke|another rva run|  \S+ +(\d+ MB|~\d+ s) ).*")


def seen(checkout: Path) -> str:
    """The commands in a checkout, and what they print, both streams, as a pipe gets it."""
    text = ""
    for words in COMMANDS:
        done = subprocess.run(
            [str(ROOT / "rva"), *words], cwd=checkout, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            check=False, env={**os.environ, "NO_COLOR": "1"},
        )  # fmt: skip
        text += f"$ ./rva {' '.join(words)}\n{done.stdout}\n"
    lines = (line.rstrip() for line in text.rstrip().splitlines())
    return "\n".join(line for line in lines if not WAITING.match(line)) + "\n"


def copied(folder: Path) -> Path:
    """The tracked files, without what was built here: what is installed from packages would show in the session."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    return folder


def lasting(text: str) -> list[str]:
    """The lines that have to be the same each time."""
    lines = [line for line in text.splitlines() if line and not PASSING.fullmatch(line)]
    lines = [re.sub(r"\b(built|current|build)\b", "made", line.replace(" (kept)", "")) for line in lines]
    lines = [re.sub(r"\b\d+(\.\d+)? (s|B|kB|MB|made)\b", r"N \2", line) for line in lines]
    return [re.sub(r" +", " ", re.sub(r"  +N s(?=  |$)", "", line)).strip() for line in lines]


def main() -> int:
    """Run the session; 1 where the page says something else."""
    with tempfile.TemporaryDirectory(prefix="rva-session-") as name:
        now = seen(copied(Path(name)))
    page = PAGE.read_text("utf-8")
    if os.environ.get("RVA_GOLDEN") == "write":
        page = BLOCK.sub(lambda _: now, page)
        PAGE.write_text(page, "utf-8")
    [shown] = BLOCK.findall(page)
    wanted, got = lasting(shown), lasting(now)
    faults = [f"- {line}" for line in wanted if line not in got] + [f"+ {line}" for line in got if line not in wanted]
    print(*faults, json.dumps({"lines": len(wanted), "faults": len(faults)}), sep="\n")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
