"""The only place where file names, tags and ids are spelled."""

from __future__ import annotations

from typing import Final, Literal

from msgspec import Struct

# The tools whose versions [tools] of platforms.toml must give.
TOOLS: Final = (
    "rust", "node", "napi", "maturin", "zig", "cargo-zigbuild", "cargo-xwin", "wasm-pack", "wasm-bindgen",
    "binaryen", "cbindgen", "wasmtime",
)  # fmt: skip

_ID_PREFIX: Final = {
    "wasm": "wasm", "wasi-command": "wasm", "wasi-reactor": "wasm", "napi": "napi", "js": "napi-js", "wasm-js": "wasm-js", "cli": "cli",
    "c-library": "native-c", "wheel": "native-wheel", "sdist": "native-sdist", "crate": "native-crate",
    "tool": "native-tool",
}  # fmt: skip

# The variants of the recipes that have any.
VARIANTS: Final = {
    "wasm": tuple(f"{home}-{level}" for home in ("web", "nodejs", "bundler") for level in ("baseline", "simd128", "relaxed-simd")),
    "wasi-command": ("cli",),
    "wasi-reactor": ("reactor",),
}  # fmt: skip

_CPUS: Final = {"x86_64": "x64", "aarch64": "arm64", "armv7": "arm", "wasm32": "wasm32"}


class Parts(Struct, frozen=True):
    """What a target triple says."""

    os: str
    cpu: str
    libc: str


def split(triple: str) -> Parts:
    """Operating system, processor and C library of a Rust target triple, in Node's words."""
    if triple == "any":
        return Parts("any", "any", "none")
    cpu = _CPUS.get(triple.split("-")[0], "unknown")
    if cpu == "wasm32":
        return Parts("wasi" if "wasi" in triple else "web", cpu, "none")
    if "-linux-" in triple:
        return Parts("linux", cpu, "musl" if "musl" in triple else "glibc")
    if triple.endswith("-apple-darwin"):
        return Parts("darwin", cpu, "none")
    if "-windows-" in triple:
        return Parts("win32", cpu, "msvc" if triple.endswith("-msvc") else "none")
    return Parts("unknown", cpu, "none")


def family(recipe: str) -> str:
    """The family that a recipe belongs to."""
    return _ID_PREFIX[recipe].split("-")[0]


def row_id(recipe: str, triple: str, variant: str) -> str:
    """The stable id of a row: <family>-<triple>[-<variant>], without what the family makes obvious."""
    prefix = _ID_PREFIX[recipe]
    if triple == "any":
        return prefix
    if recipe == "wasm":
        return f"{prefix}-{variant}"
    short = triple.removeprefix("wasm32-")
    return f"{prefix}-{short}" + ("" if variant == "default" else f"-{variant}")


def export_folder(row: str) -> str:
    """Folder name of a row outside dist/: wasm-web-baseline is known as web, wasm-web-simd128 as web-simd."""
    if not row.startswith("wasm-"):
        return row
    return row.removeprefix("wasm-").removesuffix("-baseline").replace("-simd128", "-simd")


def addon(binary: str, triple: str) -> str:
    """File name of a Node.js addon, as the napi CLI and its loaders spell it."""
    return f"{binary}.{addon_abi(triple)}.node"


def addon_abi(triple: str) -> str:
    """The platform part of an addon's name, such as linux-x64-gnu."""
    parts = split(triple)
    if parts.os == "darwin":
        return f"darwin-{parts.cpu}"
    if parts.os == "win32":
        return f"win32-{parts.cpu}-{triple.rsplit('-', 1)[1]}"
    tail = triple.rsplit("-", 1)[1]
    return f"linux-{parts.cpu}-{tail}"


def executable(binary: str, triple: str) -> str:
    """File name of a program."""
    return binary + {"win32": ".exe", "wasi": ".wasm"}.get(split(triple).os, "")


def shared(binary: str, triple: str) -> str:
    """File name of a shared library."""
    return {"win32": f"{binary}.dll", "darwin": f"lib{binary}.dylib"}.get(split(triple).os, f"lib{binary}.so")


def static(binary: str, triple: str) -> str:
    """File name of a static library."""
    return f"{binary}.lib" if triple.endswith("-msvc") else f"lib{binary}.a"


def import_library(binary: str, triple: str) -> str:
    """File name of the import library that goes with a Windows DLL."""
    return f"{binary}.dll.lib" if triple.endswith("-msvc") else f"lib{binary}.dll.a"


def wheel_platform(triple: str) -> str:
    """The platform tag of a wheel, floors included: glibc 2.17, musl 1.2, macOS 10.12 or 11.0."""
    machine = {"x64": "x86_64", "arm64": "aarch64", "arm": "armv7l"}.get(split(triple).cpu, "unknown")
    parts = split(triple)
    if parts.os == "linux":
        return (
            f"musllinux_1_2_{machine}" if parts.libc == "musl" else f"manylinux2014_{machine}.manylinux_2_17_{machine}"
        )
    if parts.os == "darwin":
        return "macosx_11_0_arm64" if parts.cpu == "arm64" else "macosx_10_12_x86_64"
    return "win_arm64" if parts.cpu == "arm64" else "win_amd64"


