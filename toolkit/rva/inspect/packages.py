"""Holds wheels, Python source packages and Rust crates against their row."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from email.parser import HeaderParser
from pathlib import PurePosixPath
from typing import Any

from rva import naming
from rva.inspect import native, secrets, tarball, wheel
from rva.inspect.wanted import Wanted


def check_wheel(data: bytes, wanted: Wanted, file_name: str) -> Iterator[str]:
    """The faults of a wheel: name, tags, record, version, licences and the one extension module inside."""
    facts = wheel.read(data)
    name = naming.wheel(wanted.recipe.package, wanted.matrix.version, wanted.triple)
    tags = frozenset(f"cp39-abi3-{p}" for p in naming.wheel_platform(wanted.triple).split("."))
    yield from _wheel(facts, wanted, file_name, name, tags)
    if facts.pure:
        yield "WHEEL calls it pure Python, and it holds a compiled module"
    yield from _extension(facts.extensions(), wanted)


def check_tool(data: bytes, wanted: Wanted, file_name: str) -> Iterator[str]:
    """The faults of a wheel of Python alone: those of any wheel, anything compiled, a program that it does not bring."""
    facts = wheel.read(data)
    name = naming.pure_wheel(wanted.recipe.package, wanted.matrix.version)
    yield from _wheel(facts, wanted, file_name, name, frozenset({"py3-none-any"}))
    if not facts.pure:
        yield "WHEEL does not call it pure Python"
    if facts.extensions():
        yield f"it holds compiled modules, and is Python alone: {_list(facts.extensions())}"
    if wanted.recipe.binary not in facts.programs:
        yield f"it brings the programs {_list(facts.programs)}; {wanted.recipe.binary} was wanted"


def check_sdist(data: bytes, wanted: Wanted, file_name: str) -> Iterator[str]:
    """The faults of a Python source package: name, PKG-INFO, a build description, licences."""
    facts = tarball.read(data)
    name = naming.sdist(wanted.recipe.package, wanted.matrix.version)
    yield from _tar_name(facts.folder, file_name, name, ".tar.gz")
    info = facts.files.get("PKG-INFO")
    if info is None:
        yield "PKG-INFO is missing"
    else:
        head = HeaderParser().parsestr(info.decode("utf-8", "replace"))
        yield from _identity(head.get("Name", ""), head.get("Version", ""), wanted)
    if "pyproject.toml" not in facts.files:
        yield "pyproject.toml is missing: pip could not build it"
    if not any(PurePosixPath(n).name == "Cargo.toml" for n in facts.files):
        yield "Cargo.toml is missing: there is nothing to build"
    yield from _licences(facts.files, wanted)
    yield from held(facts.files, wanted)


def check_crate(data: bytes, wanted: Wanted, file_name: str) -> Iterator[str]:
    """The faults of a packed crate: name, the version in Cargo.toml, sources, licences, no path dependencies."""
    facts = tarball.read(data)
    name = naming.crate(wanted.recipe.crate, wanted.matrix.version)
    yield from _tar_name(facts.folder, file_name, name, ".crate")
    yield from _cargo_toml(facts.files.get("Cargo.toml"), wanted)
    if not any(n.startswith("src/") and n.endswith(".rs") for n in facts.files):
        yield "no Rust source below src/"
    yield from _licences(facts.files, wanted)
    # Cargo writes the checkout's commit there, and no path.
    yield from held(facts.files, wanted)


def _wheel(facts: wheel.WheelFacts, wanted: Wanted, file_name: str, name: str, tags: frozenset[str]) -> Iterator[str]:
    if file_name != name:
        yield f"the file is called {file_name}; {name} was wanted"
    if facts.tags != tags:
        yield f"WHEEL names the tags {_list(facts.tags)}; {_list(tags)} were wanted"
    yield from facts.record_faults
    yield from _identity(facts.name, facts.version, wanted)
    yield from _licences(facts.files, wanted)
    yield from held(facts.files, wanted)


def held(files: Mapping[str, bytes], wanted: Wanted) -> Iterator[str]:
    """A fault for each file that holds one of the forbidden strings, or a secret."""
    for name, body in files.items():
        yield from (f"{name} holds {what}".lstrip() for what in secrets.found(name, body))
        for text in wanted.forbidden:
            # Whole names only: a home of /me is not meant by /menu. Nor does a home of / forbid every slash.
            hit = re.search(re.escape(text) + rb"(?![A-Za-z0-9_.-])", body) if len(text) > 3 else None
            if hit:
                where = f"{name} holds" if name else "holds"
                yield f"{where} the path {text.decode('utf-8', 'replace')!r} of the building machine (byte {hit.start()})"


def _extension(extensions: Mapping[str, bytes], wanted: Wanted) -> Iterator[str]:
    if len(extensions) != 1:
        yield f"one compiled module was wanted; found {_list(extensions)}"
        return
    [(name, body)] = extensions.items()
    ending = ".pyd" if wanted.target.os == "win32" else ".abi3.so"
    module = PurePosixPath(name).name
    if not module.endswith(ending) or (ending == ".pyd" and ".cp" in module):
        yield f"the module {name!r} does not end as an abi3 module here: {ending}"
    entry = f"PyInit_{module.split('.')[0]}"
    yield from (f"{name}: {fault}" for fault in native.check(body, wanted, entry))


def _identity(name: str, version: str, wanted: Wanted) -> Iterator[str]:
    if _normal(name) != _normal(wanted.recipe.package):
        yield f"its name is {name!r}; {wanted.recipe.package!r} was wanted"
    if version != naming.pep440(wanted.matrix.version):
        yield f"its version is {version!r}; {naming.pep440(wanted.matrix.version)!r} was wanted"


def _cargo_toml(body: bytes | None, wanted: Wanted) -> Iterator[str]:
    if body is None:
        yield "Cargo.toml is missing"
        return
    try:
        document = tomllib.loads(body.decode("utf-8"))
    except ValueError as error:
        yield f"Cargo.toml cannot be read: {error}"
        return
    package = _table(document, "package")
    found = (package.get("name"), package.get("version"))
    if found != (wanted.recipe.crate, wanted.matrix.version):
        yield f"Cargo.toml says {found[0]} {found[1]}; {wanted.recipe.crate} {wanted.matrix.version} was wanted"
    systems = _table(document, "target")
    for place in (document, *(_table(systems, system) for system in systems)):
        for name, value in (*_table(place, "dependencies").items(), *_table(place, "build-dependencies").items()):
            if isinstance(value, dict) and ("path" in value or "git" in value):
                yield f"the dependency {name!r} is not taken from a registry"


def _table(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = document.get(name)
    return found if isinstance(found, dict) else {}


def _tar_name(folder: str, file_name: str, wanted: str, ending: str) -> Iterator[str]:
    if file_name != wanted:
        yield f"the file is called {file_name}; {wanted} was wanted"
    if folder != wanted.removesuffix(ending):
        yield f"its top folder is {folder!r}; {wanted.removesuffix(ending)!r} was wanted"


def _licences(files: Iterable[str], wanted: Wanted) -> Iterator[str]:
    present = {PurePosixPath(name).name for name in files}
    for name in wanted.licences():
        if name not in present:
            yield f"the licence text {name} is missing"


def _normal(name: str) -> str:
    return name.lower().replace("_", "-")


def _list(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "none"
