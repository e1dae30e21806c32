"""Which function serves which recipe name of platforms.toml."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from rva.model import RecipeName, Target
from rva.recipes import cli, native, node, wasm
from rva.recipes.base import Context, Draft

RECIPES: Final[dict[RecipeName, Callable[[Target, str, Context], Draft]]] = {
    "wasm": wasm.package,
    "wasi-command": wasm.command,
    "wasi-reactor": wasm.reactor,
    "napi": node.addon,
    "js": node.javascript,
    "wasm-js": wasm.javascript,
    "cli": cli.program,
    "c-library": native.c_library,
    "wheel": native.wheel,
    "sdist": native.sdist,
    "crate": native.crate,
    "tool": native.tool,
}
