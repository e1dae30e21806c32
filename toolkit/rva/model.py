"""The frozen types that pass between the stages, as JSON too: Matrix -> Plan -> Manifest -> packages -> verdicts."""

from __future__ import annotations  # noqa: I001

from typing import Annotated, Any, Literal, get_args

import msgspec
from msgspec import Meta, Struct

from rva.words import (
    ArgumentStr, Bytes, NameStr, PackageStr, PathStr, PlaceStr, RootStr, TextStr, TripleStr, UrlStr, VersionStr,
)  # fmt: skip

Family = Literal["wasm", "napi", "cli", "native"]
Priority = Literal["P0", "P1", "P2"]
RecipeName = Literal[
    "wasm", "wasi-command", "wasi-reactor", "napi", "js", "wasm-js", "cli", "c-library", "wheel", "sdist", "crate", "tool"
]  # fmt: skip
Kind = Literal[
    "addon", "module", "glue", "types", "executable", "shared", "static", "header", "pkgconfig", "wheel", "sdist", "crate"
]  # fmt: skip
PackageKind = Literal["npm", "python", "crate", "c", "cli", "system", "manager", "installer", "sbom"]
Destination = Literal["npm", "pypi", "cargo", "github"]
Pack = Literal["npm", "copy", "tar.gz", "tar.zst", "zip", "deb", "rpm"]
Build = Literal["native", "cross", "stand-in"]
Status = Literal["current", "build", "unavailable"]

# msgspec's schema leaves out that these names are the only keys allowed.
RecipeKeys = Meta(extra_json_schema={"propertyNames": {"enum": list(get_args(RecipeName))}})
PackageKindKeys = Meta(extra_json_schema={"propertyNames": {"enum": list(get_args(PackageKind))}})
KindKeys = Meta(extra_json_schema={"propertyNames": {"enum": list(get_args(Kind))}})
DestinationKeys = Meta(extra_json_schema={"propertyNames": {"enum": list(get_args(Destination))}})


class Project(Struct, frozen=True, forbid_unknown_fields=True):
    """What is shipped: names and addresses that appear in more than one place."""

    name: NameStr
    description: TextStr
    repository: UrlStr
    licence: TextStr
    vectors: PathStr
    sources: tuple[PathStr, ...]
    maintainer: TextStr = ""
    # A folder with a lock file of npm's: programs that lanes name as {node-18} and the like.
    runtimes: PathStr | None = None
    # What `rva demo` runs; the port comes last.
    demo: tuple[ArgumentStr, ...] = ()


class Check(Struct, frozen=True, forbid_unknown_fields=True):
    """One command of `rva test`."""

    name: NameStr
    stage: Literal["lint", "unit", "package"]
    argv: tuple[ArgumentStr, ...]
    cwd: PathStr = "."
    needs: tuple[NameStr, ...] = ()
    # What it compiles for, with rva's own compiler; "any" is the host, with the compiler on PATH.
    triple: TripleStr = "any"
    # Programs of the system: where one is missing, the check is not run.
    system: tuple[NameStr, ...] = ()


class Lane(Struct, frozen=True, forbid_unknown_fields=True):
    """How artifacts are run elsewhere than directly: ``argv``, as a recipe's smoke test, on machines of the triple ``host``.

    The consumer is told of ``runner`` and ``compiler``; an emulator finds the other system's libraries in ``sysroot``.
    """

    name: NameStr
    recipe: RecipeName
    triple: TripleStr
    argv: tuple[ArgumentStr, ...]
    how: Literal["run", "emulated", "loads"] = "run"
    variant: NameStr = "any"
    runner: tuple[ArgumentStr, ...] = ()
    compiler: tuple[ArgumentStr, ...] = ()
    system: tuple[NameStr, ...] = ()
    sysroot: RootStr = ""
    env: dict[NameStr, NameStr] = {}
    host: TripleStr = "x86_64-unknown-linux-gnu"


class Bench(Struct, frozen=True, forbid_unknown_fields=True):
    """One comparison of `rva bench`: the script that measures, the crates it calls, and whom it compares with."""

    script: PathStr
    crate: NameStr
    modules: PathStr
    packages: PathStr | None = None
    wasm: NameStr | None = None
    # It compares what is in dist/, and needs Node.js and wasmtime to run it.
    artifacts: bool = False


