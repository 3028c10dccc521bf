"""What MODPO comes to: the closed form where all pairs are counted, and runs from a table with margins."""

import numpy as np
import polars as pl
import pytest
import torch

from rlhf_train import batches, margins, pareto, spec
from rlhf_train.errors import TrainingError
from rlhf_train.objectives import OBJECTIVES, modpo
from rlhf_train.precompute import reference_logps
from rlhf_train.run import run
from rlhf_train.text import Lengths
from tests.rlhf_train.conftest import COUNT, same, table, weights


@pytest.mark.parametrize("beta", [0.1, 0.5])
@pytest.mark.parametrize("own", [0.1, 0.3, 0.5, 0.7, 0.9, 1.0])
def test_the_loss_over_all_pairs_is_least_at_the_closed_form(own, beta):
    """Six responses, labels by their chance under the first reward (Bradley and Terry, 1952), the second reward as a margin."""
    torch.manual_seed(0)
    ref = torch.randn(6, dtype=torch.float64).log_softmax(0)
    rewards = torch.tensor([[2, 1, 0, 0, 1, -1], [-1, 0, 2, 1, 0, 0]], dtype=torch.float64)
    chosen, rejected = torch.cartesian_prod(torch.arange(6), torch.arange(6)).T
    chances = (ref[chosen] + ref[rejected]).exp() * torch.sigmoid(rewards[0][chosen] - rewards[0][rejected])

    def each(*pair):
        return modpo.loss(*(part[None] for part in pair), beta=beta, weights=(own, 1 - own)).loss

    def value(policy):
        sides = [part[side] for part in (policy, ref, rewards[1]) for side in (chosen, rejected)]
        return (chances * torch.func.vmap(each)(*sides)).sum()

    best = minimised(value, ref)
    expected = pareto.closed_form(ref.numpy(), rewards.T.numpy(), (own, 1 - own), beta=beta)
    assert np.abs(best - expected).max() < 1e-5
    assert np.exp(best) @ (best - expected) < 1e-10


def minimised(value, begun):
    """The log-probabilities where value(log-probabilities) is least."""
    logits = begun.clone().requires_grad_()
    numbers = {"max_iter": 500, "tolerance_grad": 1e-12, "tolerance_change": 1e-16, "line_search_fn": "strong_wolfe"}
    optimizer = torch.optim.LBFGS([logits], history_size=20, **numbers)

    def step():
        optimizer.zero_grad()
        found = value(logits.log_softmax(0))
        found.backward()
        return found

    optimizer.step(step)
    return logits.detach().log_softmax(0).numpy()


@pytest.fixture
def scored(made, tmp_path):
    """`scored(margins, **changes)`: a spec of seconds for modpo on pairs with `margins` beside them."""

    def of(found, **changes):
        file = tmp_path / "scored.parquet"
        table().with_columns(**{name: pl.Series(list(values)) for name, values in found.items()}).write_parquet(file)
        return made(**{"objective": "modpo", "data": str(file), **changes})

    return of


def by_length(sign):
    """0.4 a letter."""
    columns = table().to_dict(as_series=False)
    return margins.of_rule(columns, lambda prompts, said: sign * 0.4 * np.array([len(text) for text in said]))


SHORT, LONG = by_length(-1.0), by_length(1.0)
SIDES = ("chosen_margins", "rejected_margins")
GAP = (SHORT[SIDES[0]] - SHORT[SIDES[1]]).mean()


def test_a_run_begins_where_the_margins_say(scored):
    """The policy is its reference, so u is what the margins take away."""
    assert GAP < -1
    first = run(spec.of(scored(SHORT, batch=COUNT, numbers={"weights": [0.2, 0.8]})))[0]
    assert first["margin"] == pytest.approx(-0.8 * GAP / 0.2, rel=1e-4)
    assert first["chosen_reward"] - first["rejected_reward"] == pytest.approx(first["margin"])


def test_several_margins_are_lists_in_a_table(scored):
    both = margins.stacked(SHORT, LONG)
    first = run(spec.of(scored(both, batch=COUNT, numbers={"weights": [0.5, 0.4, 0.1]})))[0]
    assert first["margin"] == pytest.approx(-(0.4 * GAP - 0.1 * GAP) / 0.5, rel=1e-4)


