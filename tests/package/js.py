"""The JavaScript side of both npm packages, over what dist/ holds.

python tests/package/js.py layer      the TypeScript layer over a backend in plain JavaScript, both forms
python tests/package/js.py types      declared names are the names at run time, and back; tsc --strict over tests and examples
python tests/package/js.py examples   every example, and the snippets of the pages for JavaScript
python tests/package/js.py browser    the demo and the example pages, in Chromium
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
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

VARIABLE = "RUVECTOR_ATTENTION_BACKEND"
# What backends.mjs prints after its first line.
SDK = [
    "true 128 true",
    *(
        f"{name} -> {'multi-head' if name == 'auto' else name}: 4 ways, the same"
        for name in (
            "scaled-dot-product",
            "multi-head",
            "hyperbolic",
            "linear",
            "cross-attention",
            "self-attention",
            "auto",
        )
    ),
]
# The modules of the layer that have names at run time.
INNER = ("errors", "install", "backend", "stream", "sdk", "types", "raw")
# What each example prints, line by line, as patterns.
EXAMPLES = {
    "basic.mjs": [
        r"computed by native \(\w+\): .+",
        "scaled dot-product: 3.2057 4.2057",
        "the best key only:  1.0000 2.0000",
        "without the first:  5.0000 6.0000",
        "rows:               1.6605 2.6605",
        "multi-head:         2.8622 5.0000",
        "linear:             3.2246 4.2246",
        "cross:              1.6605 2.6605",
        "self, causal:       1.0000 0.0000 0.3302 0.6698 -0.4359 0.2840 0.0000 -0.3395",
        "hyperbolic:         0.6244 0.0225",
        "from the cache:     3.2057 4.2057",
        "from the cache:     3.4362 4.4362",
        r"refused \(length, query\): .+",
    ],
    "async.mjs": [
        "32 results of 64 numbers; the event loop kept turning: true",
        "as a batch the same: true",
        "called off: no longer needed",
    ],
    "example.mjs": [
        r"version \d+\.\d+\.\d+, wasm \([\w-]+\): .+",
        "all keys:     3.2057 4.2057",
        "in a worker:  3.2057 4.2057",
        "stream:       3.2057 4.2057",
        "stream:       3.4362 4.4362",
        "multi-head:   2.8622 5.0000",
        "distance:     3.3419",
    ],
    "streaming.mjs": [
        "query 1: 3.2057 4.2057",
        "query 2: 3.1420 4.1420",
        "query 3: 3.7302 4.7302",
        "query 4: 4.4721 5.4721",
        "called off: enough",
        "in pieces: 3.2057 4.2057",
        "merged:    3.2057 4.2057",
        "at once:   3.2057 4.2057",
    ],
}


def layer() -> int:
    """The layer's own tests, for require and for import."""
    tests = sorted((stage.ROOT / "bindings" / "js" / "__tests__").glob("*.test.mjs"))
    forms = ("cjs", "esm")
    codes = [stage.run(["node", "--test", *tests], stage.ROOT, LAYER=str(stage.layer() / "js" / f)) for f in forms]
    print(json.dumps({"forms": forms, "files": len(tests), "failed": sum(code != 0 for code in codes)}))
    return max(codes)


def differences(folder: Path, modules: list[str]) -> set[tuple[str, str]]:
    """Where declarations and modules differ: (what, name)."""
    shutil.copy(HERE / "names.mjs", folder)
    if stage.run(["node", "names.mjs", *modules], folder) != 0:
        raise SystemExit("the modules could not be loaded")
    made = sorted(path.name for path in folder.glob("names_*.[cm]ts"))
    lines = {name: (folder / name).read_text("utf-8").splitlines() for name in made}
    done = stage.tsc(folder, made)
    found = set()
    # What is indented explains the line before it.
    for message in (line for line in done.stdout.splitlines() if not line.startswith(" ")):
        place = re.match(r"(names_\d+\.[cm]ts)\((\d+),", message)
        line = lines[place[1]][int(place[2]) - 1] if place else ""
        what = re.search(r"const (\w+):", line)
        names = re.search(r"Type '(.*?)\[\]' is not assignable", message)
        if what is None or names is None:
            raise SystemExit(f"tsc says more than a difference: {message}\n{line}")
        found |= {(what[1], name.strip('"() ')) for name in names[1].split(" | ")}
    for name in made:
        (folder / name).unlink()
    return found


