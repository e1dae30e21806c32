"""Serves the demo page with the WebAssembly package of dist/: `./rva demo` runs it.

python scripts/demo.py [PORT]      8080 unless given; 0 takes a free one
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BINDING = ROOT / "bindings" / "wasm"
PACKAGE = "ruvector-attention-wasm"


def main(words: list[str]) -> int:
    """Put the package and the pages together, and serve them until interrupted."""
    packages = sorted((ROOT / "dist" / "packages" / "npm").glob(f"{PACKAGE}-[0-9]*.tgz"))
    if not packages:
        print(
            "the WebAssembly package is not there; run `./rva build -t wasm -t napi-js`, then `./rva package -t wasm -t napi-js`"
        )
        return 1
    with tempfile.TemporaryDirectory(prefix="rva-demo-") as name:
        folder = Path(name).resolve()
        with tarfile.open(packages[0]) as tarball:
            tarball.extractall(folder, filter="data")
        (folder / "node_modules").mkdir()
        (folder / "package").rename(folder / "node_modules" / PACKAGE)
        for pages in ("web", "examples"):
            shutil.copytree(BINDING / pages, folder / pages)
        (folder / "package.json").write_text('{ "private": true, "type": "module" }\n')
        server = [*("node", str(folder / "examples" / "node_server.mjs"), str(folder)), words[0] if words else "8080"]
        with subprocess.Popen(server, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            try:
                assert process.stdout is not None and process.stderr is not None
                for line in process.stdout:
                    print(f"{line.strip()}/web/ shows the demo; Ctrl-C ends it", flush=True)
                said = process.stderr.read()
                taken = "EADDRINUSE" in said
                print(f"port {server[-1]} is taken; `./rva demo --port 0` takes a free one" if taken else said)
                return process.wait()
            except KeyboardInterrupt:
                process.terminate()
                return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
