"""platforms.toml -> Matrix. All faults at once, each with its line, the value and a suggestion."""

from __future__ import annotations

import difflib
import fnmatch
import re
import tomllib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from rva import naming
from rva.errors import MatrixError, UsageError
from rva.model import Matrix, MatrixFile, RowSpec, Target, schema

MAX_BYTES = 1_000_000
MAX_DEPTH = 12
_SHOWN = 40

Where = tuple[str | int, ...]


class Fault(Struct, frozen=True):
    """One thing wrong in platforms.toml."""

    where: Where
    message: str
    line: int = 0


def load(root: Path) -> Matrix:
    """Read and validate ROOT/platforms.toml; raise one MatrixError that names every fault."""
    path = root / "platforms.toml"
    text = _read(path)
    document = _parse(text, path)
    file = _convert(document)
    faults = (_structure_faults(document) if file is None else ()) or _meaning_faults(file, root)
    if faults or file is None:
        raise MatrixError(
            _report(path, text, faults), fix=f"mend {path.name}; its keys are described in platforms.schema.json"
        )
    return _resolve(file, _version(root))


def select(matrix: Matrix, wanted: Sequence[str], excluded: Sequence[str], host: str) -> tuple[Target, ...]:
    """The rows that --target and --exclude name, in the order of platforms.toml.

    A word is `all`, `host`, a family, a recipe, a row id, a triple, a priority, or a glob over ids and triples.
    A word that names no row is a UsageError with the nearest names.
    """
    keep: set[str] = set()
    for word in _words(wanted) or ["all"]:
        keep |= _matching(matrix, word, host)
    for word in _words(excluded):
        keep -= _matching(matrix, word, host)
    if not keep:
        raise UsageError("--exclude leaves no row to build", fix="see `rva plan` for the rows")
    return tuple(t for t in matrix.targets if t.id in keep)


def _words(values: Sequence[str]) -> list[str]:
    return [w for value in values for w in value.split(",") if w]


def _matching(matrix: Matrix, word: str, host: str) -> set[str]:
    if word == "all":
        return {t.id for t in matrix.targets}
    if word == "host":
        return {t.id for t in matrix.targets if t.triple in (host, "any") or t.cpu == "wasm32"}
    found = {t.id for t in matrix.targets if word in (t.id, t.family, t.recipe, t.triple, t.priority)}
    if not found and any(c in word for c in "*?["):
        found = {t.id for t in matrix.targets if fnmatch.fnmatchcase(t.id, word) or fnmatch.fnmatchcase(t.triple, word)}
    if not found:
        raise UsageError(
            f"no row is named by --target {word!r}",
            fix=_nearest(word, _selectors(matrix)) + "see `rva plan` for every row",
        )
    return found


def _selectors(matrix: Matrix) -> list[str]:
    names = {"all", "host"}
    for t in matrix.targets:
        names |= {t.id, t.family, t.recipe, t.triple}
    return sorted(names)


def _nearest(word: str, names: Iterable[str]) -> str:
    near = difflib.get_close_matches(word, list(names), n=3, cutoff=0.5)
    return f"did you mean {' or '.join(near)}? " if near else ""


def _read(path: Path) -> str:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise MatrixError(f"{path} does not exist", fix="run rva inside a project that has a platforms.toml") from None
    except OSError as error:
        raise MatrixError(f"{path} cannot be read: {error.strerror}") from None
    if len(data) > MAX_BYTES:
        raise MatrixError(f"{path} has {len(data)} bytes; {MAX_BYTES} is the limit")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise MatrixError(f"{path}:{line}: not UTF-8 text") from None


def _parse(text: str, path: Path) -> dict[str, Any]:
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise MatrixError(f"{path}: not valid TOML: {error}", fix="mend the line that the message names") from None
    except RecursionError:
        raise MatrixError(f"{path}: nested too deeply") from None
    if _depth(document) > MAX_DEPTH:
        raise MatrixError(f"{path}: nested deeper than {MAX_DEPTH} levels")
    return document


def _depth(document: object) -> int:
    """Depth without recursion: a hostile file must not reach Python's own limit."""
    deepest, stack = 0, [(document, 1)]
    while stack:
        value, depth = stack.pop()
        deepest = max(deepest, depth)
        children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        stack.extend((child, depth + 1) for child in children)
    return deepest


def _convert(document: dict[str, Any]) -> MatrixFile | None:
    try:
        return msgspec.convert(document, MatrixFile)
    except (msgspec.ValidationError, RecursionError, ValueError):
        return None


