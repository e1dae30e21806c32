"""Everything that can go wrong while a small release is published to real registries on loopback, and what is there in the end.

    python tests/release/publish_faults.py matrix          each fault at each step of each registry
    python tests/release/publish_faults.py matrix --short  one fault at each step
    python tests/release/publish_faults.py kill --moments 200
    python tests/release/publish_faults.py disk --sizes 50

`rva publish` runs as people run it. Between it and each registry stands a relay that kills it, interrupts it, loses
answers, or answers for the registry. Prints one JSON object; exit status 0 only if everything held.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import small
from relay import AFTER, BEFORE, TIMEOUT_S, Stage, relay

sys.path.insert(0, str(small.ROOT / "toolkit"))

from rva import matrix, releasing
from rva.log import Log
from rva.registries import loopback, reading
from rva.release.plan import sri

KINDS = ("npm", "pypi", "cargo", "github")
MOST_RUNS = 80


class Scene:
    """A fresh release before fresh registries."""

    def __init__(self, stage: Stage, registries: loopback.Registries, addresses: Mapping[str, str]) -> None:
        self.stage = stage
        self.registries = registries
        self.addresses = addresses
        self.tokens = {kind: getattr(registries, kind).token for kind in KINDS}
        self.exits: list[int] = []
        self.wait_s = 10

    def start(self) -> subprocess.Popen[bytes]:
        """`rva publish`, with the tokens in its environment."""
        names = {"npm": "NPM_TOKEN", "pypi": "PYPI_TOKEN", "cargo": "CARGO_REGISTRY_TOKEN", "github": "GITHUB_TOKEN"}
        env = {**os.environ, "PYTHONPATH": str(small.ROOT / "toolkit"), **{names[k]: t for k, t in self.tokens.items()}}
        argv = [
            sys.executable,
            "-m",
            "rva",
            "publish",
            "--yes",
            "--verbose",
            "--timeout",
            str(TIMEOUT_S),
            "--wait",
            "10",
        ]
        argv += [word for kind in KINDS for word in (f"--registry-{kind}", self.addresses[kind])]
        process = subprocess.Popen(
            argv,
            cwd=self.stage.checkout,
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
        )
        self.stage.publisher = process
        return process

    def run(self) -> int:
        """One run to its end, whatever that is."""
        process = self.start()
        said, _ = process.communicate()
        self.stage.said += said
        self.exits.append(process.returncode)
        return process.returncode

    def finish(self) -> list[str]:
        """Run until it is published; what is wrong then."""
        while self.run() != 0:
            if len(self.exits) > MOST_RUNS:
                return [
                    f"not published after {MOST_RUNS} runs; last words: {self.stage.said[-600:].decode('utf-8', 'replace')}"
                ]
        return self.wrong()

    def wrong(self) -> list[str]:
        """Everything is there once, with the bytes of dist/packages; no token anywhere; no half file."""
        found = []
        packages = self.stage.checkout / "dist" / "packages"
        manifest = json.loads((packages / "manifest.json").read_text("utf-8"))
        held = {**self.npm(), **self.others()}
        for packed in manifest["packages"]:
            name = Path(packed["file"]).name
            wanted = hashlib.sha256((packages / packed["file"]).read_bytes()).hexdigest()
            if held.pop(name, None) != wanted:
                found.append(f"{name} is not there as it was made")
        found += [f"{name} is there and in no plan" for name in held]
        found += [f"{step} was taken {count} times" for step, count in self.stage.taken.items() if count != 1]
        found += self.leaks() + self.halves()
        return found

    def npm(self) -> dict[str, str]:
        """File -> SHA-256 of the tarballs, once the registry's own word of them is true."""
        found = {}
        for path in (self.registries.npm.folder / "storage").glob("*/*.tgz"):
            data = path.read_bytes()
            told = reading.npm(self.registries.npm.url, path.parent.name)
            if told.get(small.VERSION) == sri(data):
                found[path.name] = hashlib.sha256(data).hexdigest()
        return found

    def others(self) -> dict[str, str]:
        """File -> SHA-256 of the rest."""
        found = dict(reading.pypi(self.registries.pypi.url, small.NAME))
        found |= {f"{small.NAME}-{v}.crate": d for v, d in reading.cargo(self.registries.cargo.url, small.NAME).items()}
        path = self.registries.github.folder / "releases.json"
        releases = json.loads(path.read_text("utf-8")) if path.is_file() else []
        for release in releases:
            if not release["draft"]:
                found |= {a["name"]: a["digest"].removeprefix("sha256:") for a in release["assets"]}
        return found

    def leaks(self) -> list[str]:
        """Where a token can be read that should not be."""
        places = {"what rva said": self.stage.said}
        for path in self.stage.checkout.rglob("*"):
            if path.is_file() and ".git" not in path.relative_to(self.stage.checkout).parts:
                places[str(path.relative_to(self.stage.checkout))] = path.read_bytes()
        return [
            f"{kind}: a token is in {where}"
            for kind, t in self.tokens.items()
            for where, b in places.items()
            if t.encode() in b
        ]

    def halves(self) -> list[str]:
        """Files of the release's folder that are not what the plan says, and lines of the journal that cannot be read."""
        [place] = (self.stage.checkout / ".rva" / "release").iterdir()
        found = []
        if (place / "plan.json").is_file():
            plan = json.loads((place / "plan.json").read_text("utf-8"))
            for upload in plan["uploads"]:
                if hashlib.sha256((place / "files" / upload["file"]).read_bytes()).hexdigest() != upload["sha256"]:
                    found.append(f"{upload['file']} is half a file")
        if (place / "journal.jsonl").is_file():
            for line in (place / "journal.jsonl").read_bytes().split(b"\n")[:-1]:
                json.loads(line)
        return found


