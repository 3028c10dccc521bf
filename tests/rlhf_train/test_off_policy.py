"""The loss by hand, at its limits, and what a policy that learns by it does."""

import copy
import re
from math import inf

import numpy as np
import polars as pl
import pytest
import torch

from rlhf_train import batches, candidates, precompute, spec
from rlhf_train.errors import TrainingError
from rlhf_train.inputs import sequence_logps
from rlhf_train.objectives import OBJECTIVES, off_policy, sft
from rlhf_train.packing import pack
from rlhf_train.run import run
from rlhf_train.text import Lengths
from rlhf_train.train import fit
from tests.rlhf_train.conftest import same, weights

# three responses, of 2, 1 and 3 tokens
LOGPS, REFS = [-1.0, -2.0, -4.0, -0.5, -3.0, -1.5], [-1.5, -1.75, -3.0, -0.25, -5.0, -1.5]
MOVED = [0.5, -0.25, -1.0, -0.25, 2.0, 0.0]
OWNERS, GAINS = torch.tensor([0, 0, 1, 2, 2, 2]), [0.4, -0.1, -0.3]


def given(dtype=torch.float32, gains=GAINS, **kwargs):
    refs = torch.tensor(REFS, dtype=dtype)
    return torch.tensor(LOGPS, dtype=dtype, **kwargs), refs, OWNERS, torch.tensor(gains, dtype=dtype)


def test_by_hand():
    assert [mine - its for mine, its in zip(LOGPS, REFS, strict=True)] == MOVED
    outcome = off_policy.loss(*given(), likelihood=0.25, kl_weight=0.6, clip=9.0)
    policy = -(0.4 * (0.5 - 0.25) / 2 - 0.1 * -1.0 - 0.3 * (-0.25 + 2.0) / 3) / 3
    drift = ((0.25 + 0.0625) / 2 + 1.0 + (0.0625 + 4.0) / 3) / 3 / 2
    unlikely = ((1.0 + 2.0) / 2 + 4.0 + (0.5 + 3.0 + 1.5) / 3) / 3
    assert outcome.metrics["policy_loss"].item() == pytest.approx(policy)
    assert outcome.metrics["drift"].item() == pytest.approx(drift)
    assert outcome.metrics["nll"].item() == pytest.approx(unlikely)
    assert outcome.loss.item() == pytest.approx(0.25 * unlikely + 0.75 * (policy + 0.6 * drift))


def test_tokens_that_went_the_right_way_far_enough_are_pushed_no_further():
    logps, *rest = given(requires_grad=True)
    outcome = off_policy.loss(logps, *rest, likelihood=0.0, kl_weight=0.0, clip=0.3)
    outcome.loss.backward()
    # of a good response what is above +0.3, of a bad one what is below -0.3; what went the wrong way is pushed all the more
    expected = [0.0, -0.4 / 2 / 3, 0.0, 0.3 / 3 / 3, 0.3 / 3 / 3, 0.3 / 3 / 3]
    assert logps.grad.tolist() == pytest.approx(expected)
    assert outcome.metrics["clipped"].item() == pytest.approx((1 / 2 + 1) / 3)


def test_the_gradient_is_the_published_one_where_nothing_has_moved():
    """-mean_i A_i (1/T_i) sum_t log pi(y_t): the reference in our form moves no gradient, and its square has none there."""
    grads = []
    for form in (
        lambda logps: off_policy.loss(logps, torch.tensor(LOGPS), *given()[2:], likelihood=0.0, kl_weight=5.0).loss,
        lambda logps: -(0.4 * logps[:2].mean() - 0.1 * logps[2:3].mean() - 0.3 * logps[3:].mean()) / 3,
    ):
        logps = torch.tensor(LOGPS, requires_grad=True)
        form(logps).backward()
        grads.append(logps.grad.tolist())
    assert grads[0] == pytest.approx(grads[1])


