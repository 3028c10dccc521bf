"""Margins from every source: the numbers of plain forward passes, of counted tokens, of a rule."""

import copy

import numpy as np
import pytest
import torch

from rlhf_train import batches, margins, precompute
from rlhf_train.errors import TrainingError
from rlhf_train.inputs import pair_logps
from rlhf_train.margins import MARGINS
from rlhf_train.models import reward_models
from rlhf_train.models.policies import Policy
from rlhf_train.objectives import modpo
from rlhf_train.text import Lengths, response_ids

COUNT = 6
LENGTHS = Lengths(24, 12)
COLUMNS = {
    "prompt": [f"\n\nHuman: say {at}\n\nAssistant:" for at in range(COUNT)],
    "chosen": [" The kettle sings." * (1 + at % 3) for at in range(COUNT)],
    "rejected": [f" Rain again, {at}." for at in range(COUNT)],
}


@pytest.fixture
def trained(tiny_policy):
    """A policy that is not its reference."""
    model = copy.deepcopy(tiny_policy.model)
    with torch.no_grad():
        for weights in model.parameters():
            weights.mul_(1.1)
    return Policy(model, tiny_policy.tokenizer)


@pytest.fixture
def sources(tiny_policy, trained, tmp_path):
    """What each margin is made of, beside the pairs."""
    reward_model = reward_models.load(tiny_policy.save(tmp_path / "policy"), seed=3)
    return {
        "length": ((tiny_policy.tokenizer,), {}),
        "policy": ((trained, tiny_policy), {"beta": 0.3}),
        "reward_model": ((reward_model,), {}),
        "rule": ((lambda prompts, responses: np.array([len(text) for text in responses]),), {}),
    }


@pytest.mark.parametrize("name", MARGINS)
def test_every_margin_is_a_finite_float_a_response_whatever_the_order(name, sources):
    given, numbers = sources[name]
    found = MARGINS[name](COLUMNS, *given, **numbers)
    turned = MARGINS[name]({side: texts[::-1] for side, texts in COLUMNS.items()}, *given, **numbers)
    swapped = {**COLUMNS, "chosen": COLUMNS["rejected"], "rejected": COLUMNS["chosen"]}
    swapped = MARGINS[name](swapped, *given, **numbers)
    assert set(found) == {"chosen_margins", "rejected_margins"}
    for side, other in (("chosen", "rejected"), ("rejected", "chosen")):
        values = found[f"{side}_margins"]
        assert values.shape == (COUNT,)
        assert values.dtype == np.float32
        assert np.isfinite(values).all()
        assert turned[f"{side}_margins"][::-1] == pytest.approx(values, rel=1e-4, abs=1e-5)
        assert swapped[f"{other}_margins"] == pytest.approx(values, rel=1e-4, abs=1e-5)
    modpo.check({**COLUMNS, **found})  # no source gives both sides the same


def test_the_implicit_reward_is_beta_times_the_log_ratio_of_plain_passes(tiny_policy, trained):
    found = MARGINS["policy"](COLUMNS, trained, tiny_policy, beta=0.3, lengths=LENGTHS)
    rows = batches.pairs(COLUMNS, tiny_policy.tokenizer, LENGTHS)
    with torch.no_grad():
        after, before = (pair_logps(each.model, rows.pack(np.arange(COUNT))) for each in (trained, tiny_policy))
    for side in ("chosen", "rejected"):
        expected = 0.3 * (after[f"{side}_logps"] - before[f"{side}_logps"])
        assert found[f"{side}_margins"] == pytest.approx(expected.numpy(), rel=1e-4, abs=1e-5)
    assert np.ptp(found["chosen_margins"]) > 0.01


def test_a_policy_reads_as_much_as_it_is_shown_unless_told(tiny_policy, trained):
    short = Policy(trained.model, trained.tokenizer, Lengths(24, 1))
    own, told = (MARGINS["policy"](COLUMNS, short, tiny_policy, beta=1.0, lengths=each) for each in (None, Lengths(24, 1)))
    assert own["chosen_margins"].tolist() == told["chosen_margins"].tolist()
    whole = MARGINS["policy"](COLUMNS, short, tiny_policy, beta=1.0, lengths=LENGTHS)
    assert np.abs(whole["chosen_margins"] - own["chosen_margins"]).max() > 0.01


@pytest.mark.parametrize("name", ["policy", "reward_model"])
def test_what_a_model_has_scored_is_kept(name, sources, tmp_path, monkeypatch):
    given, numbers = sources[name]
    first = MARGINS[name](COLUMNS, *given, **numbers, cache=tmp_path / "cache")
    monkeypatch.setattr(precompute, "sequence_logps", None)
    monkeypatch.setattr(reward_models.RewardModel, "rewards", None)
    again = MARGINS[name](COLUMNS, *given, **numbers, cache=tmp_path / "cache")
    assert all((first[side] == again[side]).all() for side in first)


def test_a_reward_model_s_margins_are_its_rewards(sources):
    [model], _ = sources["reward_model"]
    found = MARGINS["reward_model"](COLUMNS, model)
    assert found["rejected_margins"] == pytest.approx(model.rewards(COLUMNS["prompt"], COLUMNS["rejected"]), abs=2e-2)


def test_lengths_are_counted_in_tokens_to_the_last_one(tiny_policy):
    tokenizer, long = tiny_policy.tokenizer, " x" * 301
    columns = {"prompt": ["a"], "chosen": [long], "rejected": [" x" * 300]}
    sizes = [len(ids) - 1 for ids in response_ids(tokenizer, [long, " x" * 300], Lengths(1, 9999))]
    assert sizes[0] > 300
    assert sizes[0] - sizes[1] == sizes[0] // 301
    found = MARGINS["length"](columns, tokenizer)
    assert [found["chosen_margins"][0], found["rejected_margins"][0]] == [-sizes[0], -sizes[1]]
    assert MARGINS["length"](columns, tokenizer, sign=0.5)["chosen_margins"][0] == 0.5 * sizes[0]


def test_a_rule_reads_the_prompt_too():
    found = MARGINS["rule"](COLUMNS, lambda prompts, responses: np.array([int(text.split()[2]) for text in prompts]))
    assert found["rejected_margins"].tolist() == list(range(COUNT))


def test_margins_side_by_side_keep_their_order():
    one, other = (
        {"chosen_margins": np.full(3, at), "rejected_margins": np.full(3, -at)} for at in (np.float32(1), np.float32(2))
    )
    assert margins.stacked(one, other)["rejected_margins"].tolist() == [[-1, -2]] * 3


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (np.zeros(4), r"expected a margin for each of 6 chosen responses, got \[4\]"),
        (np.array([0, 1, np.nan, 3, 4, 5]), "the margin of chosen in row 2 is nan; score it again or drop the pair"),
    ],
)
def test_rules_that_do_not_serve_are_refused(values, said):
    with pytest.raises(TrainingError, match=said):
        MARGINS["rule"](COLUMNS, lambda prompts, responses: values)


def test_a_beta_that_no_policy_was_trained_with_is_refused(tiny_policy, trained):
    with pytest.raises(TrainingError, match="beta must be the number above 0 that the margin's policy was trained with, got 0"):
        MARGINS["policy"](COLUMNS, trained, tiny_policy, beta=0.0)
