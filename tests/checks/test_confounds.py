"""Audits of missing information: shares by hand with Wilson's interval, what each counts, and what it refuses."""

from math import sqrt

import polars as pl
import pytest

from checks.confounds import (
    AUDITS,
    answer_balance,
    information_sufficiency,
    prompt_truncation,
    reward_hidden_gap,
    reward_model_contract,
    reward_reading,
)
from pipelines.schema import DataError

SHOWN = pl.DataFrame(
    {
        "prompt": ["The bell is red. What?", "The gate is\n blue.  What?", "What?", "The bell is red. What?", "What?"],
        "support": [
            ["The bell is red."],
            ["The gate is blue."],
            ["The boat is black."],
            ["The bell is red.", "It rang."],
            None,
        ],
        "whole": [
            "The bell is red. What?",
            "The gate is blue. What?",
            "Much. What?",
            "The bell is red. It rang. What?",
            "What?",
        ],
    }
)


def wilson(hits: int, count: int) -> tuple[float, float]:
    z = 1.959964
    middle = (hits / count + z * z / (2 * count)) / (1 + z * z / count)
    reach = z / (1 + z * z / count) * sqrt(hits / count * (1 - hits / count) / count + z * z / (4 * count * count))
    return middle - reach, middle + reach


def test_information_is_sufficient_where_every_part_survives():
    found = information_sufficiency(SHOWN)
    assert (found.value.value, found.rows, found.unknown) == (0.5, 4, 1)
    assert (found.value.low, found.value.high) == pytest.approx(wilson(2, 4), abs=1e-6)
    assert not found.passed
    assert not found.is_sure  # of four rows nobody can be
    assert found.words == "50.0% of 4 texts in 'prompt' hold what settles their question"
    assert information_sufficiency(SHOWN, least=0.5).passed


def test_the_reward_model_s_input_is_audited_in_the_same_way():
    found = information_sufficiency(SHOWN, column="whole")
    assert found.value.value == 0.75
    with pytest.raises(DataError, match="a row whose support is known, got none"):
        information_sufficiency(SHOWN.filter(pl.col("support").is_null()))


@pytest.mark.parametrize(("taken", "passes"), [("AAAAB", True), ("AAAAAAB", False), ("BBBBBBBBBA", False), ("AB", True)])
def test_answers_are_balanced_up_to_four_in_five(taken, passes):
    found = answer_balance(pl.DataFrame({"option": [*taken, None]}))
    assert found.value.value == max(taken.count("A"), taken.count("B")) / len(taken)
    assert (found.passed, found.unknown) == (passes, 1)


def test_a_policy_of_one_letter_is_surely_out_of_balance():
    found = answer_balance(pl.DataFrame({"option": ["B"] * 49 + ["A"]}))
    assert found.is_sure
    assert found.words == "98.0% of 50 outputs take 'B'"
    with pytest.raises(DataError, match="needs an output that takes an option"):
        answer_balance(pl.DataFrame({"option": [None, None]}, schema={"option": pl.String}))


def test_cut_prompts_are_counted_and_white_space_is_no_cut():
    found = prompt_truncation(SHOWN)
    assert (found.value.value, found.passed) == (0.4, False)


def outputs(proxies, right, items=None):
    return pl.DataFrame({"item_id": items or [str(at) for at in range(len(right))], "proxy": proxies, "is_correct": right})


def test_the_gap_is_the_mean_reward_less_the_share_that_is_right():
    found = reward_hidden_gap(outputs([0.9, 0.6, 0.2, None], [True, False, False, True]))
    assert found.value.value == pytest.approx((0.9 + 0.6 + 0.2) / 3 - 1 / 3)
    assert (found.rows, found.unknown, found.passed) == (3, 1, False)
    assert found.value.low < found.value.value < found.value.high


def test_the_gap_s_interval_is_of_items_and_not_of_rows():
    apart = outputs([1.0, 0.2] * 20, [False] * 40)
    alike = outputs([1.0, 0.2] * 20, [False] * 40, items=["a", "b"] * 20)
    first, second = (reward_hidden_gap(each).value for each in (apart, alike))
    assert first.value == second.value == pytest.approx(0.6)
    assert (second.low, second.high) == pytest.approx((0.2, 1.0))
    assert first.high - first.low < 0.3


@pytest.mark.parametrize("proxy", [1.5, -0.1, float("nan"), float("inf")])
def test_a_reward_that_is_no_chance_is_refused(proxy):
    with pytest.raises(DataError, match=r"must lie in \[0, 1\], got"):
        reward_hidden_gap(outputs([0.5, proxy], [True, False]))


def test_the_contract_names_the_field_that_the_reward_model_never_sees():
    read = pl.DataFrame(
        {
            "reward_input": ["What? A", "Bell. What? B", "What?"],
            "prompt": ["What?"] * 3,
            "evidence": ["Bell.", "Bell.", None],
            "output": ["A", "B", "A"],
        }
    )
    found = reward_model_contract(read)
    assert found.value.value == pytest.approx(1 / 3)
    assert not found.passed
    assert found.words == "of 3 inputs of the reward model lack 'evidence' in 1, 'output' in 1"
    whole = reward_model_contract(read[1:2])
    assert whole.passed
    assert whole.words.endswith("lack none a field")


def rewarded(right, wrong):
    return pl.DataFrame(
        {"right_reward": right, "wrong_reward": wrong}, schema=dict.fromkeys(("right_reward", "wrong_reward"), pl.Float64)
    )


def test_a_reward_model_reads_where_the_right_one_of_a_pair_has_the_higher_reward():
    found = reward_reading(rewarded([0.3, -1.0, 2.0, 0.5, None, 1.0], [0.1, -0.5, -2.0, 0.5, 0.0, None]))
    assert found.value.value == pytest.approx(2 / 4)  # a tie is not told apart
    assert (found.value.low, found.value.high) == pytest.approx(wilson(2, 4))
    assert (found.rows, found.unknown, found.passed) == (4, 2, False)
    assert reward_reading(rewarded([1.0, 1.0, 1.0, -1.0, -1.0], [0.0] * 5)).passed  # 0.6 is at the threshold
    assert found.words == "the right one of 50.0% of 4 pairs that differ in correctness alone has the higher reward"


@pytest.mark.parametrize("reward", [float("nan"), float("inf")])
def test_a_reward_of_a_pair_is_finite(reward):
    for sides in ([reward], [0.0]), ([0.0], [reward]):
        with pytest.raises(DataError, match="rewards of a pair are finite numbers, got"):
            reward_reading(rewarded(*sides))


@pytest.mark.parametrize("name", AUDITS)
def test_every_audit_names_the_column_that_it_lacks_and_refuses_no_rows(name):
    with pytest.raises(DataError, match=r"needs column '\w+', got \['x'\]; join items and outputs"):
        AUDITS[name](pl.DataFrame({"x": [1]}))
    columns = {
        "prompt": pl.String,
        "support": pl.List(pl.String),
        "option": pl.String,
        "whole": pl.String,
        "item_id": pl.String,
    }
    columns |= {
        "proxy": pl.Float64,
        "is_correct": pl.Boolean,
        "reward_input": pl.String,
        "evidence": pl.String,
        "output": pl.String,
        "right_reward": pl.Float64,
        "wrong_reward": pl.Float64,
    }
    with pytest.raises(DataError, match="got none"):
        AUDITS[name](pl.DataFrame(schema=columns))