class Packages(Struct, frozen=True, forbid_unknown_fields=True):
    """What holds for packages: the largest size of one of a kind."""

    budget: Annotated[dict[PackageKind, Bytes], PackageKindKeys] = {}


class Place(Struct, frozen=True, forbid_unknown_fields=True):
    """Where the version is written: ``text`` is in the file ``count`` times, each in the line after the line ``below``."""

    file: PathStr
    text: PlaceStr
    below: TextStr | None = None
    count: Annotated[int, Meta(ge=1, le=100)] = 1


class Releases(Struct, frozen=True, forbid_unknown_fields=True):
    """What holds for releases: the places of the version, the changelog, and whose the names are in each registry."""

    places: tuple[Place, ...] = ()
    changelog: PathStr | None = None
    # Registry -> the accounts of which one has to own each package.
    owners: Annotated[dict[Destination, tuple[NameStr, ...]], DestinationKeys] = {}


class Recipe(Struct, frozen=True, forbid_unknown_fields=True):
    """One thing that is built for many platforms: its crate, folder, names, smoke test and size budget."""

    family: Family
    folder: PathStr
    package: PackageStr
    binary: NameStr
    sources: tuple[PathStr, ...]
    crate: NameStr = ""  # what cargo compiles; a tool, which is Python alone, has none
    smoke: tuple[ArgumentStr, ...] = ()
    budget: Annotated[dict[Kind, Bytes], KindKeys] = {}
    # What makes the program write its completions and manual pages to the folder that is named last.
    documents: tuple[ArgumentStr, ...] = ()


class TripleSpec(Struct, frozen=True, forbid_unknown_fields=True):
    """What a target triple means: its system, its floor, who builds it in CI, what stands in for it locally."""

    os: Literal["linux", "darwin", "win32", "web", "wasi", "any"]
    cpu: Literal["x64", "arm64", "arm", "wasm32", "any"]
    libc: Literal["glibc", "musl", "msvc", "none"] = "none"
    floor: VersionStr = "0"
    runner: NameStr = "ubuntu-24.04"
    stand_in: TripleStr = ""


class RowSpec(Struct, frozen=True, forbid_unknown_fields=True):
    """One row as platforms.toml writes it."""

    id: NameStr
    recipe: RecipeName
    triple: TripleStr = "any"
    variant: NameStr = "default"
    priority: Priority = "P2"
    runner: NameStr = ""


class MatrixFile(Struct, frozen=True, forbid_unknown_fields=True):
    """platforms.toml as a whole."""

    schema_version: Literal[1]
    project: Project
    tools: dict[NameStr, VersionStr]
    recipes: Annotated[dict[RecipeName, Recipe], RecipeKeys]
    triples: dict[TripleStr, TripleSpec]
    rows: Annotated[tuple[RowSpec, ...], Meta(min_length=1)]
    checks: tuple[Check, ...] = ()
    lanes: tuple[Lane, ...] = ()
    bench: dict[NameStr, Bench] = {}
    packages: Packages = Packages()
    release: Releases = Releases()


class Target(Struct, frozen=True):
    """One row of the matrix with everything that its triple and recipe say of it."""

    id: str
    family: Family
    recipe: RecipeName
    triple: str
    variant: str
    priority: Priority
    os: str
    cpu: str
    libc: str
    floor: str
    runner: str
    stand_in: str


class Matrix(Struct, frozen=True):
    """The validated table: what everything else reads."""

    version: str
    project: Project
    tools: dict[str, str]
    recipes: dict[RecipeName, Recipe]
    targets: tuple[Target, ...]
    checks: tuple[Check, ...]
    bench: dict[str, Bench] = {}
    lanes: tuple[Lane, ...] = ()
    packages: Packages = Packages()
    release: Releases = Releases()


class Host(Struct, frozen=True):
    """The machine that rva runs on."""

    triple: str
    os: str
    cpu: str
    libc: str
    cpus: int


class Step(Struct, frozen=True):
    """One command. Paths start with a placeholder: @root@, @target@, @stage@, @home@ or @tools@."""

    title: str
    argv: tuple[str, ...]
    cwd: str = "@root@"
    env: dict[str, str] = {}


