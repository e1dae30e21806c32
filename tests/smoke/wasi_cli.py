"""Replays the reference cases through the WASI build of the command line, under PyPI's wasmtime."""

from __future__ import annotations

import sys
from pathlib import Path

import cases
import cli
import wasmtime


def main(argv: list[str]) -> int:
    folder, vectors = cases.arguments(argv)
    engine = wasmtime.Engine()
    module = wasmtime.Module.from_file(engine, str(cases.only(folder, "*.wasm")))
    linker = wasmtime.Linker(engine)
    linker.define_wasi()

    def run(line: list[str], work: Path) -> None:
        config = wasmtime.WasiConfig()
        config.argv = [cli.PROGRAM, *line]
        config.preopen_dir(str(work), ".")
        config.stderr_file = str(work / "stderr")
        store = wasmtime.Store(engine)
        store.set_wasi(config)
        start = linker.instantiate(store, module).exports(store)["_start"]
        assert isinstance(start, wasmtime.Func)
        try:
            start(store)
        except wasmtime.ExitTrap as exit_trap:
            if exit_trap.code != 0:
                text = (work / "stderr").read_text(encoding="utf-8", errors="replace").strip()
                raise RuntimeError(f"exit {exit_trap.code}: {text}") from None

    return cli.replay(vectors, run)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv))
