"""Builds the documentation site: the references of every language, then the pages, strictly.

    python scripts/site.py --npm FOLDER [--output .rva/site]

FOLDER has the programs of requirements/docs-npm. Needs the wheel, the C header and the declarations in dist/
(`rva build --target host`), and cargo on PATH. Prints one JSON object; a warning of any part is an error.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = "ruvector_attention"


def main() -> int:
    """Build everything; 1 where something warns."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--npm", type=Path, required=True, help="the folder of typedoc")
    parser.add_argument("--output", type=Path, default=ROOT / ".rva" / "site")
    options = parser.parse_args()
    started = time.monotonic()
    sources = ROOT / ".rva" / "site-sources"
    shutil.rmtree(sources, ignore_errors=True)
    references(sources, options.npm)
    build(ROOT / "mkdocs.yml", options.output.absolute(), sources)
    links = external_links(options.output)
    (options.output.parent / "external-links.txt").write_text("\n".join(links) + "\n", "utf-8")
    pages = sum(1 for _ in options.output.rglob("*.html"))
    spent = round(time.monotonic() - started, 1)
    print(json.dumps({"pages": pages, "external_links_not_followed": len(links), "seconds": spent}))
    return 0


def references(sources: Path, npm: Path) -> None:
    """What is not written by hand: rva's own commands, and the libraries' functions."""
    run([ROOT / "rva", "docs", "--reference", sources / "reference"])
    rust(sources / "api" / "rust")
    javascript(sources / "api" / "js", npm)
    python(sources / "api" / "python", sources / "wheel")
    header = one("dist/native/native-c-*/ruvector_attention.h")
    (sources / "reference" / "c.md").write_text(c_page(header.read_text("utf-8")), "utf-8")
    worker = npm.parent / "iframe-worker" / "shim" / "index.js"
    (sources / "assets").mkdir()
    shutil.copy(worker, sources / "assets" / "iframe-worker.js")


def rust(folder: Path) -> None:
    """cargo doc of the core; a broken link or a missing sentence is an error."""
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / ".rva" / "target" / "checks"))
    run(
        ["cargo", "doc", "--locked", "--no-deps", "-p", "ruvector-attention"],
        CARGO_TARGET_DIR=str(target), RUSTDOCFLAGS="-D warnings",
    )  # fmt: skip
    shutil.copytree(target / "doc", folder, ignore=shutil.ignore_patterns(".lock"))


def javascript(folder: Path, npm: Path) -> None:
    """TypeDoc of the declarations that both npm packages have."""
    declarations = one("dist/napi/napi-js/index.d.ts")
    config = folder.parent / "tsconfig.json"
    config.parent.mkdir(parents=True, exist_ok=True)
    settings = {
        "module": "nodenext",
        "moduleResolution": "nodenext",
        "target": "es2022",
        "types": [],
        "skipLibCheck": True,
    }
    libraries = ["es2022", "esnext.disposable", "dom", "dom.iterable"]
    config.write_text(json.dumps({"compilerOptions": {**settings, "lib": libraries}, "files": [str(declarations)]}))
    words = ["--tsconfig", config, "--out", folder, "--readme", "none", "--disableSources", "--hideGenerator"]
    kept = ["--name", "ruvector-attention", "--treatWarningsAsErrors", "--intentionallyNotExported", "Mechanism"]
    run([npm / "typedoc", *words, *kept[:3], declarations])
    config.unlink()


def python(folder: Path, unpacked: Path) -> None:
    """pdoc of the wheel for this machine, from the docstrings of what is compiled."""
    cpu = {"arm64": "aarch64", "AMD64": "x86_64"}.get(platform.machine(), platform.machine())
    system = {"linux": "unknown-linux-gnu", "darwin": "apple-darwin", "win32": "pc-windows-msvc"}[sys.platform]
    with zipfile.ZipFile(one(f"dist/native/native-wheel-{cpu}-{system}/*.whl")) as wheel:
        wheel.extractall(unpacked)
    said = run(
        [sys.executable, "-m", "pdoc", "--docformat", "markdown", "--output-directory", folder, PACKAGE],
        PYTHONPATH=str(unpacked),
    )
    shutil.rmtree(unpacked)
    if "Warn" in said:
        raise SystemExit(said)


def c_page(header: str) -> str:
    """The header as a page: each documented constant, type and function with its comment."""
    lines = [
        "# C functions",
        "",
        "Every constant, type and function of `ruvector_attention.h`, with its comment there.",
    ]
    kinds: dict[str, list[str]] = {"Constants": [], "Types": [], "Functions": []}
    for comment, declaration in documented(header):
        kind = (
            "Constants"
            if declaration.startswith("#")
            else "Types"
            if declaration.startswith("typedef")
            else "Functions"
        )
        text = re.sub(r"^# (\w+)$", r"**\1**", comment, flags=re.MULTILINE)
        kinds[kind] += ["", f"### {name_of(declaration)}", "", text, "", "```c", declaration, "```"]
    for kind, found in kinds.items():
        if not found:
            raise SystemExit(f"the header has no documented {kind.lower()}: was its form changed?")
        lines += ["", f"## {kind}", *found]
    return "\n".join(lines) + "\n"


def documented(header: str) -> list[tuple[str, str]]:
    """Each comment at the margin with the declaration after it."""
    pattern = (
        r"^/\*\*\n((?: \*.*\n)*?) \*/\n(#define .*|typedef (?:struct|enum) \w+ \{\n(?:.*\n)*?\} \w+;|[^#/][^;{]*;)"
    )
    return [
        (re.sub(r"^ \* ?", "", text, flags=re.MULTILINE).strip(), said)
        for text, said in re.findall(pattern, header, re.MULTILINE)
    ]


def name_of(declaration: str) -> str:
    """What a declaration declares."""
    if declaration.startswith("#"):
        return declaration.split()[1]
    if declaration.startswith("typedef"):
        return re.findall(r"(\w+);$", declaration)[0]
    return re.findall(r"(\w+)\(", declaration)[0]


def build(config: Path, output: Path, sources: Path) -> None:
    """mkdocs: a broken link, a missing anchor or a page outside the menu is an error."""
    words = ["--strict", "--quiet", "--config-file", config, "--site-dir", output]
    run([sys.executable, "-m", "mkdocs", "build", *words], RVA_SITE_SOURCES=str(sources), NO_MKDOCS_2_WARNING="1")


def external_links(site: Path) -> list[str]:
    """Addresses elsewhere that pages lead to; listed, because nothing here reaches them."""
    found = set()
    for page in site.rglob("*.html"):
        if "api" not in page.relative_to(site).parts:
            found |= set(re.findall(r'<a [^>]*href="(https?://[^"#]+)', page.read_text("utf-8")))
    return sorted(found)


def one(pattern: str) -> Path:
    """The first file that a pattern names."""
    found = sorted(ROOT.glob(pattern))
    if not found:
        raise SystemExit(f"{pattern} is not there; run `./rva build --target host`")
    return found[0]


def run(argv: Sequence[str | Path], **env: str) -> str:
    """One command, its words shown where it fails."""
    words = [str(word) for word in argv]
    done = subprocess.run(
        words,
        cwd=ROOT,
        env={**os.environ, **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(words[:4])}: exit {done.returncode}\n{done.stdout}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
