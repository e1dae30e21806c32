"""Existing checkers over the packages of dist/packages, each shown to fail on a package that is spoilt for it.

python tests/package/checkers.py FOLDER

with the Python of requirements/checkers.txt; FOLDER holds the programs of requirements/checkers-npm. What is left out, and why:
auditwheel on musl's wheels (its policy knows musl's library by Alpine's file name alone, and on a glibc system it reads a linker
script in its place); attw's rule on default exports for what `require` gives (it cannot see that `.default` is there; that it
is, is asked of Node.js here); cargo-deny's database of vulnerabilities, which lies on no registry of packages.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ROOT / "dist" / "packages"
SAMPLES = ROOT / "tests" / "toolkit" / "fixtures" / "platforms.zip"
MAIN, WASM = "ruvector-attention", "ruvector-attention-wasm"
HERE = Path(sys.executable).parent
# Entries of the WebAssembly package that are modules alone, as their documentation says.
MODULES_ONLY = ("web", "bundler")
# Names of CPython's that are no part of the stable interface, by their length: what a symbol can be renamed to.
UNSTABLE = {
    10: b"PyCode_New",
    11: b"PyFrame_New",
    12: b"PyRun_String",
    16: b"PyCode_GetVarnas",
    19: b"_PyLong_AsByteArray",
}

Files = dict[str, bytes]


def run(argv: Sequence[str | Path], cwd: Path = ROOT, **env: str) -> tuple[int, str]:
    """Exit status and all words of a command."""
    own = {"NO_COLOR": "1", "COLUMNS": "1000", "TERM": "dumb", **env}
    done = subprocess.run(
        [*map(str, argv)], cwd=cwd, env={**os.environ, **own}, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout + done.stderr


def opened(path: Path) -> Files:
    """The files of a wheel or tarball."""
    if path.suffix == ".whl":
        with zipfile.ZipFile(path) as archive:
            return {name: archive.read(name) for name in archive.namelist()}
    with tarfile.open(path) as tar:
        return {info.name: tar.extractfile(info).read() for info in tar if info.isfile()}  # type: ignore[union-attr]


def packed(files: Files, path: Path) -> Path:
    """The same as an archive again; a wheel's RECORD is made anew."""
    if path.suffix == ".whl":
        record = next(name for name in files if name.endswith("/RECORD"))
        files[record] = b""
        lines = []
        for name, body in files.items():
            digest = base64.urlsafe_b64encode(hashlib.sha256(body).digest()).rstrip(b"=").decode()
            lines.append(f"{name},,\n" if name == record else f"{name},sha256={digest},{len(body)}\n")
        files[record] = "".join(lines).encode()
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, body in files.items():
                archive.writestr(name, body)
        return path
    with tarfile.open(path, "w:gz") as tar:
        for name, body in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(body)
            tar.addfile(info, io.BytesIO(body))
    return path


def twine(paths: Sequence[Path]) -> str:
    """Descriptions that PyPI would refuse or show badly."""
    code, words = run([HERE / "twine", "check", "--strict", *paths])
    return words if code else ""


def contents(paths: Sequence[Path]) -> str:
    """Files that belong in no wheel, and modules that are missing."""
    code, words = run([HERE / "check-wheel-contents", *paths])
    return words if code else ""


def abi3(paths: Sequence[Path]) -> str:
    """Symbols of CPython outside the stable interface, or newer than the tag."""
    code, words = run([HERE / "abi3audit", "--strict", "--verbose", *paths])
    return words if code else ""


def manylinux(paths: Sequence[Path]) -> str:
    """Wheels whose tag promises more than their symbols and libraries allow."""
    faults = []
    for path in paths:
        code, words = run([HERE / "auditwheel", "show", "--json", path])
        told = json.loads(words[words.index("{") :])["overall_tag"] if code == 0 else words
        if told not in path.stem.split("-")[-1].split("."):
            faults.append(f"{path.name}: {told}")
    return "\n".join(faults)


def publint(programs: Path, paths: Sequence[Path]) -> str:
    """package.json against the files, as bundlers and Node.js read it."""
    ends = [run([programs / "publint", path, "--strict"]) for path in paths]
    return "\n".join(words for code, words in ends if code)


def types(programs: Path, paths: Sequence[Path]) -> str:
    """Types against scripts, for every way to import the package."""
    faults = []
    for path in paths:
        attw = [
            programs / "attw",
            path,
            "--format",
            "json",
            "--no-definitely-typed",
            "--ignore-rules",
            "false-export-default",
        ]
        wasm = path.name.startswith(f"{WASM}-")
        runs = [["--profile", "node16", *(["--exclude-entrypoints", *MODULES_ONLY] if wasm else [])]]
        runs += [["--profile", "esm-only", "--entrypoints", *MODULES_ONLY]] if wasm else []
        for more in runs:
            code, words = run([*attw, *more])
            faults += [f"{path.name}: {words}"] if code else []
    return "\n".join(faults)


