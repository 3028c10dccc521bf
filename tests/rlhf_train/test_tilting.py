"""Weights by hand and where a policy settles that learns by them; rows of each kind, their means, and what is refused."""

import re
from math import exp, inf

import numpy as np
import pytest
import torch

from rlhf_train import scales, tilting
from rlhf_train.batches import dealt
from rlhf_train.errors import TrainingError
from rlhf_train.inputs import candidate_logps
from rlhf_train.objectives import sft, weighted
from rlhf_train.text import Lengths

# four responses, of 2, 3, 1 and 3 tokens
LOGPS, SIZES = [-0.5, -1, -2, -0.25, -0.5, -1.5, -0.75, -0.75, -1], [2, 3, 1, 3]
OWNERS = torch.tensor([0, 0, 1, 1, 1, 2, 3, 3, 3])
NLL, REWARDS = [1.5, 2.75, 1.5, 2.5], np.array([1.2, -0.4, 0.1, 0.0])


def given(weights, **kwargs):
    return torch.tensor(LOGPS, dtype=torch.float64, **kwargs), OWNERS, torch.as_tensor(np.asarray(weights, dtype=float))


def likely(weights, normaliser="sequence"):
    return weighted.loss(*given(weights), normaliser=normaliser).loss.item()


def gradient(weights, normaliser="sequence"):
    logps, owners, weights = given(weights, requires_grad=True)
    weighted.loss(logps, owners, weights, normaliser=normaliser).loss.backward()
    return logps.grad.tolist()


def test_likelihood_by_hand():
    assert likely([1, 1, 1, 1]) == pytest.approx((1.5 + 2.75 + 1.5 + 2.5) / 4)
    assert likely([1, 1, 1, 1], "token") == pytest.approx(8.25 / 9)
    assert likely([1, 1, 1, 1], "token") == pytest.approx(sft.loss(given([1])[0], torch.ones(9, dtype=torch.bool)).loss.item())


def test_the_filter_by_hand():
    """Strictly above: the fourth row, which is at the threshold, is dropped."""
    keeps = tilting.kept(REWARDS, threshold=0.0)
    assert keeps.tolist() == [True, False, True, False]
    assert likely(keeps) == pytest.approx((1.5 + 1.5) / 4)
    assert likely(keeps, "self") == pytest.approx((1.5 + 1.5) / 2)
    assert likely(keeps, "token") == pytest.approx((1.5 + 1.5) / 3)
    with pytest.raises(
        TrainingError, match=r"no row has a standardised reward above the threshold 1.2; the highest is 1.2; lo"
    ):
        tilting.kept(REWARDS, threshold=1.2)


def raw(**numbers):
    return np.exp(tilting.log_weights(REWARDS, **numbers))


@pytest.mark.parametrize(
    ("numbers", "weights", "mean", "own"),
    [
        ({}, [3.3201169227, 0.670320046, 1.1051709181, 1], 2.745327971954075, 1.8015121857674092),
        ({"temperature": 0.5}, [11.0231763806, 0.4493289641, 1.2214027582, 1], 5.525630839881254, 1.6140405787310375),
        ({"temperature": 0.5, "cap": 5.0}, [5, 0.4493289641, 1.2214027582, 1], 3.2669396971406535, None),
    ],
)
def test_exponential_weights_by_hand(numbers, weights, mean, own):
    temperature, cap = numbers.get("temperature", 1.0), numbers.get("cap", inf)
    by_hand = [min(exp(reward / temperature), cap) for reward in REWARDS]
    assert raw(**numbers).tolist() == pytest.approx(by_hand)
    assert by_hand == pytest.approx(weights, abs=1e-9)
    assert likely(raw(**numbers)) == pytest.approx(sum(w * nll for w, nll in zip(by_hand, NLL, strict=True)) / 4)
    assert likely(raw(**numbers)) == pytest.approx(mean, abs=1e-9)
    scaled = tilting.scaled(tilting.log_weights(REWARDS, **numbers))
    assert scaled.mean() == pytest.approx(1)
    assert scaled.tolist() == pytest.approx([weight / (sum(by_hand) / 4) for weight in by_hand])
    assert likely(scaled) == pytest.approx(likely(raw(**numbers), "self"))  # over a whole table, a mean of 1 is the same
    assert own is None or likely(scaled) == pytest.approx(own, abs=1e-9)


def test_the_highest_taken_away_rescales_the_loss_and_nothing_else():
    for temperature, shifted in ((1.0, 0.8268768949532317), (0.5, 0.5012739204268848)):
        logs = tilting.log_weights(REWARDS, temperature=temperature)
        assert likely(np.exp(logs - logs.max())) == pytest.approx(shifted, abs=1e-9)


