"""platforms.toml -> Matrix. All faults at once, each with its line, the value and a suggestion."""

from __future__ import annotations

import datetime
import fnmatch
import re
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from rva import rules
from rva.errors import MatrixError, UsageError
from rva.model import Matrix, MatrixFile, RowSpec, Target, schema
from rva.rules import Fault, Where, nearest

# Far above what a matrix needs, and low enough that no file within them is slow to read: tomllib's time grows with
# the square of a dotted key's length.
MAX_BYTES = 200_000
MAX_LINE = 1_000
MAX_DEPTH = 12
_SHOWN = 40
_WHERE = "run rva inside a checkout that has one; `rva init` gives one to a Cargo workspace"


def load(root: Path) -> Matrix:
    """Read and validate ROOT/platforms.toml; raise one MatrixError that names every fault."""
    path = root / "platforms.toml"
    text = _read(path)
    document = _parse(text, path)
    file = _convert(document)
    shape = _structure_faults(document) or (Fault((), file),) if isinstance(file, str) else ()
    faults = (*shape, *rules.faults(document, root))
    if faults or isinstance(file, str):
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
        keep |= _matching(matrix, word, host, "--target")
    for word in _words(excluded):
        keep -= _matching(matrix, word, host, "--exclude")
    if not keep:
        raise UsageError("--exclude leaves no row to build", fix="see `rva plan` for the rows")
    return tuple(t for t in matrix.targets if t.id in keep)


def shard(targets: Sequence[Target], wanted: str) -> tuple[Target, ...]:
    """Part I of N, from "I/N". Rows of one triple stay together: they share what is compiled."""
    part, slash, parts = wanted.partition("/")
    if not (slash and part.isascii() and part.isdigit() and parts.isascii() and parts.isdigit()):
        raise UsageError(f"--shard {_show(wanted)} is not I/N", fix="such as --shard 1/3")
    if not 1 <= int(part) <= int(parts) <= 1000:
        raise UsageError(f"--shard {wanted}: there is no such part", fix="I goes from 1 to N, N to 1000")
    groups: dict[str, list[Target]] = {}
    for target in targets:
        groups.setdefault(target.triple, []).append(target)
    loads = [0] * int(parts)
    mine: set[str] = set()
    for rows in sorted(groups.values(), key=len, reverse=True):
        least = loads.index(min(loads))
        loads[least] += len(rows)
        mine |= {t.id for t in rows} if least == int(part) - 1 else set()
    return tuple(t for t in targets if t.id in mine)


def _words(values: Sequence[str]) -> list[str]:
    return [w for value in values for w in value.split(",") if w]


def _matching(matrix: Matrix, word: str, host: str, option: str) -> set[str]:
    if word == "all":
        return {t.id for t in matrix.targets}
    if word == "host":
        return {t.id for t in matrix.targets if t.triple in (host, "any") or t.cpu == "wasm32"}
    found = {t.id for t in matrix.targets if word in (t.id, t.family, t.recipe, t.triple, t.priority)}
    if not found and any(c in word for c in "*?["):
        found = {t.id for t in matrix.targets if fnmatch.fnmatchcase(t.id, word) or fnmatch.fnmatchcase(t.triple, word)}
    if not found:
        raise UsageError(
            f"no row is named by {option} {_show(word)}",
            fix=nearest(word, _selectors(matrix)) + "see `rva plan` for every row",
        )
    return found


def _selectors(matrix: Matrix) -> list[str]:
    names = {"all", "host"}
    for t in matrix.targets:
        names |= {t.id, t.family, t.recipe, t.triple}
    return sorted(names)


def _read(path: Path) -> str:
    try:
        # Reading a pipe or a device might never end.
        if path.exists() and not path.is_file():
            raise MatrixError(f"{path} is not a file")
        with path.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise MatrixError(f"there is no platforms.toml in {path.parent} or above", fix=_WHERE) from None
    except OSError as error:
        raise MatrixError(f"{path} cannot be read: {error.strerror}") from None
    if len(data) > MAX_BYTES:
        raise MatrixError(f"{path} has more than {MAX_BYTES} bytes, which is the limit")
    for number, line in enumerate(data.split(b"\n"), 1):
        if len(line) > MAX_LINE:
            raise MatrixError(f"{path}:{number}: a line of {len(line)} bytes; {MAX_LINE} is the limit")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise MatrixError(f"{path}:{data[: error.start].count(10) + 1}: not UTF-8 text") from None


