"""platforms.schema.json, which editors read, is what the model says."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

from jsonschema import Draft202012Validator
from rva.model import schema, to_json


def test_the_committed_schema_is_the_models(root: Path) -> None:
    """`./rva docs` renews it."""
    assert (root / "platforms.schema.json").read_text("utf-8") == to_json(schema())


def test_the_schema_is_one_and_the_matrix_meets_it(root: Path) -> None:
    described = json.loads((root / "platforms.schema.json").read_text("utf-8"))
    Draft202012Validator.check_schema(described)
    document = tomllib.loads((root / "platforms.toml").read_text("utf-8"))
    assert list(Draft202012Validator(described).iter_errors(document)) == []
    document["recipes"]["wasn"] = document["recipes"].pop("wasm")
    assert [e.validator for e in Draft202012Validator(described).iter_errors(document)] == ["enum"]


def test_the_matrix_names_its_schema(root: Path) -> None:
    assert (root / "platforms.toml").read_text("utf-8").startswith("#:schema ./platforms.schema.json\n")
