"""Replays the reference cases through every binding, and writes the table of cases by bindings.

    python tests/conformance/conformance.py [--only BINDING] [--json] [--output DIR] [--docs FILE]

The artifacts are those of dist/; `rva build` makes them. Exit status 1 where a case failed or a binding gave nothing.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import tables

from bindings import BINDINGS, ROOT, VECTORS, Binding, Outcome, run


def chosen(names: list[str]) -> list[Binding]:
    """The bindings of these names, or all."""
    known = {binding.id: binding for binding in BINDINGS}
    for name in names:
        if name not in known:
            raise SystemExit(f"no binding is named {name}; they are {', '.join(known)}")
    return [known[name] for name in names] if names else list(BINDINGS)


def main() -> int:
    """Run, write, print a line a binding."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", default=[], metavar="BINDING")
    parser.add_argument("--json", action="store_true", help="print the results as JSON")
    parser.add_argument("--dist", type=Path, default=ROOT / "dist")
    parser.add_argument("--vectors", type=Path, default=VECTORS)
    parser.add_argument("--output", type=Path, default=ROOT / ".rva" / "conformance")
    parser.add_argument("--docs", type=Path, help="also write the table of features there")
    options = parser.parse_args()
    outcomes: dict[Binding, Outcome] = {}
    for binding in chosen(options.only):
        outcomes[binding] = run(binding, options.dist, options.vectors)
        print(f"{binding.title}: {tables.summary(outcomes[binding])}", file=sys.stderr, flush=True)
    cases = json.loads(options.vectors.read_text("utf-8"))["cases"]
    data = tables.as_json(cases, outcomes)
    text = json.dumps(data, indent=1) + "\n"
    options.output.mkdir(parents=True, exist_ok=True)
    (options.output / "conformance.json").write_text(text, "utf-8")
    (options.output / "conformance.md").write_text(tables.table(cases, outcomes), "utf-8")
    if options.docs:
        options.docs.write_text(tables.page(cases, outcomes), "utf-8")
    sys.stdout.write(text if options.json else tables.features(cases, outcomes))
    return 0 if data["passed"] and not data["faults"] else 1


if __name__ == "__main__":
    raise SystemExit(main())
