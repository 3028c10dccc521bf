"""Rows of stored responses: what they hold, how they are drawn, how many steps they make, what is refused; and whole runs."""

import copy
import dataclasses
import itertools
import re

import numpy as np
import polars as pl
import pytest
import torch

from rlhf_train import batches, lessons, spec, stored
from rlhf_train.errors import TrainingError
from rlhf_train.inputs import sequence_logps
from rlhf_train.objectives import OBJECTIVES
from rlhf_train.precompute import reference_token_logps
from rlhf_train.run import run
from rlhf_train.text import Lengths
from rlhf_train.train import fit

GAINS = np.array([0.3, -0.1, 0.05, 0.15])


@pytest.mark.parametrize(
    ("sampling", "places", "chances"),
    [
        ("uniform", [0, 1, 2, 3], None),
        ("positive", [0, 2, 3], None),
        ("priority", [0, 2, 3], [0.3 / 0.5, 0.05 / 0.5, 0.15 / 0.5]),
    ],
)
def test_how_rows_are_drawn(sampling, places, chances):
    found, drawn = stored.drawn(GAINS, sampling)
    assert found.tolist() == places
    assert (drawn if chances is None else drawn.tolist()) == (chances and pytest.approx(chances))


@pytest.mark.parametrize("sampling", ["uniform", "positive", "priority"])
def test_where_nothing_gains_it_is_said(sampling):
    with pytest.raises(
        TrainingError, match=r"no row has a reward above value \(at most 0 over it\): there is nothing to learn"
    ):
        stored.drawn(np.array([-0.3, 0.0, -0.1]), sampling)
    with pytest.raises(TrainingError, match=r"no row has a reward above 0 \(at most -1 over it\): .* look at what scored"):
        stored.drawn(np.array([-1.0]), sampling, over="0")
    assert not len(stored.drawn(np.array([]), sampling)[0])  # as where nothing is held out


LENGTHS = Lengths(24, 24)
ASKED = [f"\n\nHuman: say {at // 2}\n\nAssistant:" for at in range(4)]
TABLE = {
    "prompt": ASKED,
    "response": [" The kettle sings.", " Rain again, and no umbrella.", " Tea.", " Nobody reads the manual."],
    "reward": [0.8, 0.4, 0.35, 0.45],
    "value": [0.5, 0.5, 0.3, 0.3],  # GAINS
}


def rows(policy, name="a_lol", table=TABLE, **numbers):
    given = reference_token_logps(policy, table, LENGTHS) if OBJECTIVES[name].given else {}
    return OBJECTIVES[name].rows({**table, **given}, policy.tokenizer, LENGTHS, **numbers)


def test_what_rows_hold(tiny_policy):
    refs = reference_token_logps(tiny_policy, TABLE, LENGTHS)["ref_token_logps"]
    found = rows(tiny_policy, sampling="priority")
    assert len(found) == 3
    assert found.chances.tolist() == pytest.approx([0.6, 0.1, 0.3])
    given = found.pack(np.array([2, 0]))["given"]
    assert given["rewards"].tolist() == pytest.approx([0.45, 0.8])
    assert given["values"].tolist() == pytest.approx([0.3, 0.5])
    assert given["ref_token_logps"].tolist() == pytest.approx([*refs[3].tolist(), *refs[0].tolist()])
    assert set(rows(tiny_policy, "a_lol_ref_free").pack(np.arange(4))["given"]) == {"rewards", "values"}
    assert set(rows(tiny_policy, "r_lol").pack(np.arange(4))["given"]) == {"rewards", "ref_token_logps"}
    by_reward = rows(tiny_policy, "weighted_behaviour_cloning", sampling="priority")
    assert by_reward.chances.tolist() == pytest.approx([reward / 2.0 for reward in TABLE["reward"]])


def test_a_response_is_a_row_of_its_own_whatever_shares_its_prompt(tiny_policy):
    found = rows(tiny_policy)
    assert len(found) == 4
    assert found.units.tolist() == [1] * 4
    assert found.chances is None


