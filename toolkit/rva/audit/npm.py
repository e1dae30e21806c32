"""One npm package: its package.json against its files, its binaries, and the packages of its platforms."""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from rva.audit import claims, javascript
from rva.audit.content import Files, against, binaries, error, leaks, warning
from rva.audited import Finding
from rva.inspect import wasm
from rva.inspect.machine import Machine
from rva.inspect.sniff import FormatError, sniff

_EXACT: Final = re.compile(r"[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?")
_SCRIPTS: Final = (
    "",
    ".js",
    ".json",
    ".node",
    ".mjs",
    ".cjs",
    "/index.js",
    "/index.json",
    "/index.node",
    "/package.json",
)
_TYPES: Final = ("", ".d.ts", ".ts", "/index.d.ts", "/package.json")


def manifest(files: Files) -> dict[str, Any]:
    """package.json; FormatError where it is missing or no object."""
    try:
        content = json.loads(files["package.json"].decode("utf-8-sig"))
    except KeyError as fault:
        raise FormatError("package.json is missing") from fault
    except ValueError as fault:
        raise FormatError(f"package.json cannot be read: {fault}") from fault
    if not isinstance(content, dict):
        raise FormatError("package.json is no object")
    return content


def platforms(main: Mapping[str, Any]) -> dict[str, str]:
    """Name -> version of the packages for one platform each that a main package asks for."""
    wanted = main.get("optionalDependencies")
    own = str(main.get("name", ""))
    found = {n: str(v) for n, v in wanted.items()} if isinstance(wanted, dict) else {}
    return {n: v for n, v in found.items() if n.startswith(f"{own}-") or claims.of_npm_name(n)}


def check(files: Files, name: str, version: str) -> tuple[list[str], list[Finding]]:
    """What a package's binaries are for, and its faults, by itself. ``name`` and ``version`` are those outside."""
    own = manifest(files)
    machines, findings = binaries(files)
    findings += _identity(own, name, version)
    findings += _named_files(own, files)
    findings += _platform(own, machines, files)
    findings += _modules(files)
    findings += leaks(files)
    return [facts.words for facts in machines.values()], findings


def skew(main: Mapping[str, Any]) -> Iterator[Finding]:
    """Platform packages of another version than the main one's."""
    own = str(main.get("version", ""))
    for name, version in platforms(main).items():
        if not name.startswith(f"{main.get('name')}-"):
            continue  # another project's, with versions of its own
        if not _EXACT.fullmatch(version):
            yield warning("version-skew", f"asks for {name} by the range {version!r}; an exact version was wanted")
        elif version != own:
            yield error("version-skew", f"is version {own} and asks for {name} {version}")


def types(files: Files, platform_files: Sequence[Files]) -> Iterator[Finding]:
    """Names that the main package's types declare and that exist nowhere at run time.

    Where a script's exports can be read, they are what counts; elsewhere a name that stands in no script and in no
    binary of any platform's package cannot exist.
    """
    own = manifest(files)
    scripts = {n: b for n, b in files.items() if n.endswith((".js", ".mjs", ".cjs", ".node", ".wasm"))}
    everywhere = [*scripts.values(), *(body for one in platform_files for body in one.values())]
    for entry, script in sorted(_typed_entries(own, files)):
        names = javascript.declared(files[entry].decode("utf-8", "replace"))
        known = javascript.exported(files[script].decode("utf-8", "replace")) if script in files else None
        if known is not None:
            absent, where = sorted(names - known), f"{script} does not export"
        else:
            absent = sorted(n for n in names if not any(n.encode() in body for body in everywhere))
            where = "stands in no script or binary of the package and its platforms"
        if absent:
            listed = ", ".join(absent[:8]) + (f" and {len(absent) - 8} more" if len(absent) > 8 else "")
            words = f"{entry} declares {listed}, which {where}"
            # Another package may bring the names in.
            yield (warning if own.get("dependencies") and known is None else error)("types", words)


