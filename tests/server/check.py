"""The server of dist/ against its own description, slow clients and signals, in short; the long forms are in faults.py.

python tests/server/check.py [--program PATH]
"""

from __future__ import annotations

import argparse
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

from running import ROOT, Failed, program, serving
from strain import drain, second_signal, slow

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


def blocks(text: str) -> list[tuple[str, str, str]]:
    """Language and text of each command of a page, with the text of the block after it: what it must print."""
    found = re.findall(r"^```(\w+)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    commands = [index for index, (language, _) in enumerate(found) if language in ("sh", "python")]
    return [(*found[index], found[index + 1][1]) for index in commands]


def same(printed: str, wanted: str) -> bool:
    """Whether it is what the page says; how long a computation took is not said."""
    try:
        objects = [json.loads(text) for text in (printed, wanted)]
    except ValueError:
        return printed.strip() == wanted.strip()
    for item in objects:
        if isinstance(item, dict) and "computation_time_ms" in item:
            item["computation_time_ms"] = 0
    return bool(objects[0] == objects[1])


def documented(path: Path, page: str) -> dict[str, object]:
    """Runs the commands of the page against a server, on its own port."""
    faults = []
    with serving(path) as server:
        for language, command, wanted in blocks(page.replace("127.0.0.1:8080", f"127.0.0.1:{server.port}")):
            argv = shlex.split(command.replace("\\\n", "")) if language == "sh" else [sys.executable, "-c", command]
            done = subprocess.run(argv, capture_output=True, text=True, check=False)
            if not same(done.stdout, wanted):
                faults.append(f"{command} printed {done.stdout!r}, not {wanted!r}")
    return {"faults": faults}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--program", type=Path)
    given = parser.parse_args()
    try:
        path = given.program or program()
        found = {
            "page": documented(path, (ROOT / "docs" / "server.md").read_text("utf-8")),
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