def npm(paths: Sequence[Path]) -> str:
    """What `npm pack` would make of the package's own files: the same ones."""
    faults = []
    for path in paths:
        with tempfile.TemporaryDirectory(prefix="rva-checkers-") as name:
            files = {inner.removeprefix("package/"): body for inner, body in opened(path).items()}
            for inner, body in files.items():
                (Path(name) / inner).parent.mkdir(parents=True, exist_ok=True)
                (Path(name) / inner).write_bytes(body)
            argv = ["npm", "pack", "--dry-run", "--json", "--ignore-scripts", "--offline", "--loglevel=error"]
            code, words = run(argv, Path(name), npm_config_userconfig=os.devnull)
            found = {f["path"] for f in listed(words)} if code == 0 else set()
            if found != files.keys():
                faults.append(f"{path.name}: {sorted(found ^ files.keys())[:5]} {words[:300] if code else ''}")
    return "\n".join(faults)


def listed(words: str) -> list[dict[str, Any]]:
    """The files of `npm pack --json`, which gives a list up to npm 11 and an object by name after it."""
    # What npm has to say besides comes after it.
    told, _ = json.JSONDecoder().raw_decode(words)
    first: dict[str, Any] = next(iter(told.values())) if isinstance(told, dict) else told[0]
    files: list[dict[str, Any]] = first["files"]
    return files


def defaults(paths: Sequence[Path], every: Sequence[Path]) -> str:
    """Whether `require` gives the default export that the types declare; what attw cannot see."""
    libc = "process.report.getReport().header.glibcVersionRuntime ? 'gnu' : 'musl'"
    key = f"process.platform + '-' + process.arch + (process.platform === 'linux' ? '-' + ({libc}) : '')"
    host = run(["node", "-p", key])[1].strip()
    own = [path for path in every if f"-{host}" in path.name]
    with tempfile.TemporaryDirectory(prefix="rva-checkers-") as name:
        (Path(name) / "package.json").write_text("{}")
        argv = ["npm", "install", "--offline", "--ignore-scripts", "--no-audit", "--no-fund", *paths, *own]
        code, words = run(argv, Path(name))
        asked = [MAIN, WASM, f"{WASM}/nodejs"]
        script = (
            f"for (const n of {json.dumps(asked)}) if (typeof require(n).default !== 'function') throw new Error(n)"
        )
        if code == 0:
            code, words = run(["node", "-e", script], Path(name))
        return words if code else ""


def crates(settings: str) -> str:
    """Licences, sources and versions of the crates in Cargo.lock."""
    with tempfile.TemporaryDirectory(prefix="rva-checkers-") as name:
        config = Path(name) / "deny.toml"
        config.write_text(settings, "utf-8")
        argv = [HERE / "cargo-deny", "--locked", "--config", config, "check", "--hide-inclusion-graph"]
        code, words = run([*argv, "bans", "licenses", "sources"])
        return words if code else ""


def crates_checked() -> tuple[str, str]:
    """cargo-deny over the crates, and over the same where one licence is not allowed."""
    settings = (ROOT / "deny.toml").read_text("utf-8")
    faults = crates(settings)
    if "rejected" not in crates(settings.replace('"Unicode-3.0", ', "")):
        faults += "\ncargo-deny allows a licence that deny.toml does not list"
    verdict = "FAULTS" if faults else "sound"
    return f"cargo-deny check       Cargo.lock {verdict}; red where spoilt: a licence that is not listed", faults


def without_description(files: Files) -> None:
    """No long description: PyPI's page would be empty."""
    name = next(n for n in files if n.endswith("/METADATA"))
    head = files[name].split(b"\n\n")[0].splitlines()
    files[name] = b"\n".join(line for line in head if not line.startswith(b"Description-")) + b"\n"


def with_cache(files: Files) -> None:
    """Compiled files of one Python."""
    files["ruvector_attention/__pycache__/a.cpython-311.pyc"] = b"x"


