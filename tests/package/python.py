"""The Python binding's tests, examples, types and page, over the wheel in dist/ that this machine can load.

{python-binding}/python tests/package/python.py: an interpreter that has requirements/python-binding.txt
"""

from __future__ import annotations

import json
import os
import subprocess
import sysconfig
import tempfile
import venv
from pathlib import Path

from packaging.tags import sys_tags
from packaging.utils import parse_wheel_filename

ROOT = Path(__file__).resolve().parents[2]


def wheel() -> Path:
    """The one wheel of dist/ that this interpreter can load."""
    supported = set(sys_tags())
    found = sorted((ROOT / "dist" / "native").glob("native-wheel-*/*.whl"))
    fits = [path for path in found if parse_wheel_filename(path.name)[3] & supported]
    if len(fits) != 1:
        names = ", ".join(path.name for path in found) or "none"
        raise SystemExit(f"expected one wheel for this machine below dist/native, found {names}; run `./rva build`")
    return fits[0]


def install(package: Path, folder: Path) -> Path:
    """A fresh environment with the wheel, which sees this interpreter's packages too; its interpreter."""
    venv.create(folder, with_pip=True)
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    own = subprocess.run(
        [str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        capture_output=True,
        text=True,
        check=True,
    )
    Path(own.stdout.strip(), "others.pth").write_text(sysconfig.get_path("purelib"), encoding="utf-8")
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--no-index"]
    if subprocess.run([*pip, str(package)], check=False, timeout=300).returncode != 0:
        raise SystemExit(f"{package.name} could not be installed")
    return python


def main() -> int:
    package = wheel()
    with tempfile.TemporaryDirectory(prefix="rva-python-") as name:
        python = install(package, Path(name) / "venv")
        tests = ROOT / "bindings" / "python" / "tests"
        pytest = [str(python), "-E", "-s", "-m", "pytest", "-q", "-p", "no:cacheprovider", "--durations=5", str(tests)]
        done = subprocess.run(pytest, cwd=name, check=False, timeout=1800)
    print(json.dumps({"wheel": package.name, "passed": done.returncode == 0}))
    return done.returncode


if __name__ == "__main__":
    raise SystemExit(main())
