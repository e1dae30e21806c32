"""`rva audit` on what is in dist/packages and on packages of others, of pinned versions: what it has to say, and no more.

python tests/package/published.py [all [REPORT.md]]

Without `all`: dist/packages, and the one package of others that is small. Where no registry can be reached, that part is said to
be not run. With `all` it has to be reached; the sound packages are several hundred megabytes.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ROOT / "dist" / "packages"
UNREACHED = 6  # rva's exit status where a registry cannot be reached
ATTENTION = "npm:@ruvector/attention"
MISSING = ("linux-arm64-gnu", "darwin-x64", "darwin-arm64", "win32-x64-msvc")
NOWHERE = "declares flashAttention, hyperbolicAttention, multiHeadAttention, scaledDotProductAttention, which stands in no script"
# What is wrong with packages as they were published: (package, check, words). Elsewhere nothing is.
WRONG = {
    f"{ATTENTION}@2.2.2": [
        *(("@ruvector/attention", "missing-package", f"asks for @ruvector/attention-{p}@2.2.2") for p in MISSING),
        ("@ruvector/attention", "types", NOWHERE),
    ],
    f"{ATTENTION}@0.1.32": [
        ("@ruvector/attention", "types", NOWHERE),
        ("@ruvector/attention-linux-arm64-gnu", "wrong-binary", "is for darwin arm64 11.0; package.json says linux"),
        ("@ruvector/attention-darwin-x64", "wrong-binary", "is for darwin arm64 11.0; package.json says x64"),
    ],
}
SOUND = (
    "npm:lightningcss@1.33.0",
    "npm:@swc/core@1.16.18",
    "npm:@napi-rs/canvas@1.0.11",
    "pypi:tokenizers==0.22.1",
    "pypi:orjson==3.11.4",
)


class End(NamedTuple):
    """How one audit ended."""

    spec: str
    packages: int
    errors: list[tuple[str, str, str]]
    warnings: int
    seconds: float


def audit(specs: Sequence[str]) -> End | None:
    """What rva says of them; None where no registry can be reached."""
    started = time.monotonic()
    done = subprocess.run([str(ROOT / "rva"), "audit", "--json", *specs], capture_output=True, text=True, check=False)
    if done.returncode == UNREACHED:
        return None
    told: dict[str, Any] = json.loads(done.stdout)
    found = [(p["name"], f["level"], f["check"], f["message"]) for p in told["packages"] for f in p["findings"]]
    errors = [(name, check, words) for name, level, check, words in found if level == "error"]
    if done.returncode != bool(errors):
        sys.exit(f"rva audit {' '.join(specs)}: exit {done.returncode}\n{done.stderr}")
    return End(" ".join(specs), len(told["packages"]), errors, len(found) - len(errors), time.monotonic() - started)


def judged(end: End) -> list[str]:
    """Errors that were not expected, and expected ones that are not there."""
    wanted = list(WRONG.get(end.spec, []))
    faults = []
    for name, check, words in end.errors:
        met = next((w for w in wanted if w[:2] == (name, check) and w[2] in words), None)
        if met is None:
            faults.append(f"{end.spec}: not expected: {name}: {words}")
        else:
            wanted.remove(met)
    return faults + [f"{end.spec}: is not said: {name}: {check}: {words}" for name, check, words in wanted]


def own() -> list[str]:
    """The folders of finished packages, made where they are not there."""
    if not (PACKAGES / "manifest.json").is_file():
        subprocess.run([str(ROOT / "rva"), "package", "--quiet"], check=True)
    return [str(PACKAGES / name) for name in ("npm", "python", "crate", "cli", "c") if (PACKAGES / name).is_dir()]


def main() -> int:
    """Every package; 1 where something else is said than was expected."""
    whole = sys.argv[1:2] == ["all"]
    ends = [audit(own())]
    for spec in (*WRONG, *(SOUND if whole else ())):
        end = audit([spec])
        if end is None and whole:
            sys.exit(f"{spec}: the registry could not be reached")
        if end is None:
            print(f"not run: {spec}: no registry can be reached")
        ends.append(end)
    lines = ["| audited | packages | errors | warnings | seconds |", "| --- | --- | --- | --- | --- |"]
    for end in filter(None, ends):
        name = f"`{end.spec}`" if ":" in end.spec else "dist/packages"
        lines.append(f"| {name} | {end.packages} | {len(end.errors)} | {end.warnings} | {end.seconds:.0f} |")
    text = "\n".join(lines) + "\n"
    print(text)
    if len(sys.argv) > 2:
        Path(sys.argv[2]).write_text(text)
    faults = [fault for end in filter(None, ends) for fault in judged(end)]
    print("\n".join(faults) or "nothing but what was expected")
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main())
