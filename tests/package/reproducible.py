"""Everything is built and packed twice from one commit, under circumstances that differ in all that must not matter.

    python tests/package/reproducible.py [--target NAME]... [--keep DIR]

The second time: another folder, umask, time zone, locale, user, home (with that cargo's and npm's caches) and age of the
files. Neither takes a finished row from a store. Compares dist/ and dist/packages byte for byte, kind by kind; prints one
JSON object, exit status 0 only if all is the same. Wants Linux: the other user is one of a user namespace.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
# What says when and by what commit something was made, or counts what it took; the bytes are in what it lists.
RECORDS = ("manifest.json", "packages/manifest.json")
# A row of each recipe, and of each way to compile and link.
TARGETS = (
    "wasm-web-simd128", "wasm-js", "wasm-wasip1-cli", "wasm-wasip1-reactor", "napi", "native-c-x86_64-unknown-linux-gnu",
    "native-c-aarch64-apple-darwin", "native-c-x86_64-pc-windows-msvc", "cli-x86_64-unknown-linux-gnu",
    "native-wheel-x86_64-unknown-linux-gnu", "native-wheel-aarch64-apple-darwin", "native-sdist", "native-crate",
)  # fmt: skip


class Circumstances(NamedTuple):
    """What a build must not notice."""

    folder: str
    umask: int
    age: int | None
    before: tuple[str, ...]
    env: Mapping[str, str]


ONE = Circumstances("one", 0o022, None, (), {"TZ": "UTC", "LC_ALL": "C.UTF-8"})
OTHER = Circumstances(
    "another/and-deeper",
    0o077,
    981_173_106,  # a day in 2001
    ("unshare", "--user", "--map-user=4321", "--map-group=4321"),
    {"TZ": "Pacific/Kiritimati", "LC_ALL": "POSIX", "USER": "someone", "LOGNAME": "someone"},
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--target", action="append", help="rows as `rva build` names them; default: one of each kind")
    parser.add_argument("--keep", type=Path, help="build here, and leave it for a look at the differences")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="rva-twice-") as name:
        place = (arguments.keep or Path(name)).absolute()
        targets = arguments.target or TARGETS
        started = time.monotonic()
        # Named once: the checkout may move on meanwhile.
        argv = ["git", "rev-parse", "HEAD"]
        commit = subprocess.run(argv, cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()
        made = [built(place, one, targets, commit) for one in (ONE, OTHER)]
    found = differences(*made)
    kinds = Counter(kind(name) for name in made[0])
    print(json.dumps({"files": len(made[0]), "kinds": kinds, "differ": found, "s": round(time.monotonic() - started)}))
    return 1 if found or not made[0] else 0


def built(place: Path, one: Circumstances, targets: Sequence[str], commit: str) -> dict[str, str]:
    """Build and pack a commit under these circumstances; file -> digest of what is in dist/ then."""
    checkout = place / one.folder / "checkout"
    home = place / one.folder / "home"
    cache = place / one.folder / "cache"
    old = os.umask(one.umask)
    try:
        for folder in (home, cache):
            folder.mkdir(parents=True)
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(checkout)], check=True)
        subprocess.run(["git", "checkout", "--quiet", "--detach", commit], cwd=checkout, check=True)
        # The toolchains are the same by intent: they are part of what goes in.
        (cache / "tools").symlink_to(Path(os.environ.get("RVA_CACHE_DIR") or Path.home() / ".cache" / "rva") / "tools")
        if one.age is not None:
            for path in (p for p in checkout.rglob("*") if ".git" not in p.relative_to(checkout).parts):
                os.utime(path, (one.age, one.age), follow_symlinks=False)
        env = {
            **os.environ,
            **one.env,
            "HOME": str(home),
            "RVA_CACHE_DIR": str(cache),
            "CARGO_HOME": str(home / ".cargo"),
        }
        rows = [word for target in targets for word in ("--target", target)]
        for command in (["build", "--no-smoke", *rows], ["package", *rows]):
            argv = [*one.before, str(checkout / "rva"), *command]
            print(f"{one.folder}: {' '.join(command)}", file=sys.stderr, flush=True)
            done = subprocess.run(argv, cwd=checkout, env=env, stdout=subprocess.DEVNULL, check=False)
            if done.returncode != 0:
                raise SystemExit(f"{one.folder}: rva {command[0]} ended with exit status {done.returncode}")
    finally:
        os.umask(old)
    return digests(checkout / "dist")


def digests(dist: Path) -> dict[str, str]:
    """File -> digest; with the mode where it is one that a program needs."""
    files = (p for p in sorted(dist.rglob("*")) if p.is_file() and p.relative_to(dist).as_posix() not in RECORDS)
    return {
        p.relative_to(dist).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest()
        + (" x" if p.stat().st_mode & 0o100 else "")
        for p in files
    }


def differences(one: Mapping[str, str], other: Mapping[str, str]) -> list[str]:
    """The files that differ, or that only one has."""
    return sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))


def kind(name: str) -> str:
    """How a file is counted: packages by their ending, rows by their recipe's folder."""
    path = Path(name)
    if path.parts[0] != "packages":
        return f"row {path.parts[0]}: {''.join(path.suffixes[-1:]) or 'program'}"
    return f"package {path.parts[1]}: {''.join(path.suffixes[-1:]) or path.name}"


if __name__ == "__main__":
    sys.exit(main())