def test_responses_of_one_reward_leave_likelihood_and_the_penalty():
    even = given(gains=[0.0, 0.0, 0.0])
    outcome = off_policy.loss(*even, likelihood=0.3, kl_weight=0.5)
    assert outcome.metrics["policy_loss"].item() == 0
    drift = ((0.25 + 0.0625) / 2 + 1.0 + (0.0625 + 4.0) / 3) / 3 / 2
    unlikely = ((1.0 + 2.0) / 2 + 4.0 + (0.5 + 3.0 + 1.5) / 3) / 3
    assert outcome.loss.item() == pytest.approx(0.3 * unlikely + 0.7 * 0.5 * drift)


def test_likelihood_alone_is_supervised_learning_of_each_response():
    logps = torch.tensor(LOGPS)
    each = [sft.loss(part, torch.ones(len(part), dtype=torch.bool)).loss.item() for part in logps.split([2, 1, 3])]
    assert off_policy.loss(*given(), likelihood=1.0).loss.item() == pytest.approx(sum(each) / 3)


@pytest.mark.parametrize("kl_weight", [0.5, 4.0])
def test_a_token_by_itself_settles_where_its_advantage_over_the_weight_says(kl_weight):
    refs = torch.tensor(REFS, dtype=torch.float64)
    settled = refs + torch.tensor(GAINS, dtype=torch.float64)[OWNERS] / kl_weight
    logps = settled.clone().requires_grad_()
    gains = torch.tensor(GAINS, dtype=torch.float64)
    off_policy.loss(logps, refs, OWNERS, gains, likelihood=0.0, kl_weight=kl_weight).loss.backward()
    assert logps.grad.tolist() == pytest.approx([0.0] * 6, abs=1e-12)


def test_the_penalty_draws_back_from_either_side():
    """The plain log-ratio's gradient would lower all of them alike."""
    logps, *rest = given(gains=[0.0, 0.0, 0.0], requires_grad=True)
    off_policy.loss(logps, *rest, likelihood=0.0, kl_weight=1.0).loss.backward()
    assert torch.sign(logps.grad).tolist() == np.sign(MOVED).tolist()


def test_the_gradient_in_double_precision():
    logps, *rest = given(torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda logps: off_policy.loss(logps, *rest, clip=0.7).loss, [logps])


def test_extreme_inputs_stay_finite():
    far = torch.tensor([1e4, -1e4, 0.0, -1e4, 1e4, 1e4], requires_grad=True)
    value = off_policy.loss(far, torch.zeros(6), OWNERS, torch.tensor([1e3, -1e3, 1e3])).loss
    value.backward()
    assert torch.isfinite(value)
    assert torch.isfinite(far.grad).all()


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        ({"likelihood": 1.5}, r"likelihood is the share of cross-entropy in the loss and must lie in \[0, 1\], got 1.5"),
        ({"kl_weight": -0.1}, "kl_weight must be a finite number, 0 or more, got -0.1"),
        ({"clip": 0.0}, "clip is in nats a token and must be above 0, got 0"),
    ],
)
def test_numbers_that_can_not_serve_are_named(numbers, said):
    with pytest.raises(TrainingError, match=said):
        off_policy.loss(*given(), **numbers)


PROMPTS = [f"\n\nHuman: say {at}\n\nAssistant:" for at in range(8)]
GOOD, BAD = " The kettle sings.", " Rain again, and no umbrella."
TABLE = {
    "prompt": [prompt for prompt in PROMPTS for _ in range(2)],
    "response": [GOOD, BAD] * 8,
    "reward": [0.9, 0.2] * 8,
}
LENGTHS = Lengths(24, 24)


def learned(policy, table=TABLE, *, steps=12, lr=1e-3, **numbers):
    """How the log-probability of GOOD and of BAD changed, in nats a token; and the metrics."""
    refs = precompute.reference_token_logps(policy, table, LENGTHS)
    rows = OBJECTIVES["off_policy"].rows({**table, **refs}, policy.tokenizer, LENGTHS)
    model, measured = copy.deepcopy(policy.model), rows.pack(np.arange(len(rows)))
    source = batches.shuffled(rows, size=4)
    told = fit(model, OBJECTIVES["off_policy"], source, steps=steps, lr=lr, numbers=numbers, mixed_precision="no")
    sizes = torch.bincount(measured["owners"])
    with torch.no_grad():
        before, after = (sequence_logps(each, measured) / sizes for each in (policy.model, model))
    return (after - before).view(-1, 2).mean(0).tolist(), told