def wheel(package: str, version: str, triple: str) -> str:
    """File name of an abi3 wheel."""
    return f"{_dist(package)}-{pep440(version)}-cp39-abi3-{wheel_platform(triple)}.whl"


def pure_wheel(package: str, version: str) -> str:
    """File name of a wheel of Python alone, which every system takes."""
    return f"{_dist(package)}-{pep440(version)}-py3-none-any.whl"


def sdist(package: str, version: str) -> str:
    """File name of a Python source package."""
    return f"{_dist(package)}-{pep440(version)}.tar.gz"


def crate(name: str, version: str) -> str:
    """File name of a packed Rust crate."""
    return f"{name}-{version}.crate"


def pep440(version: str) -> str:
    """A SemVer version as Python writes it: 1.2.3-rc.1 becomes 1.2.3rc1."""
    from packaging.version import InvalidVersion, Version

    try:
        return str(Version(version))
    except InvalidVersion:
        return version


def npm_package(package: str, triple: str) -> str:
    """Name of the npm package that holds one platform's addon, as the napi CLI spells it."""
    return f"{package}-{addon_abi(triple)}"


def npm_tarball(package: str, version: str) -> str:
    """File name that `npm pack` gives a package: a scope's sign goes, its slash becomes a dash."""
    return f"{package.lstrip('@').replace('/', '-')}-{version}.tgz"


def npm_libc(libc: str) -> str:
    """The C library as npm's `libc` field spells it; empty where npm has no word for it."""
    return libc if libc in ("glibc", "musl") else ""


def archive(package: str, version: str, triple: str) -> str:
    """Name of an archive of one platform's files, without its ending: also the name of its top folder."""
    return f"{package}-{version}-{triple}"


def packages(recipe: str, package: str, binary: str, version: str, triple: str) -> tuple[str, ...]:
    """The files that a finished row becomes below dist/packages: the one scheme, for every family."""
    top = archive(package, version, triple)
    if recipe == "napi":
        return (f"npm/{npm_tarball(npm_package(package, triple), version)}",)
    if recipe in ("wasm", "js"):
        return (f"npm/{npm_tarball(package, version)}",)
    if recipe == "wheel":
        return (f"python/{wheel(package, version, triple)}",)
    if recipe == "sdist":
        return (f"python/{sdist(package, version)}",)
    if recipe == "tool":
        return (f"python/{pure_wheel(package, version)}",)
    if recipe == "crate":
        return (f"crate/{crate(package, version)}",)
    if recipe in ("c-library", "wasi-reactor"):
        return (f"c/{top}.{endings(triple)[0]}",)
    if recipe in ("cli", "wasi-command"):
        archives = tuple(f"cli/{top}.{end}" for end in endings(triple))
        if split(triple).libc != "glibc":
            return archives
        return (*archives, f"system/{deb(binary, version, triple)}", f"system/{rpm(binary, version, triple)}")
    return ()


def download(repository: str, version: str) -> str:
    """Where the files of a release are fetched from."""
    return f"{repository}/releases/download/v{version}"


def endings(triple: str) -> tuple[Literal["zip", "tar.gz", "tar.zst"], ...]:
    """How the archives of a program end: what each system opens by itself, and a smaller one for installers."""
    return ("zip",) if split(triple).os == "win32" else ("tar.gz", "tar.zst")


def deb(package: str, version: str, triple: str) -> str:
    """File name of a Debian package, revision 1; a pre-release sorts before its release."""
    return f"{package}_{version.replace('-', '~', 1)}-1_{deb_architecture(triple)}.deb"


def rpm(package: str, version: str, triple: str) -> str:
    """File name of an RPM package, release 1."""
    return f"{package}-{version.replace('-', '~', 1)}-1.{rpm_architecture(triple)}.rpm"


def deb_architecture(triple: str) -> str:
    """The processor as Debian calls it."""
    return {"x64": "amd64", "arm64": "arm64", "arm": "armhf"}[split(triple).cpu]


def rpm_architecture(triple: str) -> str:
    """The processor as RPM calls it."""
    return {"x64": "x86_64", "arm64": "aarch64", "arm": "armv7hl"}[split(triple).cpu]


def package_file(file: str, *, stand_in: bool) -> str:
    """Where a package lies below dist/packages; what holds a stand-in is kept apart."""
    return f"stand-in/{file}" if stand_in else file


def floor(system: str, libc: str, version: str) -> str:
    """The oldest system that a row promises to run on, as people say it."""
    if libc == "glibc":
        return f"glibc {version}"
    return f"macOS {version}" if system == "darwin" else "any" if libc == "musl" else "Windows 10"


def dist_folder(family: str, row: str, *, stand_in: bool) -> str:
    """Where a row's files lie, below dist/."""
    return f"stand-in/{row}" if stand_in else f"{family}/{row}"


def _dist(package: str) -> str:
    return package.replace("-", "_").lower()
