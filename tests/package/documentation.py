"""The documentation site: built strictly, then met in Chromium.

python tests/package/documentation.py build NPM     build it; broken links, anchors and lone pages are refused
python tests/package/documentation.py browser       its main pages and the report of `rva verify`, in both schemes and widths

NPM is the folder of requirements/docs-npm's programs.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SITE = ROOT / ".rva" / "site"
REPORT = ROOT / ".rva" / "verification.html"
# What is wrong -> what is put into a page, and what the build then says.
FAULTS = {
    "a page that is not there": ("[x](nowhere.md)", "nowhere.md"),
    "an anchor that is not there": ("[x](index.md#nowhere)", "nowhere"),
    "a file that is not there": ("[x](../nowhere.rs)", "nowhere.rs"),
    "an absolute link": ("[x](/index.md)", "/index.md"),
}
MAIN = ("index.html", "javascript.html", "architecture.html", "reference/commands.html", "measured/bindings.html")


def build(npm: Path) -> int:
    """The site, and that its builder sees each kind of fault."""
    code = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "site.py"), "--npm", str(npm)], cwd=ROOT, check=False
    ).returncode
    unseen = [name for name, (text, said) in FAULTS.items() if said not in refusal(text)]
    print(json.dumps({"faults_seen": len(FAULTS) - len(unseen), "unseen": unseen}))
    return code or bool(unseen)


def refusal(text: str) -> str:
    """What the builder says of a small site with this text in its page; empty if it takes it."""
    with tempfile.TemporaryDirectory(prefix="rva-site-") as name:
        folder = Path(name)
        (folder / "docs").mkdir()
        (folder / "docs" / "index.md").write_text(f"# Page\n\n{text}\n")
        rules = (ROOT / "mkdocs.yml").read_text("utf-8").partition("validation:\n")[2].partition("exclude_docs")[0]
        hooks = f"hooks: [{ROOT / 'scripts' / 'site_hooks.py'}]"
        (folder / "mkdocs.yml").write_text(f"site_name: x\n{hooks}\nvalidation:\n{rules}nav: [index.md]\n")
        argv = [sys.executable, "-m", "mkdocs", "build", "--strict", "--config-file", str(folder / "mkdocs.yml")]
        done = subprocess.run(argv, cwd=folder, capture_output=True, text=True, check=False)
        return done.stdout + done.stderr if done.returncode else ""


def browser() -> int:
    """In Chromium, with the tools of the Node.js binding; screenshots go to .rva/screenshots."""
    for path, how in ((SITE, "test --only site"), (REPORT, "verify --write .rva/verification.html")):
        if not path.exists():
            print(f"{path} is not there; run `./rva {how}`")
            return 1
    pages = [page for page in MAIN if (SITE / page).is_file()]
    lacking = sorted(set(MAIN) - set(pages))
    if lacking:
        print(f"the site lacks {', '.join(lacking)}")
        return 1
    with tempfile.TemporaryDirectory(prefix="rva-pages-") as name:
        folder = Path(name)
        (folder / "node_modules").symlink_to(ROOT / "bindings" / "node" / "node_modules", target_is_directory=True)
        for path in (ROOT / "tests" / "browser").glob("*.mjs"):
            shutil.copy(path, folder)
        argv = ["node", str(folder / "pages.mjs"), str(SITE), str(REPORT), str(ROOT / ".rva" / "screenshots"), *pages]
        return subprocess.run(argv, cwd=folder, check=False, timeout=600).returncode


if __name__ == "__main__":
    if sys.argv[1:2] == ["build"] and len(sys.argv) == 3:
        sys.exit(build(Path(sys.argv[2])))
    if sys.argv[1:] == ["browser"]:
        sys.exit(browser())
    raise SystemExit(__doc__)