@contextmanager
def scene(folder: Path, programs: loopback.Programs) -> Iterator[Scene]:
    """Registries, relays and a checkout, all new."""
    stage = Stage(small.make(folder / "checkout"))
    with ExitStack() as stack:
        registries = stack.enter_context(loopback.serve(folder / "registries", programs))
        upstream = {
            "npm": registries.npm.url,
            "pypi": registries.pypi.upload,
            "cargo": registries.cargo.upload,
            "github": registries.github.url,
        }
        addresses = {kind: stack.enter_context(relay(kind, upstream[kind], stage)) for kind in KINDS}
        addresses["cargo"] = f"sparse+{addresses['cargo']}/index/"
        yield Scene(stage, registries, addresses)


def steps(checkout: Path) -> list[str]:
    """Every step of the small release that changes something."""
    files = [p.name for p in sorted((checkout / "dist" / "packages").rglob("*.*")) if p.name != "manifest.json"]
    npm = [f"npm {name.removesuffix(f'-{small.VERSION}.tgz')}" for name in files if name.endswith(".tgz")]
    pypi = [f"pypi {name}" for name in files if name.endswith(".whl") or name.startswith("quick_hash")]
    return [
        *npm,
        *pypi,
        "cargo crate",
        "github draft",
        f"github {small.NAME}.tar.gz",
        "github install.sh",
        "github public",
    ]


def matrix_(folder: Path, programs: loopback.Programs, arguments: argparse.Namespace) -> dict[str, Any]:
    """Each fault at each step: those before anything arrived one after another, one of those after it a release."""
    wrong: list[str] = []
    hit: Counter[str] = Counter()
    runs = 0
    rounds = 1 if arguments.short else len(AFTER)
    for number in range(rounds):
        with scene(folder / str(number), programs) as here:
            for i, step in enumerate(steps(here.stage.checkout)):
                if arguments.short:
                    here.stage.faults[step] = [(*BEFORE, *AFTER)[i % 8]]
                else:
                    here.stage.faults[step] = [*(BEFORE if number == 0 else ()), AFTER[(number + i) % len(AFTER)]]
            wanted = sum(len(due) for due in here.stage.faults.values())
            wrong += [f"release {number}: {what}" for what in here.finish()]
            if len(here.stage.hit) != wanted:
                wrong.append(f"release {number}: {len(here.stage.hit)} of {wanted} faults came about")
            hit.update(entry.rpartition(" ")[2] for entry in here.stage.hit)
            runs += len(here.exits)
    return {"held": not wrong, "releases": rounds, "runs": runs, "faults": dict(hit), "wrong": wrong}


