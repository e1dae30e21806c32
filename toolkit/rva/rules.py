"""What a schema cannot say of platforms.toml: references, names that must agree, folders that must exist.

Every rule reads the document as it was written and passes over what has another shape, which is the schema's matter.
So the faults of both come out together.
"""

from __future__ import annotations

import difflib
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any, Final

from msgspec import Struct

from rva import naming

Where = tuple[str | int, ...]
Document = dict[str, Any]

# Control and format characters (bidirectional overrides among them), separators of lines, surrogates, private use.
_INVISIBLE: Final = frozenset({"Cc", "Cf", "Zl", "Zp", "Cs", "Co"})
_SYSTEMS: Final = ("linux", "darwin", "win32")
_SERVES: Final[dict[str, tuple[str, ...]]] = {
    "wasm": ("web",), "wasi-command": ("wasi",), "wasi-reactor": ("wasi",), "js": ("any",), "wasm-js": ("any",), "sdist": ("any",), "crate": ("any",), "tool": ("any",),
    "napi": _SYSTEMS, "cli": _SYSTEMS, "c-library": _SYSTEMS, "wheel": _SYSTEMS,
}  # fmt: skip
_SHELLS: Final = frozenset(
    [
        "sh",
        "bash",
        "dash",
        "zsh",
        "ksh",
        "fish",
        "csh",
        "tcsh",
        "ash",
        "busybox",
        "env",
        "cmd",
        "powershell",
        "pwsh",
        "wsl",
        "xargs",
        "sudo",
    ]
)


class Fault(Struct, frozen=True):
    """One thing wrong in platforms.toml: the path of keys to it, and what to say."""

    where: Where
    message: str


def faults(document: Document, root: Path) -> Iterator[Fault]:
    """Every fault that the rules of this file find; ROOT is where the folders are looked for."""
    rules: tuple[Callable[[Document], Iterator[Fault]], ...] = (
        _characters,
        _row_ids,
        _row_references,
        _row_names,
        _families,
        _crates,
        _triples,
        _versions,
        _programs,
    )
    for rule in rules:
        yield from rule(document)
    yield from _folders(document, root)


def nearest(word: str, names: Iterable[str]) -> str:
    """A question that suggests the names most like a word, or nothing."""
    near = difflib.get_close_matches(word, list(names), n=3, cutoff=0.5)
    return f"did you mean {' or '.join(near)}? " if near else ""


def _table(document: Document, *keys: str) -> Document:
    value: Any = document
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}


