"""Shows the comparison of bits red: one bit, a missing number, a result where the crate refuses."""

from __future__ import annotations

import math

import pytest
import random_cases
import same_bits

from bindings import Binding, Outcome, Result

NATIVE = Binding("n", "n", "row", "n.py")
WASM = Binding("w", "w", "row", "w.py", native=False)
WANTED = Outcome({"a": Result(True, ((1.0, 0.0),)), "b": Result(False, reason="refused")})


def failed(binding: Binding, *numbers: float, b: Result = WANTED.results["b"]) -> int:
    return same_bits.verdict(binding, Outcome({"a": Result(True, (numbers,)), "b": b}), WANTED)[1]


@pytest.mark.parametrize("binding", [NATIVE, WASM])
def test_the_same_is_the_same(binding: Binding) -> None:
    assert failed(binding, 1.0, 0.0) == 0


def test_one_bit_is_a_difference_in_native_code() -> None:
    assert failed(NATIVE, math.nextafter(1.0, 2.0), 0.0) == 1
    assert failed(NATIVE, 1.0, -0.0) == 1
    assert failed(WASM, math.nextafter(1.0, 2.0), -0.0) == 0


@pytest.mark.parametrize("numbers", [(1.0,), (1.0, 0.0, 0.0), (1.0, 3e-6), (math.nan, 0.0), (math.inf, 0.0)])
@pytest.mark.parametrize("binding", [NATIVE, WASM])
def test_what_differs_by_more_is_found_everywhere(binding: Binding, numbers: tuple[float, ...]) -> None:
    assert failed(binding, *numbers) == 1


def test_a_result_where_the_crate_refuses_is_a_difference() -> None:
    assert failed(NATIVE, 1.0, 0.0, b=Result(True, ((1.0,),))) == 1


def test_nothing_is_no_agreement() -> None:
    assert same_bits.verdict(NATIVE, Outcome({}), WANTED)[1] == 1
    assert same_bits.verdict(NATIVE, Outcome({}, fault="died"), WANTED)[1] == 1
    assert same_bits.verdict(NATIVE, Outcome({}, not_run="not built"), WANTED) == ("not run: not built", 0)


def test_seeds_give_the_same_inputs_and_others_do_not() -> None:
    assert random_cases.cases(1, 20) == random_cases.cases(1, 20) != random_cases.cases(2, 20)
    kinds = {case["kind"] for case in random_cases.cases(1, 20)}
    assert kinds == set(random_cases.KINDS)
