"""Losses and gradients by hand, where each form of the family settles on a bandit, and what becomes of extreme numbers."""

from math import exp, inf

import numpy as np
import pytest
import torch

from rlhf_train.errors import TrainingError
from rlhf_train.objectives import a_lol, sft, weighted

# four responses, of 2, 3, 3 and 1 tokens
LOGPS = [-0.2, -0.4, -2.0, -0.5, -0.3, -3.0, -1.5, -0.7, -0.6]
REFS = [-0.9, -0.8, -1.5, -0.6, -0.4, -1.0, -0.5, -0.2, -0.5]
OWNERS = torch.tensor([0, 0, 1, 1, 1, 2, 2, 2, 3])
REWARDS, VALUES = [0.9, 0.8, 0.7, 0.3], [0.6, 0.55, 0.5, 0.5]
GAINS = [0.3, 0.25, 0.2, 0.0]
SUMS, REF_SUMS = [-0.6, -2.8, -5.2, -0.6], [-1.7, -2.5, -1.7, -0.5]
RATIOS = [1.9, exp(-2.8 + 2.5), 0.1, exp(-0.6 + 0.5)]  # the first and the third are held, from exp(1.1) and exp(-3.5)


def given(logps=LOGPS, refs=REFS, dtype=torch.float64, **kwargs):
    """Everything that some loss of the family names."""
    return {
        "token_logps": torch.tensor(logps, dtype=dtype, **kwargs),
        "ref_token_logps": torch.tensor(refs, dtype=dtype),
        "owners": OWNERS,
        "rewards": torch.tensor(REWARDS, dtype=dtype),
        "values": torch.tensor(VALUES, dtype=dtype),
    }


NEEDS = {
    a_lol.loss: ("ref_token_logps", "rewards", "values"),
    a_lol.by_token: ("ref_token_logps", "rewards", "values"),
    a_lol.kl: ("ref_token_logps", "rewards", "values"),
    a_lol.reference_free: ("rewards", "values"),
    a_lol.r_lol: ("ref_token_logps", "rewards"),
    a_lol.behaviour_cloning: ("rewards",),
    a_lol.r_gold: ("rewards",),
}
FAMILY = list(NEEDS)


def named(loss):
    return loss.__name__


def outcome(loss, inputs=None, **numbers):
    inputs = inputs or given()
    return loss(inputs["token_logps"], owners=inputs["owners"], **{name: inputs[name] for name in NEEDS[loss]}, **numbers)


def gradient(loss, **numbers):
    inputs = given(requires_grad=True)
    outcome(loss, inputs, **numbers).loss.backward()
    return inputs["token_logps"].grad.tolist()


def each_token(ratios_of_gaps, numbers):
    """sum_t ratio_t log pi_t of every response, by hand."""
    terms = [ratios_of_gaps(mine - its, *numbers) * mine for mine, its in zip(LOGPS, REFS, strict=True)]
    return [sum(terms[:2]), sum(terms[2:5]), sum(terms[5:8]), terms[8]]


def held(gap, ratio_clip=0.9):
    return min(max(exp(gap), 1 - ratio_clip), 1 + ratio_clip)


def mean(gains, sums):
    return -sum(gain * part for gain, part in zip(gains, sums, strict=True)) / 4


