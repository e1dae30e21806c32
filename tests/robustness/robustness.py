"""What the bindings do with bad arguments, random calls and much work at once.

    python tests/robustness/robustness.py [faults] [loop] [fuzz] [--only BINDING] [--seconds N] [--seed N]

faults: every argument with every fault gives a typed error (at least 300 a binding). loop: asynchronous calls leave
Node.js's event loop free, and a thousand of them take bounded memory. fuzz: random calls for so many seconds a binding.
Bindings are native and wasm (both in Node.js), python and c; the artifacts are those of dist/.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[1:1] = [str(ROOT / "tests" / part) for part in ("smoke", "conformance", "package/js")]

import cases  # noqa: E402 - what they lie in has just been made findable
import stage  # noqa: E402
import wheel  # noqa: E402

from bindings import TRIPLE  # noqa: E402

LEAST_FAULTS = 300
PACKAGES = {"native": "ruvector-attention", "wasm": "ruvector-attention-wasm"}


class NotRun(Exception):
    """Why something cannot be run here."""


# A binding's commands by what is asked of it.
Commands = dict[str, list[str]]


def row(name: str) -> Path:
    """The folder of a row of dist/."""
    folder = next((path for path in (ROOT / "dist").glob(f"*/{name}") if path.is_dir()), None)
    if folder is None:
        raise NotRun(f"{name} is not in dist/; `rva build --target {name}` makes it")
    return folder


@contextmanager
def javascript(name: str, seconds: float, seed: int) -> Iterator[tuple[Commands, Path]]:
    """A project with the npm packages in it."""
    if shutil.which("node") is None:
        raise NotRun("node was not found")
    with ExitStack() as stack:
        try:
            project = stack.enter_context(stage.project(wasm=name == "wasm"))
        except SystemExit as reason:
            raise NotRun(str(reason)) from None
        package = PACKAGES[name]
        if not (project / "node_modules" / package).is_dir():
            raise NotRun(f"{package} is not among the packages made from dist/")
        for script in HERE.glob("*.mjs"):
            shutil.copy(script, project)
        yield (
            {
                "faults": ["node", "robust.mjs", package],
                "loop": ["node", "loop.mjs", package],
                "fuzz": ["node", "fuzz.mjs", package, str(seconds), str(seed)],
            },
            project,
        )


@contextmanager
def python(_name: str, seconds: float, seed: int) -> Iterator[tuple[Commands, Path]]:
    """An environment with the wheel in it."""
    package = cases.only(row(f"native-wheel-{TRIPLE}"), "*.whl")
    with tempfile.TemporaryDirectory(prefix="rva-robustness-") as name:
        interpreter = str(wheel.install(package, Path(name) / "venv"))
        fuzz = [interpreter, "-s", str(HERE / "fuzz.py"), str(seconds), str(seed)]
        yield {"faults": [interpreter, "-s", str(HERE / "faults.py")], "fuzz": fuzz}, Path(name)


@contextmanager
def c(_name: str, seconds: float, seed: int) -> Iterator[tuple[Commands, Path]]:
    """Programs compiled against the library."""
    folder = row(f"native-c-{TRIPLE}")
    compiler = cases.command("CC", ["cc"])
    if shutil.which(compiler[0]) is None:
        raise NotRun(f"{compiler[0]} was not found")
    with tempfile.TemporaryDirectory(prefix="rva-robustness-") as name:
        for program in ("faults", "fuzz"):
            strict = ["-std=c99", "-O1", "-Wall", "-Wextra", "-Wpedantic", "-Werror"]
            linked = [f"-I{folder}", f"-L{folder}", "-lruvector_attention", f"-Wl,-rpath,{folder}", "-lm"]
            argv = [*compiler, *strict, str(HERE / f"{program}.c"), *linked, "-o", f"{name}/{program}"]
            subprocess.run(argv, check=True)
        yield {"faults": [f"{name}/faults"], "fuzz": [f"{name}/fuzz", str(seconds), str(seed)]}, Path(name)


BINDINGS: dict[str, Callable[[str, float, int], AbstractContextManager[tuple[Commands, Path]]]] = {
    "native": javascript,
    "wasm": javascript,
    "python": python,
    "c": c,
}


def run(argv: Sequence[str], cwd: Path, seconds: float) -> dict[str, object]:
    """What a program says in its last line, and whether it was content; a death by a signal is none of its words."""
    env = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    try:
        done = subprocess.run(
            argv, cwd=cwd, env=env, capture_output=True, text=True, check=False, timeout=seconds + 300
        )
    except subprocess.TimeoutExpired:
        return {"status": "fail", "reason": f"no end within {seconds + 300:.0f} s"}
    lines = done.stdout.strip().splitlines()
    try:
        said: dict[str, object] = dict(json.loads(lines[-1]))
    except (IndexError, ValueError):
        said = {}
    complaints = done.stderr.strip().splitlines()
    if done.returncode != 0 or not said:
        reason = f"exit status {done.returncode}; {len(complaints)} lines: " + " | ".join(complaints[:8])
        return {**said, "status": "fail", "reason": reason}
    return {**said, "status": "pass"}


def judge(task: str, said: dict[str, object]) -> dict[str, object]:
    """The verdict on what a program says: too few faults are a failure too."""
    faults = said.get("faults")
    if task == "faults" and said["status"] == "pass" and not (isinstance(faults, int) and faults >= LEAST_FAULTS):
        return {**said, "status": "fail", "reason": f"{faults} faults, {LEAST_FAULTS} are wanted"}
    return said


def main() -> int:
    """Run what was asked for, print a line each, keep them as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tasks", nargs="*", metavar="TASK", help="faults, loop, fuzz; all of them unless given")
    parser.add_argument("--only", action="append", choices=list(BINDINGS), help="a binding; may be repeated")
    parser.add_argument("--seconds", type=float, default=10.0, help="of fuzzing, a binding")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    tasks = options.tasks or ["faults", "loop", "fuzz"]
    if unknown := set(tasks) - {"faults", "loop", "fuzz"}:
        parser.error(f"no task is named {', '.join(sorted(unknown))}")
    verdicts: list[dict[str, object]] = []
    for name in options.only or list(BINDINGS):
        try:
            with BINDINGS[name](name, options.seconds, options.seed) as (commands, folder):
                for task in [task for task in tasks if task in commands]:
                    said = judge(task, run(commands[task], folder, options.seconds))
                    verdicts.append({"task": task, "binding": name, **said})
                    print(json.dumps(verdicts[-1]), flush=True)
        except NotRun as reason:
            verdicts.append({"binding": name, "status": "not-run", "reason": str(reason)})
            print(json.dumps(verdicts[-1]), flush=True)
    output = ROOT / ".rva" / "robustness"
    output.mkdir(parents=True, exist_ok=True)
    (output / "robustness.json").write_text(json.dumps(verdicts, indent=1) + "\n", "utf-8")
    statuses = [verdict["status"] for verdict in verdicts]
    print(json.dumps({status: statuses.count(status) for status in ("pass", "fail", "not-run")}))
    return 1 if "fail" in statuses or "pass" not in statuses else 0


if __name__ == "__main__":
    raise SystemExit(main())
