"""Runs the core's tests for another target: under qemu, or under PyPI's wasmtime.

    python core.py TRIPLE LEVEL...

Each level is compiled by itself, and its kernel must be there: the tests fail where the machine lacks it.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# What says most about kernels; the rest of the tests is about what surrounds them.
TESTS = ("--lib", "--test", "vectors", "--test", "properties", "--test", "state_bytes")
# The oldest glibc that is linked, and what runs the result.
LINUX = {
    "aarch64-unknown-linux-gnu": ("2.17", ("qemu-aarch64", "-L", "/usr/aarch64-linux-gnu")),
    "armv7-unknown-linux-gnueabihf": ("2.17", ("qemu-arm", "-L", "/usr/arm-linux-gnueabihf")),
}
FLAGS = {"simd128": "-Ctarget-feature=+simd128", "relaxed-simd": "-Ctarget-feature=+simd128,+relaxed-simd"}
# The test library names functions for threads that Debian's libc for WASI lacks; on WASI it calls none of them.
NO_THREADS = "-Clink-arg=--unresolved-symbols=ignore-all"


def build(triple: str, level: str) -> list[str]:
    """The test programs, compiled; what cargo says of them is one JSON object a line."""
    floor = f".{LINUX[triple][0]}" if triple in LINUX else ""
    cargo = ["cargo-zigbuild", "test"] if triple in LINUX else ["cargo", "test"]
    flags = "" if triple in LINUX else f"{NO_THREADS} {FLAGS.get(level, '')}".strip()
    env = {**os.environ, "CARGO_PROFILE_TEST_DEBUG": "0", "RUSTFLAGS": flags}
    options = ["--locked", "--offline", "--no-run", "--message-format", "json-render-diagnostics"]
    argv = [*cargo, *options, "--target", triple + floor, "-p", "ruvector-attention", *TESTS]
    said = subprocess.run(argv, cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True, check=True).stdout
    messages = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
    return [m["executable"] for m in messages if m.get("executable") and m["profile"]["test"]]


def run_natively(triple: str, program: str, env: dict[str, str]) -> tuple[int, str]:
    argv = [*LINUX[triple][1], program]
    done = subprocess.run(
        argv, cwd=ROOT / "core", env={**os.environ, **env}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    return done.returncode, done.stdout


def run_in_wasmtime(program: str, env: dict[str, str]) -> tuple[int, str]:
    import wasmtime

    engine = wasmtime.Engine()
    linker = wasmtime.Linker(engine)
    linker.define_wasi()
    config = wasmtime.WasiConfig()
    # There are no threads, which some tests start, and nothing to catch a panic with: the first one ends the program.
    config.argv = [program, "--test-threads", "1", "--nocapture", "--skip", "threads::"]
    config.env = list(env.items())
    # The tests look for their cases by the path they were compiled at.
    config.preopen_dir(str(ROOT), str(ROOT))
    record = Path(program).with_suffix(".out")
    config.stdout_file = str(record)
    config.stderr_file = str(record.with_suffix(".err"))
    store = wasmtime.Store(engine)
    store.set_wasi(config)
    start = linker.instantiate(store, wasmtime.Module.from_file(engine, program)).exports(store)["_start"]
    assert isinstance(start, wasmtime.Func)
    code = 0
    try:
        start(store)
    except wasmtime.ExitTrap as exit_trap:
        code = exit_trap.code
    except (wasmtime.Trap, wasmtime.WasmtimeError) as trap:
        code = 134
        print(str(trap).splitlines()[0])
    return code, record.read_text("utf-8") + record.with_suffix(".err").read_text("utf-8")


def main(argv: list[str]) -> int:
    triple, levels = argv[1], argv[2:]
    faults = 0
    for level in levels:
        env = {"RUVECTOR_ATTENTION_KERNEL": level}
        programs = build(triple, level)
        for program in programs:
            code, said = run_natively(triple, program, env) if triple in LINUX else run_in_wasmtime(program, env)
            passed = re.search(r"^test result: ok\. ([1-9]\d*) passed", said, re.MULTILINE)
            fine = code == 0 and passed is not None
            faults += not fine
            name = re.sub(r"-[0-9a-f]{16}(\.wasm)?$", "", Path(program).name)
            print(f"{triple} {level} {name}: {passed[0] if passed and fine else f'exit status {code}'}", flush=True)
            if not fine:
                print(said[-4000:])
        if len(programs) != 1 + TESTS.count("--test"):
            faults += 1
            print(f"{len(programs)} test programs were built for {level}")
    return 1 if faults else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv))
