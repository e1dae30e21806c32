"""Node.js addons, by the napi CLI through npx; a stand-in for Windows by cargo, because the napi CLI refuses it.

The TypeScript layer over the addon and over WebAssembly, by tsc.
"""

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
    typescript_steps,
)

# How a JavaScript module is loaded: require or import.
FORMS = ("cjs", "esm")
# The files of bindings/js/src.
MODULES = ("backend", "errors", "install", "raw", "sdk", "stream", "types")


def addon(target: Target, triple: str, context: Context) -> Draft:
    """One addon with the declarations and the loader that the napi CLI writes for it."""
    recipe = recipe_of(target, context)
    profile = cargo_profile(context)
    name = naming.addon(recipe.binary, triple)
    needs = (*linker_needs(triple, context.host), "napi")
    if triple != target.triple:
        return _by_cargo(target, triple, context, name)
    cross = () if linker(triple, context.host) == "plain" else ("--cross-compile",)
    wanted = f"{triple}.{target.floor}" if target.libc == "glibc" and cross else triple
    step = Step(
        f"napi build for {triple}",
        (
            "npx", "--no-install", "napi", "build", "--platform", "--target", wanted, "--profile", profile, *cross,
            "--output-dir", "@stage@/out", "--target-dir", "@target@", "--js", "native.js", "--dts", "native.d.ts", "--", "--locked", "--offline",
        ),
        cwd=f"@root@/{recipe.folder}",
        env=environment(target, musl_flags(target, shared=True)),
    )  # fmt: skip
    outputs = (
        Output(name, "addon", f"@stage@/out/{name}"),
        Output("native.js", "glue", "@stage@/out/native.js"),
        Output("native.d.ts", "types", "@stage@/out/native.d.ts"),
    )
    return Draft(f"napi {context.matrix.tools['napi']}", shared_lane(target, triple), needs, (step,), outputs)


def javascript(target: Target, _triple: str, context: Context) -> Draft:
    """The TypeScript layer for require and for import, and the declarations of both npm packages."""
    folder = recipe_of(target, context).folder
    steps = typescript_steps(folder, context, FORMS)
    outputs = [Output(name, "types", f"@root@/{folder}/{name}") for name in ("index.d.ts", "index.d.mts")]
    for form in FORMS:
        outputs.append(Output(f"js/{form}/package.json", "glue", f"@root@/{folder}/{form}.package.json"))
        for module in MODULES:
            outputs.append(Output(f"js/{form}/{module}.js", "glue", f"@stage@/{form}/{module}.js"))
            outputs.append(Output(f"js/{form}/{module}.d.ts", "types", f"@stage@/{form}/{module}.d.ts"))
    return Draft("tsc", "any", ("napi",), steps, tuple(outputs))


def _by_cargo(target: Target, triple: str, context: Context, name: str) -> Draft:
    recipe = recipe_of(target, context)
    profile = cargo_profile(context)
    arguments = ("--profile", profile, "-p", recipe.crate)
    step = Step(
        f"cargo build {recipe.crate}", cargo(target, triple, context, "build", arguments), env=environment(target)
    )
    library = naming.shared(recipe.crate.replace("-", "_"), triple)
    source = f"@target@/{triple}/{profile_folder(profile)}/{library}"
    # napi-build's set-up for MinGW asks for a libnode to link; the addon finds its symbols at run time instead.
    needs = (*linker_needs(triple, context.host), "libnode")
    return Draft(tool_name(triple, context), triple, needs, (step,), (Output(name, "addon", source),))