def _parse(text: str, path: Path) -> dict[str, Any]:
    try:
        document = tomllib.loads(text)
    except ValueError as error:
        found = re.search(r"at line ([0-9]+)", str(error))
        line = found[1] if found else text.count("\n") + 1
        raise MatrixError(f"{path}:{line}: not valid TOML: {error}", fix="mend that line") from None
    except RecursionError:
        raise MatrixError(f"{path}:{_deep_line(text)}: nested deeper than {MAX_DEPTH} levels") from None
    where = _too_deep(document)
    if where:
        raise MatrixError(f"{path}:{_lines(text, [where])[0]}: nested deeper than {MAX_DEPTH} levels")
    return document


def _deep_line(text: str) -> int:
    """The line where brackets nest too deeply, in a text that no parser could read to the end."""
    depth = 0
    for number, line in enumerate(text.split("\n"), 1):
        depth += sum(line.count(c) for c in "[{") - sum(line.count(c) for c in "]}")
        if depth > MAX_DEPTH:
            return number
    return 1


def _too_deep(document: dict[str, Any]) -> Where:
    """The first place below MAX_DEPTH levels; found without recursion, which a hostile file would exhaust."""
    stack: list[tuple[Where, object]] = [((), document)]
    while stack:
        where, value = stack.pop()
        if len(where) >= MAX_DEPTH:
            return where
        if isinstance(value, dict):
            stack.extend(((*where, key), child) for key, child in value.items())
        elif isinstance(value, list):
            stack.extend(((*where, i), child) for i, child in enumerate(value))
    return ()


def _convert(document: dict[str, Any]) -> MatrixFile | str:
    """The document as frozen types, or a sentence that says where the first thing stands that does not fit."""
    try:
        return msgspec.convert(document, MatrixFile)
    except (ValueError, RecursionError) as error:  # msgspec's ValidationError is a ValueError
        return str(error) or "nested too deeply"


def _structure_faults(document: dict[str, Any]) -> tuple[Fault, ...]:
    """Every place where the document departs from the schema. Only run when there is at least one."""
    from jsonschema import Draft202012Validator
    from jsonschema.validators import extend

    # TOML tells whole numbers from others, which JSON does not.
    whole = Draft202012Validator.TYPE_CHECKER.redefine(
        "integer", lambda _checker, value: isinstance(value, int) and not isinstance(value, bool)
    )
    validator = extend(Draft202012Validator, type_checker=whole)(schema())  # type: ignore[no-untyped-call]
    found = [f for error in validator.iter_errors(document) for f in _explain(tuple(error.absolute_path), error)]
    return tuple({(f.where, f.message): f for f in found}.values())


def _explain(where: Where, error: Any) -> Iterator[Fault]:
    rule, value = error.validator, error.instance
    if "propertyNames" in list(error.absolute_schema_path)[-2:]:
        where = (*where, value)  # the name itself is wrong, and stands where its table or key begins
    if rule == "additionalProperties" and isinstance(error.validator_value, bool):
        known = list(error.schema.get("properties", ()))
        for key in sorted(value.keys() - set(known)):
            yield Fault(
                (*where, key), f"unknown key {key!r}; {nearest(key, known) or 'known keys: ' + ', '.join(known)}"
            )
    elif rule == "required":
        missing = [k for k in error.validator_value if k not in value]
        for key in missing:
            yield Fault(where, f"the key {key!r} is missing")
    elif rule == "enum":
        names = [str(n) for n in error.validator_value]
        yield Fault(where, f"{_show(value)} is not one of {', '.join(names)}; {nearest(str(value), names)}")
    elif rule == "pattern":
        wanted = error.schema.get("description", f"text that matches {error.validator_value}")
        yield Fault(where, f"{_show(value)} is not allowed here; wanted: {wanted}")
    else:
        yield Fault(where, error.message if len(error.message) < 200 else f"{_show(value)}: {rule}")


def _show(value: object) -> str:
    text = str(value) if isinstance(value, (datetime.date, datetime.time)) else repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


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
    return Matrix(
        version,
        file.project,
        file.tools,
        file.recipes,
        targets,
        file.checks,
        file.bench,
        file.lanes,
        file.packages,
        file.release,
    )


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
    """The one version source: [workspace.package] of Cargo.toml, or its [package] where the workspace has one crate."""
    path = root / "Cargo.toml"
    try:
        top = tomllib.loads(path.read_text("utf-8"))
        shared = top.get("workspace", {}).get("package", {})
        version = shared["version"] if "version" in shared else top["package"]["version"]
    except (OSError, AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise MatrixError(f"{path} has no version under [workspace.package] ({error})") from None
    if not isinstance(version, str) or not re.fullmatch(r"[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?", version):
        raise MatrixError(f"{path}: {version!r} is not a version such as 1.2.3")
    return version
