"""Kill, interrupt and starve real builds, and look at what is left.

    python tests/faults/runs.py kill --moments 10 --target cli
    python tests/faults/runs.py interrupt --target cli
    python tests/faults/runs.py disk --target native-crate
    python tests/faults/runs.py package --moments 200 --target native
    python tests/faults/runs.py package-disk --moments 50 --target native
    python tests/faults/runs.py rehearse --moments 200 --target napi-x86_64-unknown-linux-gnu,napi-js

Works in a clone of this checkout in a temporary folder, with the toolchains of the user's cache and a store of its own.
Prints one JSON object; exit status 0 only if everything held.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PART = ".rva-part-"
MARK = "RVA_FAULT_RUN"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("kill", "interrupt", "disk", "package", "package-disk", "rehearse"))
    parser.add_argument("--moments", type=int, default=10)
    parser.add_argument("--target", default="native-crate")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    checks = {"kill": kill, "interrupt": interrupt, "disk": disk, "package": package, "package-disk": package_disk}
    check = {**checks, "rehearse": rehearse}[arguments.what]
    with tempfile.TemporaryDirectory(prefix="rva-faults-") as folder:
        result = check(Path(folder), arguments)
    print(json.dumps({"check": arguments.what, "target": arguments.target, **result}))
    return 0 if result["held"] else 1


def kill(folder: Path, arguments: argparse.Namespace) -> dict[str, object]:
    """SIGKILL rva at moments spread over its run; dist/ must be whole each time, and the last run must complete."""
    checkout, env = clone(folder)
    whole = timed_run(checkout, env, arguments.target)
    forget(checkout, env)
    pick = random.Random(arguments.seed)
    # One moment in each tenth of the run, the last ones where results are placed.
    moments = [whole * (i + pick.random()) / arguments.moments for i in range(arguments.moments)]
    faults: list[str] = []
    for moment in moments:
        process = start(checkout, env, arguments.target)
        try:
            process.wait(timeout=moment)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        faults += [f"after {moment:.1f} s: {fault}" for fault in partial(checkout)]
        end_orphans(env)
    final = timed_run(checkout, env, arguments.target)
    faults += partial(checkout) + unlisted(checkout)
    return {
        "held": not faults,
        "moments_s": [round(m, 1) for m in moments],
        "final_run_s": round(final, 1),
        "faults": faults,
    }


def interrupt(folder: Path, arguments: argparse.Namespace) -> dict[str, object]:
    """SIGINT and SIGTERM in the middle of a build: exit status 130 within 2 s and no process left."""
    checkout, env = clone(folder)
    found: list[dict[str, object]] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        process = start(checkout, env, arguments.target)
        wait_for_compiler(env, process)
        sent = time.monotonic()
        process.send_signal(number)
        process.wait(timeout=30)
        spent = time.monotonic() - sent
        left = orphans(env, grace_s=0.5)
        found.append({"signal": number.name, "exit": process.returncode, "seconds": round(spent, 2), "left": left})
    held = all(f["exit"] == 130 and f["seconds"] <= 2.0 and not f["left"] for f in found)  # type: ignore[operator]
    return {"held": held, "runs": found}


def disk(folder: Path, arguments: argparse.Namespace) -> dict[str, object]:
    """A build on a file system of a few megabytes: exit status 7, a message, no traceback, no partial file."""
    if os.geteuid() != 0:
        return {"held": False, "not_run": "mounting a small file system needs root"}
    found = []
    for place, kilobytes in ((".rva/target", 1500), (".rva/target", 6000), (".rva/stage", 16), ("dist", 16)):
        checkout, env = clone(folder / str(len(found)))
        with small_disk(checkout / place, kilobytes):
            process = start(checkout, env, arguments.target)
            _, errors = process.communicate()
            left = partial(checkout)
        text = errors.decode("utf-8", "replace")
        found.append(
            {
                "place": place,
                "kB": kilobytes,
                "exit": process.returncode,
                "message": "free some" in text,
                "traceback": "Traceback" in text,
                "partial": left,
            }
        )
        shutil.rmtree(checkout.parent)
    held = all(f["exit"] == 7 and f["message"] and not f["traceback"] and not f["partial"] for f in found)
    return {"held": held, "runs": found}


def package(folder: Path, arguments: argparse.Namespace) -> dict[str, object]:
    """SIGKILL `rva package` at moments spread over its run; dist/packages is whole or absent, and the last run the same."""
    checkout, env, wanted, whole = packed(folder, arguments.target)
    pick = random.Random(arguments.seed)
    faults: list[str] = []
    killed = 0
    for i in range(arguments.moments):
        process = start(checkout, env, arguments.target, "package")
        try:
            process.wait(timeout=whole * (i + pick.random()) / arguments.moments)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            killed += 1
        end_orphans(env)
        faults += [f"kill {i}: {fault}" for fault in half_packages(checkout)]
    timed_run(checkout, env, arguments.target, "package")
    faults += half_packages(checkout) + ([] if packages(checkout) == wanted else ["the last run made other packages"])
    return {"held": not faults, "kills": killed, "run_s": round(whole, 1), "files": len(wanted), "faults": faults}


def rehearse(folder: Path, arguments: argparse.Namespace) -> dict[str, object]:
    """SIGKILL `rva rehearse` at moments spread over its run: registries, installers and programs end by themselves, within
    seconds; dist/packages stays as it was; the next run passes."""
    checkout, env, wanted, _ = packed(folder, arguments.target)
    rooms = folder / "rooms"
    rooms.mkdir()
    env["TMPDIR"] = str(rooms)
    # The first one may have to fetch the registries.
    whole = min(timed_run(checkout, env, arguments.target, "rehearse") for _ in range(2))
    pick = random.Random(arguments.seed)
    faults: list[str] = []
    killed, runs, slowest, at_work = 0, 1, 0.0, 0
    for i in range(arguments.moments):
        process = start(checkout, env, arguments.target, "rehearse")
        try:
            process.wait(timeout=whole * (i + pick.random()) / arguments.moments)
            runs += process.returncode == 0
            faults += [] if process.returncode == 0 else [f"run {i} ended with {process.returncode}"]
        except subprocess.TimeoutExpired:
            at_work += len(near(folder)) > 1
            process.kill()
            process.wait()
            killed += 1
        left, seconds = survivors(folder)
        slowest = max(slowest, seconds)
        faults += [f"kill {i}: still there: {line}" for line in left]
        faults += [] if packages(checkout) == wanted else [f"kill {i}: dist/packages is not what it was"]
        shutil.rmtree(rooms)
        rooms.mkdir()
    timed_run(checkout, env, arguments.target, "rehearse")
    left, _ = survivors(folder)
    faults += [f"after a whole run: still there: {line}" for line in left]
    faults += [f"after a whole run: {path.name} is left" for path in rooms.iterdir()]
    return {
        "held": not faults and at_work > 0,
        "kills": killed,
        "with_children": at_work,
        "whole_runs": runs + 1,
        "run_s": round(whole, 1),
        "last_process_after_s": round(slowest, 2),
        "faults": faults,
    }


def near(folder: Path) -> dict[int, str]:
    """Processes that this check's folder is named by: in their command, their environment or as where they are."""
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            words, env = (entry / "cmdline").read_bytes(), (entry / "environ").read_bytes()
            place = str((entry / "cwd").readlink())
        except OSError:
            continue
        if str(folder).encode() in words + env or place.startswith(str(folder)):
            found[int(entry.name)] = words.replace(b"\0", b" ").decode("utf-8", "replace")[:200]
    return found