def test_drawn_by_gain_a_step_counts_its_square(tiny_policy):
    """In the mean over steps: the gain by which rows are drawn, and that by which the loss multiplies."""
    found = rows(tiny_policy, "a_lol_ref_free", sampling="priority")
    steps = itertools.islice(batches.shuffled(found, size=3, seed=4)(0, 0, 1), 4000)
    drawn = np.bincount([place for step in steps for batch in step for place in batch.places], minlength=3)
    gains = np.array([0.3, 0.05, 0.15])
    counted = drawn * gains
    assert counted / counted.sum() == pytest.approx(gains**2 / (gains**2).sum(), abs=0.01)


def test_rows_that_gain_nothing_change_the_step_by_their_number_alone(tiny_policy):
    """Over all rows, or over those that gain: the gradient is the same up to the share that gains."""
    objective, slopes = OBJECTIVES["a_lol"], []
    for sampling in ("uniform", "positive"):
        held = rows(tiny_policy, sampling=sampling)
        tiny_policy.model.zero_grad()
        given = objective.inputs(tiny_policy.model, held.pack(np.arange(len(held))))
        objective.loss(**given).loss.backward()
        slopes.append(torch.cat([part.grad.flatten() for part in tiny_policy.model.parameters()]))
        tiny_policy.model.zero_grad()
    assert torch.allclose(slopes[0], 0.75 * slopes[1], rtol=1e-4, atol=1e-7)


REFUSED = [
    ("a_lol", {"value": None}, "has no column 'value'; it has prompt, response, reward"),
    ("a_lol", {"reward": [0.5] * 4}, "it is 0.5 in every row; look at what scored the rows"),
    (
        "a_lol",
        {"value": [0.2] * 4},
        "value is 0.2 for every prompt: an advantage over it is the reward itself; make the column",
    ),
    (
        "a_lol_seq",
        {"value": [0.9, 0.9, 0.8, 0.8]},
        r"no row has a reward above value \(at most -0.1 over it\): there is nothing",
    ),
    ("a_lol_kl", {"value": ["a"] * 4}, "column 'value' must be numbers"),
    (
        "a_lol_ref_free",
        {"value": [0.1, float("nan")] * 2},
        "column 'value' must be a finite number in every row, got nan in row 1",
    ),
    ("r_lol", {"reward": [0.5, -0.1, 0.2, 0.3]}, "must be 0 or more, got -0.1 in row 1; bring rewards into"),
    ("r_gold", {"reward": [0.0] * 4}, "it is 0 in every row"),
    ("weighted_behaviour_cloning", {"reward": None}, "has no column 'reward'; it has prompt, response, value"),
    ("filtered_likelihood", {"reward": [0.5] * 4}, "it is 0.5 in every row"),
    ("reward_weighted_regression", {"reward": [0.5, None, 0.2, 0.3]}, "column 'reward' must be a finite number in every row"),
    ("conditional", {"reward": None}, "has no column 'reward'"),
]


@pytest.fixture
def run_of(made, tmp_path):
    """`run_of(name, table, **changes)`: a spec of seconds on stored responses."""

    def of(name, table=TABLE, **changes):
        pl.DataFrame({key: part for key, part in table.items() if part is not None}).write_parquet(tmp_path / "stored.parquet")
        return spec.of(made(objective=name, data=str(tmp_path / "stored.parquet"), **{"batch": 2, "steps": 2, **changes}))

    return of


@pytest.mark.parametrize(("name", "wrong", "said"), REFUSED)
def test_a_table_that_can_not_serve_is_refused_before_anything_is_scored(run_of, tmp_path, name, wrong, said):
    with pytest.raises(TrainingError, match=said):
        run(run_of(name, {**TABLE, **wrong}))
    assert not (tmp_path / "out").exists()


def test_a_threshold_that_leaves_nothing_is_refused_by_name(run_of):
    with pytest.raises(TrainingError, match=re.escape("above the threshold 3; the highest is 1.47; lower threshold")):
        run(run_of("filtered_likelihood", numbers={"threshold": 3}))


