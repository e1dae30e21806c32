"""What every recipe is given and gives back, and the cargo command that serves a triple."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Struct

from rva import naming
from rva.model import Host, Matrix, Output, Recipe, Step, Target

# Compiled-in paths say nothing of the machine: checkout, cargo's home and build folders become fixed names.
REMAP = (
    "--remap-path-prefix=@root@=/source",
    "--remap-path-prefix=@target@=/target",
    "--remap-path-prefix=@cargo@=/cargo",
    # Where the sources of the standard library lie beside the compiler, rustc names those instead of /rustc/<hash>.
    "--remap-path-prefix=@cache@=/cache",
    "--remap-path-prefix=@rust@=/rust",
)
# rustc would bring its own start files for musl, which the overlay lacks and zig has.
_MUSL = ("-Clink-self-contained=no",)
# A library for a musl system is loaded by its dynamic linker: it must not hold a copy of libc.
_MUSL_SHARED = (*_MUSL, "-Ctarget-feature=-crt-static")
_SEPARATOR = "\x1f"


class Context(Struct, frozen=True):
    """What a recipe may look at besides its row."""

    matrix: Matrix
    host: Host
    profile: str


class Draft(Struct, frozen=True):
    """A recipe's answer for one row."""

    tool: str
    lane: str
    needs: tuple[str, ...]
    steps: tuple[Step, ...]
    outputs: tuple[Output, ...]


def recipe_of(target: Target, context: Context) -> Recipe:
    """The [recipes] table that the row follows."""
    return context.matrix.recipes[target.recipe]


def cargo_profile(context: Context, *, wasm: bool = False) -> str:
    """Cargo's profile for rva's: WebAssembly for the web has one of its own."""
    return "wasm-release" if wasm and context.profile != "dev" else context.profile


def profile_folder(profile: str) -> str:
    """Where cargo puts what it builds with a profile."""
    return "debug" if profile == "dev" else profile


def linker_needs(triple: str, host: Host) -> tuple[str, ...]:
    """The tools that compile and link for a triple on this host."""
    how = linker(triple, host)
    extra = {"zig": ("zig",), "xwin": ("msvc",), "plain": ()}[how]
    return ("rust", f"std:{triple}", "crates", *extra)


def linker(triple: str, host: Host) -> str:
    """How a triple is linked here: plain cargo where the system's own linker is right, zig or xwin elsewhere."""
    parts = naming.split(triple)
    if parts.cpu == "wasm32":
        return "plain"
    if parts.libc == "msvc":
        return "plain" if host.os == "win32" else "xwin"
    if parts.os == "darwin":
        return "plain" if host.os == "darwin" else "zig"
    return "zig"


def cargo(target: Target, triple: str, context: Context, verb: str, arguments: Sequence[str]) -> tuple[str, ...]:
    """cargo VERB for a triple, through the linker that serves it, at the row's floor."""
    how = linker(triple, context.host)
    wanted = f"{triple}.{target.floor}" if how == "zig" and target.libc == "glibc" else triple
    head = {
        "plain": ("cargo", verb),
        "zig": ("cargo-zigbuild", "zigbuild" if verb == "build" else verb),
        "xwin": ("cargo-xwin", "xwin", verb),
    }[how]
    return (*head, "--locked", "--offline", "--target", wanted, *arguments)


def musl_flags(target: Target, *, shared: bool) -> tuple[str, ...]:
    """The compiler flags that a row for musl needs besides its target."""
    if target.libc != "musl":
        return ()
    return _MUSL_SHARED if shared else _MUSL


def shared_lane(target: Target, triple: str) -> str:
    """The target folder of shared libraries: musl's are compiled with flags of their own."""
    return f"{triple}-shared" if target.libc == "musl" else triple


def environment(target: Target, flags: Sequence[str] = ()) -> dict[str, str]:
    """The environment of a compiling step: target folder, compiler flags, macOS floor, fixed time."""
    env = {
        "CARGO_TARGET_DIR": "@target@",
        "CARGO_ENCODED_RUSTFLAGS": _SEPARATOR.join((*REMAP, *flags)),
        "SOURCE_DATE_EPOCH": "315532800",
    }
    if target.os == "darwin":
        env["MACOSX_DEPLOYMENT_TARGET"] = target.floor
    return env


def tool_name(triple: str, context: Context) -> str:
    """The cargo front end that builds a triple here, with its version."""
    tools = context.matrix.tools
    names = {
        "plain": "cargo",
        "zig": f"cargo-zigbuild {tools['cargo-zigbuild']}",
        "xwin": f"cargo-xwin {tools['cargo-xwin']}",
    }
    return names[linker(triple, context.host)]


def typescript_steps(folder: str, context: Context, forms: Iterable[str]) -> tuple[Step, ...]:
    """One run of tsc for each form of modules, by the TypeScript that the Node.js binding's lock file brings."""
    return tuple(
        Step(
            f"tsc for {form}",
            ("npx", "--no-install", "tsc", "-p", f"@root@/{folder}/tsconfig.{form}.json", "--outDir", f"@stage@/{form}"),
            cwd=f"@root@/{context.matrix.recipes['napi'].folder}",
        )
        for form in forms
    )  # fmt: skip
