"""The Node.js binding's own tests, over the addon in dist/ that this machine can load.

python tests/package/node.py
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent / "js"))
import stage


def check(project: Path, tests: Path) -> int:
    """The tests of a folder in a project; a folder without tests fails too."""
    copied = shutil.copytree(tests, project / "__tests__")
    files = sorted(Path(copied).glob("*.test.mjs"))
    code = stage.run(["node", "--test", *files], project) if files else 1
    print(json.dumps({"files": len(files), "failed": code != 0}))
    return code


def main() -> int:
    """All of them."""
    with stage.project() as folder:
        return check(folder, stage.NODE / "__tests__")


if __name__ == "__main__":
    sys.exit(main())
