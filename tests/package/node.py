"""The Node.js binding's own tests, over the addon in dist/ that this machine can load: tsc --strict, then node --test.

python tests/package/node.py
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BINDING = ROOT / "bindings" / "node"
# A loader has to decide the same; here it is enough that exactly one addon of dist/ loads.
LOADS = "try { require(process.argv[1]); console.log('yes') } catch { console.log('no') }"


def addon() -> Path:
    """The one addon of dist/ that this machine's Node.js loads."""
    found = []
    for path in sorted((ROOT / "dist" / "napi").glob("*/*.node")):
        answer = subprocess.run(["node", "-e", LOADS, str(path)], capture_output=True, text=True, check=False)
        if answer.stdout.strip() == "yes":
            found.append(path)
    if len(found) != 1:
        raise SystemExit(
            f"expected one loadable addon below dist/napi, found {[p.name for p in found]}; run `./rva build --target napi`"
        )
    return found[0]


def main() -> int:
    built = addon().parent
    with tempfile.TemporaryDirectory(prefix="rva-node-") as name:
        package = Path(name)
        for path in built.iterdir():
            shutil.copy(path, package / path.name)
        for entry in ("package.json", "index.js", "index.d.ts"):
            shutil.copy(BINDING / entry, package)
        shutil.copytree(BINDING / "__tests__", package / "__tests__")
        (package / "node_modules").symlink_to(BINDING / "node_modules", target_is_directory=True)
        tsc = str(BINDING / "node_modules" / ".bin" / "tsc")
        tests = sorted(str(p) for p in (package / "__tests__").glob("*.test.*js"))
        for argv in ([tsc, "-p", "__tests__"], ["node", "--test", *tests]):
            done = subprocess.run(argv, cwd=package, check=False)
            if done.returncode != 0:
                return done.returncode
    print(json.dumps({"addon": built.name, "tests": len(tests)}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
