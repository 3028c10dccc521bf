"""Numbers of functions by name, and what each kind of them takes."""

from math import inf, nan
from typing import Literal

import pytest

from rlhf_train import numbers
from rlhf_train.errors import TrainingError
from rlhf_train.objectives import OBJECTIVES


def first(data, other=3, *, rate: float = 0.5, form: Literal["plain", "odd"] = "plain"):
    return data, other, rate, form


def second(data, *, count: int = 2, is_kept: bool = False, weights: tuple[float, ...] = (0.5, 0.5)):
    return data, count, is_kept, weights


KNOWN = numbers.of([first, second])


def test_only_keyword_only_parameters_are_numbers():
    assert list(KNOWN) == ["rate", "form", "count", "is_kept", "weights"]
    assert KNOWN["form"] == numbers.Number("plain", ("plain", "odd"))


def test_each_call_is_given_those_that_it_names():
    values = {"rate": 0.1, "count": 4, "weights": (1.0,)}
    assert numbers.given_to(first, values) == {"rate": 0.1}
    assert numbers.given_to(second, values) == {"count": 4, "weights": (1.0,)}


@pytest.mark.parametrize(
    ("name", "value", "kept"),
    [("rate", 2, 2), ("form", "odd", "odd"), ("count", 3.0, 3.0), ("is_kept", True, True), ("weights", [0.2, 1], (0.2, 1))],
)
def test_values_of_the_right_kind_pass(name, value, kept):
    assert numbers.checked(value, KNOWN[name], about=name) == kept


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("rate", "high", "rate must be a finite number, got 'high'"),
        ("rate", True, "rate must be a finite number, got True"),
        ("rate", nan, "rate must be a finite number, got nan"),
        ("form", "even", "form must be one of plain, odd, got 'even'"),
        ("form", 3, "form must be one of plain, odd, got 3"),
        ("count", 2.5, "count must be a whole number, got 2.5"),
        ("is_kept", 1, "is_kept must be true or false, got 1"),
        ("weights", 0.5, "weights must be a list of finite numbers, got 0.5"),
        ("weights", [0.5, inf], r"weights must be a list of finite numbers, got \[0.5, inf\]"),
        ("weights", [True], "weights must be a list of finite numbers"),
    ],
)
def test_values_of_another_kind_are_refused(name, value, said):
    with pytest.raises(TrainingError, match=said):
        numbers.checked(value, KNOWN[name], about=name)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_the_parts_of_an_objective_agree_on_what_they_share(name):
    known = OBJECTIVES[name].numbers
    for call in OBJECTIVES[name].calls:
        for number, held in numbers.of([call]).items():
            assert held == known[number], number
            assert type(held.default) in (int, float, bool, str, tuple), number
            assert type(held.default) is not str or held.choices, number