def test_the_better_response_rises_and_the_worse_falls(tiny_policy):
    (good, bad), _ = learned(tiny_policy, likelihood=0.0, kl_weight=0.05)
    assert good > 0.05
    assert bad < -0.05
    (good, bad), _ = learned(tiny_policy, {**TABLE, "reward": [0.2, 0.9] * 8}, likelihood=0.0, kl_weight=0.05)
    assert good < -0.05
    assert bad > 0.05


def test_a_huge_penalty_holds_the_policy_at_its_reference(tiny_policy):
    far = learned(tiny_policy, likelihood=0.0, kl_weight=0.0, steps=30)[1][-1]["drift"]
    near = learned(tiny_policy, likelihood=0.0, kl_weight=1e5, steps=30)[1][-1]["drift"]
    assert far > 0.1
    assert near < 1e-3


def test_however_bad_a_response_and_however_long_it_is_pushed_it_falls_so_far_and_no_further(tiny_policy):
    worst = {**TABLE, "reward": [0.0, -1e3] * 8}
    for clip, least, most in ((0.5, -5.0, -0.3), (inf, -1e9, -6.0)):
        (_, bad), told = learned(tiny_policy, worst, steps=150, lr=1e-3, likelihood=0.0, kl_weight=0.0, clip=clip)
        assert least < bad < most
        assert all(np.isfinite(row["loss"]) for row in told)


def test_end_tokens_count(tiny_policy):
    """A policy whose good and bad responses differ in nothing but where they end learns to end."""
    table = {**TABLE, "response": [" The kettle", " The kettle sings. The kettle sings."] * 8}
    end = tiny_policy.tokenizer.eos_token_id
    ids = [tiny_policy.tokenizer(text)["input_ids"] for text in (PROMPTS[0], " The kettle")]
    asked = torch.tensor([[*ids[0], *ids[1]]])
    refs = precompute.reference_token_logps(tiny_policy, table, LENGTHS)
    rows = OBJECTIVES["off_policy"].rows({**table, **refs}, tiny_policy.tokenizer, LENGTHS)
    model = copy.deepcopy(tiny_policy.model)
    fit(model, OBJECTIVES["off_policy"], batches.shuffled(rows, size=4), steps=30, numbers={"likelihood": 0.0})
    with torch.no_grad():
        before, after = (each(input_ids=asked).logits[0, -1].log_softmax(-1)[end] for each in (tiny_policy.model, model))
    assert after > before + 0.2


def test_what_a_row_holds(tiny_policy):
    refs = [np.full(len(tiny_policy.tokenizer(text)["input_ids"]) + 1, -at, dtype=np.float32) for at, text in enumerate("abcd")]
    table = {"prompt": ["x", "y", "x", "x"], "response": list("abcd"), "reward": [1.0, 7.0, 3.0, 8.0], "ref_token_logps": refs}
    rows = OBJECTIVES["off_policy"].rows(table, tiny_policy.tokenizer, LENGTHS)
    assert rows.units.tolist() == [3, 1]
    packed = rows.pack(np.array([1, 0]))
    assert packed["given"]["advantages"].tolist() == [0.0, 1.0 - 4, 3.0 - 4, 8.0 - 4]
    own = packed["given"]["ref_token_logps"].tolist()
    assert own == [float(-place) for place in (1, 0, 2, 3) for _ in refs[place]]
    assert len(own) == len(packed["targets"])
    assert rows.sizes == [
        len(candidates.trees(table["prompt"], list("abcd"), tiny_policy.tokenizer, LENGTHS)[at][0]) for at in (0, 1)
    ]


def test_the_order_of_the_table_changes_nothing(tiny_policy):
    """Nor do the rows in between: responses find their prompt, their mean and their reference."""
    turned = {name: values[::-1] for name, values in TABLE.items()}
    losses = []
    for table in (TABLE, turned):
        refs = precompute.reference_token_logps(tiny_policy, table, LENGTHS)
        refs["ref_token_logps"] = [part - 0.1 * at for part, at in zip(refs["ref_token_logps"], table["reward"], strict=True)]
        rows = OBJECTIVES["off_policy"].rows({**table, **refs}, tiny_policy.tokenizer, LENGTHS)
        [batch] = batches.in_order(rows)
        losses.append(OBJECTIVES["off_policy"].loss(**OBJECTIVES["off_policy"].inputs(tiny_policy.model, batch.tensors)).loss)
    assert losses[1].item() == pytest.approx(losses[0].item(), rel=1e-5)