def _structure_faults(document: dict[str, Any]) -> tuple[Fault, ...]:
    """Every place where the document departs from the schema. Only run when there is at least one."""
    from jsonschema import Draft202012Validator

    found: list[Fault] = []
    for error in Draft202012Validator(schema()).iter_errors(_plain(document)):
        where = tuple(error.absolute_path)
        found.extend(_explain(where, error))
    unique = {(f.where, f.message): f for f in found}
    return tuple(unique.values()) or (
        Fault((), "the file does not have the shape that platforms.schema.json describes"),
    )


def _plain(value: Any) -> Any:
    """TOML's dates and the like as text, so that the schema sees JSON types only."""
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_plain(v) for v in value]
    return value if isinstance(value, (str, int, float, bool)) else f"<{type(value).__name__}>"


def _explain(where: Where, error: Any) -> Iterator[Fault]:
    rule, value = error.validator, error.instance
    if rule == "additionalProperties" and isinstance(error.validator_value, bool):
        known = list(error.schema.get("properties", ()))
        for key in value.keys() - set(known):
            yield Fault(
                (*where, key), f"unknown key {key!r}; {_nearest(key, known) or 'known keys: ' + ', '.join(known)}"
            )
    elif rule == "required":
        missing = [k for k in error.validator_value if k not in value]
        for key in missing:
            yield Fault(where, f"the key {key!r} is missing")
    elif rule == "enum":
        names = [str(n) for n in error.validator_value]
        yield Fault(where, f"{_show(value)} is not one of {', '.join(names)}; {_nearest(str(value), names)}")
    elif rule == "pattern":
        wanted = error.schema.get("description", f"text that matches {error.validator_value}")
        yield Fault(where, f"{_show(value)} is not allowed here; wanted: {wanted}")
    elif rule == "propertyNames":
        yield Fault(where, f"the name {_show(value)} is not allowed here")
    else:
        yield Fault(where, f"{_show(value)}: {error.message if len(error.message) < 200 else rule}")