def kill(folder: Path, programs: loopback.Programs, arguments: argparse.Namespace) -> dict[str, Any]:
    """SIGKILL at moments all over the run, again and again until it is published; then the next release."""
    pick = random.Random(arguments.seed)
    wrong: list[str] = []
    done, begun, releases = 0, 0, 0
    while done < arguments.moments:
        with scene(folder / str(releases), programs) as here:
            started = time.monotonic()
            releases += 1
            whole = arguments.whole
            while done < arguments.moments:
                process = here.start()
                try:
                    said, _ = process.communicate(timeout=pick.random() * whole)
                    here.stage.said += said
                    break
                except subprocess.TimeoutExpired:
                    process.kill()
                    said, _ = process.communicate()
                    here.stage.said += said
                    done += 1
                    if (here.stage.checkout / ".rva" / "release").is_dir():
                        begun += 1
                        wrong += here.halves()
            wrong += [f"release {releases}: {what}" for what in here.finish()]
        print(f"{done} kills, {releases} releases, {time.monotonic() - started:.0f} s", file=sys.stderr)
    return {"held": not wrong, "kills": done, "after_it_began": begun, "releases": releases, "wrong": wrong}


def disk(folder: Path, programs: loopback.Programs, arguments: argparse.Namespace) -> dict[str, Any]:
    """The release's folder on a disk that is full after 4 kB more each time; then there is room, and it goes on."""
    if os.geteuid() != 0:
        return {"held": False, "not_run": "mounting a small file system needs root"}
    wrong: list[str] = []
    exits: Counter[int] = Counter()
    with scene(folder, programs) as here:
        # What a full disk kept from being sent is not waited for.
        here.wait_s = 1
        place = here.stage.checkout / ".rva" / "release"
        place.mkdir(parents=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4k", "tmpfs", str(place)], check=True)
        try:
            for size in range(1, arguments.sizes + 1):
                subprocess.run(["mount", "-o", f"remount,size={4 * size}k", str(place)], check=True)
                code = here.run()
                exits[code] += 1
                if b"Traceback" in here.stage.said:
                    wrong.append(f"{4 * size} kB: a traceback")
                if any(place.iterdir()):
                    wrong += [f"{4 * size} kB: {what}" for what in here.halves()]
                if code not in (0, 1, 7):
                    wrong.append(f"{4 * size} kB: exit status {code}")
            subprocess.run(["mount", "-o", "remount,size=100m", str(place)], check=True)
            wrong += here.finish()
        finally:
            subprocess.run(["umount", "-l", str(place)], check=True)
    if not exits[7]:
        wrong.append("the disk was never full")
    return {"held": not wrong, "sizes": arguments.sizes, "exits": dict(exits), "wrong": sorted(set(wrong))}


def main() -> int:
    """Read the command line, run one of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("matrix", "kill", "disk"))
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--moments", type=int, default=10)
    parser.add_argument("--whole", type=float, default=6.0, help="about how long one run takes, in seconds")
    parser.add_argument("--sizes", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    programs = releasing.programs(small.ROOT, matrix.load(small.ROOT), Log(0))
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="rva-release-") as folder:
        result = {"matrix": matrix_, "kill": kill, "disk": disk}[arguments.what](Path(folder), programs, arguments)
    print(json.dumps({"check": arguments.what, **result, "seconds": round(time.monotonic() - started)}))
    return 0 if result["held"] else 1


if __name__ == "__main__":
    sys.exit(main())