def types() -> int:
    """Names, then the tests and the examples under --strict."""
    with stage.project(wasm=True) as folder:
        shutil.copytree(HERE / "fixture", folder / "fixture")
        (folder / "fixture" / "package.json").write_text('{ "type": "commonjs" }\n')
        if (told := differences(folder, ["./fixture/lies.js"])) != LIES:
            print(f"the comparison does not see what it has to: {sorted(told ^ LIES)}")
            return 1
        inner = f"./node_modules/{stage.NATIVE}/js/cjs"
        modules = [stage.NATIVE, stage.MODULE, *(f"{inner}/{name}.js" for name in INNER)]
        found = differences(folder, modules)
        for what, name in sorted(found):
            print(f"{what}: {name}")
        (folder / "wrong.ts").write_text(
            'import { version } from "ruvector-attention";\nexport const x: number = version();\n'
        )
        sees = "error TS2322" in stage.tsc(folder, ["wrong.ts"]).stdout
        refused = [line for name in (stage.NATIVE, stage.MODULE) for line in stage.compile_all(folder, name)]
        print("\n".join(refused))
    print(
        json.dumps({"modules": len(modules), "differences": len(found), "refused": len(refused), "sees_a_fault": sees})
    )
    return 1 if found or refused or not sees else 0


def examples() -> int:
    """Each example prints the lines that it is to print; the snippets of the page say so themselves."""
    with stage.project(wasm=True) as folder:
        programs = [*(stage.NODE / "examples").iterdir(), *(stage.WASM / "node").iterdir()]
        forgotten = {path.name for path in programs} ^ set(EXAMPLES)
        wrong = [path.name for path in programs if not _prints(folder, path, EXAMPLES.get(path.name, []))]
        written = [stage.ROOT / "docs" / f"{name}.md" for name in ("index", "browser", "javascript")]
        pages = (*written, stage.NODE / "README.md")
        found = [snippet for page in pages for snippet in snippets(page.read_text("utf-8"))]
        for index, (text, lines) in enumerate(found):
            path = folder / f"snippet_{index}.mjs"
            path.write_text(text)
            if not _prints(folder, path, [re.escape(line) for line in lines]):
                wrong.append(path.name)
        wrong += backends(folder)
    print(
        json.dumps(
            {"examples": len(EXAMPLES), "snippets": len(found), "wrong": wrong, "without_lines": sorted(forgotten)}
        )
    )
    return 1 if wrong or forgotten or not found else 0


def backends(folder: Path) -> list[str]:
    """The SDK on the backend that is asked for, and on the one that is left; what went wrong, by name."""
    chosen = "RUVECTOR_ATTENTION_BACKEND is "
    cases = {
        "native first": ({}, "native: the native addon loaded; it is preferred"),
        "native asked for": ({VARIABLE: "native"}, f"native: {chosen}native"),
        "wasm asked for": ({VARIABLE: "wasm"}, f"wasm: {chosen}wasm"),
        "native lacking": ({}, "wasm: the native addon did not load: .+"),
    }
    wrong = []
    for name, (env, first) in cases.items():
        if name == "native lacking":
            shutil.rmtree(folder / "node_modules" / stage.npm.host_package())
        if not _prints(folder, HERE / "backends.mjs", [first, *SDK], **env):
            wrong.append(name)
    if not _refuses(folder, "native"):
        wrong.append("native asked for and lacking")
    return wrong


def _refuses(folder: Path, wanted: str) -> bool:
    argv = ["node", "--input-type=module", "-e", 'import "ruvector-attention"']
    done = subprocess.run(argv, cwd=folder, env={**os.environ, VARIABLE: wanted}, capture_output=True, check=False)
    return done.returncode != 0 and b"is not installed" in done.stderr


def snippets(page: str) -> Iterator[tuple[str, list[str]]]:
    """The blocks marked js, each with what its console.log lines say that they print."""
    for text in re.findall(r"^```js\n(.*?)^```$", page, re.DOTALL | re.MULTILINE):
        said = [match[1] for match in re.finditer(r"console\.log\(.*\); // (.+)$", text, re.MULTILINE)]
        yield text, [line for part in said for line in part.split(" | ")]


def _prints(folder: Path, program: Path, lines: list[str], **env: str) -> bool:
    """Whether a program ends well and its lines are those wanted, which are patterns."""
    if program.parent != folder:
        program = Path(shutil.copy(program, folder))
    argv = ["node", program.name]
    whole = {**os.environ, **env}
    done = subprocess.run(argv, cwd=folder, env=whole, capture_output=True, text=True, check=False, timeout=300)
    found = done.stdout.splitlines()
    good = done.returncode == 0 and len(found) == len(lines)
    if good and all(re.fullmatch(pattern, line) for pattern, line in zip(lines, found, strict=True)):
        return True
    print(f"{program.name}: exit {done.returncode}\n{done.stdout}{done.stderr}wanted: {lines}")
    return False


def browser() -> int:
    """The demo and the example pages in Chromium; screenshots go to .rva/screenshots."""
    with stage.project(wasm=True) as folder:
        for name in ("web", "examples"):
            shutil.copytree(stage.WASM / name, folder / name)
        for path in (stage.ROOT / "tests" / "browser").glob("*.mjs"):
            shutil.copy(path, folder)
        return stage.run(["node", "demos.mjs", folder, stage.ROOT / ".rva" / "screenshots"], folder)


COMMANDS: dict[str, Callable[[], int]] = {"layer": layer, "types": types, "examples": examples, "browser": browser}

if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in COMMANDS:
        raise SystemExit(__doc__)
    sys.exit(COMMANDS[sys.argv[1]]())