def test_a_prompt_with_very_many_responses_is_cut_into_several_rows(tiny_policy):
    count = 2 * candidates.MOST + 3
    grown = candidates.trees(["x"] * count, [f" {at}" for at in range(count)], tiny_policy.tokenizer, LENGTHS)
    assert [len(tree.responses) for tree, _ in grown] == [candidates.MOST, candidates.MOST, 3]
    assert np.concatenate([part for _, part in grown]).tolist() == list(range(count))
    pack([tree for tree, _ in grown])


@pytest.fixture
def stored(made, tmp_path):
    """`stored(**changes)`: a spec of seconds for off_policy on a table beside it."""

    def of(table=TABLE, **changes):
        pl.DataFrame(table).write_parquet(tmp_path / "stored.parquet")
        return made(**{"objective": "off_policy", "data": str(tmp_path / "stored.parquet"), "batch": 3, **changes})

    return of


def test_a_run_begins_at_its_reference_and_leaves_it(stored, tmp_path):
    history = run(spec.of(stored(steps=20, held_out=0.25, numbers={"likelihood": 0.0})))
    assert history[0]["drift"] == pytest.approx(0, abs=1e-6)
    assert history[-1]["drift"] > 1e-3
    assert history[-1]["held_out_policy_loss"] < -1e-3
    assert (tmp_path / "out" / "model" / "model_card.json").is_file()


@pytest.mark.parametrize("until", [2, 5])
def test_a_run_that_was_broken_off_ends_with_the_same_weights(stored, tmp_path, until):
    run(spec.of(stored()))

    def broken(what, done, of, row):
        if what == "training" and done == until:
            raise KeyboardInterrupt

    fields = stored(out=str(tmp_path / "broken"))
    with pytest.raises(KeyboardInterrupt):
        run(spec.of(fields), broken)
    run(spec.of(fields))
    assert same(weights(tmp_path / "out"), weights(tmp_path / "broken"))
    with pytest.raises(TrainingError, match="holds a run with data"):  # another reward at the same place
        run(spec.of(stored({**TABLE, "reward": [0.9, 0.3] * 8}, out=str(tmp_path / "broken"))))


REFUSED = [
    ({"reward": ["0.9", "0.2"] * 8}, "column 'reward' must be numbers; it is String"),
    ({"reward": [0.9, None] * 8}, "column 'reward' must be a finite number in every row, got None in row 1; score"),
    ({"reward": [0.9, 0.2, 0.1, float("nan")] * 4}, "got nan in row 3"),
    ({"reward": [0.9, float("inf")] * 8}, "got inf in row 1"),
    ({"reward": [0.9, 0.2, 1e39, 0.3] * 4}, r"got 1e\+39 in row 2"),
    ({"reward": [3] * 16}, "reward is 3 in every row: no policy can learn from it"),
    ({"reward": [float(at // 2) for at in range(16)]}, "all responses to a prompt have the same reward, for every prompt"),
]


@pytest.mark.parametrize(("wrong", "said"), REFUSED)
def test_rewards_that_teach_nothing_are_refused_before_anything_is_scored(stored, tmp_path, wrong, said):
    with pytest.raises(TrainingError, match=said):
        run(spec.of(stored({**TABLE, **wrong})))
    assert not (tmp_path / "out").exists()


def test_a_table_without_rewards_is_refused(stored):
    there = {name: TABLE[name] for name in ("prompt", "response")}
    with pytest.raises(TrainingError, match=re.escape("has no column 'reward'; it has prompt, response")):
        run(spec.of(stored(there)))


def test_rewards_may_be_whole_numbers(stored):
    assert run(spec.of(stored({**TABLE, "reward": [1, 0] * 8}, steps=1)))[0]["nll"] > 0
