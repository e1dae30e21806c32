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


def main() -> int:
    with stage.project() as folder:
        tests = shutil.copytree(stage.NODE / "__tests__", folder / "__tests__")
        files = sorted(Path(tests).glob("*.test.mjs"))
        code = stage.run(["node", "--test", *files], folder)
    print(json.dumps({"files": len(files), "failed": code != 0}))
    return code if files else 1


if __name__ == "__main__":
    sys.exit(main())
