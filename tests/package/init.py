"""`rva init` in a fresh workspace of another kind, by an installed rva: built, packaged, verified and rehearsed on the first try.

Usage: init.py [WHAT], the rows as --target takes them; this machine's and one for another processor by default. rva is installed
from the wheel of its own row in dist/. What a spoilt skeleton would bring has to be found.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import venv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
TOOLS = Path(sys.executable).parent
ROWS = "host,cli-aarch64-unknown-linux-gnu"
FILES = {
    "Cargo.toml": '[workspace]\nresolver = "2"\nmembers = ["crates/*"]\n\n[workspace.package]\nversion = "0.3.0"\n'
    'edition = "2021"\nlicense = "MIT"\nrepository = "https://github.com/example/texthash"\n',
    "LICENSE": "MIT License\n",
    "crates/texthash/Cargo.toml": '[package]\nname = "texthash"\ndescription = "Short stable hashes of text"\n'
    "version.workspace = true\nedition.workspace = true\nlicense.workspace = true\nrepository.workspace = true\n",
    "crates/texthash/src/lib.rs": "//! Short stable hashes of text.\n\n/// FNV-1a, 64 bits.\npub fn hash(text: &str) -> u64 {\n"
    "    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {\n"
    "        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)\n    })\n}\n",
}
FOREIGN = re.compile(r"attention|ruvector|rvattn", re.IGNORECASE)
TYPED = 'import { about } from "%s";\nexport const name: string = about();\n'
Words = Sequence[str | Path]


def run(argv: Words, cwd: Path) -> str:
    """The command's standard output; what it says else is shown."""
    done = subprocess.run(argv, cwd=cwd, stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise SystemExit(f"{[str(word) for word in argv]} ended with {done.returncode}\n{done.stdout}")
    return done.stdout


def fails(argv: Words, cwd: Path, said: str) -> None:
    """The command has to fail, and to say why."""
    done = subprocess.run(argv, cwd=cwd, capture_output=True, text=True)
    if done.returncode == 0 or said not in done.stdout + done.stderr:
        raise SystemExit(f"{argv} ended with {done.returncode}, without {said!r}\n{done.stdout}{done.stderr}")


def installed(place: Path) -> Path:
    """rva from its own wheel, in a fresh environment; the wheel holds the tool and what it makes texts from."""
    wheels = list((ROOT / "dist" / "native" / "native-tool").glob("rva-*.whl"))
    if not wheels:
        raise SystemExit("dist/ lacks rva's own wheel: rva build -t native-tool")
    [wheel] = wheels
    run([TOOLS / "twine", "check", "--strict", wheel], ROOT)
    # W002: the skeletons of several bindings begin alike. W004, W005: folders of templates are no modules.
    run([TOOLS / "check-wheel-contents", "--ignore", "W002,W004,W005", wheel], ROOT)
    venv.create(place / "venv", with_pip=True)
    programs = place / "venv" / ("Scripts" if sys.platform == "win32" else "bin")
    pip = [programs / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    run([*pip, "--require-hashes", "-r", ROOT / "requirements/rva.txt"], ROOT)
    run([*pip, "--no-deps", wheel], ROOT)
    return programs / "rva"


def begun(rva: Path, project: Path) -> str:
    """A new workspace with the library, and what init says there."""
    for path, text in FILES.items():
        (project / path).parent.mkdir(parents=True, exist_ok=True)
        (project / path).write_text(text, "utf-8")
    run(["git", "init", "--quiet"], project)
    return run([rva, "init", "--quiet"], project)


def lint(rva: Path, project: Path) -> None:
    """Skeletons and workflows, as strict linters see them."""
    run(["cargo", "fmt", "--all", "--check"], project)
    run(["cargo", "clippy", "--locked", "--quiet", "--workspace", "--all-targets", "--", "-D", "warnings"], project)
    run([TOOLS / "actionlint"], project)
    run([TOOLS / "zizmor", "--offline", "--no-progress", ".github"], project)
    for command in (["ci", "check"], ["docs", "--check"], ["version", "check"]):
        run([rva, *command], project)


def typed(project: Path) -> None:
    """The built packages' types, as TypeScript at its strictest takes them, and a wrong use as it refuses it."""
    tsc = ["node", "bindings/node/node_modules/typescript/bin/tsc", "--strict", "--noEmit", "--module", "nodenext"]
    sources = {
        "addon": "dist/napi/napi-x86_64-unknown-linux-gnu/native",
        "wasm": "dist/wasm/wasm-nodejs-baseline/texthash",
    }
    for name, types in sources.items():
        good, bad = project / f"{name}.mts", project / f"{name}-bad.mts"
        good.write_text(TYPED % f"./{types}.js", "utf-8")
        bad.write_text((TYPED % f"./{types}.js").replace("string", "number"), "utf-8")
        run([*tsc, good], project)
        fails([*tsc, bad], project, "not assignable to type 'number'")
        good.unlink()
        bad.unlink()


def told(rva: Path, project: Path, *words: str) -> Any:
    """What a command prints as JSON."""
    return json.loads(run([rva, *words, "--json"], project))


def main(rows: str) -> None:
    """Everything, and what was found."""
    with tempfile.TemporaryDirectory(prefix="init-") as name:
        place = Path(name)
        rva, project = installed(place), place / "project"
        print(begun(rva, project), end="")
        run([rva, "version", "bump", "minor"], project)
        lint(rva, project)
        some = ["--target", rows]
        built = told(rva, project, "build", "--strict", *some)
        packed = told(rva, project, "package", *some)
        verified = told(rva, project, "verify", *some)["cells"]
        rehearsed = told(rva, project, "rehearse", *some)["cells"]
        typed(project)
        foreign = [p for p in project.rglob("*") if p.is_file() and names_another(p, project)]
        spoilt(rva, place)
    judge(built, packed, {"verify": verified, "rehearse": rehearsed}, foreign)


def judge(built: Any, packed: Any, cells: dict[str, Any], foreign: list[Path]) -> None:
    """Each binding ran as it was built and as it was installed; nothing failed, and nothing is of another project."""
    passed = {s["id"] for s in built["smoke"] if s["status"] == "pass"}
    print(f"{len(built['rows'])} rows built, {len(passed)} ran; {len(packed['packages'])} packages")
    bindings = ("napi-", "wasm-nodejs", "native-wheel", "native-c-", "cli-", "native-crate")
    lacking = [f"build: {word}" for word in (*bindings, "wasm-web", "native-sdist") if not of(passed, word)]
    for command, all_cells in cells.items():
        ran = {
            c["row"] for c in all_cells if c["status"] == "pass" and c["check"] not in ("published", "files", "direct")
        }
        words = {c["status"]: sum(d["status"] == c["status"] for d in all_cells) for c in all_cells}
        print(f"{command}: {words}")
        lacking += [f"{command}: {word}" for word in bindings if not of(ran, word)]
        lacking += [f"{command}: {c['row']} {c['check']}: {c['reason']}" for c in all_cells if c["status"] == "fail"]
    if lacking or foreign:
        raise SystemExit(f"not seen to work: {lacking}; names of another project in {foreign}")


def of(rows: set[str], word: str) -> bool:
    """Whether one of the rows begins so."""
    return any(row.startswith(word) for row in rows)


def spoilt(rva: Path, place: Path) -> None:
    """A skeleton that says another name, and a workflow that lets a branch's name into a shell."""
    [templates] = place.glob("venv/**/rva/templates")
    program, workflow = templates / "init/cli/main.rs.j2", templates / "ci/release.yml.j2"
    program.write_text(program.read_text("utf-8").replace("{{ name | tojson }}", '"another"'), "utf-8")
    text = workflow.read_text("utf-8").replace("publish --yes", "publish --tag {{ '${{ github.head_ref }}' }}")
    workflow.write_text(text, "utf-8")
    project = place / "spoilt"
    begun(rva, project)
    fails([rva, "build", "--target", "cli-x86_64-unknown-linux-gnu"], project, "smoke fail")
    fails([TOOLS / "zizmor", "--offline", "--no-progress", ".github"], project, "template-injection")


def names_another(path: Path, project: Path) -> bool:
    """Whether a file that init or a build left names this project; sources of crates and tools are others'."""
    place = path.relative_to(project).parts
    if "node_modules" in place or place[0] in (".rva", ".git", "Cargo.lock"):
        return False
    return bool(FOREIGN.search(path.read_bytes().decode("latin-1")))


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else ROWS)