CASES = [
    (a_lol.behaviour_cloning, {}, mean(REWARDS, SUMS), 1.65),
    (a_lol.r_lol, {}, mean([r * w for r, w in zip(REWARDS, RATIOS, strict=True)], SUMS), 0.8030758873933803),
    (a_lol.loss, {}, mean([g * w for g, w in zip(GAINS, RATIOS, strict=True)], SUMS), 0.24114318861930065),
    (a_lol.loss, {"ratio_clip": 0.2}, mean([g * w for g, w in zip(GAINS, (1.2, 0.8, 0.8, 1), strict=True)], SUMS), 0.402),
    (
        a_lol.loss,
        {"clipped": False},
        mean([g * exp(s - r) for g, s, r in zip(GAINS, SUMS, REF_SUMS, strict=True)], SUMS),
        0.272681979386693,
    ),
    (a_lol.by_token, {}, mean(GAINS, each_token(held, [0.9])), 0.2734494429603919),
    (a_lol.by_token, {"ratio_clip": 0.2}, mean(GAINS, each_token(held, [0.2])), 0.4172585459),
    (a_lol.by_token, {"clipped": False}, mean(GAINS, each_token(exp, [])), None),
    (a_lol.reference_free, {}, (0.18 + 0.7 + 1.04 + 0) / 4, 0.48),
    (a_lol.reference_free, {"clamp": False}, (0.18 + 0.7 + 1.04 - 0.12) / 4, 0.45),
    (a_lol.kl, {}, (0.4 + 0.64 + (0.2 * 5.2 + 0.2 * (-5.2 + 1.7)) - 0.02) / 4, 0.34),
    (
        a_lol.r_gold,
        {},
        mean(REWARDS, [sum(max(exp(lp), 0.1) * lp for lp in part) for part in (LOGPS[:2], LOGPS[2:5], LOGPS[5:8], LOGPS[8:])]),
        0.4530078509161699,
    ),
]


@pytest.mark.parametrize(("loss", "numbers", "by_hand", "computed"), CASES)
def test_by_hand(loss, numbers, by_hand, computed):
    got = outcome(loss, **numbers).loss.item()
    assert got == pytest.approx(by_hand, abs=1e-9)
    assert computed is None or got == pytest.approx(computed, abs=1e-9)


def test_a_response_by_itself():
    """The per-response values of the same numbers, each a batch alone."""
    expected = {
        a_lol.behaviour_cloning: [0.54, 2.24, 3.64, 0.18],
        a_lol.r_gold: [0.3886867521, 0.63694509, 0.687613467, 0.0987860945],
        a_lol.r_lol: [1.026, 1.6594328143, 0.364, 0.1628707352],
        a_lol.loss: [0.342, 0.5185727545, 0.104, 0],
        a_lol.by_token: [0.2930189637, 0.5242995135, 0.2764792947, 0],
        a_lol.reference_free: [0.18, 0.7, 1.04, 0],
        a_lol.kl: [0.4, 0.64, 0.34, -0.02],
    }
    for loss, values in expected.items():
        for at, value in enumerate(values):
            assert outcome(loss, alone(given(), at)).loss.item() == pytest.approx(value, abs=1e-9), (named(loss), at)


def alone(inputs, at):
    own = inputs["owners"] == at
    return {
        name: torch.zeros(int(own.sum()), dtype=torch.long)
        if name == "owners"
        else part[own]
        if len(part) == len(own)
        else part[at : at + 1]
        for name, part in inputs.items()
    }


def spread(values):
    """A number a response, at each of its tokens."""
    return [value for value, count in zip(values, (2, 3, 3, 1), strict=True) for _ in range(count)]


def test_gradients_by_hand():
    assert gradient(a_lol.loss) == pytest.approx(spread([-0.1425, -0.0463011388, -0.005, 0]), abs=1e-9)
    assert gradient(a_lol.reference_free) == pytest.approx(spread([-0.075, -0.0625, -0.05, 0]), abs=1e-12)
    assert gradient(a_lol.reference_free, clamp=False) == pytest.approx(spread([-0.075, -0.0625, -0.05, 0.05]), abs=1e-12)
    assert gradient(a_lol.behaviour_cloning) == pytest.approx(spread([-r / 4 for r in REWARDS]), abs=1e-12)
    tokens = [-gain * held(mine - its) / 4 for gain, mine, its in zip(spread(GAINS), LOGPS, REFS, strict=True)]
    assert gradient(a_lol.by_token) == pytest.approx(tokens, abs=1e-12)
    assert tokens[:2] == pytest.approx([-0.1425, -0.1118868523], abs=1e-9)
    gold = [-reward * max(exp(lp), 0.1) / 4 for reward, lp in zip(spread(REWARDS), LOGPS, strict=True)]
    assert gradient(a_lol.r_gold) == pytest.approx(gold, abs=1e-12)


