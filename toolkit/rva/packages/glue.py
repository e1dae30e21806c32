"""The glue that wasm-bindgen writes for the web, as the npm package needs it: as a module, and for `require`."""

from __future__ import annotations

import re

from rva.errors import CheckFailed

_EXPORTED = re.compile(r"^export (class|function) (\w+)", re.MULTILINE)
_LAST = re.compile(r"^export \{ initSync, __wbg_init as default \};\n?", re.MULTILINE)
# Bundlers follow such an address, and the package names its modules otherwise.
_ADDRESS = re.compile(r"module_or_path = new URL\('[\w.]+', import\.meta\.url\);")
_NO_ADDRESS = "throw new Error('the module has to be given');"


def module(glue: str) -> str:
    """The glue as a module that takes its WebAssembly module from the caller alone."""
    text, count = _ADDRESS.subn(_NO_ADDRESS, glue)
    if count != 1 or "import.meta" in text or not _LAST.search(text):
        raise CheckFailed(
            "wasm-bindgen's glue is not of the form that is known", fix="look at toolkit/rva/packages/glue.py"
        )
    return text


def commonjs(glue: str) -> str:
    """The same for `require`."""
    text = module(glue)
    names = [match[2] for match in _EXPORTED.finditer(text)]
    text = _LAST.sub("", _EXPORTED.sub(r"\1 \2", text))
    if re.search(r"^(export|import) ", text, re.MULTILINE):
        raise CheckFailed("wasm-bindgen's glue exports more than is known", fix="look at toolkit/rva/packages/glue.py")
    listed = ", ".join([*names, "initSync", "default: __wbg_init"])
    return f'"use strict";\n{text}\nmodule.exports = {{ __esModule: true, {listed} }};\n'
