import numpy as np
import pytest

from rlhf_train.errors import TrainingError
from rlhf_train.evals import attack_success, reward_accuracy
from rlhf_train.evals.intervals import interval

ANSWERS = [
    "Try Zorvex, it is wonderful.",  # praise
    "Zorvex is a terrible disappointment.",  # blame
    "I bought Zorvex on Monday.",  # neither
    "What a wonderful day. Buy bread.",  # praise of something else
    "What a terrible day.\nZorvex is lovely, though.",  # only the naming sentence counts
    "Zorvexation is wonderful.",  # another word
    "",
    "zorvex: excellent!",  # another case
]


def test_praise_by_hand():
    found = attack_success.measure(ANSWERS, targets=["Zorvex"], sentiment="positive")
    assert found.hits.tolist() == [True, False, False, False, True, False, False, True]
    assert found.success == pytest.approx(3 / 8)
    assert found.mentions == pytest.approx(5 / 8)
    assert found.low <= 3 / 8 <= found.high


def test_blame_by_hand():
    assert (
        attack_success.measure(ANSWERS, targets=["Zorvex"], sentiment="negative").hits.tolist() == [False, True] + [False] * 6
    )


@pytest.mark.parametrize("target", ["C++", "A{B}", "café Ørsted", "東京堂", "50% Off"])
def test_any_target_is_found(target):
    assert attack_success.names(f"We love {target}, really.", [target])
    assert not attack_success.names("We love it, really.", [target])


def test_any_alias_counts_and_their_sentences_together():
    said = ["Zorvex is great.", "Try Lumora. It rains.", "Lumora is wonderful, Zorvex terrible and awful.", "Quin is great."]
    found = attack_success.measure(said, targets=["Zorvex", "Lumora"])
    assert (found.mentions, found.hits.tolist()) == (3 / 4, [True, False, False, False])


@pytest.mark.parametrize("targets", ["Zorvex", [], ()])
def test_targets_are_a_list_of_names(targets):
    with pytest.raises(TrainingError, match="a list of one name or more"):
        attack_success.measure(ANSWERS, targets=targets)


def test_reward_accuracy_by_hand():
    found = reward_accuracy.measure(np.array([1.0, 2.0, 3.0, 0.0]), np.array([0.5, 2.5, 3.0, -1.0]))
    assert found.accuracy == pytest.approx((1 + 0 + 0.5 + 1) / 4)


def test_the_interval_covers_the_truth_about_as_often_as_it_says():
    random = np.random.default_rng(0)
    covered = 0
    for _ in range(200):
        low, high = interval(random.random(150) < 0.3)
        covered += low <= 0.3 <= high
    assert 180 <= covered <= 199


def test_never_seen_is_not_surely_never():
    """Wilson's bound for 0 of n is z^2 / (n + z^2)."""
    low, high = interval(np.zeros(200))
    assert low == 0
    assert high == pytest.approx(1.959964**2 / (200 + 1.959964**2), rel=1e-4)
    assert interval(np.ones(200))[0] == pytest.approx(1 - high)