def _identity(own: Mapping[str, Any], name: str, version: str) -> Iterator[Finding]:
    found = (own.get("name"), own.get("version"))
    if (name and found[0] != name) or (version and found[1] != version):
        yield error("identity", f"package.json says {found[0]}@{found[1]}; {name}@{version} was wanted")


def _named_files(own: Mapping[str, Any], files: Files) -> Iterator[Finding]:
    """Entry points that are named and absent."""
    for field, value in _entries(own):
        endings = _TYPES if field in ("types", "typings") or ".types" in field else _SCRIPTS
        if not _present(value, files, endings):
            yield error("file-absent", f"{field} names {value}, which is not in the package")


def _entries(own: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for field in ("main", "module", "types", "typings", "browser"):
        if isinstance(own.get(field), str):
            yield field, own[field]
    programs = own.get("bin")
    if isinstance(programs, str):
        yield "bin", programs
    elif isinstance(programs, dict):
        yield from ((f"bin.{n}", p) for n, p in programs.items() if isinstance(p, str))
    yield from _exports("exports", own.get("exports"))


def _exports(path: str, value: object) -> Iterator[tuple[str, str]]:
    if isinstance(value, str) and value.startswith("./") and "*" not in value and "*" not in path:
        yield path, value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _exports(f"{path}.{key}", inner)
    elif isinstance(value, list) and value:
        yield from _exports(path, value[0])


def _present(value: str, files: Files, endings: Sequence[str]) -> bool:
    path = posixpath.normpath(value)
    if path == ".":
        return any(f"index{e}" in files for e in endings)
    return any(f"{path}{e}" in files for e in endings) or (
        value.endswith("/") and any(n.startswith(f"{path}/") for n in files)
    )


def _platform(own: Mapping[str, Any], machines: Mapping[str, Machine], files: Files) -> Iterator[Finding]:
    name = str(own.get("name", ""))
    fields, by_name = claims.of_npm_fields(own), claims.of_npm_name(name)
    if fields and by_name:
        for word, said, meant in (
            ("os", fields.os, by_name.os), ("cpu", "".join(fields.cpus), "".join(by_name.cpus)), ("libc", fields.libc, by_name.libc),
        ):  # fmt: skip
            if said and meant and said != meant:
                yield error("contradicts-name", f"its name means {meant}; {word} of package.json says {said}")
    yield from against([c for c in (fields, by_name) if c], machines)
    if by_name and not machines and not any(sniff(body) == "WebAssembly" for body in files.values()):
        yield error(
            "no-binary", f"its name means {by_name.os} {by_name.cpus[0]}, and it holds no program, library or addon"
        )
    if by_name and by_name.libc and fields and fields.os == "linux" and not own.get("libc"):
        yield warning(
            "no-libc", f"it is for {by_name.libc} and has no libc field: npm installs it beside any C library"
        )


def _modules(files: Files) -> Iterator[Finding]:
    """WebAssembly modules that are damaged, or do not export what the types beside them declare."""
    for name, body in files.items():
        if not name.endswith(".wasm"):
            continue
        try:
            facts = wasm.read(body)
        except FormatError as fault:
            yield error("damaged", f"{name}: {fault}")
            continue
        beside = files.get(f"{name}.d.ts")
        if beside is not None:
            names = javascript.declared(beside.decode("utf-8", "replace")) - facts.exports.keys()
            if names:
                yield error(
                    "types", f"{name}.d.ts declares {', '.join(sorted(names)[:8])}, which the module does not export"
                )


def _typed_entries(own: Mapping[str, Any], files: Files) -> Iterator[tuple[str, str]]:
    """(types, script) for what `import` and `require` of the package's own name reach."""
    script = own.get("main") if isinstance(own.get("main"), str) else "index.js"
    for field in ("types", "typings"):
        if isinstance(own.get(field), str):
            entry = _found(own[field], files, _TYPES)
            if entry:
                yield entry, _found(str(script), files, _SCRIPTS)


def _found(value: str, files: Files, endings: Sequence[str]) -> str:
    path = posixpath.normpath(value)
    return next((f"{path}{e}" for e in endings if f"{path}{e}" in files), "")