def test_a_full_weight_ends_with_the_weights_of_dpo(scored, made, tmp_path):
    """To the bit: what a margin of weight 0 takes away is 0."""
    run(spec.of(scored(SHORT, numbers={"weights": [1, 0]})))
    run(spec.of(made(out=str(tmp_path / "dpo"))))
    assert same(weights(tmp_path / "out"), weights(tmp_path / "dpo"))


def test_what_margins_have_settled_is_not_learned(scored, tmp_path):
    """All pairs prefer the longer response: a policy may like it less than the pairs do where margins like the shorter one."""
    numbers = {"weights": [0.5, 0.5], "beta": 1.0, "form": "hinge"}
    settled = run(spec.of(scored(SHORT, steps=3, numbers=numbers)))
    assert [row["loss"] for row in settled] == [row["gradient_norm"] for row in settled] == [0.0] * 3
    owed = run(spec.of(scored(LONG, steps=3, numbers=numbers, out=str(tmp_path / "long"))))
    assert min(owed[0]["loss"], owed[0]["gradient_norm"]) > 1


@pytest.mark.parametrize("until", [2, 5])
def test_a_run_that_was_broken_off_ends_with_the_same_weights(scored, tmp_path, until):
    run(spec.of(scored(SHORT)))

    def broken(what, done, of, row):
        if what == "training" and done == until:
            raise KeyboardInterrupt

    fields = scored(SHORT, out=str(tmp_path / "broken"))
    with pytest.raises(KeyboardInterrupt):
        run(spec.of(fields), broken)
    run(spec.of(fields))
    assert same(weights(tmp_path / "out"), weights(tmp_path / "broken"))
    with pytest.raises(TrainingError, match="holds a run with data"):
        run(spec.of(scored(LONG, out=str(tmp_path / "broken"))))


EVEN = {"chosen_margins": SHORT[SIDES[0]], "rejected_margins": SHORT[SIDES[0]]}
REFUSED = [
    (
        SHORT,
        {"weights": [0.5, 0.25, 0.25]},
        "pairs' own objective and one for each margin, here 2, got 3",
    ),
    (SHORT, {"weights": [0.0, 1.0]}, "that end point is the margin's own policy, trained by dpo on its pairs"),
    (SHORT, {"weights": [1.0, 0.1]}, r"weights must sum to total = 1, got 1\.1"),
    (SHORT, {"weights": [1.5, -0.5]}, "weights must be finite numbers, 0 or more, got -0.5"),
    (SHORT, {"weights": 0.5}, "weights of modpo must be a list of finite numbers, got 0.5"),
    (SHORT, {"form": "cosine"}, "form of modpo must be one of sigmoid, hinge, got 'cosine'"),
    (EVEN, {}, "margin 1 of 1 is the same on both sides of every pair"),
    ({SIDES[0]: SHORT[SIDES[0]]}, {}, "has no column 'rejected_margins'"),
    ({**SHORT, SIDES[1]: [float("nan"), *SHORT[SIDES[1]][1:]]}, {}, "'rejected_margins' must be a finite number in every row"),
    ({**SHORT, SIDES[1]: margins.stacked(SHORT, LONG)[SIDES[1]]}, {}, "must have as many margins, got 1 and 2"),
]


@pytest.mark.parametrize(("found", "numbers", "said"), REFUSED)
def test_what_can_not_be_learned_is_refused_before_anything_is_scored(scored, tmp_path, found, numbers, said):
    with pytest.raises(TrainingError, match=said):
        run(spec.of(scored(found, numbers=numbers)))
    assert not (tmp_path / "out").exists()


def test_margins_reach_the_loss_exactly_whatever_the_packing(tiny_policy):
    """301 is no number of half precision; and each pair has its own, however its step is cut."""
    texts = table().to_dict(as_series=False)
    whole = {name: np.arange(COUNT) + 300.0 + at for at, name in enumerate(SIDES)}
    refs = reference_logps(tiny_policy, texts, Lengths())
    rows = OBJECTIVES["modpo"].rows({**texts, **refs, **whole}, tiny_policy.tokenizer, Lengths())
    seen = 0
    for batch in batches.in_order(rows, tokens=120):
        for name in SIDES:
            assert batch.tensors["given"][name].dtype == torch.float32
            assert batch.tensors["given"][name].tolist() == [whole[name][place] for place in batch.places]
        seen += len(batch.places)
    assert seen == COUNT
