"""The C library, the Python packages, the Rust crate, and the tool that makes them."""

from __future__ import annotations

from rva import naming
from rva.model import Output, Step, Target
from rva.recipes.base import (
    Context,
    Draft,
    cargo,
    cargo_profile,
    environment,
    linker,
    linker_needs,
    musl_flags,
    profile_folder,
    recipe_of,
    shared_lane,
    tool_name,
)  # fmt: skip


def c_library(target: Target, triple: str, context: Context) -> Draft:
    """Shared and static library, header and pkg-config file."""
    recipe = recipe_of(target, context)
    profile = cargo_profile(context)
    header = f"{recipe.binary}.h"
    steps = (
        Step(
            f"cargo build {recipe.crate}",
            cargo(target, triple, context, "build", ("--profile", profile, "-p", recipe.crate, "--lib")),
            env=environment(target, musl_flags(target, shared=True)),
        ),
        Step(
            f"cbindgen {recipe.crate}",
            ("cbindgen", "--quiet", "--config", "cbindgen.toml", "--output", f"@stage@/{header}", "."),
            cwd=f"@root@/{recipe.folder}",
        ),
    )
    built = f"@target@/{triple}/{profile_folder(profile)}"
    shared, static = naming.shared(recipe.binary, triple), naming.static(recipe.binary, triple)
    values = {
        "name": context.matrix.project.name,
        "description": context.matrix.project.description,
        "url": context.matrix.project.repository,
        "version": context.matrix.version,
        "library": recipe.binary,
        "os": naming.split(triple).os,
        "libc": naming.split(triple).libc,
    }
    outputs = [
        Output(shared, "shared", f"{built}/{shared}"),
        Output(static, "static", f"{built}/{static}"),
        Output(header, "header", f"@stage@/{header}"),
        Output(f"{context.matrix.project.name}.pc", "pkgconfig", template="pkgconfig.pc.j2", values=values),
    ]
    if target.os == "win32":
        imports = naming.import_library(recipe.binary, triple)
        outputs.append(Output(imports, "static", f"{built}/{imports}"))
    needs = (*linker_needs(triple, context.host), "cbindgen")
    return Draft(tool_name(triple, context), shared_lane(target, triple), needs, steps, tuple(outputs))


def wheel(target: Target, triple: str, context: Context) -> Draft:
    """One abi3 wheel, by maturin; zig gives it the floor that its tag promises."""
    recipe = recipe_of(target, context)
    stands_in = triple != target.triple
    zig = ("--zig",) if linker(triple, context.host) == "zig" and not stands_in else ()
    tag = {"glibc": ("--compatibility", "manylinux_2_17"), "musl": ("--compatibility", "musllinux_1_2")}.get(
        target.libc, ()
    )
    step = Step(
        f"maturin build for {triple}",
        (
            "maturin", "build", "--locked", "--offline", "--profile", cargo_profile(context), "--target", triple, *zig, *tag,
            "--manifest-path", f"@root@/{recipe.folder}/Cargo.toml", "--out", "@stage@/out",
        ),
        env=environment(target, musl_flags(target, shared=True)),
    )  # fmt: skip
    name = naming.wheel(recipe.package, context.matrix.version, triple)
    needs = (*linker_needs(triple, context.host), "maturin", *(("zigcc",) if stands_in else ()))
    return Draft(
        f"maturin {context.matrix.tools['maturin']}",
        shared_lane(target, triple),
        needs,
        (step,),
        (Output(name, "wheel", f"@stage@/out/{name}"),),
    )


def sdist(target: Target, triple: str, context: Context) -> Draft:
    """The Python source package, by maturin."""
    recipe = recipe_of(target, context)
    step = Step(
        "maturin sdist",
        ("maturin", "sdist", "--manifest-path", f"@root@/{recipe.folder}/Cargo.toml", "--out", "@stage@/out"),
        env=environment(target),
    )
    name = naming.sdist(recipe.package, context.matrix.version)
    output = Output(name, "sdist", f"@stage@/out/{name}")
    return Draft(f"maturin {context.matrix.tools['maturin']}", "any", ("rust", "crates", "maturin"), (step,), (output,))


def tool(target: Target, _triple: str, context: Context) -> Draft:
    """A program that is Python alone, as one wheel for every system, by hatchling."""
    recipe = recipe_of(target, context)
    step = Step(
        "hatchling build",
        ("hatchling", "build", "--target", "wheel", "--directory", "@stage@/out"),
        cwd=f"@root@/{recipe.folder}",
        env={"SOURCE_DATE_EPOCH": environment(target)["SOURCE_DATE_EPOCH"]},
    )
    name = naming.pure_wheel(recipe.package, context.matrix.version)
    return Draft("hatchling", "any", ("package",), (step,), (Output(name, "wheel", f"@stage@/out/{name}"),))


def crate(target: Target, triple: str, context: Context) -> Draft:
    """The Rust crate: its content listed, packed, and built from the package."""
    recipe = recipe_of(target, context)
    select = ("--locked", "--offline", "--allow-dirty", "-p", recipe.crate)
    steps = (
        Step("cargo package --list", ("cargo", "package", "--list", *select), env=environment(target)),
        Step("cargo package", ("cargo", "package", *select), env=environment(target)),
    )
    name = naming.crate(recipe.crate, context.matrix.version)
    output = Output(name, "crate", f"@target@/package/{name}")
    return Draft("cargo", "any", ("rust", "crates"), steps, (output,))