def _items(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _rows(document: Document) -> Iterator[tuple[int, dict[str, str]]]:
    for i, row in enumerate(_items(document.get("rows"))):
        if isinstance(row, dict):
            texts = {k: v for k, v in row.items() if isinstance(v, str)}
            yield i, {"triple": "any", "variant": "default", **texts}


def _characters(document: Document) -> Iterator[Fault]:
    # A pattern's `$` also matches before a final line feed, so this is asked of every string again.
    stack: list[tuple[Where, object]] = [((), document)]
    while stack:
        where, value = stack.pop()
        if isinstance(value, dict):
            stack.extend(((*where, k), v) for k, v in value.items())
            stack.extend(((*where, k), k) for k in value)
        elif isinstance(value, list):
            stack.extend(((*where, i), v) for i, v in enumerate(value))
        elif isinstance(value, str) and any(unicodedata.category(c) in _INVISIBLE for c in value):
            yield Fault(where, f"{value[:60]!a} holds a character that controls text or cannot be seen")


def _row_ids(document: Document) -> Iterator[Fault]:
    seen = Counter(row["id"].lower() for _, row in _rows(document) if "id" in row)
    for i, row in _rows(document):
        if "id" in row and seen[row["id"].lower()] > 1:
            yield Fault(("rows", i, "id"), f"the id {row['id']!r} is used more than once")


def _row_references(document: Document) -> Iterator[Fault]:
    recipes, triples = _table(document, "recipes"), _table(document, "triples")
    rows = [(i, row) for i, row in _rows(document) if "recipe" in row]
    outputs = Counter((row["recipe"], row["triple"], row["variant"]) for _, row in rows)
    for i, row in rows:
        if row["recipe"] in _SERVES and row["recipe"] not in recipes:
            yield Fault(("rows", i, "recipe"), f"{row['recipe']!r} has no [recipes.{row['recipe']}] table")
        if row["triple"] not in triples:
            near = nearest(row["triple"], triples)
            yield Fault(("rows", i, "triple"), f"{row['triple']!r} has no line in [triples]; {near}")
        if outputs[(row["recipe"], row["triple"], row["variant"])] > 1:
            yield Fault(("rows", i), "builds the same thing as another row (same recipe, triple and variant)")


def _row_names(document: Document) -> Iterator[Fault]:
    for i, row in _rows(document):
        recipe = row.get("recipe", "")
        if recipe not in _SERVES:
            continue
        system = naming.split(row["triple"]).os
        variants = naming.VARIANTS.get(recipe, ("default",))
        if system not in _SERVES[recipe]:
            yield Fault(("rows", i, "triple"), f"{recipe} does not serve {row['triple']!r}")
        elif row["variant"] not in variants:
            near = nearest(row["variant"], variants) or f"known: {', '.join(variants)}"
            yield Fault(("rows", i, "variant"), f"{recipe} has no variant {row['variant']!r}; {near}")
        elif "id" in row and row["id"] != (wanted := naming.row_id(recipe, row["triple"], row["variant"])):
            yield Fault(
                ("rows", i, "id"),
                f"{row['id']!r} does not follow the scheme; its recipe, triple and variant make {wanted!r}",
            )


def _families(document: Document) -> Iterator[Fault]:
    for name in _table(document, "recipes"):
        family = _table(document, "recipes", name).get("family")
        if name in _SERVES and isinstance(family, str) and family != naming.family(name):
            yield Fault(("recipes", name, "family"), f"{name} belongs to {naming.family(name)!r}, not to {family!r}")


def _crates(document: Document) -> Iterator[Fault]:
    for name in _table(document, "recipes"):
        has_crate = "crate" in _table(document, "recipes", name)
        if name in _SERVES and has_crate == (name == "tool"):
            said = "is Python alone: it has no crate" if has_crate else "names no crate"
            yield Fault(("recipes", name), f"{name} {said}")


def _triples(document: Document) -> Iterator[Fault]:
    known = _table(document, "triples")
    for name in known:
        spec, parts = _table(known, name), naming.split(name)
        found = (spec.get("os"), spec.get("cpu"), spec.get("libc", "none"))
        if found != (parts.os, parts.cpu, parts.libc):
            yield Fault(
                ("triples", name),
                f"{name} means os {parts.os!r}, cpu {parts.cpu!r}, libc {parts.libc!r}; "
                f"found {', '.join(repr(f) for f in found)}",
            )
        if "floor" not in spec and (parts.libc == "glibc" or parts.os == "darwin"):
            yield Fault(("triples", name), "has no floor, the oldest glibc or macOS that an artifact may ask for")
        stand_in = spec.get("stand_in")
        if not isinstance(stand_in, str) or not stand_in:
            continue
        other = naming.split(stand_in)
        if (other.os, other.cpu) != (parts.os, parts.cpu):
            yield Fault(("triples", name, "stand_in"), f"{stand_in!r} is for another system or processor than {name}")
        if stand_in in known:
            yield Fault(("triples", name, "stand_in"), f"{stand_in!r} has rows of its own and cannot stand in")


def _versions(document: Document) -> Iterator[Fault]:
    tools = _table(document, "tools")
    for name in tools:
        if name not in naming.TOOLS:
            yield Fault(("tools", name), f"unknown tool {name!r}; {nearest(name, naming.TOOLS)}")
    for name in naming.TOOLS:
        if tools and name not in tools:
            yield Fault(("tools",), f"the version of {name!r} is missing")


def _programs(document: Document) -> Iterator[Fault]:
    """Commands are lists of arguments, and no shell may come in by the back door."""
    places: list[tuple[Where, object]] = [
        (("checks", i, "argv"), check.get("argv"))
        for i, check in enumerate(_items(document.get("checks")))
        if isinstance(check, dict)
    ]
    lanes = [lane if isinstance(lane, dict) else {} for lane in _items(document.get("lanes"))]
    places += [(("lanes", i, "argv"), lane.get("argv")) for i, lane in enumerate(lanes)]
    for field in ("runner", "compiler"):
        places += [(("lanes", i, field), lane.get(field, ["none"])) for i, lane in enumerate(lanes)]
    recipes = _table(document, "recipes")
    places += [(("recipes", name, "smoke"), _table(recipes, name).get("smoke")) for name in recipes]
    for where, argv in places:
        if argv == []:
            if where[-1] == "argv":
                yield Fault(where, "a command without a program")
        elif isinstance(argv, list) and isinstance(argv[0], str):
            program = PurePosixPath(argv[0]).name.lower().removesuffix(".exe")
            if program in _SHELLS:
                yield Fault((*where, 0), f"{argv[0]!r} would run its arguments as commands; name the program itself")


def _folders(document: Document, root: Path) -> Iterator[Fault]:
    recipes = _table(document, "recipes")
    lists: list[tuple[Where, object]] = [(("project", "sources"), _table(document, "project").get("sources"))]
    lists += [(("recipes", name, "sources"), _table(recipes, name).get("sources")) for name in recipes]
    wanted: list[tuple[Where, object]] = [((*w, i), path) for w, paths in lists for i, path in enumerate(_items(paths))]
    wanted += [(("recipes", name, "folder"), _table(recipes, name).get("folder")) for name in recipes]
    wanted.append((("project", "vectors"), _table(document, "project").get("vectors")))
    benches = _table(document, "bench")
    wanted += [(("bench", b, k), _table(benches, b).get(k)) for b in benches for k in ("script", "packages", "modules")]
    for where, path in wanted:
        # What is no plain path below the checkout is not looked for; the schema refuses it.
        if isinstance(path, str) and ".." not in path and path[:1] not in ("", "/") and _absent(root / path):
            yield Fault(where, f"{path!r} does not exist")


def _absent(path: Path) -> bool:
    try:
        return not path.exists()
    except (OSError, ValueError):  # a name that no file system takes
        return True