def test_the_kl_form_is_no_anchor():
    """Its gradient knows no reference: a response of no advantage falls, and one whose advantage is the weight stays."""
    assert gradient(a_lol.kl) == pytest.approx(spread([-0.025, -0.0125, 0, 0.05]), abs=1e-12)
    moved = given(refs=[ref - 3.0 for ref in REFS], requires_grad=True)
    outcome(a_lol.kl, moved).loss.backward()
    assert moved["token_logps"].grad.tolist() == gradient(a_lol.kl)
    shifted = given(requires_grad=True)
    shifted["rewards"] = shifted["rewards"] - 0.2
    shifted["rewards"][3] = VALUES[3] - 0.2  # A+ - kl_weight, of A+ = 0
    outcome(a_lol.reference_free, shifted, clamp=False).loss.backward()
    assert shifted["token_logps"].grad.tolist() == pytest.approx(gradient(a_lol.kl), abs=1e-12)


def test_a_held_ratio_scales_a_gradient_and_never_stops_it():
    """Unlike PPO's, whose gradient is none where the ratio is held on the side that gains."""
    slopes = gradient(a_lol.loss, ratio_clip=0.05)
    assert slopes[0] == pytest.approx(-0.3 * 1.05 / 4)
    assert slopes[5] == pytest.approx(-0.2 * 0.95 / 4)


def test_identities():
    same = given(refs=LOGPS)
    free = outcome(a_lol.reference_free, same).loss.item()
    for loss in (a_lol.loss, a_lol.by_token):  # where nothing has moved, ratios are 1
        assert outcome(loss, same).loss.item() == pytest.approx(free)
    no_value = given()
    no_value["values"] = torch.zeros(4, dtype=torch.float64)
    assert outcome(a_lol.loss, no_value).loss.item() == pytest.approx(outcome(a_lol.r_lol).loss.item())
    assert outcome(a_lol.reference_free, no_value).loss.item() == pytest.approx(outcome(a_lol.behaviour_cloning).loss.item())
    assert outcome(a_lol.kl, kl_weight=0.0).loss.item() == pytest.approx(outcome(a_lol.reference_free).loss.item())
    ones = {**given(), "rewards": torch.ones(4, dtype=torch.float64)}
    unlikely = weighted.loss(ones["token_logps"], OWNERS, ones["rewards"], normaliser="token").loss
    assert unlikely.item() == pytest.approx(sft.loss(ones["token_logps"], torch.ones(9, dtype=torch.bool)).loss.item())
    assert outcome(a_lol.behaviour_cloning, ones).loss.item() == pytest.approx(2.3)  # NLL


def test_what_is_told():
    told = outcome(a_lol.loss).metrics
    assert told["gain"].item() == pytest.approx((0.3 + 0.25 + 0.2 + 0) / 4)
    assert told["learned"].item() == 0.75
    assert told["outside"].item() == 0.5
    assert told["nll"].item() == pytest.approx((0.6 / 2 + 2.8 / 3 + 5.2 / 3 + 0.6) / 4)
    assert outcome(a_lol.loss, clipped=False).metrics["outside"].item() == 0.5
    outside = [[exp(0.7) > 1.9, exp(0.4) > 1.9], [0, 0, 0], [exp(-2.0) < 0.1, 0, 0], [0]]
    assert outcome(a_lol.by_token).metrics["outside"].item() == pytest.approx(np.mean([np.mean(part) for part in outside]))
    assert outcome(a_lol.kl).metrics["log_ratio"].item() == pytest.approx((1.1 - 0.3 - 3.5 - 0.1) / 4)
    assert outcome(a_lol.r_gold, floor=0.3).metrics["floored"].item() == pytest.approx((0 + 1 / 3 + 2 / 3 + 0) / 4)


