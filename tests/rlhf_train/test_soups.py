"""Averaged weights and averaged losses: by hand, at the ends, and what is refused."""

import copy
import itertools

import numpy as np
import pytest
import torch

from rlhf_train import batches, precompute
from rlhf_train.errors import TrainingError
from rlhf_train.loss_weighting import weighted
from rlhf_train.models.policies import Policy
from rlhf_train.models.soups import souped
from rlhf_train.objectives import OBJECTIVES
from rlhf_train.text import Lengths
from rlhf_train.train import fit

LENGTHS = Lengths(24, 12)
NAME = "model.layers.0.mlp.up_proj.weight"


def pairs(first, second, count=8):
    return {
        "prompt": [f"\n\nHuman: say {at}\n\nAssistant:" for at in range(count)],
        "chosen": [f"{first} {at}" for at in range(count)],
        "rejected": [f"{second} {at}" for at in range(count)],
    }


@pytest.fixture
def three(tiny_policy):
    """Policies whose weights are 1, 2 and 5 times the first's, and its."""
    found = []
    for times in (1.0, 2.0, 5.0):
        model = copy.deepcopy(tiny_policy.model)
        with torch.no_grad():
            for part in model.parameters():
                part.mul_(times)
        found.append(Policy(model, tiny_policy.tokenizer, LENGTHS))
    return found


def test_every_weight_is_the_weighted_mean(three):
    soup, first = souped(three, (0.5, 0.3, 0.2)), three[0].model.state_dict()
    times = 0.5 * 1 + 0.3 * 2 + 0.2 * 5
    for name, part in soup.model.state_dict().items():
        assert torch.allclose(part, times * first[name], rtol=1e-6)
        assert part.dtype == first[name].dtype
    assert soup.lengths == LENGTHS


def test_a_soup_of_one_is_that_one_and_what_went_in_stays(three):
    before = [copy.deepcopy(policy.model.state_dict()) for policy in three]
    soup = souped(three, (0.0, 1.0, 0.0)).model.state_dict()
    assert all(torch.equal(soup[name], before[1][name]) for name in soup)
    for policy, held in zip(three, before, strict=True):
        assert all(torch.equal(part, held[name]) for name, part in policy.model.state_dict().items())


def test_what_is_no_float_is_left(three):
    for seen, policy in zip((3, 9, 4), three, strict=True):
        policy.model.register_buffer("seen", torch.tensor([seen]))
    assert souped(three[:2], (0.5, 0.5)).model.seen.tolist() == [3]


@pytest.mark.parametrize(
    ("weights", "said"),
    [
        ((0.5, 0.5), "expected a weight for each of 3 policies in a soup, got 2"),
        ((0.5, 0.6, -0.1), r"weights of 3 policies in a soup must be 0 or more and sum to 1, got 0\.5, 0\.6, -0\.1"),
        ((0.5, 0.3, 0.1), "sum to 1, got"),
        ((0.5, float("nan"), 0.5), "sum to 1, got"),
    ],
)
def test_weights_that_are_no_shares_are_refused(three, weights, said):
    with pytest.raises(TrainingError, match=said):
        souped(three, weights)


def test_policies_of_another_shape_are_refused(three, body):
    with pytest.raises(TrainingError, match="policy 1 is of another shape than the first at "):
        souped([three[0], Policy(body("llama"), three[0].tokenizer)], (0.5, 0.5))


@pytest.fixture
def rows(tiny_policy):
    """Two tables that want opposite things, scored by the policy as it begins, and a row of another in the second."""
    found = []
    for columns in (pairs(" The kettle", " Rain again"), pairs(" Rain again, and no", " Nobody reads")):
        refs = precompute.reference_logps(tiny_policy, columns, LENGTHS)
        found.append(batches.pairs({**columns, **refs}, tiny_policy.tokenizer, LENGTHS))
    return found


def gradient(model, source):
    """Of the mean loss of the first step, as the loop adds it up."""
    model, objective = copy.deepcopy(model), OBJECTIVES["dpo"]
    for batch in next(source(0, 0, 1)):
        (objective.loss(**objective.inputs(model, batch.tensors)).loss * batch.share).backward()
    return torch.cat([part.grad.flatten() for part in model.parameters()])


@pytest.mark.parametrize("tokens", [60, 4096])
def test_the_gradient_is_the_weighted_sum_of_the_tables(tiny_policy, rows, tokens):
    sources = [batches.shuffled(part, size=4, tokens=tokens) for part in rows]
    first, second = (gradient(tiny_policy.model, source) for source in sources)
    both = gradient(tiny_policy.model, weighted(sources, (0.7, 0.3)))
    assert torch.allclose(both, 0.7 * first + 0.3 * second, atol=1e-6 * first.abs().max().item())
    assert not torch.allclose(both, 0.3 * first + 0.7 * second, atol=1e-2 * first.abs().max().item())


def test_shares_of_a_step_sum_to_1_and_a_source_can_be_entered_anywhere(rows):
    source = weighted([batches.shuffled(part, size=4, seed=at) for at, part in enumerate(rows)], (0.4, 0.6))
    steps = list(itertools.islice(source(0, 0, 1), 5))
    for step in steps:
        assert sum(batch.share for batch in step) == pytest.approx(1)
    later = next(source(4, 0, 1))
    assert [batch.places for batch in later] == [batch.places for batch in steps[4]]
    assert [[len(batch.places) for batch in step] for step in steps] == [[4, 4]] * 5


def test_a_table_without_weight_is_never_read(rows):
    source = weighted([batches.shuffled(rows[0], size=4), lambda *where: pytest.fail("read")], (1.0, 0.0))
    [batch], [plain] = next(source(0, 0, 1)), next(batches.shuffled(rows[0], size=4)(0, 0, 1))
    assert batch.places == plain.places
    assert batch.share == 1


def test_a_run_learns_both_tables(tiny_policy, rows):
    model, dpo = copy.deepcopy(tiny_policy.model), OBJECTIVES["dpo"]
    fit(model, dpo, weighted([batches.shuffled(part, size=8) for part in rows], (0.5, 0.5)), steps=12, lr=3e-3)
    for part in rows:
        with torch.no_grad():
            assert dpo.loss(**dpo.inputs(model, part.pack(np.arange(8)))).metrics["accuracy"] > 0.8


def test_weights_of_tables_must_be_shares(rows):
    sources = [batches.shuffled(part, size=4) for part in rows]
    with pytest.raises(TrainingError, match="expected a weight for each of 2 tables, got 1"):
        weighted(sources, (1.0,))
    with pytest.raises(TrainingError, match=r"weights of 2 tables must be 0 or more and sum to 1, got 1, 0\.1"):
        weighted(sources, (1.0, 0.1))
