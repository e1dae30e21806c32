"""`rva init` in a fresh workspace of another kind, by an installed rva: built, packaged and verified on the first try.

Usage: init.py [BINDINGS], such as node,c; all of them by default. rva's own wheel is built first, checked and installed.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FILES = {
    "Cargo.toml": '[workspace]\nresolver = "2"\nmembers = ["crates/*"]\n\n[workspace.package]\nversion = "0.3.0"\n'
    'edition = "2021"\nlicense = "MIT"\nrepository = "https://github.com/example/texthash"\n',
    "LICENSE": "MIT License\n",
    "crates/texthash/Cargo.toml": '[package]\nname = "texthash"\ndescription = "Short stable hashes of text"\n'
    "version.workspace = true\nedition.workspace = true\nlicense.workspace = true\nrepository.workspace = true\n",
    "crates/texthash/src/lib.rs": "//! Short stable hashes of text.\n\n/// FNV-1a, 64 bits.\npub fn hash(text: &str) -> u64 {\n"
    "    text.bytes()\n        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))\n}\n",
}
FOREIGN = re.compile(r"attention|ruvector|rvattn", re.IGNORECASE)


def run(argv: list[str | Path], cwd: Path) -> str:
    """The command's standard output; what it says else is shown."""
    done = subprocess.run(argv, cwd=cwd, stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise SystemExit(f"{argv} ended with {done.returncode}\n{done.stdout}")
    return done.stdout


def installed(place: Path) -> Path:
    """rva from its own wheel, in a fresh environment; the wheel holds the tool and what it makes texts from."""
    tools = Path(sys.executable).parent
    run([tools / "python", "-m", "hatchling", "build", "-t", "wheel", "-d", place / "wheel"], ROOT)
    [wheel] = (place / "wheel").glob("rva-*.whl")
    run([tools / "twine", "check", "--strict", wheel], ROOT)
    # W002: the skeletons of several bindings begin alike. W004, W005: folders of templates are no modules.
    run([tools / "check-wheel-contents", "--ignore", "W002,W004,W005", wheel], ROOT)
    venv.create(place / "venv", with_pip=True)
    programs = place / "venv" / ("Scripts" if sys.platform == "win32" else "bin")
    run(
        [
            programs / "python",
            "-m",
            "pip",
            "install",
            "--quiet",
            "--require-hashes",
            "-r",
            ROOT / "requirements/rva.txt",
        ],
        ROOT,
    )
    run([programs / "python", "-m", "pip", "install", "--quiet", "--no-deps", wheel], ROOT)
    run([programs / "rva", "--help"], place)
    return programs / "rva"


def main(bindings: str) -> None:
    """Everything, and what was found."""
    with tempfile.TemporaryDirectory(prefix="init-") as name:
        place = Path(name)
        rva = installed(place)
        project = place / "project"
        for path, text in FILES.items():
            (project / path).parent.mkdir(parents=True, exist_ok=True)
            (project / path).write_text(text, "utf-8")
        print(run([rva, "init", "--quiet", "--with", bindings], project), end="")
        run([rva, "ci", "check"], project)
        run([rva, "docs", "--check"], project)
        built = json.loads(run([rva, "build", "--target", "host", "--strict", "--json"], project))
        packed = json.loads(run([rva, "package", "--target", "host", "--json"], project))
        cells = json.loads(run([rva, "verify", "--target", "host", "--json"], project))["cells"]
        foreign = [p for p in project.rglob("*") if p.is_file() and names_another(p, project)]
    passed = [s["id"] for s in built["smoke"] if s["status"] == "pass"]
    files = [p["file"] for p in packed["packages"]]
    print(f"{len(built['rows'])} rows built, {len(passed)} ran; {len(files)} packages; {len(cells)} cells of verify")
    wanted = len(bindings.split(",")) + bindings.count("wasm")
    if len(passed) < wanted or len(files) < wanted or foreign or any(c["status"] == "fail" for c in cells):
        raise SystemExit(f"passed {passed}; packages {files}; names of another project in {foreign}")


def names_another(path: Path, project: Path) -> bool:
    """Whether a file that init or a build left names this project; sources of crates and tools are others'."""
    place = path.relative_to(project).parts
    if "node_modules" in place or place[0] in (".rva", "Cargo.lock"):
        return False
    return bool(FOREIGN.search(path.read_bytes().decode("latin-1")))


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "node,wasm,python,c,cli")
