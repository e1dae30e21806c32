"""WebAssembly: packages for web, Node.js and bundlers by wasm-pack; WASI modules by cargo."""

from __future__ import annotations

from rva import naming
from rva.model import Kind, Output, Step, Target
from rva.recipes.base import Context, Draft, cargo_profile, environment, profile_folder, recipe_of

# What rustc is told for each instruction level.
FEATURES = {
    "baseline": (),
    "simd128": ("-Ctarget-feature=+simd128",),
    "relaxed-simd": ("-Ctarget-feature=+simd128,+relaxed-simd",),
}


def package(target: Target, triple: str, context: Context) -> Draft:
    """A wasm-pack package. The homes of one instruction level share a target folder, so cargo compiles once."""
    recipe = recipe_of(target, context)
    home, level = target.variant.split("-", 1)
    name = recipe.binary
    step = Step(
        f"wasm-pack for {home}, {level}",
        (
            "wasm-pack", "--log-level", "warn", "build", f"@root@/{recipe.folder}",
            "--mode", "no-install", "--target", home, "--out-dir", "@stage@/pkg", "--out-name", name,
            "--no-pack", "--profile", cargo_profile(context, wasm=True), "--", "--locked", "--offline",
        ),
        env=environment(target, FEATURES[level]),
    )  # fmt: skip
    parts: list[tuple[str, Kind]] = [
        (f"{name}_bg.wasm", "module"),
        (f"{name}.js", "glue"),
        (f"{name}.d.ts", "types"),
        (f"{name}_bg.wasm.d.ts", "types"),
    ]
    if home == "bundler":
        parts.append((f"{name}_bg.js", "glue"))
    outputs = tuple(Output(file, kind, f"@stage@/pkg/{file}") for file, kind in parts)
    tool = f"wasm-pack {context.matrix.tools['wasm-pack']}"
    needs = ("rust", f"std:{triple}", "crates", "wasm-pack", "wasm-bindgen", "wasm-opt")
    return Draft(tool, f"{triple}-{level}", needs, (step,), outputs)


def command(target: Target, triple: str, context: Context) -> Draft:
    """The command line program as a WASI command."""
    return _wasi(target, triple, context, "--bins", naming.executable(recipe_of(target, context).binary, triple))


def reactor(target: Target, triple: str, context: Context) -> Draft:
    """The C ABI as a WASI reactor."""
    return _wasi(target, triple, context, "--lib", f"{recipe_of(target, context).binary}.wasm")


def _wasi(target: Target, triple: str, context: Context, part: str, file: str) -> Draft:
    recipe = recipe_of(target, context)
    profile = cargo_profile(context)
    step = Step(
        f"cargo build {recipe.crate}",
        ("cargo", "build", "--locked", "--offline", "--target", triple, "--profile", profile, "-p", recipe.crate, part),
        env=environment(target),
    )
    source = f"@target@/{triple}/{profile_folder(profile)}/{file}"
    return Draft("cargo", triple, ("rust", f"std:{triple}", "crates"), (step,), (Output(file, "module", source),))
