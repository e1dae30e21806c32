"""The command line as built: a session at a terminal, files of NumPy's and safetensors' making, and its use of memory.

    python tests/package/command_line.py session            # help, a first compute, an error, the repl; RVA_GOLDEN=write keeps it
    python tests/package/command_line.py files [COUNT]      # random .npy and .safetensors files, read as their libraries read them
    python tests/package/command_line.py docs               # the commands of docs/command-line.md
    python tests/package/command_line.py memory [MIB]       # the peak memory of computing with keys of that size
    python tests/package/command_line.py overhead CORE [RUNS]  # against examples/core.rs, built

Takes the program of dist/, or the one that RVA_CLI names. Prints one JSON object; exit status 0 only if all held.
"""

from __future__ import annotations

import json
import os
import platform
import re
import select
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ROOT / "bindings" / "cli" / "examples" / "sample_data"
GOLDEN = ROOT / "tests" / "golden" / "cli-session.txt"
NAME = "ruvector-attention"
COLUMNS = 80
MIB = 1 << 20
KINDS = ("<f2", "<f4", "<f8", ">f2", ">f4", ">f8")

Verdict = dict[str, Any]


def program() -> Path:
    """The one to be tried."""
    named = os.environ.get("RVA_CLI")
    cpu = {"x86_64": "x86_64", "aarch64": "aarch64", "arm64": "aarch64"}.get(platform.machine(), platform.machine())
    system = {"linux": f"cli-{cpu}-unknown-linux-gnu", "darwin": f"cli-{cpu}-apple-darwin"}.get(sys.platform, "")
    path = Path(named) if named else ROOT / "dist" / "cli" / system / NAME
    if not path.is_file():
        raise SystemExit(f"{path} is not there; run `./rva build --target cli`")
    return path.resolve()


