"""The option with which a check asks for every consumer."""

from __future__ import annotations

import os

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--python", help="the interpreter of the consumers, which has wasmtime; nothing is skipped then")


def pytest_configure(config: pytest.Config) -> None:
    if python := config.getoption("--python"):
        os.environ["RVA_SMOKE_PYTHON"] = str(python)
