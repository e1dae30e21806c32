"""What `rva init` gives a Cargo workspace: platforms.toml, bindings that say the library's name, a smoke test for each."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, Final

from msgspec import Struct

from rva import naming, render, resources, tomlmap, words
from rva.errors import UsageError

BINDINGS: Final = ("node", "wasm", "python", "c", "cli")
_SYSTEMS: Final = (
    "x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu", "x86_64-unknown-linux-musl", "x86_64-apple-darwin",
    "aarch64-apple-darwin", "x86_64-pc-windows-msvc",
)  # fmt: skip
_HOMES: Final = ("web-baseline", "nodejs-baseline")
# Binding -> its recipes, each with the end of its package's name and the words that its smoke test takes.
_RECIPES: Final[dict[str, tuple[tuple[str, str, tuple[str, ...]], ...]]] = {
    "node": (("napi", "", ("{node}", "tests/smoke/smoke.cjs")),),
    "wasm": (("wasm", "-wasm", ("{node}", "tests/smoke/smoke.cjs")),),
    "python": tuple((recipe, "", ("{python}", "tests/smoke/smoke.py", "python")) for recipe in ("wheel", "sdist")),
    "c": (("c-library", "-c", ("{python}", "tests/smoke/smoke.py", "library")),),
    "cli": (("cli", "-cli", ("{python}", "tests/smoke/smoke.py", "program")),),
}
# Template -> where its text goes below bindings/NAME.
_FILES: Final[dict[str, dict[str, str]]] = {
    "node": {"Cargo.toml": "", "build.rs": "", "lib.rs": "src", "package.json": "", "package-lock.json": ""},
    "wasm": {"Cargo.toml": "", "lib.rs": "src", "package.json": ""},
    "python": {"Cargo.toml": "", "lib.rs": "src", "pyproject.toml": ""},
    "c": {"Cargo.toml": "", "build.rs": "", "lib.rs": "src", "cbindgen.toml": ""},
    "cli": {"Cargo.toml": "", "main.rs": "src"},
}
_PROFILES: Final = {
    "wasm-release": 'inherits = "release"\nopt-level = "z"\npanic = "abort"\nstrip = "debuginfo"\n',
    "ci": 'inherits = "release"\nlto = "thin"\ncodegen-units = 16\n',
}


class Library(Struct, frozen=True):
    """The crate that bindings are made for, and what its manifest says of it. ``folder`` is below the workspace."""

    name: str
    folder: str
    version: str
    shared_version: bool
    description: str
    repository: str
    licence: str
    maintainer: str
    licences: tuple[str, ...]
    # The crates of the workspace that have its version, and the line of Cargo.toml that says it, below which line.
    crates: tuple[str, ...]
    version_at: tuple[str, str]

    @property
    def ident(self) -> str:
        """The name as Rust, C and Python spell it."""
        return self.name.replace("-", "_")

    @property
    def package(self) -> str:
        """The name as every registry and package manager takes it."""
        return self.name.replace("_", "-").lower()


def find(root: Path, crate: str) -> Library:
    """The library crate of the workspace at ROOT: the one named, or the only one."""
    top = _read(root / "Cargo.toml")
    folders = _members(root, top)
    found = {_read(f / "Cargo.toml")["package"]["name"]: f for f in folders if _is_library(f)}
    if crate and crate not in found:
        raise UsageError(f"no library crate here is named {crate!r}", fix=f"there are: {', '.join(found) or 'none'}")
    if not crate and len(found) != 1:
        known = ", ".join(found) or "none"
        raise UsageError(f"one library crate was wanted; found: {known}", fix="name it with --crate")
    name = crate or next(iter(found))
    return _library(root, top, name, found)


def files(library: Library, bindings: Sequence[str]) -> dict[str, str]:
    """Path below the workspace -> text, for everything but what is made from platforms.toml."""
    values = _values(library, bindings)
    made = {
        "platforms.toml": _render("platforms.toml.j2", values),
        "tests/vectors/cases.json": _render("cases.json.j2", values),
        "tests/smoke/smoke.py": _render("smoke.py.j2", values),
        "tests/smoke/smoke.cjs": _render("smoke.cjs.j2", values),
    }
    for binding in bindings:
        for name, place in _FILES[binding].items():
            path = str(PurePosixPath("bindings", binding, place, name))
            made[path] = _render(f"{binding}/{name}.j2", values)
        if binding in ("node", "wasm", "python"):
            made[f"bindings/{binding}/README.md"] = _render("readme.md.j2", values)
    if "python" in bindings:
        made[f"bindings/python/python/{library.ident}/__init__.py"] = _render("python/init.py.j2", values)
    return made


def manifest(text: str, bindings: Sequence[str]) -> str:
    """The workspace's Cargo.toml with the bindings among its members, and the profiles that rva builds with."""
    wanted = [f"bindings/{binding}" for binding in bindings]
    top = tomllib.loads(text)
    members = top.get("workspace", {}).get("members")
    listed = ", ".join(f'"{path}"' for path in wanted)
    if "workspace" not in top:
        text = f"{text.rstrip()}\n\n[workspace]\nmembers = [{listed}]\n"
    elif members is None:
        text = re.sub(r"^\[workspace\][^\n]*\n", lambda m: f"{m[0]}members = [{listed}]\n", text, flags=re.MULTILINE)
    else:
        missing = ", ".join(f'"{p}"' for p in wanted if p not in members)
        between = ", " if members and missing else ""
        pattern = r"^(\[workspace\](?:(?!^\[).)*?^members\s*=\s*\[)"
        text = re.sub(pattern, lambda m: m[1] + missing + between, text, flags=re.MULTILINE | re.DOTALL)
    for name, body in _PROFILES.items():
        if name not in top.get("profile", {}):
            text = f"{text.rstrip()}\n\n[profile.{name}]\n{body}"
    if not set(wanted) <= set(tomllib.loads(text)["workspace"]["members"]):
        raise UsageError("the workspace's members could not be found in Cargo.toml", fix=f"add {listed} to them")
    return text


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(
            f"{path} cannot be read: {error}", fix="run rva init at the top of a Cargo workspace"
        ) from error