def test_a_constant_added_to_all_rewards_is_nothing():
    """To the self-normalised loss and its gradient, and to weights whose mean is 1."""
    plain, moved = (tilting.log_weights(REWARDS + shift) for shift in (0.0, 3.7))
    assert likely(np.exp(moved), "self") == pytest.approx(likely(np.exp(plain), "self"))
    assert gradient(np.exp(moved), "self") == pytest.approx(gradient(np.exp(plain), "self"))
    assert tilting.scaled(moved).tolist() == pytest.approx(tilting.scaled(plain).tolist())


def test_a_filter_knows_the_order_of_rewards_alone():
    def warped(rewards):
        return np.exp(3 * rewards) - 5

    for threshold in (-0.1, 0.0, 0.5):
        moved = tilting.kept(warped(REWARDS), threshold=warped(threshold))
        assert moved.tolist() == tilting.kept(REWARDS, threshold=threshold).tolist()


def test_limits_of_the_temperature():
    assert tilting.scaled(tilting.log_weights(REWARDS, temperature=1e9)).tolist() == pytest.approx([1] * 4)
    coldest = tilting.scaled(tilting.log_weights(REWARDS, temperature=1e-3))
    assert coldest.tolist() == pytest.approx([4, 0, 0, 0], abs=1e-20)
    assert (coldest > 0).all()  # so that a step of such rows is not divided by nothing
    assert np.isfinite(tilting.scaled(tilting.log_weights(np.array([1e300, -1e300, 0.0]), temperature=1e-6))).all()


ARMS, LAW = np.array([0.0, 1.0, 1.0]), np.array([0.5, 0.3, 0.2])
TILTED = [
    (tilting.kept(ARMS, threshold=0.5).astype(float), [0, 0.6, 0.4]),
    (tilting.scaled(tilting.log_weights(ARMS)), [0.26894142137, 0.438635147178, 0.292423431452]),
    (tilting.scaled(tilting.log_weights(ARMS, temperature=1e9)), LAW),
    (tilting.scaled(tilting.log_weights(ARMS, temperature=1e-3)), [0, 0.6, 0.4]),
]


@pytest.mark.parametrize(("weights", "form"), TILTED)
def test_a_bandit_settles_at_the_tilted_law(weights, form):
    assert (LAW * weights / (LAW * weights).sum()).tolist() == pytest.approx(list(form), abs=1e-9)
    counts = [5, 3, 2]
    arms = torch.tensor(np.repeat(np.arange(3), counts))
    logits = torch.tensor(LAW).log().requires_grad_()
    optimizer = torch.optim.Adam([logits], lr=0.3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 400)
    for _ in range(400):
        optimizer.zero_grad()
        weighted.loss(logits.log_softmax(0)[arms], torch.arange(10), torch.tensor(weights)[arms]).loss.backward()
        optimizer.step()
        schedule.step()
    assert logits.detach().softmax(0).tolist() == pytest.approx(list(form), abs=5e-4)


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        ({"temperature": 0.0}, "temperature must be a finite number above 0, got 0"),
        ({"temperature": inf}, "temperature must be a finite number above 0, got inf"),
        ({"cap": 0.0}, "cap is the most that a row may weigh and must be above 0, got 0"),
    ],
)
def test_numbers_that_can_not_serve_are_named(numbers, said):
    with pytest.raises(TrainingError, match=said):
        tilting.log_weights(REWARDS, **numbers)


# rows of a table
LENGTHS = Lengths(24, 24)
SAID = [" The kettle sings.", " Rain again, and no umbrella.", " Tea.", " Nobody reads the manual."]
TABLE = {
    "prompt": [f"\n\nHuman: say {at // 2}\n\nAssistant:" for at in range(4)],
    "response": SAID,
    "reward": REWARDS,
    "standard_reward": scales.standardised(REWARDS),
}
Z = [1.4234461473, -0.912465479, -0.1824930958, -0.3284875725]


def step(policy, rows, places, *, normaliser="sequence", tokens=4096):
    """Loss and gradient of a step over these rows, in batches of so many tokens."""
    policy.model.zero_grad()
    total = 0.0
    for batch in dealt(rows, places, tokens=tokens):
        value = weighted.loss(**candidate_logps(policy.model, batch.tensors), normaliser=normaliser).loss * batch.share
        value.backward()
        total += value.item()
    grads = {name: part.grad.clone() for name, part in policy.model.named_parameters()}
    policy.model.zero_grad()
    return total, grads


def alike(first, second):
    return all(torch.allclose(first[name], second[name], rtol=1e-4, atol=1e-6) for name in first)


def test_what_rows_hold(tiny_policy):
    rows = tilting.exponential(TABLE, tiny_policy.tokenizer, LENGTHS, temperature=0.5)
    weights = np.exp(np.array(Z) / 0.5)
    packed = rows.pack(np.array([2, 0]))
    assert packed["given"]["weights"].tolist() == pytest.approx((weights / weights.mean())[[2, 0]].tolist(), rel=1e-6)
    assert len(rows) == 4
    capped = tilting.exponential(TABLE, tiny_policy.tokenizer, LENGTHS, cap=2.0).pack(np.arange(4))["given"]["weights"]
    most = np.minimum(np.exp(Z), 2.0)
    assert capped.tolist() == pytest.approx((most / most.mean()).tolist(), rel=1e-6)