def _show(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def _meaning_faults(file: MatrixFile | None, root: Path) -> tuple[Fault, ...]:
    """Faults that a schema cannot state: references, names that must agree, folders that must exist."""
    if file is None:
        return ()
    rules: tuple[Callable[[MatrixFile, Path], Iterator[Fault]], ...] = (
        _control_characters,
        _row_ids,
        _row_references,
        _row_names,
        _triples,
        _versions,
        _folders,
    )
    return tuple(fault for rule in rules for fault in rule(file, root))


def _control_characters(file: MatrixFile, _root: Path) -> Iterator[Fault]:
    # A pattern's `$` also matches before a final line feed, so this is asked of every string again.
    stack: list[tuple[Where, object]] = [((), msgspec.to_builtins(file))]
    while stack:
        where, value = stack.pop()
        if isinstance(value, dict):
            stack.extend(((*where, k), v) for k, v in value.items())
            stack.extend(((*where, k), k) for k in value)
        elif isinstance(value, (list, tuple)):
            stack.extend(((*where, i), v) for i, v in enumerate(value))
        elif isinstance(value, str) and re.search(r"[\x00-\x1f\x7f]", value):
            yield Fault(where, f"{_show(value)} holds a control character")


def _row_ids(file: MatrixFile, _root: Path) -> Iterator[Fault]:
    seen = Counter(row.id.lower() for row in file.rows)
    for i, row in enumerate(file.rows):
        if seen[row.id.lower()] > 1:
            yield Fault(("rows", i, "id"), f"the id {row.id!r} is used more than once")


def _row_references(file: MatrixFile, _root: Path) -> Iterator[Fault]:
    for i, row in enumerate(file.rows):
        if row.recipe not in file.recipes:
            yield Fault(("rows", i, "recipe"), f"{row.recipe!r} has no [recipes.{row.recipe}] table")
        if row.triple not in file.triples:
            near = _nearest(row.triple, file.triples)
            yield Fault(("rows", i, "triple"), f"{row.triple!r} has no line in [triples]; {near}")
    outputs = Counter((row.recipe, row.triple, row.variant) for row in file.rows)
    for i, row in enumerate(file.rows):
        if outputs[(row.recipe, row.triple, row.variant)] > 1:
            yield Fault(
                ("rows", i), f"{row.id!r} builds the same thing as another row (same recipe, triple and variant)"
            )


def _row_names(file: MatrixFile, _root: Path) -> Iterator[Fault]:
    for i, row in enumerate(file.rows):
        wanted = naming.row_id(row.recipe, row.triple, row.variant)
        if row.recipe in file.recipes and row.id != wanted:
            yield Fault(
                ("rows", i, "id"),
                f"{row.id!r} does not follow the scheme; its recipe, triple and variant make {wanted!r}",
            )


def _triples(file: MatrixFile, _root: Path) -> Iterator[Fault]:
    for name, spec in file.triples.items():
        parts = naming.split(name)
        if (parts.os, parts.cpu, parts.libc) != (spec.os, spec.cpu, spec.libc):
            yield Fault(
                ("triples", name),
                f"{name} means os {parts.os!r}, cpu {parts.cpu!r}, libc {parts.libc!r}; "
                f"found {spec.os!r}, {spec.cpu!r}, {spec.libc!r}",
            )
        if spec.stand_in and naming.split(spec.stand_in).cpu != spec.cpu:
            yield Fault(("triples", name, "stand_in"), f"{spec.stand_in} is for another processor than {name}")
        if spec.stand_in in file.triples:
            yield Fault(("triples", name, "stand_in"), f"{spec.stand_in} has rows of its own and cannot stand in")


def _versions(file: MatrixFile, _root: Path) -> Iterator[Fault]:
    known = naming.TOOLS
    for name in file.tools:
        if name not in known:
            yield Fault(("tools", name), f"unknown tool {name!r}; {_nearest(name, known)}")
    for name in known:
        if name not in file.tools:
            yield Fault(("tools",), f"the version of {name!r} is missing")


def _folders(file: MatrixFile, root: Path) -> Iterator[Fault]:
    def absent(path: str) -> bool:
        return not (root / path).exists()

    for i, path in enumerate(file.project.sources):
        if absent(path):
            yield Fault(("project", "sources", i), f"{path!r} does not exist")
    for name, recipe in file.recipes.items():
        if absent(recipe.folder):
            yield Fault(("recipes", name, "folder"), f"{recipe.folder!r} does not exist")
        for i, path in enumerate(recipe.sources):
            if absent(path):
                yield Fault(("recipes", name, "sources", i), f"{path!r} does not exist")


def _report(path: Path, text: str, faults: Sequence[Fault]) -> str:
    lines = _lines(text, [f.where for f in faults])
    placed = sorted(zip(lines, faults, strict=True), key=lambda pair: pair[0])
    shown = [f"  {path.name}:{line}: {_dotted(f.where)}{f.message.rstrip('; ')}" for line, f in placed[:_SHOWN]]
    more = [f"  and {len(placed) - _SHOWN} more"] if len(placed) > _SHOWN else []
    count = f"{len(placed)} fault" + ("s" if len(placed) != 1 else "")
    return "\n".join([f"{count} in {path}", *shown, *more])


def _dotted(where: Where) -> str:
    text = ""
    for part in where:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return _show(text)[1:-1] + ": " if text else ""


def _lines(text: str, wheres: Sequence[Where]) -> list[int]:
    from rva.tomlmap import positions

    known = positions(text)

    def line(where: Where) -> int:
        for length in range(len(where), 0, -1):
            if where[:length] in known:
                return known[where[:length]]
        return 1

    return [line(where) for where in wheres]


def _resolve(file: MatrixFile, version: str) -> Matrix:
    targets = tuple(_target(file, row) for row in file.rows)
    return Matrix(version, file.project, file.tools, file.recipes, targets, file.checks)


def _target(file: MatrixFile, row: RowSpec) -> Target:
    recipe, spec = file.recipes[row.recipe], file.triples[row.triple]
    return Target(
        id=row.id,
        family=recipe.family,
        recipe=row.recipe,
        triple=row.triple,
        variant=row.variant,
        priority=row.priority,
        os=spec.os,
        cpu=spec.cpu,
        libc=spec.libc,
        floor=spec.floor,
        runner=row.runner or spec.runner,
        stand_in=spec.stand_in,
    )


def _version(root: Path) -> str:
    """The one version source: [workspace.package] of Cargo.toml."""
    path = root / "Cargo.toml"
    try:
        version = tomllib.loads(path.read_text("utf-8"))["workspace"]["package"]["version"]
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise MatrixError(f"{path} has no version under [workspace.package] ({error})") from None
    if not isinstance(version, str) or not re.fullmatch(r"[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?", version):
        raise MatrixError(f"{path}: {version!r} is not a version such as 1.2.3")
    return version
