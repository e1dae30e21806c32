"""Unpacks a Rust crate, builds a small program on it and replays the reference cases.

CARGO (a JSON list, or words) is the cargo command. The program is built with the lock file inside the crate. The folder
may also be a project that depends on the crate, with its own `cargo-home`; the program becomes that project's.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import cases

SOURCE = Path(__file__).with_name("crate.rs")
MANIFEST = """\
[package]
name = "consumer"
version = "0.0.0"
edition = "2021"

[[bin]]
name = "consumer"
path = "main.rs"

[dependencies]
{name} = {{ path = "{path}" }}

[workspace]
"""


def unpack(crate: Path, folder: Path) -> Path:
    """The crate's one top folder, unpacked under `folder`."""
    with tarfile.open(crate) as archive:
        archive.extractall(folder, filter="data")
    (top,) = folder.iterdir()
    return top


def project(crate: Path, work: Path) -> Path:
    """A program's project on the unpacked crate."""
    package = unpack(crate, work / "crate")
    consumer = work / "consumer"
    consumer.mkdir()
    package_name = package.name.rsplit("-", 1)[0]
    (consumer / "Cargo.toml").write_text(MANIFEST.format(name=package_name, path=package.as_posix()), encoding="utf-8")
    (consumer / "main.rs").write_bytes(SOURCE.read_bytes())
    (consumer / "Cargo.lock").write_bytes((package / "Cargo.lock").read_bytes())
    return consumer


def main(argv: list[str]) -> int:
    folder, vectors = cases.arguments(argv)
    loaded = cases.load(vectors)
    env = dict(os.environ)
    with tempfile.TemporaryDirectory(prefix="rva-smoke-") as name:
        work = Path(name)
        if (folder / "Cargo.toml").is_file():
            consumer = folder
            (folder / "src" / "main.rs").write_bytes(SOURCE.read_bytes())
            env["CARGO_HOME"] = str(folder / "cargo-home")
        else:
            consumer = project(cases.only(folder, "*.crate"), work)
        inputs, results = work / "cases", work / "results"
        inputs.write_bytes(b"".join(cases.pack(case) for case in loaded))
        cargo = cases.command("CARGO", ["cargo"])
        manifest = ["--manifest-path", str(consumer / "Cargo.toml"), "--target-dir", str(work / "target")]
        run = [*cargo, "run", "--quiet", *manifest, "--", str(inputs), str(results)]
        # Cargo looks for its configuration from the folder in which it runs.
        done = subprocess.run(run, cwd=consumer, env=env, stdout=sys.stderr, check=False, timeout=900)
        if done.returncode != 0:
            raise SystemExit(f"{' '.join(run)} failed with exit code {done.returncode}")
        return cases.judge(loaded, cases.unpack(results.read_bytes()))


if __name__ == "__main__":
    raise SystemExit(main(sys.argv))
