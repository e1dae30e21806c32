"""The server of dist/ against its own description, slow clients and signals, in short; the long forms are in faults.py.

python tests/server/check.py [--program PATH]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

from faults import drain, second_signal, slow
from running import Failed, program, serving

HERE = Path(__file__).resolve().parent


def described(path: Path, examples: int) -> dict[str, object]:
    """What schemathesis finds: answers that the document does not have, bad requests that pass, status 500."""
    with serving(path) as server:
        url = f"http://127.0.0.1:{server.port}/openapi.json"
        argv: list[str | Path] = [
            Path(sys.executable).parent / "st",
            "--config-file",
            HERE / "schemathesis.toml",
            "run",
            url,
        ]
        argv += ["--max-examples", str(examples), "--seed", "6", "--no-color"]
        done = subprocess.run(argv, capture_output=True, text=True, check=False, cwd=server.log.parent)
        ended = server.stop()
    return {"faults": judge_described(done.returncode, done.stdout, ended)}


def judge_described(code: int, text: str, ended: int) -> list[str]:
    faults = []
    if code != 0:
        faults.append(f"schemathesis: {text}")
    elif "generated" not in text:
        faults.append("schemathesis asked nothing")
    if ended != 0:
        faults.append(f"the server ended with {ended}")
    return faults


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--program", type=Path)
    given = parser.parse_args()
    try:
        path = given.program or program()
        found = {
            "description": described(path, 20),
            "slow clients": slow(path, 200, timed=False),
            "drain": drain(path, 5),
            "second signal": second_signal(path),
        }
    except Failed as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(json.dumps(found, indent=1) + "\n")
    return 1 if any(result["faults"] for result in found.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
