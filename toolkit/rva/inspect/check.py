"""Holds a finished file against the promises of its row."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from rva.inspect import native, packages, wasm
from rva.inspect.sniff import FormatError
from rva.inspect.wanted import Wanted
from rva.model import Kind, Matrix, Target

_TEXTS = ("glue", "types", "header", "pkgconfig")
_WASI = "wasi_snapshot_preview1"


def check(
    path: Path, kind: Kind, target: Target, triple: str, matrix: Matrix, forbidden: tuple[bytes, ...] = ()
) -> tuple[str, ...]:
    """The faults of a file, as sentences of what was found and what was wanted; none where it is right.

    ``triple`` is the one really built for; a stand-in's differs from its row's. ``forbidden`` are byte strings that
    the file may not hold, such as the checkout's path.
    """
    wanted = Wanted(kind, target, triple, matrix, forbidden)
    try:
        data = path.read_bytes()
    except OSError as error:
        return (f"cannot be read: {error.strerror}",)
    if not data:
        return ("the file is empty",)
    faults = list(_size(data, wanted))
    try:
        faults += _content(path, data, wanted)
    except FormatError as error:
        faults.append(str(error))
    return tuple(faults)


def _size(data: bytes, wanted: Wanted) -> Iterator[str]:
    budget = wanted.recipe.budget.get(wanted.kind)
    if budget is not None and len(data) > budget:
        yield f"{len(data)} bytes; the budget for {wanted.kind} is {budget}"


def _content(path: Path, data: bytes, wanted: Wanted) -> Iterator[str]:
    kind = wanted.kind
    if kind == "wheel":
        check_wheel = packages.check_tool if wanted.target.recipe == "tool" else packages.check_wheel
        yield from check_wheel(data, wanted, path.name)
        return
    if kind == "sdist":
        yield from packages.check_sdist(data, wanted, path.name)
        return
    if kind == "crate":
        yield from packages.check_crate(data, wanted, path.name)
        return
    yield from packages.held({"": data}, wanted)
    if kind in _TEXTS:
        yield from _text(data, wanted)
    elif kind == "module":
        yield from _module(data, wanted)
    elif kind == "static":
        yield from native.check_static(data, wanted)
    else:
        if kind == "executable" and os.name == "posix" and wanted.target.os != "win32" and not os.access(path, os.X_OK):
            yield "not marked as executable"
        yield from native.check(data, wanted, "napi_register_module_v1" if kind == "addon" else "")


def _text(data: bytes, wanted: Wanted) -> Iterator[str]:
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise FormatError(f"not UTF-8 text: byte {error.start}") from error
    if not text.strip():
        yield "holds nothing but white space"
    if "\0" in text:
        yield "holds a NUL character, which no text does"
    if wanted.kind == "pkgconfig":
        versions = [line.split(":", 1)[1].strip() for line in text.splitlines() if line.startswith("Version:")]
        if versions != [wanted.matrix.version]:
            yield f"its version is {', '.join(versions) or 'missing'}; {wanted.matrix.version} was wanted"


def _module(data: bytes, wanted: Wanted) -> Iterator[str]:
    row = wanted.target
    if row.cpu != "wasm32":
        yield f"row {row.id} is for {row.cpu}, which has no files of the kind module"
        return
    facts = wasm.read(data, code=row.os == "web")
    if row.os == "web":
        yield from _web(facts, row)
    else:
        yield from _wasi(facts, row)


def _web(facts: wasm.WasmFacts, row: Target) -> Iterator[str]:
    """Each level holds its own kind of instruction, and none of a level above it."""
    if any(module.startswith("wasi") for module, _ in facts.imports):
        yield "imports WASI functions, which a browser does not have"
    level = row.variant.split("-", 1)[-1]
    if facts.threads:
        yield "holds thread instructions, which the row does not promise"
    if facts.relaxed_simd and level != "relaxed-simd":
        yield f"holds relaxed SIMD instructions; the level {level} was wanted"
    if facts.simd and level == "baseline":
        yield "holds SIMD instructions; the level baseline was wanted"
    if not facts.simd and level == "simd128":
        yield "holds no SIMD instruction; the level simd128 was wanted"
    if not facts.relaxed_simd and level == "relaxed-simd":
        yield "holds no relaxed SIMD instruction; the level relaxed-simd was wanted"


def _wasi(facts: wasm.WasmFacts, row: Target) -> Iterator[str]:
    for module in sorted({module for module, _ in facts.imports} - {_WASI}):
        yield f"imports from {module!r}; only {_WASI!r} is there"
    if facts.exports.get("memory") != "memory":
        yield "does not export its memory, which WASI functions need"
    starts = facts.exports.get("_start") == "func"
    if row.recipe == "wasi-command" and not starts:
        yield "does not export _start; a WASI command was wanted"
    if row.recipe == "wasi-reactor" and starts:
        yield "exports _start; a WASI reactor was wanted, which is called by function"
    if row.recipe == "wasi-reactor" and not [n for n, k in facts.exports.items() if k == "func"]:
        yield "exports no function"