def test_a_prompt_may_have_one_response_and_one_value(run_of, tmp_path):
    one = {**TABLE, "prompt": ["a", "b", "c", "d"]}
    assert run(run_of("a_lol", one, steps=1))[0]["learned"] > 0
    same = {**TABLE, "prompt": ["a"] * 4, "value": [0.42] * 4}
    assert run(run_of("a_lol", same, steps=1, out=str(tmp_path / "same")))[0]["loss"] > 0


RUNS = [
    ("a_lol", {"ratio_clip": 0.5, "sampling": "priority"}),
    ("a_lol", {"clipped": False}),
    ("a_lol_seq", {"sampling": "positive"}),
    ("a_lol_ref_free", {"clamp": False}),
    ("a_lol_kl", {"kl_weight": 0.1}),
    ("r_lol", {}),
    ("r_gold", {"floor": 0.2}),
    ("weighted_behaviour_cloning", {"sampling": "priority"}),
    ("filtered_likelihood", {"threshold": -0.5, "normaliser": "token"}),
    ("filtered_likelihood", {"filtering": "weight"}),
    ("reward_weighted_regression", {"temperature": 0.5, "cap": 3, "normaliser": "self"}),
    ("conditional", {"dropout": 0, "placement": "turn"}),
]


@pytest.mark.parametrize(("name", "numbers"), RUNS)
def test_a_run_of_each(run_of, tmp_path, name, numbers):
    history = run(run_of(name, numbers=numbers, steps=3))
    assert all(np.isfinite(row["loss"]) for row in history)
    assert (tmp_path / "out" / "model" / "model_card.json").is_file()
    if "gain" in history[0]:
        assert 0 < history[0]["learned"] <= 1


def test_words_and_kinds_of_numbers_are_refused_by_name(run_of):
    for numbers, said in (
        ({"sampling": "greedy"}, "sampling of a_lol must be one of uniform, priority, positive, got 'greedy'"),
        ({"clipped": 0}, "clipped of a_lol must be true or false, got 0"),
        ({"floor": 0.1}, "floor is no number of a_lol; there are ratio_clip, clipped, sampling"),
    ):
        with pytest.raises(TrainingError, match=said):
            run_of("a_lol", numbers=numbers)


def test_steps_of_an_epoch_are_of_the_rows_that_are_left(run_of, tmp_path):
    for sampling, steps in (("uniform", 4), ("positive", 3), ("priority", 3)):
        made = run_of("a_lol", steps=None, batch=1, out=str(tmp_path / sampling), numbers={"sampling": sampling})
        assert len(run(made)) == steps


def test_rewards_are_standardised_over_the_whole_table_before_some_is_held_out(run_of, monkeypatch):
    """So that a row's score is the same text, whichever part of the table it falls into."""
    seen = []
    held = OBJECTIVES["conditional"].rows

    def watched(columns, *rest, **numbers):
        seen.extend(zip(columns["reward"], columns["standard_reward"], strict=True))
        return held(columns, *rest, **numbers)

    monkeypatch.setattr(lessons, "OBJECTIVES", {"conditional": dataclasses.replace(OBJECTIVES["conditional"], rows=watched)})
    run(run_of("conditional", held_out=0.5, steps=1))
    mean, deviation = np.mean(TABLE["reward"]), np.std(TABLE["reward"], ddof=1)
    assert len(seen) == 4
    assert [z for _, z in seen] == pytest.approx([(reward - mean) / deviation for reward, _ in seen])


def test_the_response_of_advantage_rises(tiny_policy):
    table = {**TABLE, "response": [" The kettle sings.", " Rain again, and no umbrella."] * 2, "reward": [0.9, 0.2] * 2}
    for name in ("a_lol", "a_lol_seq", "a_lol_ref_free", "r_lol"):
        held, model = rows(tiny_policy, name, table), copy.deepcopy(tiny_policy.model)
        fit(model, OBJECTIVES[name], batches.shuffled(held, size=4), steps=15, lr=1e-3, mixed_precision="no")
        packed = held.pack(np.arange(4))
        with torch.no_grad():
            good, bad = (sequence_logps(model, packed) - sequence_logps(tiny_policy.model, packed)).view(-1, 2).mean(0).tolist()
        assert good > 0.1, name
        assert name == "r_lol" or good > bad + 0.1, name
