"""The command line program, by cargo."""

from __future__ import annotations

from rva import naming
from rva.model import Output, Step, Target
from rva.recipes.base import (
    Context,
    Draft,
    cargo,
    cargo_profile,
    environment,
    linker_needs,
    musl_flags,
    profile_folder,
    recipe_of,
    tool_name,
)


def program(target: Target, triple: str, context: Context) -> Draft:
    """One executable; static on musl."""
    recipe = recipe_of(target, context)
    profile = cargo_profile(context)
    flags = musl_flags(target, shared=False)
    arguments = ("--profile", profile, "-p", recipe.crate, "--bin", recipe.binary)
    step = Step(
        f"cargo build {recipe.crate}",
        cargo(target, triple, context, "build", arguments),
        env=environment(target, flags),
    )
    name = naming.executable(recipe.binary, triple)
    output = Output(name, "executable", f"@target@/{triple}/{profile_folder(profile)}/{name}")
    return Draft(tool_name(triple, context), triple, linker_needs(triple, context.host), (step,), (output,))