class Output(Struct, frozen=True):
    """One file that a row leaves in dist: copied from ``source``, or rendered from ``template`` with ``values``."""

    name: str
    kind: Kind
    source: str = ""
    template: str = ""
    values: dict[str, str] = {}


class RowPlan(Struct, frozen=True):
    """What is to be done for one row, as data: which tools, which commands, which files come out."""

    id: str
    family: Family
    recipe: RecipeName
    triple: str
    build: Build
    status: Status
    tool: str
    folder: str
    lane: str
    needs: tuple[str, ...]
    steps: tuple[Step, ...]
    outputs: tuple[Output, ...]
    key: str = ""
    missing: tuple[str, ...] = ()
    reason: str = ""
    fix: str = ""


class Plan(Struct, frozen=True):
    """The rows that a run would build, in the order of platforms.toml, stand-ins after their rows."""

    version: str
    profile: str
    rows: tuple[RowPlan, ...]


class Artifact(Struct, frozen=True):
    """One finished file of dist/."""

    id: str
    family: Family
    triple: str
    path: str
    size: int
    sha256: str
    kind: Kind
    build: Build
    tool: str
    duration_s: float


class Manifest(Struct, frozen=True):
    """dist/manifest.json: every finished file, written last."""

    version: str
    commit: str
    artifacts: tuple[Artifact, ...]
    schema_version: int = 1


class RowResult(Struct, frozen=True):
    """How one row of a run ended."""

    id: str
    family: Family
    triple: str
    build: Build
    status: Literal["built", "current", "unavailable", "failed", "not-run"]
    duration_s: float = 0.0
    files: int = 0
    size: int = 0
    reason: str = ""
    fix: str = ""


class Smoke(Struct, frozen=True):
    """What running one row's artifact on the reference cases gave."""

    id: str
    status: Literal["pass", "fail", "not-run"]
    passed: int = 0
    failed: int = 0
    cached: bool = False
    duration_s: float = 0.0
    reason: str = ""


class Report(Struct, frozen=True):
    """The whole of one `rva build`, as --json prints it."""

    version: str
    rows: tuple[RowResult, ...]
    smoke: tuple[Smoke, ...]
    seconds: float
    manifest: str = "dist/manifest.json"
    exit_code: int = 0


class Part(Struct, frozen=True):
    """One file of a package: copied from ``source``, a path below the checkout, or written from ``text`` or ``data``."""

    path: str
    source: str = ""
    text: str = ""
    data: bytes = b""
    executable: bool = False


class Package(Struct, frozen=True):
    """One thing that a registry or a person takes, as data: what it is made of and how it is packed.

    ``file`` is its path below dist/packages, ``folder`` the top folder of an archive. ``build`` is stand-in where a
    part of it is one: such a package is for trying out on this machine; its place or a mark keeps it from registries.
    """

    file: str
    kind: PackageKind
    name: str
    rows: tuple[str, ...]
    parts: tuple[Part, ...]
    pack: Pack
    folder: str = ""
    build: Literal["release", "stand-in"] = "release"


class Gap(Struct, frozen=True):
    """A package that was not made, or lacks something, why, and what to do."""

    package: str
    reason: str
    fix: str = ""


class Packed(Struct, frozen=True):
    """One finished package. ``last`` is its size in the last release, 0 where that held none."""

    file: str
    kind: PackageKind
    name: str
    rows: tuple[str, ...]
    build: Literal["release", "stand-in"]
    size: int
    sha256: str
    last: int = 0


class PackageManifest(Struct, frozen=True):
    """dist/packages/manifest.json: every finished package, written last. ``rows``: those that were asked for."""

    version: str
    commit: str
    packages: tuple[Packed, ...]
    gaps: tuple[Gap, ...]
    rows: tuple[str, ...] = ()
    schema_version: int = 1


def to_json(value: object) -> str:
    """Any of these types as indented JSON text, keys in the order of the fields."""
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n"


def schema() -> dict[str, Any]:
    """The JSON schema of platforms.toml, for editors and for the report of faults."""
    return msgspec.json.schema(MatrixFile)