@pytest.mark.parametrize("loss", FAMILY, ids=named)
def test_the_gradient_in_double_precision(loss):
    """Of the value with what is detached held as it is: a ratio's own change must not count, so it is held wide."""
    inputs = given(requires_grad=True)
    free = loss in (a_lol.reference_free, a_lol.behaviour_cloning, a_lol.kl)
    if free:
        assert torch.autograd.gradcheck(
            lambda logps: outcome(loss, {**inputs, "token_logps": logps}).loss, [inputs["token_logps"]]
        )
        return
    outcome(loss, inputs).loss.backward()
    by_hand = inputs["token_logps"].grad
    scale = torch.ones((), dtype=torch.float64, requires_grad=True)  # log pi scaled around its own value: ratios fixed
    logps = torch.tensor(LOGPS, dtype=torch.float64)
    value = outcome(loss, {**inputs, "token_logps": logps + (scale - 1) * logps}).loss
    [slope] = torch.autograd.grad(value, [scale])
    assert slope.item() == pytest.approx((by_hand * logps).sum().item(), abs=1e-12)
    assert slope.item() == pytest.approx(value.item(), abs=1e-12)  # linear in log pi, all else detached


FREE = {"clipped": False}
EXTREME = [*((loss, {}) for loss in FAMILY), (a_lol.loss, FREE), (a_lol.by_token, FREE), (a_lol.r_lol, FREE)]


@pytest.mark.parametrize(("loss", "numbers"), EXTREME)
def test_extreme_inputs_stay_finite(loss, numbers):
    for far, near in ((0.0, -1e4), (-1e4, 0.0), (-1e-30, -300.0)):
        inputs = given(logps=[far] * 9, refs=[near] * 9, dtype=torch.float32, requires_grad=True)
        got = outcome(loss, inputs, **numbers)
        got.loss.backward()
        assert torch.isfinite(got.loss)
        assert torch.isfinite(inputs["token_logps"].grad).all()
        assert all(torch.isfinite(value) for value in got.metrics.values())


@pytest.mark.parametrize("loss", FAMILY, ids=named)
def test_neither_order_nor_neighbours_change_a_response(loss):
    whole = outcome(loss).loss.item()
    assert whole == pytest.approx(np.mean([outcome(loss, alone(given(), at)).loss.item() for at in range(4)]), abs=1e-12)
    turned = given()
    tokens, order = torch.tensor([8, 2, 3, 4, 5, 6, 7, 0, 1]), torch.tensor([3, 1, 2, 0])
    for name, part in turned.items():
        turned[name] = part[tokens] if len(part) == 9 else part[order]
    turned["owners"] = torch.tensor([0, 1, 1, 1, 2, 2, 2, 3, 3])
    assert outcome(loss, turned).loss.item() == pytest.approx(whole, abs=1e-12)


@pytest.mark.parametrize(
    ("loss", "numbers", "said"),
    [
        (
            a_lol.loss,
            {"ratio_clip": 0.0},
            "ratio_clip is how far a ratio may lie from 1, above 0, got 0; clipped=False leaves it free",
        ),
        (a_lol.by_token, {"ratio_clip": inf}, "above 0, got inf; clipped=False"),
        (a_lol.r_lol, {"ratio_clip": -1.0}, "above 0, got -1"),
        (a_lol.loss, {"ratio_clip": float("nan")}, "above 0, got nan"),
        (a_lol.r_gold, {"floor": 1.0}, r"floor is the least weight of a token, a probability in \[0, 1\), got 1"),
        (a_lol.kl, {"kl_weight": -0.1}, "kl_weight must be a finite number, 0 or more, got -0.1"),
    ],
)
def test_numbers_that_can_not_serve_are_named(loss, numbers, said):
    with pytest.raises(TrainingError, match=said):
        outcome(loss, **numbers)