def environment(**more: str) -> dict[str, str]:
    """Ours without settings of the program, and without a home where some could be."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("RUVECTOR_", "XDG_")) and k != "NO_COLOR"}
    return {**kept, "HOME": "/nonexistent", **more}


def at_terminal(words: Sequence[str], folder: Path, keys: Sequence[str] = (), **env: str) -> str:
    """What a terminal of 80 columns shows while a command runs and the keys are typed, each after a prompt."""
    import fcntl
    import pty
    import struct
    import termios

    own, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 24, COLUMNS, 0, 0))
    child = subprocess.Popen(
        [str(program()), *words],
        cwd=folder,
        stdin=its,
        stdout=its,
        stderr=its,
        env=environment(**env),
        start_new_session=True,
    )
    os.close(its)
    shown, typed, deadline = b"", 0, time.monotonic() + 60
    try:
        while time.monotonic() < deadline:
            if select.select([own], [], [], 0.1)[0]:
                try:
                    piece = os.read(own, 65536)
                except OSError:  # Linux says so at the end
                    break
                if not piece:
                    break
                shown += piece
            if typed < len(keys) and shown.count(b"> ") > typed and shown.endswith(b"> "):
                os.write(own, keys[typed].encode() + b"\n")
                typed += 1
        child.wait(timeout=10)
    finally:
        if child.poll() is None:
            child.kill()
        os.close(own)
    return shown.decode("utf-8").replace("\r\n", "\n")


def session() -> Verdict:
    """A first meeting, as a terminal shows it."""
    files = ("-q", "q.csv", "-k", "k.npy", "--values", "v.json")
    wrong = ("compute", "-q", "q.csv", "-k", "kk.npy", "--values", "v.json")
    talk = (
        "load query q.csv",
        "load keys k.npy",
        "load values v.json",
        "set type hyperbolic",
        "compute",
        "set type cross",
        "compute",
        "compare cross linear",
        "shwo",
        "quit",
    )
    text = ""
    with tempfile.TemporaryDirectory(prefix="rva-cli-") as name:
        folder = Path(name)
        for path in SAMPLES.iterdir():
            shutil.copy(path, folder / f"{path.name[0]}{path.suffix}")
        plain = {"NO_COLOR": "1", "TERM": "dumb"}
        for words in (("--help",), ("compute", "-a", "cross", *files), wrong):
            text += f"$ {NAME} {shlex.join(words)}\n{at_terminal(words, folder, **plain)}\n"
        text += f"$ {NAME} repl\n{at_terminal(('repl',), folder, talk, **plain)}\n"
        coloured = at_terminal(wrong, folder, TERM="xterm-256color")
    text = re.sub(r"\d+\.\d+\.\d+", "VERSION", text)
    if os.environ.get("RVA_GOLDEN") == "write":
        GOLDEN.write_text(text, encoding="utf-8")
    faults = [f"longer than {COLUMNS} columns: {line}" for line in text.splitlines() if len(line) > COLUMNS]
    faults += ["colour in spite of NO_COLOR"] if "\x1b" in text else []
    faults += [] if "\x1b[" in coloured else ["no colour at a terminal"]
    faults += [] if re.sub(r"\x1b\[[0-9;]*m", "", coloured) in text else ["with colour it says something else"]
    faults += [] if text == GOLDEN.read_text(encoding="utf-8") else [f"differs from {GOLDEN.relative_to(ROOT)}"]
    if faults:
        print(text, file=sys.stderr)
    return {"lines": len(text.splitlines()), "faults": faults}


def array(random: Any) -> Any:
    """Random numbers, or random bits, of some kind, shape and order."""
    import numpy as np

    kind = KINDS[int(random.integers(len(KINDS)))]
    shape = tuple(int(n) for n in random.integers(0, 6, size=random.integers(0, 5)))
    if random.random() < 0.5:
        bits = random.integers(0, 256, size=(*shape, int(kind[2])), dtype=np.uint8)
        found = bits.view(kind)[..., 0]
    else:
        found = random.normal(size=shape).astype(kind)
    return np.asfortranarray(found) if random.random() < 0.3 else np.ascontiguousarray(found)


def saved(random: Any, path: Path) -> tuple[str, Any]:
    """Save one or several arrays with their library; the name and the numbers of the one to be read."""
    import numpy as np
    from safetensors.numpy import save_file

    if path.suffix == ".npy":
        np.save(path, array(random))
        return "a", np.load(path)
    named = {}
    for name in ("x", "y", "z"):
        one = array(random)
        # The library writes what is little-endian and in C order.
        named[name] = np.ascontiguousarray(one).astype(one.dtype.newbyteorder("<")).reshape(one.shape)
    save_file(named, path)
    chosen = "xyz"[int(random.integers(3))]
    return chosen, named[chosen]


def files(count: int = 1000) -> Verdict:
    """Random arrays, saved by the libraries, loaded by the program in pipes of its repl, compared bit by bit."""
    import numpy as np

    random = np.random.default_rng(20261123)
    checked = {"npy": 0, "safetensors": 0}
    faults: list[str] = []
    with tempfile.TemporaryDirectory(prefix="rva-cli-") as name:
        folder = Path(name)
        for first in range(0, count, 500):
            paths = [folder / f"{i}.{('npy', 'safetensors')[i % 2]}" for i in range(first, min(count, first + 500))]
            expected = [(path, *saved(random, path)) for path in paths]
            lines = [f"load {own} {path.name}\nsave {own} {path.stem}.f32\n" for path, own, _ in expected]
            done = subprocess.run(
                [str(program()), "repl"], input="".join(lines), cwd=folder, env=environment(), capture_output=True, text=True, check=False
            )  # fmt: skip
            shapes = re.findall(r"^\w+: (\[[^\]]*\])$", done.stdout, re.MULTILINE)
            if done.returncode != 0 or len(shapes) != len(expected):
                return {
                    "checked": checked,
                    "faults": [f"{len(shapes)} of {len(expected)} files were loaded", done.stderr],
                }
            for (path, _, numbers), shape in zip(expected, shapes, strict=True):
                with np.errstate(over="ignore", invalid="ignore"):
                    wanted = numbers.astype("<f4").ravel()
                got = np.fromfile(path.with_suffix(".f32"), dtype="<f4")
                if json.loads(shape) != list(numbers.shape) or not np.array_equal(got, wanted, equal_nan=True):
                    faults.append(f"{path.name}: {numbers.dtype} {numbers.shape}")
                checked[path.suffix[1:]] += 1
            for path in folder.iterdir():
                path.unlink()
    return {"checked": checked, "faults": faults[:5]}


def docs() -> Verdict:
    """The commands of the documentation, in order, in one folder with the sample data; what they print is not compared."""
    text = (ROOT / "docs" / "command-line.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    faults = []
    with tempfile.TemporaryDirectory(prefix="rva-cli-") as name:
        folder = Path(name) / "work"
        folder.mkdir()
        for path in SAMPLES.iterdir():
            shutil.copy(path, folder)
        home = Path(name) / "home"
        home.mkdir()
        env = environment(HOME=str(home), PATH=f"{program().parent}:{os.environ['PATH']}")
        for block in blocks:
            done = subprocess.run(["sh", "-eu", "-c", block], cwd=folder, env=env, capture_output=True, check=False)
            if done.returncode != 0:
                faults.append(f"{block}: exit {done.returncode}: {done.stderr.decode()}")
    if not blocks:
        faults.append("no commands found")
    return {"blocks": len(blocks), "faults": faults}


def peak(child: subprocess.Popen[bytes]) -> int:
    """The most memory in KiB that a process had while it ran, by VmHWM, which mapped files are part of."""
    most = 0
    while child.poll() is None:
        try:
            status = Path(f"/proc/{child.pid}/status").read_text(encoding="utf-8")
        except OSError:
            break
        found = re.search(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)
        most = max(most, int(found.group(1)) if found else 0)
        time.sleep(0.01)
    return most


def memory(mib: int = 4096) -> Verdict:
    """Keys of so many MiB, values of a 32nd of it."""
    import numpy as np

    limit = 512 * 1024
    dim, faults, peaks = 128, [], {}
    keys = mib * MIB // (4 * dim)
    with tempfile.TemporaryDirectory(prefix="rva-cli-", dir=os.environ.get("RVA_LARGE")) as name:
        folder = Path(name)
        numbers = np.random.default_rng(1).normal(size=MIB // 4).astype("<f4").tobytes()
        with (folder / "keys.f32").open("wb") as file:
            for _ in range(mib):
                file.write(numbers)
        with (folder / "values.f32").open("wb") as file:
            for _ in range(max(mib // 32, 1)):
                file.write(numbers)
        (folder / "query.f32").write_bytes(numbers[: 4 * dim])
        (folder / "values.f32").open("r+b").truncate(keys * 4 * 4)
        for kind in ("scaled-dot-product", "linear"):
            line = ["compute", "-a", kind, "-q", "query.f32", "-k", "keys.f32", "--values", "values.f32", "--json"]
            with (folder / "out.json").open("wb") as out:
                child = subprocess.Popen(
                    [str(program()), *line], cwd=folder, env=environment(), stdout=out, stderr=subprocess.DEVNULL
                )
                most = peak(child)
            report = json.loads((folder / "out.json").read_bytes()) if child.returncode == 0 else {}
            peaks[kind] = {
                "vm_hwm_mib": round(most / 1024, 1),
                "times_ms": report.get("times_ms"),
                "chunks": report.get("chunks"),
            }
            if child.returncode != 0 or not 0 < most <= limit:
                faults.append(f"{kind}: exit {child.returncode}, {most} KiB of {limit}")
    return {"keys_mib": mib, "peaks": peaks, "faults": faults}


def overhead(core: str, runs: int = 21) -> Verdict:
    """One query over 100 000 keys of 128: the program's computing against the core's call alone, in turns."""
    import numpy as np

    random = np.random.default_rng(1)
    ours, alone = [], []
    with tempfile.TemporaryDirectory(prefix="rva-cli-") as name:
        folder = Path(name)
        for file, rows in (("query", 1), ("keys", 100_000), ("values", 100_000)):
            random.normal(size=(rows, 128)).astype("<f4").tofile(folder / f"{file}.f32")
        line = shlex.split("compute -a scaled-dot-product -q query.f32 -k keys.f32 --values values.f32 --json")
        for _ in range(runs):
            done = subprocess.run(
                [str(program()), *line], cwd=folder, env=environment(), capture_output=True, check=True
            )
            ours.append(float(json.loads(done.stdout)["times_ms"]["compute"]))
            words = [str(Path(core).resolve()), "query.f32", "keys.f32", "values.f32", "128"]
            alone.append(
                float(subprocess.run(words, cwd=folder, env=environment(), capture_output=True, check=True).stdout)
            )
    ratio = statistics.median(ours) / statistics.median(alone)
    least = min(ours) / min(alone)
    verdict = {
        "compute_ms": round(statistics.median(ours), 3),
        "core_ms": round(statistics.median(alone), 3),
        "overhead_percent": round(100 * (ratio - 1), 1),
        "overhead_of_the_fastest_percent": round(100 * (least - 1), 1),
    }
    return {**verdict, "faults": [] if ratio < 1.05 else ["more than 5 %"]}


def main(argv: Sequence[str]) -> int:
    checks: dict[str, Callable[..., Verdict]] = {
        "session": session, "files": files, "docs": docs, "memory": memory, "overhead": overhead
    }  # fmt: skip
    if len(argv) < 2 or argv[1] not in checks:
        print(__doc__, file=sys.stderr)
        return 2
    verdict = checks[argv[1]](*(int(word) if word.isdigit() else word for word in argv[2:]))
    print(json.dumps(verdict))
    return 1 if verdict["faults"] else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv))
