"""The JavaScript side of both npm packages, over what dist/ holds.

python tests/package/js.py layer      the TypeScript layer over a backend in plain JavaScript, both forms
python tests/package/js.py types      declared names are the names at run time, and back; tsc --strict over tests and examples
python tests/package/js.py examples   every example, and the snippets of docs/javascript.md
"""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent / "js"))
import stage

HERE = Path(__file__).resolve().parent / "js"
# What the comparison has to say of the fixture, which differs from its declarations in six places.
LIES = {
    ("declared_only__exports", "absent"),
    ("run_time_only__exports", "extra"),
    ("declared_only__Kept", "missing"),
    ("run_time_only__Kept", "undeclared"),
    ("declared_only__Kept_static", "promised"),
    ("run_time_only__Kept_static", "surplus"),
}


def layer() -> int:
    """The layer's own tests, for require and for import."""
    tests = sorted((stage.ROOT / "bindings" / "js" / "__tests__").glob("*.test.mjs"))
    forms = ("cjs", "esm")
    codes = [stage.run(["node", "--test", *tests], stage.ROOT, LAYER=str(stage.layer() / "js" / f)) for f in forms]
    print(json.dumps({"forms": forms, "files": len(tests), "failed": sum(code != 0 for code in codes)}))
    return max(codes)


def differences(folder: Path, modules: list[Path]) -> set[tuple[str, str]]:
    """Where declarations and modules differ: (what, name)."""
    files = [str(path.relative_to(folder)) for path in modules]
    if stage.run(["node", HERE / "names.mjs", ".", *files], folder) != 0:
        raise SystemExit("the modules could not be loaded")
    made = sorted(path.name for path in folder.glob("names_*.[cm]ts"))
    lines = {name: (folder / name).read_text("utf-8").splitlines() for name in made}
    done = stage.tsc(folder, made)
    found = set()
    # What is indented explains the line before it.
    for message in (line for line in done.stdout.splitlines() if not line.startswith(" ")):
        place = re.match(r"(names_\d+\.[cm]ts)\((\d+),", message)
        if place is None:
            raise SystemExit(f"tsc says more than a difference: {message}")
        line = lines[place[1]][int(place[2]) - 1]
        what = re.search(r"const (\w+):", line)
        names = re.search(r"Type '(.*?)\[\]' is not assignable", message)
        if what is None or names is None:
            raise SystemExit(f"{line}\n{message}")
        found |= {(what[1], name.strip('"() ')) for name in names[1].split(" | ")}
    for name in made:
        (folder / name).unlink()
    return found


def types() -> int:
    """Names, then the tests and the examples under --strict."""
    with stage.project() as folder:
        shutil.copytree(HERE / "fixture", folder / "fixture")
        (folder / "fixture" / "package.json").write_text('{ "type": "commonjs" }\n')
        if (told := differences(folder, [folder / "fixture" / "lies.js"])) != LIES:
            print(f"the comparison does not see what it has to: {sorted(told ^ LIES)}")
            return 1
        modules = stage.modules(folder)
        found = differences(folder, modules)
        for what, name in sorted(found):
            print(f"{what}: {name}")
        wrong = stage.compile_all(folder)
        print(json.dumps({"modules": len(modules), "differences": len(found), "files_refused": wrong}))
    return 1 if found or wrong else 0


def examples() -> int:
    raise NotImplementedError


COMMANDS: dict[str, Callable[[], int]] = {"layer": layer, "types": types, "examples": examples}

if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in COMMANDS:
        raise SystemExit(__doc__)
    sys.exit(COMMANDS[sys.argv[1]]())