def _is_library(folder: Path) -> bool:
    return "lib" in _manifest(folder) or (folder / "src" / "lib.rs").is_file()


def _members(root: Path, top: dict[str, Any]) -> list[Path]:
    """The folders of the workspace's crates, without the bindings that an earlier run may have begun."""
    workspace = top.get("workspace", {})
    left_out = {root / path for path in (*workspace.get("exclude", ()), *(f"bindings/{b}" for b in BINDINGS))}
    members = [m for pattern in workspace.get("members", ()) for m in sorted(root.glob(pattern))]
    folders = dict.fromkeys((*([root] if "package" in top else []), *members))
    return [f for f in folders if f not in left_out and "package" in _manifest(f)]


def _manifest(folder: Path) -> dict[str, Any]:
    return _read(folder / "Cargo.toml") if (folder / "Cargo.toml").is_file() else {}


def _library(root: Path, top: dict[str, Any], name: str, libraries: Mapping[str, Path]) -> Library:
    shared, folder = top.get("workspace", {}).get("package", {}), libraries[name]
    own = _read(folder / "Cargo.toml")["package"]
    facts = {key: shared.get(key) if isinstance(value, dict) else value for key, value in own.items()}
    source = shared.get("version") or top.get("package", {}).get("version")
    if source is None or facts.get("version") != source:
        raise UsageError(
            f"{name} has no version that other crates can share",
            fix='put version = "..." under [workspace.package] of Cargo.toml, and version.workspace = true in the crate',
        )
    if not re.fullmatch(words.URL, repository := str(facts.get("repository") or "").removesuffix(".git")):
        raise UsageError(
            f"{name} names no repository with an https address", fix='put repository = "https://..." in its Cargo.toml'
        )
    return Library(
        name=name,
        folder=folder.relative_to(root).as_posix(),
        version=source,
        shared_version="version" in shared,
        description=_plain(facts.get("description")).rstrip(".") or name,
        repository=repository,
        licence=_plain(facts.get("license")) or "LicenseRef-unknown",
        maintainer=_plain(next(iter(facts.get("authors") or ()), "")) or f"The {name} authors",
        licences=tuple(p.name for p in sorted(root.glob("LICEN[CS]E*")) if p.is_file()),
        crates=_of_version(root, top, name),
        version_at=_version_at(root, source, ("workspace", "package") if "version" in shared else ("package",)),
    )


def _of_version(root: Path, top: dict[str, Any], name: str) -> tuple[str, ...]:
    """The library, and the other crates that take the workspace's version."""
    packages = [_manifest(folder)["package"] for folder in _members(root, top)]
    return tuple(p["name"] for p in packages if p["name"] == name or isinstance(p.get("version"), dict))


def _plain(text: object) -> str:
    """One line, without the characters that something which reads it might act on."""
    return re.sub(r"[$`\\{}\x00-\x1f\x7f]", "", " ".join(str(text or "").split()))[:500]


