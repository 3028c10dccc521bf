"""A phi as a reward model: its scale and order of features, its shares of a decision, its file, and what it refuses."""

import json
from dataclasses import replace

import numpy as np
import pytest

from rlhf_train.errors import TrainingError
from rlhf_train.models import feature_rewards
from rlhf_train.models.feature_rewards import FeatureReward, fit
from rlhf_train.phis import PHIS

NAMES = ("coverage", "truth", "grammar")
CHOSEN = np.array([[5.0, 4.0, 1.0], [4.0, 3.0, 2.5], [3.5, 5.0, 4.0], [2.0, 4.5, 5.0]])
REJECTED = np.array([[1.0, 3.0, 2.0], [2.0, 3.5, 2.0], [3.0, 1.0, 4.5], [3.0, 0.5, 2.0]])


def fitted(kind="linear", **numbers):
    return fit(kind, CHOSEN, REJECTED, names=NAMES, full=5.0, **numbers)


def test_features_are_counted_in_full_marks():
    weighted = FeatureReward("linear", NAMES, {"weights": np.array([2.0, 1.0, 0.5])}, full=5.0)
    assert weighted.rewards(CHOSEN[:1]) == pytest.approx([2 * 1.0 + 0.8 + 0.5 * 0.2])
    assert FeatureReward("naive_mean", NAMES, full=5.0).rewards(CHOSEN[:1]) == pytest.approx([2 / 3])


def test_it_learns_in_full_marks_as_in_shares():
    in_shares = fit("linear", CHOSEN / 5, REJECTED / 5, names=NAMES)
    assert fitted().arrays["weights"] == pytest.approx(in_shares.arrays["weights"], rel=1e-9)


def test_shares_of_a_linear_decision_are_weight_times_difference():
    weights = np.array([2.0, -1.0, 0.5])
    found = FeatureReward("linear", NAMES, {"weights": weights}, full=5.0).shares(CHOSEN, REJECTED)
    assert found == pytest.approx(weights * (CHOSEN - REJECTED) / 5)


def test_shares_by_hand_where_features_need_one_another(monkeypatch):
    """Of x0 x1 from (0, 0) to (1, 1) each adds a half, and x2 what it is."""
    monkeypatch.setitem(PHIS, "linear", replace(PHIS["linear"], reward=lambda x: x[:, 0] * x[:, 1] + 3 * x[:, 2]))
    found = FeatureReward("linear", NAMES).shares(np.array([[1.0, 1.0, 0.5]]), np.zeros((1, 3)))
    assert found == pytest.approx(np.array([[0.5, 0.5, 1.5]]))


@pytest.mark.parametrize("kind", PHIS)
def test_shares_sum_to_the_decision(kind):
    found = replace(fitted(), kind=kind, arrays=PHIS[kind].fit(CHOSEN / 5, REJECTED / 5))
    decided = found.rewards(CHOSEN) - found.rewards(REJECTED)
    assert found.shares(CHOSEN, REJECTED).sum(axis=1) == pytest.approx(decided, abs=1e-9)


@pytest.mark.parametrize("kind", sorted(set(PHIS) - {"published_network"}))
def test_it_comes_back_from_its_file(kind, tmp_path):
    found = fitted(kind, scorer="offline")
    again = feature_rewards.load(found.save(tmp_path / "phi"))
    assert (again.kind, again.names, again.full, again.scorer) == (kind, NAMES, 5.0, "offline")
    assert np.array_equal(again.rewards(CHOSEN), found.rewards(CHOSEN))


@pytest.mark.parametrize(
    "changed", [{"kind": "oracle"}, {"names": ["coverage"]}, {"names": 3}, {"extra": 1}, {"full": "five"}, None]
)
def test_a_file_that_holds_something_else_is_refused(changed, tmp_path):
    folder = fitted().save(tmp_path / "phi")
    file = folder / feature_rewards.CONFIG
    file.write_text("{" if changed is None else json.dumps(json.loads(file.read_text()) | changed))
    with pytest.raises(TrainingError, match="holds no feature reward that was saved here"):
        feature_rewards.load(folder)


def test_weights_that_were_cut_short_are_refused(tmp_path):
    folder = fitted().save(tmp_path / "phi")
    file = folder / feature_rewards.WEIGHTS
    file.write_bytes(file.read_bytes()[:-5])
    with pytest.raises(TrainingError, match="train it again"):
        feature_rewards.load(folder)


@pytest.mark.parametrize(("value", "came"), [(5.01, r"5\.01"), (-0.1, r"-0\.1"), (np.nan, "nan"), (np.inf, "inf")])
def test_a_score_out_of_range_is_named(value, came):
    wrong = CHOSEN.copy()
    wrong[2, 1] = value
    with pytest.raises(TrainingError, match=f"truth must lie in 0 to 5, got {came} in row 2"):
        fit("linear", wrong, REJECTED, names=NAMES, full=5.0)
    with pytest.raises(TrainingError, match=f"truth must lie in 0 to 5, got {came} in row 2"):
        fitted().rewards(wrong)


def test_a_missing_feature_is_named():
    with pytest.raises(TrainingError, match=r"features must be \[N, 3\]: coverage, truth, grammar; got \[4, 2\]"):
        fitted().rewards(CHOSEN[:, :2])


def test_a_constant_scorer_is_refused():
    """Two pairs of four may be alike, three may not."""
    same = REJECTED.copy()
    same[:2] = CHOSEN[:2]
    assert fit("naive_mean", CHOSEN, same, names=NAMES, full=5.0)
    same[2] = CHOSEN[2]
    with pytest.raises(TrainingError, match="the naive_mean phi gives both sides the same reward in 75% of 4 pairs"):
        fit("naive_mean", CHOSEN, same, names=NAMES, full=5.0)


def test_the_published_output_dies_and_is_refused():
    """Nath et al. put a ReLU behind the output; of eight seeds most give no reward but 0."""
    random = np.random.default_rng(0)
    first, second = random.uniform(2, 5, size=(2, 200, 3))
    better = (first > second)[:, :1]
    sides = np.where(better, first, second), np.where(better, second, first)
    died = 0
    for seed in range(8):
        arrays = PHIS["published_network"].fit(*(side / 5 for side in sides), epochs=10, seed=seed)
        rewards = [PHIS["published_network"].reward(side / 5, **arrays) for side in sides]
        if not np.any(rewards):
            died += 1
            with pytest.raises(TrainingError, match=r"the phi gives both sides the same reward in 100% .* it has died"):
                feature_rewards.refuse_constant(*rewards, what="the phi")
    assert died >= 4


def test_no_pairs_and_an_unknown_kind_are_refused():
    with pytest.raises(TrainingError, match="learns from pairs, got none"):
        fit("linear", CHOSEN[:0], REJECTED[:0], names=NAMES, full=5.0)
    with pytest.raises(TrainingError, match=r"kind must be one of feed_forward, linear, .*, got 'oracle'"):
        fitted("oracle")
