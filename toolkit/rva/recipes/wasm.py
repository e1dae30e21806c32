"""WebAssembly: packages for web, Node.js and bundlers by wasm-pack; WASI modules by cargo; the npm package's own code by
tsc."""

from __future__ import annotations

from pathlib import PurePosixPath

from rva import naming
from rva.model import Kind, Output, Step, Target
from rva.recipes.base import Context, Draft, cargo_profile, environment, profile_folder, recipe_of, typescript_steps

# What rustc is told for each instruction level.
FEATURES = {
    "baseline": (),
    "simd128": ("-Ctarget-feature=+simd128",),
    "relaxed-simd": ("-Ctarget-feature=+simd128,+relaxed-simd",),
}
# LLVM would give every pointer of a loop a counter of its own and add the constant part of an address by an instruction. That
# costs the registers that the arithmetic needs; left alone, a loop has one counter, and loads add constants for nothing.
FAST = ("-Cllvm-args=-disable-lsr",)
# A seventh smaller for 1 % of a call's time: docs/measured/wasm.md. What has to be inlined is marked so in the sources,
# and loops of known length, which the kernels are made of, are unrolled all the same.
SMALL = (
    "-Cllvm-args=-inline-threshold=0",
    "-Cllvm-args=-unroll-runtime=false",
    "-Cllvm-args=-unroll-allow-partial=false",
)

# What the npm package loads, beside what it shares with the native one: the files of bindings/wasm/js/src.
_SHARED = ("classes", "home", "levels", "methods", "pool", "prepared", "serve", "short")
MODULES = {
    "cjs": (*_SHARED, "node", "worker-node"),
    "esm": (*_SHARED, "web", "worker-web", "workerd", "level-baseline", "level-simd128", "level-relaxed-simd"),
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
        env=environment(target, (*FEATURES[level], *FAST, *SMALL)),
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


def javascript(target: Target, _triple: str, context: Context) -> Draft:
    """What chooses a module and keeps the workers, for require and for import."""
    folder = recipe_of(target, context).folder
    steps = typescript_steps(folder, context, MODULES)
    outputs = [Output("node.mjs", "glue", f"@root@/{folder}/node.mjs")]
    for form, modules in MODULES.items():
        # tsc keeps the places that the files have below bindings.
        compiled = f"@stage@/{form}/{PurePosixPath(folder).relative_to('bindings')}/src"
        outputs += [Output(f"js/{form}/{module}.js", "glue", f"{compiled}/{module}.js") for module in modules]
    return Draft("tsc", "any", ("napi",), steps, tuple(outputs))


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
        # All hosts that the modules are tested in have it.
        env=environment(target, (*FEATURES["simd128"], *FAST)),
    )
    source = f"@target@/{triple}/{profile_folder(profile)}/{file}"
    return Draft("cargo", triple, ("rust", f"std:{triple}", "crates"), (step,), (Output(file, "module", source),))
