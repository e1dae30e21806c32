"""The npm package of the WebAssembly modules, as a plan."""

from __future__ import annotations

import pytest
from rva.errors import CheckFailed
from rva.packages import glue

from .conftest import WEB_GLUE, Plan, document

NAME = "ruvector-attention-wasm"


def test_it_has_every_level_and_whatever_its_exports_name(planned: Plan) -> None:
    made = planned()
    [package] = [p for p in made.packages if p.name == NAME]
    paths = {part.path for part in package.parts}
    assert {f"wasm/{level}.wasm" for level in ("baseline", "simd128", "relaxed-simd")} <= paths
    own = document(made, NAME)

    def named(value: object) -> set[str]:
        if isinstance(value, str):
            return {value.removeprefix("./")}
        return set().union(*map(named, value.values())) if isinstance(value, dict) else set()

    assert named(own["exports"]) | {own["main"], own["module"], own["types"]} <= paths


def test_a_level_that_was_not_built_is_a_gap(planned: Plan) -> None:
    made = planned(keep=lambda artifact: artifact.id != "wasm-web-simd128")
    assert NAME not in {p.name for p in made.packages}
    [gap] = [g for g in made.gaps if g.package == NAME]
    assert "wasm-web-simd128" in gap.reason and "wasm-web-simd128" in gap.fix


def test_glue_is_turned_for_require_and_has_no_address() -> None:
    text = glue.commonjs(WEB_GLUE)
    assert "module.exports = { __esModule: true, Thing, version, initSync, default: __wbg_init };" in text
    assert "export class" not in text and "import.meta" not in text
    assert "export class Thing" in glue.module(WEB_GLUE) and "import.meta" not in glue.module(WEB_GLUE)


@pytest.mark.parametrize(
    "spoilt", ["", WEB_GLUE.replace("import.meta.url", "there"), WEB_GLUE + "export const x = 1;\n"]
)
def test_glue_of_another_form_is_refused(spoilt: str) -> None:
    with pytest.raises(CheckFailed):
        glue.commonjs(spoilt)