def survivors(folder: Path, grace_s: float = 10.0) -> tuple[list[str], float]:
    """What is still there after a while, and how long the last one took to end. Ends nothing but what outlived that."""
    started = time.monotonic()
    while (left := near(folder)) and time.monotonic() - started < grace_s:
        time.sleep(0.02)
    seconds = time.monotonic() - started
    for number in left:
        with contextlib.suppress(ProcessLookupError):
            os.kill(number, signal.SIGKILL)
    return list(left.values()), seconds


def package_disk(folder: Path, arguments: argparse.Namespace) -> dict[str, object]:
    """`rva package` on a disk that is full after a little more each time; then there is room."""
    if os.geteuid() != 0:
        return {"held": False, "not_run": "mounting a small file system needs root"}
    checkout, env, wanted, _ = packed(folder, arguments.target)
    size = sum((checkout / "dist" / "packages" / name).stat().st_size for name in wanted)
    faults: list[str] = []
    exits: dict[int, int] = {}
    for i in range(arguments.moments):
        # Twice what the packages take: they lie in the stage once more while they are made.
        with small_disk(checkout / ".rva" / "stage", max(4, 2 * size * (i + 1) // (1024 * arguments.moments))):
            process = start(checkout, env, arguments.target, "package")
            _, errors = process.communicate()
            exits[process.returncode] = exits.get(process.returncode, 0) + 1
            faults += [f"disk {i}: {fault}" for fault in half_packages(checkout)]
        if b"Traceback" in errors or process.returncode not in (0, 7):
            faults.append(f"disk {i}: exit status {process.returncode}: {errors.decode('utf-8', 'replace')[-300:]}")
    timed_run(checkout, env, arguments.target, "package")
    faults += half_packages(checkout) + ([] if packages(checkout) == wanted else ["the last run made other packages"])
    held = not faults and exits.get(7, 0) > 0
    return {"held": held, "disks": arguments.moments, "exits": exits, "faults": faults}


def packed(folder: Path, target: str) -> tuple[Path, dict[str, str], dict[str, str], float]:
    """A clone whose rows come from the user's store, its packages by digest, and how long they took."""
    checkout, env = clone(folder)
    real = Path(os.environ.get("RVA_CACHE_DIR") or Path.home() / ".cache" / "rva")
    (Path(env["RVA_CACHE_DIR"]) / "store").symlink_to(real / "store")
    timed_run(checkout, env, target)
    timed_run(checkout, env, target, "package")
    whole = timed_run(checkout, env, target, "package")
    return checkout, env, packages(checkout), whole


def packages(checkout: Path) -> dict[str, str]:
    """File -> digest of dist/packages, the manifest among them."""
    place = checkout / "dist" / "packages"
    return {p.relative_to(place).as_posix(): digest(p) for p in sorted(place.rglob("*")) if p.is_file()}


def half_packages(checkout: Path) -> list[str]:
    """What is wrong with a dist/packages that is there: it is whole, or it is not there."""
    place = checkout / "dist" / "packages"
    if not place.exists():
        return []
    if not (place / "manifest.json").is_file():
        return ["dist/packages is there without its manifest"]
    listed = {p["file"]: p["sha256"] for p in json.loads((place / "manifest.json").read_text())["packages"]}
    found = {name: value for name, value in packages(checkout).items() if name not in ("manifest.json", "SHA256SUMS")}
    return [
        f"{name} is not what the manifest says"
        for name in sorted(listed.keys() | found)
        if listed.get(name) != found.get(name)
    ]


def clone(folder: Path) -> tuple[Path, dict[str, str]]:
    """A clone of the working tree's commit, with an environment that shares toolchains but not results."""
    checkout, cache = folder / "checkout", folder / "cache"
    subprocess.run(["git", "clone", "--quiet", "--shared", str(ROOT), str(checkout)], check=True)
    real = Path(os.environ.get("RVA_CACHE_DIR") or Path.home() / ".cache" / "rva")
    cache.mkdir(parents=True)
    for entry in real.iterdir():
        if entry.name != "store":
            (cache / entry.name).symlink_to(entry)
    state = checkout / ".rva"
    state.mkdir()
    for entry in (ROOT / ".rva").iterdir():
        if entry.name not in ("target", "stage", "logs", "lock", "dist-index.json", "smoke.json"):
            (state / entry.name).symlink_to(entry)
    return checkout, {**os.environ, "RVA_CACHE_DIR": str(cache), MARK: str(folder)}


def forget(checkout: Path, env: dict[str, str]) -> None:
    shutil.rmtree(Path(env["RVA_CACHE_DIR"]) / "store", ignore_errors=True)
    shutil.rmtree(checkout / "dist", ignore_errors=True)
    shutil.rmtree(checkout / ".rva" / "target", ignore_errors=True)


def start(checkout: Path, env: dict[str, str], target: str, what: str = "build") -> subprocess.Popen[bytes]:
    command = ["./rva", what, "--target", target, *(["--no-smoke"] if what == "build" else [])]
    return subprocess.Popen(command, cwd=checkout, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def timed_run(checkout: Path, env: dict[str, str], target: str, what: str = "build") -> float:
    started = time.monotonic()
    process = start(checkout, env, target, what)
    _, errors = process.communicate()
    if process.returncode != 0:
        raise SystemExit(f"a run without faults failed ({process.returncode}):\n{errors.decode()}")
    return time.monotonic() - started


def partial(checkout: Path) -> list[str]:
    """Files of dist/ whose content is not what the manifest says, or, without one, not any finished content."""
    dist = checkout / "dist"
    manifest = dist / "manifest.json"
    files = [p for p in dist.rglob("*") if p.is_file() and p != manifest and not p.name.startswith(PART)]
    if manifest.is_file():
        listed = {a["path"]: a["sha256"] for a in json.loads(manifest.read_text())["artifacts"]}
        return [
            f"{p} differs from the manifest" for p in files if listed.get(p.relative_to(dist).as_posix()) != digest(p)
        ]
    finished = set(stored_digests(checkout))
    return [f"{p} is not a finished file" for p in files if digest(p) not in finished]


def stored_digests(checkout: Path) -> Iterator[str]:
    for record in (checkout.parent / "cache" / "store").glob("*/*/row.json"):
        yield from (f["sha256"] for f in json.loads(record.read_text())["files"])


def unlisted(checkout: Path) -> list[str]:
    dist = checkout / "dist"
    listed = {a["path"] for a in json.loads((dist / "manifest.json").read_text())["artifacts"]} | {"manifest.json"}
    found = {p.relative_to(dist).as_posix() for p in dist.rglob("*") if p.is_file()}
    return [f"{name} is in dist/ and not in the manifest" for name in sorted(found - listed)] + [
        f"{name} is in the manifest and not in dist/" for name in sorted(listed - found)
    ]


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def marked(env: dict[str, str]) -> list[int]:
    """Processes that inherited this check's mark; only those are ever ended."""
    wanted = f"{MARK}={env[MARK]}".encode()
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                if wanted in (entry / "environ").read_bytes().split(b"\0"):
                    found.append(int(entry.name))
            except OSError:
                continue
    return found


def wait_for_compiler(env: dict[str, str], process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 120
    while len(marked(env)) < 3 and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.1)
    time.sleep(1)


def orphans(env: dict[str, str], grace_s: float) -> list[int]:
    time.sleep(grace_s)
    return marked(env)


def end_orphans(env: dict[str, str]) -> None:
    for pid in marked(env):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


@contextmanager
def small_disk(path: Path, kilobytes: int) -> Iterator[None]:
    path.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(path)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(path)], check=True)


if __name__ == "__main__":
    sys.exit(main())