def _version_at(root: Path, version: str, table: tuple[str, ...]) -> tuple[str, str]:
    """The line of Cargo.toml that says the version, with a place for it, and the line before, which tells it from others."""
    text = (root / "Cargo.toml").read_text("utf-8")
    number = tomlmap.positions(text).get((*table, "version"), 0)
    before, line = ["", *text.splitlines()][number - 1 : number + 1] if number > 1 else ("", "")
    start, said, _ = line.strip().partition(version)
    if not (said and re.fullmatch(words.TEXT, before.strip())):
        raise UsageError(
            "Cargo.toml: the line of the version could not be told from others",
            fix=f'put version = "{version}" in a line of its own right below [{".".join(table)}]',
        )
    return f'{start}{{version}}"', before.strip()


def _places(library: Library, bindings: Sequence[str]) -> list[dict[str, Any]]:
    """Where the version is written: what `rva version set` changes and `rva version check` compares."""
    text, below = library.version_at
    rust, npm = 'version = "{version}"', '"version": "{version}"'
    made: list[dict[str, Any]] = [{"file": "Cargo.toml", "below": below, "text": text}]
    crates = sorted({*library.crates, *(f"{library.package}-{binding}" for binding in bindings)})
    made += [{"file": "Cargo.lock", "below": f'name = "{crate}"', "text": rust} for crate in crates]
    for binding in bindings:
        named = f"{library.package}-{binding}"
        if not library.shared_version:
            made.append({"file": f"bindings/{binding}/Cargo.toml", "below": f'name = "{named}"', "text": rust})
    if "node" in bindings:
        name = f'"name": "{library.package}",'
        made.append({"file": "bindings/node/package.json", "below": name, "text": npm})
        made.append({"file": "bindings/node/package-lock.json", "below": name, "text": npm, "count": 2})
    if "wasm" in bindings:
        name = f'"name": "{library.package}-wasm",'
        made.append({"file": "bindings/wasm/package.json", "below": name, "text": npm})
    return made


def _values(library: Library, bindings: Sequence[str]) -> dict[str, Any]:
    recipes = [_recipe(library, binding, *spec) for binding in bindings for spec in _RECIPES[binding]]
    own = [library.folder] if library.folder != "." else ["src"]
    crate: dict[str, Any] = {"name": "crate", "family": "native", "crate": library.name, "folder": library.folder}
    crate["smoke"] = ("{python}", "tests/smoke/smoke.py", "crate")
    recipes.append({**crate, "package": library.name, "binary": library.ident, "sources": own})
    version = "version.workspace = true" if library.shared_version else f'version = "{library.version}"'
    return {
        **{field: getattr(library, field) for field in library.__struct_fields__},
        "ident": library.ident,
        "package": library.package,
        "places": _places(library, bindings),
        "crate": library.name,
        "version_line": version,
        "version_text": library.version,
        "sources": ["Cargo.toml", "Cargo.lock", *library.licences],
        "triples": list(_SYSTEMS),
        "recipes": recipes,
        "rows": [row for recipe in recipes for row in _rows(recipe["name"])],
    }


def _recipe(library: Library, binding: str, recipe: str, tail: str, smoke: tuple[str, ...]) -> dict[str, Any]:
    folder = f"bindings/{binding}"
    own = library.folder if library.folder != "." else "src"
    dashed = recipe in ("napi", "cli")
    return {
        "name": recipe,
        "family": naming.family(recipe),
        "crate": f"{library.package}-{binding}",
        "folder": folder,
        "package": library.package + tail,
        "binary": library.package if dashed else library.ident,
        "sources": [own, folder],
        "smoke": smoke,
    }


def _rows(recipe: str) -> list[dict[str, str]]:
    if recipe == "wasm":
        places = [("wasm32-unknown-unknown", home) for home in _HOMES]
    else:
        places = [(triple, "default") for triple in (("any",) if recipe in ("sdist", "crate") else _SYSTEMS)]
    return [
        {
            "id": naming.row_id(recipe, triple, variant),
            "recipe": recipe,
            **({"triple": triple} if triple != "any" else {}),
            **({"variant": variant} if variant != "default" else {}),
            "priority": "P0" if triple in ("any", "wasm32-unknown-unknown", _SYSTEMS[0]) else "P1",
        }
        for triple, variant in places
    ]


def _render(template: str, values: dict[str, Any]) -> str:
    return render.render(resources.templates(), f"init/{template}", values)