def unstable(files: Files) -> None:
    """A symbol renamed to one outside the stable interface, wherever it stands as a whole word."""
    name = next(n for n in files if n.endswith(".abi3.so"))
    body = files[name]
    for candidate in (b"PyErr_Print", b"PyList_New", b"PyTuple_New", b"PyModule_GetName", b"PyLong_FromLong"):
        new = UNSTABLE.get(len(candidate), b"_Py" + b"Unstable_Nothing"[: len(candidate) - 3])
        if b"\0" + candidate + b"\0" in body:
            files[name] = body.replace(
                b"\0" + candidate + b"\0", b"\0" + new[: len(candidate)].ljust(len(candidate), b"x") + b"\0"
            )
            return
    raise AssertionError("the module holds none of the symbols that this test renames")


def newer_glibc(files: Files) -> None:
    """A module that needs glibc 2.34."""
    name = next(n for n in files if n.endswith(".abi3.so"))
    with zipfile.ZipFile(SAMPLES) as archive:
        files[name] = archive.read("odd/glibc-2.34")


def without_entry(files: Files) -> None:
    """The script that package.json names is gone."""
    del files["package/index.js"]


def without_types(files: Files) -> None:
    """No types for `import`."""
    del files["package/index.d.mts"]


def left_out(files: Files) -> None:
    """npm is told to leave a script out."""
    told = json.loads(files["package/package.json"])
    files["package/package.json"] = json.dumps({**told, "files": ["index.js"]}).encode()


class Case(NamedTuple):
    """A checker, what it reads, which package is spoilt for it, and what it then has to say."""

    name: str
    checker: Callable[[Sequence[Path]], str]
    paths: Sequence[Path]
    sample: Path
    spoil: Callable[[Files], None]
    said: str


def cases(programs: Path, python: list[Path], every: list[Path], scripts: list[Path]) -> Iterator[Case]:
    """Every checker; ``programs`` holds those of npm's registry."""
    wheels = [p for p in python if p.suffix == ".whl"]
    compiled = [p for p in wheels if not p.stem.endswith("-none-any")]
    glibc = [p for p in wheels if "manylinux" in p.name]
    x64 = next(p for p in glibc if "x86_64" in p.name)
    main = next(p for p in scripts if not p.name.startswith(f"{WASM}-"))
    yield Case("twine check --strict", twine, python, x64, without_description, "long_description")
    yield Case("check-wheel-contents", contents, wheels, x64, with_cache, "W001")
    yield Case("abi3audit --strict", abi3, compiled, x64, unstable, "non-ABI3 symbol")
    yield Case("auditwheel show", manylinux, glibc, x64, newer_glibc, "manylinux_2_34")
    yield Case(
        "publint --strict",
        partial(publint, programs),
        every,
        main,
        without_entry,
        "index.js but the file does not exist",
    )
    yield Case("attw", partial(types, programs), scripts, main, without_types, "UntypedResolution")
    yield Case("npm pack --dry-run", npm, every, main, left_out, "index.mjs")


def check(case: Case) -> tuple[str, str]:
    """A line for the table, and what is wrong."""
    faults = case.checker(case.paths)
    with tempfile.TemporaryDirectory(prefix="rva-checkers-") as folder:
        files = opened(case.sample)
        case.spoil(files)
        seen = case.checker([packed(files, Path(folder) / case.sample.name)])
    how = (case.spoil.__doc__ or "").strip()
    if case.said not in seen:
        faults += f"\n{case.name} does not say {case.said!r} of a package that was spoilt: {how}\n{seen}"
    verdict = "FAULTS" if faults else "sound"
    return f"{case.name:22} {len(case.paths):2} packages {verdict}; red where spoilt: {how}", faults


def packages(kind: str) -> list[Path]:
    """The release's packages of a kind, made where they are not there."""
    manifest = PACKAGES / "manifest.json"
    told = json.loads(manifest.read_text())["packages"] if manifest.is_file() else []
    if {"npm", "python"} - {p["kind"] for p in told}:
        code, words = run([ROOT / "rva", "package", "--quiet"])
        if code:
            sys.exit(words)
        told = json.loads(manifest.read_text())["packages"]
    return [PACKAGES / p["file"] for p in told if p["kind"] == kind and p["build"] == "release"]


def main() -> int:
    """Every checker; 1 where one finds a fault, or does not find one that is there."""
    programs = Path(sys.argv[1])
    python, every = packages("python"), packages("npm")
    platforms = ("-darwin-", "-linux-", "-win32-")
    scripts = [p for p in every if not any(word in p.name for word in platforms)]
    with ThreadPoolExecutor(max_workers=2) as pool:
        ends = [*pool.map(check, cases(programs, python, every, scripts)), crates_checked()]
    hidden = defaults(scripts, every)
    for line, _ in ends:
        print(line)
    faults = [text.strip() for _, text in ends if text] + ([f"default exports: {hidden}"] if hidden else [])
    print("\n".join(faults) or f"{len(ends)} checkers; 0 faults")
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main())
