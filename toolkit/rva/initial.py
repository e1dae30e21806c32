"""What `rva init` gives a Cargo workspace: platforms.toml, bindings that say the library's name, a smoke test for each."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any, Final

from msgspec import Struct

from rva import naming, render, resources
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
    "python": (("wheel", "", ("{python}", "tests/smoke/smoke.py", "wheel")), ("sdist", "", ())),
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

    @property
    def ident(self) -> str:
        """The name as Rust, C and Python spell it."""
        return self.name.replace("-", "_")


def find(root: Path, crate: str) -> Library:
    """The library crate of the workspace at ROOT: the one named, or the only one."""
    top = _read(root / "Cargo.toml")
    members = [m for pattern in top.get("workspace", {}).get("members", ()) for m in sorted(root.glob(pattern))]
    folders = [folder for folder in (*([root] if "package" in top else []), *members) if _is_library(folder)]
    found = {_read(f / "Cargo.toml")["package"]["name"]: f for f in folders}
    if crate and crate not in found:
        raise UsageError(f"no library crate here is named {crate!r}", fix=f"there are: {', '.join(found) or 'none'}")
    if not crate and len(found) != 1:
        known = ", ".join(found) or "none"
        raise UsageError(f"one library crate was wanted; found: {known}", fix="name it with --crate")
    name = crate or next(iter(found))
    return _library(root, top, name, found[name])


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
        pattern = r"^(\[workspace\][^\[]*?^members\s*=\s*\[)"
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
    if not (folder / "Cargo.toml").is_file():
        return False
    document = _read(folder / "Cargo.toml")
    return "package" in document and ("lib" in document or (folder / "src" / "lib.rs").is_file())


def _library(root: Path, top: dict[str, Any], name: str, folder: Path) -> Library:
    shared = top.get("workspace", {}).get("package", {})
    own = _read(folder / "Cargo.toml")["package"]
    facts = {key: shared.get(key) if isinstance(value, dict) else value for key, value in own.items()}
    source = shared.get("version") or top.get("package", {}).get("version")
    if source is None or facts.get("version") != source:
        raise UsageError(
            f"{name} has no version that other crates can share",
            fix='put version = "..." under [workspace.package] of Cargo.toml, and version.workspace = true in the crate',
        )
    if not facts.get("repository"):
        raise UsageError(f"{name} names no repository", fix='put repository = "https://..." in its Cargo.toml')
    return Library(
        name=name,
        folder=folder.relative_to(root).as_posix(),
        version=source,
        shared_version="version" in shared,
        description=(facts.get("description") or name).strip().rstrip("."),
        repository=facts["repository"].removesuffix(".git"),
        licence=facts.get("license") or "LicenseRef-unknown",
        maintainer=next(iter(facts.get("authors") or ()), f"The {name} authors"),
        licences=tuple(p.name for p in sorted(root.glob("LICEN[CS]E*")) if p.is_file()),
    )


def _values(library: Library, bindings: Sequence[str]) -> dict[str, Any]:
    recipes = [_recipe(library, binding, *spec) for binding in bindings for spec in _RECIPES[binding]]
    own = [library.folder] if library.folder != "." else ["src"]
    crate = {"name": "crate", "family": "native", "crate": library.name, "folder": library.folder, "smoke": ()}
    recipes.append({**crate, "package": library.name, "binary": library.ident, "sources": own})
    version = "version.workspace = true" if library.shared_version else f'version = "{library.version}"'
    return {
        **{field: getattr(library, field) for field in library.__struct_fields__},
        "ident": library.ident,
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
        "crate": f"{library.name}-{binding}",
        "folder": folder,
        "package": library.name + tail,
        "binary": library.name if dashed else library.ident,
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