# A bandit of five arms, each a response of one token: how often each is drawn of the data's law, and its reward; the value is
# the mean reward under that law.
COUNTS, PAID, WORTH = [8, 6, 3, 2, 1], [0.1, 0.4, 0.6, 0.8, 1.0], 0.38
LAW = np.array(COUNTS) / 20
GAIN = np.array([0, 0.02, 0.22, 0.42, 0.62])
BY_GAIN = [0, 6, 33, 42, 31]  # in proportion to LAW * GAIN
BY_REWARD = [4, 12, 9, 8, 5]  # in proportion to LAW * PAID


def expected(loss, logps, counts, **numbers):
    """The loss of rows of one token, each arm as often as it is drawn."""
    arms = torch.tensor(np.repeat(np.arange(5), counts))
    inputs = {"token_logps": logps[arms], "owners": torch.arange(len(arms)), "ref_token_logps": torch.tensor(LAW).log()[arms]}
    inputs |= {
        "rewards": torch.tensor(PAID, dtype=torch.float64)[arms],
        "values": torch.full((len(arms),), WORTH, dtype=torch.float64),
    }
    return outcome(loss, inputs, **numbers).loss


def settled(loss, counts, *, steps=800, lr=0.3, **numbers):
    """Where a softmax policy ends that begins at the law of the data."""
    logits = torch.tensor(LAW).log().requires_grad_()
    optimizer = torch.optim.Adam([logits], lr=lr)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        optimizer.zero_grad()
        expected(loss, logits.log_softmax(0), counts, **numbers).backward()
        optimizer.step()
        schedule.step()
    return logits.detach().softmax(0).numpy()


def law(weights):
    return weights / weights.sum()


FIXED = [
    (a_lol.behaviour_cloning, COUNTS, law(LAW * PAID), None),
    (a_lol.behaviour_cloning, BY_REWARD, law(LAW * np.square(PAID)), None),
    (a_lol.reference_free, COUNTS, law(LAW * GAIN), [0, 0.0535714286, 0.2946428571, 0.375, 0.2767857143]),
    (a_lol.reference_free, BY_GAIN, law(LAW * GAIN**2), [0, 0.0027124774, 0.1641048825, 0.3987341772, 0.4344484630]),
]


@pytest.mark.parametrize(("loss", "counts", "form", "computed"), FIXED)
def test_likelihood_forms_settle_at_the_tilted_law(loss, counts, form, computed):
    """p gain where rows are drawn alike; where they are drawn by their gain it enters twice, p gain^2."""
    if computed:
        assert form.tolist() == pytest.approx(computed, abs=1e-9)
    logits = torch.tensor(form + 1e-300).log().requires_grad_()
    expected(loss, logits.log_softmax(0), counts).backward()
    assert logits.grad.tolist() == pytest.approx([0] * 5, abs=1e-9)
    assert settled(loss, counts) == pytest.approx(form, abs=5e-4)


def test_the_clipped_form_settles_where_arms_are_raised_or_damped():
    found = settled(a_lol.loss, COUNTS)
    assert found == pytest.approx([0, 0.00296, 0.31039, 0.39503, 0.29157], abs=5e-4)
    assert law(LAW * GAIN * np.clip(found / LAW, 0.1, 1.9)) == pytest.approx(found, abs=5e-4)


def test_the_free_form_takes_the_best_arm_alone():
    assert settled(a_lol.loss, COUNTS, clipped=False)[4] > 0.999


def test_the_kl_form_falls_to_one_arm():
    """With a weight of .2 the arms of less advantage are pushed down for ever: entropy goes to none."""
    found = settled(a_lol.kl, COUNTS, kl_weight=0.2) + 1e-300
    assert -(found * np.log(found)).sum() < 0.05