def test_a_filter_on_rows_and_one_on_weights_have_one_gradient(tiny_policy):
    """Up to what the loss is divided by: the rows that are kept, or all of them."""
    kept = tilting.filtered(TABLE, tiny_policy.tokenizer, LENGTHS, threshold=-0.2)
    zeroed = tilting.filtered(TABLE, tiny_policy.tokenizer, LENGTHS, threshold=-0.2, filtering="weight")
    assert (len(kept), len(zeroed)) == (2, 4)
    (dropped, slopes), (whole, others) = (step(tiny_policy, rows, np.arange(len(rows))) for rows in (kept, zeroed))
    assert dropped == pytest.approx(2 * whole)
    assert alike(slopes, {name: 2 * part for name, part in others.items()})


def test_a_filter_that_keeps_all_is_supervised_learning(tiny_policy):
    rows = tilting.filtered(TABLE, tiny_policy.tokenizer, LENGTHS, threshold=-9.0, normaliser="token")
    got, _ = step(tiny_policy, rows, np.arange(4), normaliser="token")
    packed = rows.pack(np.arange(4))
    logps = candidate_logps(tiny_policy.model, packed)["token_logps"]
    assert got == pytest.approx(sft.loss(logps, torch.ones_like(logps, dtype=torch.bool)).loss.item(), rel=1e-5)


@pytest.mark.parametrize("normaliser", ["sequence", "self", "token"])
def test_however_a_step_is_batched_it_is_divided_by_the_whole(tiny_policy, normaliser):
    numbers = {"temperature": 0.7, "normaliser": normaliser}
    rows = tilting.exponential(TABLE, tiny_policy.tokenizer, LENGTHS, **numbers)
    (whole, slopes), (parts, others) = (
        step(tiny_policy, rows, np.arange(4), normaliser=normaliser, tokens=tokens) for tokens in (4096, 20)
    )
    assert len(dealt(rows, np.arange(4), tokens=20)) > 1
    assert parts == pytest.approx(whole, rel=1e-5)
    assert alike(slopes, others)
    turned = {name: np.asarray(column)[::-1] if name.endswith("reward") else column[::-1] for name, column in TABLE.items()}
    rows = tilting.exponential(turned, tiny_policy.tokenizer, LENGTHS, **numbers)
    assert step(tiny_policy, rows, np.arange(4), normaliser=normaliser)[0] == pytest.approx(whole, rel=1e-5)


def test_normalisers_of_rows_by_hand(tiny_policy):
    weights = np.exp(Z) / np.mean(np.exp(Z))
    with torch.no_grad():
        packed = tilting.weighed(TABLE, weights, tiny_policy.tokenizer, LENGTHS).pack(np.arange(4))
        logps = candidate_logps(tiny_policy.model, packed)["token_logps"].double()
    sums = -np.bincount(packed["owners"], logps)
    sizes = np.bincount(packed["owners"])
    for normaliser, over in (("sequence", 4), ("self", weights.sum()), ("token", (weights * sizes).sum())):
        rows = tilting.exponential(TABLE, tiny_policy.tokenizer, LENGTHS, normaliser=normaliser)
        got, _ = step(tiny_policy, rows, np.arange(4), normaliser=normaliser, tokens=20)
        assert got == pytest.approx((weights * sums).sum() / over, rel=1e-5)


def test_a_step_of_rows_that_all_weigh_next_to_nothing_is_finite(tiny_policy):
    table = {**TABLE, "standard_reward": np.array([5.0, -300, -300, -300])}
    for normaliser in ("self", "token"):
        rows = tilting.exponential(table, tiny_policy.tokenizer, LENGTHS, normaliser=normaliser)
        assert np.isfinite(step(tiny_policy, rows, np.array([1, 2]), normaliser=normaliser)[0])


@pytest.mark.parametrize("normaliser", ["self", "token"])
def test_a_filter_on_weights_divides_by_responses_alone(tiny_policy, normaliser):
    with pytest.raises(TrainingError, match=f"'{normaliser}' would divide by nothing; with filtering 'weight' the normaliser"):
        tilting.filtered(TABLE, tiny_policy.tokenizer, LENGTHS, filtering="weight", normaliser=normaliser)


def test_tables_that_can_not_serve_are_refused_before_anything_is_read():
    tilting.check(TABLE, threshold=0.0)
    tilting.check({"reward": REWARDS}, temperature=1.0)
    with pytest.raises(TrainingError, match=re.escape("above the threshold 2; the highest is 1.423; lower threshold")):
        tilting.check(TABLE, threshold=2.0)
    with pytest.raises(TrainingError, match=r"it is 0\.5 in every row"):
        tilting.check({"reward": [0.5] * 4})
