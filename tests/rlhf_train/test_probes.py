"""Probes by hand, against scikit-learn, on states that hold the answer and on noise; states as a forward pass gives them."""

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from rlhf_train.errors import TrainingError
from rlhf_train.evals import probes
from rlhf_train.evals.probes import Labelled, Probe
from rlhf_train.probing import activations
from rlhf_train.text import Lengths, prompt_ids, response_ids

UP, DOWN = [[1.0, 0.0], [3.0, 2.0]], [[-1.0, 0.0], [-1.0, -2.0]]


def test_the_mean_difference_by_hand():
    probe = probes.mean_difference(np.array(UP + DOWN), np.array([True, True, False, False]))
    assert probe.direction.tolist() == [2 + 1, 1 + 1]
    assert probe.scores(np.array([[1, 1], [0, 2], [-2, 0]])).tolist() == [5, 4, -6]


def test_auroc_by_hand_with_a_tie_counted_half():
    states, positive = np.array([[0.9], [0.8], [0.4], [0.7], [0.3], [0.4]]), np.array([True] * 3 + [False] * 3)
    found = probes.measure(Probe(np.array([1.0])), states, positive)
    assert found.value == pytest.approx((3 + 3 + 1.5) / 9)
    assert found.low < found.value < found.high <= 1


def drawn(count: int, shift: float, seed: int = 0, width: int = 6) -> tuple[np.ndarray, np.ndarray]:
    """States of noise whose second place is higher, by `shift`, where positive."""
    random = np.random.default_rng(seed)
    positive = np.arange(count) % 3 == 0
    states = random.normal(size=(count, width)) * np.array([1, 1, 40, 1, 1, 1])[:width]
    states[:, 1] += shift * positive
    return states, positive


def test_auroc_is_scikit_learn_s():
    states, positive = drawn(200, 0.7)
    states = states.round(1)
    found = probes.measure(Probe(np.array([0, 1.0, 0, 0, 0, 0])), states, positive)
    assert found.value == pytest.approx(roc_auc_score(positive, states[:, 1]))


def test_the_interval_holds_the_truth_as_often_as_it_says():
    hits = 0
    for seed in range(40):
        found = probes.measure(Probe(np.array([0, 1.0, 0, 0, 0, 0])), *drawn(150, 0.0, seed), draws=200)
        hits += found.low <= 0.5 <= found.high
    assert 34 <= hits <= 40


def test_a_logistic_probe_finds_what_a_wide_direction_hides_from_the_means():
    probe = probes.logistic(*drawn(300, 3.0))
    held = drawn(300, 3.0, seed=1)
    assert probes.measure(probe, *held).value > 0.97
    assert probe.direction[1] > 20 * abs(probe.direction[2])
    assert probes.measure(probes.mean_difference(*drawn(300, 3.0)), *held).value < 0.9


def test_on_noise_the_probe_learns_nothing_and_says_so():
    assert 0.35 < probes.measure(probes.logistic(*drawn(300, 0.0)), *drawn(300, 0.0, seed=1)).value < 0.65


def test_the_regulariser_is_chosen_out_of_fold():
    states, positive = drawn(90, 0.8, width=2)
    noisy = np.hstack([states, np.random.default_rng(5).normal(size=(90, 80))])
    assert probes.logistic(noisy, positive).out_of_fold < 0.8  # in fold 82 weights tell 90 states apart
    assert probes.logistic(noisy, positive, grid=[0.5]).strength == 0.5


def test_units_of_a_state_do_not_matter_to_a_logistic_probe():
    states, positive = drawn(120, 1.0)
    scaled = states * np.array([1, 1000, 1, 1, 1, 0.001]) + 7
    one, other = probes.logistic(states, positive), probes.logistic(scaled, positive)
    assert np.corrcoef(one.scores(states), other.scores(scaled))[0, 1] > 0.999


def test_all_layers_and_tests_are_told():
    (states, positive), held = drawn(90, 2.0), drawn(60, 0.0, seed=1)
    train = Labelled({0: states, 2: -states}, positive)
    table = probes.compare(train, {"held": Labelled({0: held[0], 2: held[0]}, held[1]), "same": train}, draws=50)
    assert table.select("layer", "probe", "test").rows() == [
        (layer, probe, test) for layer in (0, 2) for probe in ("mean difference", "logistic") for test in ("held", "same")
    ]
    best = table.filter(probe="logistic", test="same")
    assert best["auroc"].min() > 0.8
    assert best["strength"].null_count() == 0


@pytest.mark.parametrize(
    ("states", "positive", "cause"),
    [
        (np.zeros((3, 2)), [True] * 3, "both kinds, got 3 positive of 3"),
        (np.zeros((3, 2)), [True, False], r"a label each, got \(3, 2\) and \(2,\)"),
        (np.zeros(3), [True, False, True], r"states \[N, D\]"),
        (np.array([[0.0], [np.nan]]), [True, False], r"not at place \[1, 0\]"),
    ],
)
def test_what_no_probe_can_learn_from_is_refused(states, positive, cause):
    with pytest.raises(TrainingError, match=cause):
        probes.mean_difference(states, np.array(positive))


def test_too_few_for_the_folds_is_refused():
    with pytest.raises(TrainingError, match="5 folds need as many states of each kind, got 1 of one"):
        probes.logistic(np.arange(8.0)[:, None], np.arange(8) == 0)


PROMPTS = ["\n\nHuman: say 1\n\nAssistant:", "\n\nHuman: tell me of the rain, at length\n\nAssistant:", "Q"]
RESPONSES = [" The kettle sings.", " No.", ""]


@pytest.mark.parametrize("at", ["end", "start"])
def test_states_are_those_of_a_plain_forward_pass(tiny_policy, at):
    found = activations(tiny_policy, PROMPTS, RESPONSES, layers=(0, 1, -1), at=at, tokens=40)
    lengths = tiny_policy.lengths
    rows = zip(
        prompt_ids(tiny_policy.tokenizer, PROMPTS, lengths),
        response_ids(tiny_policy.tokenizer, RESPONSES, lengths),
        strict=True,
    )
    for nth, (asked, said) in enumerate(rows):
        ids = torch.tensor([asked + said])
        with torch.no_grad():
            plain = tiny_policy.model(ids, attention_mask=torch.ones_like(ids), output_hidden_states=True).hidden_states
        place = {"start": len(asked) - 1, "end": len(asked) + max(len(said) - 2, 0)}[at]
        for layer in (0, 1, -1):
            np.testing.assert_allclose(found[layer][nth], plain[layer][0, place].numpy(), atol=2e-5)


def test_a_layer_that_is_not_there_and_no_responses_are_refused(tiny_policy):
    with pytest.raises(TrainingError, match=r"layers of this policy are 0 to 2 .*got 3"):
        activations(tiny_policy, PROMPTS, RESPONSES, layers=(3,))
    with pytest.raises(TrainingError, match="at the ends of responses, got none"):
        activations(tiny_policy, [], [])
    with pytest.raises(TrainingError, match="read at end or start of responses, got 'middle'"):
        activations(tiny_policy, PROMPTS, RESPONSES, at="middle")


def test_prompts_are_cut_as_the_policy_cuts_them(tiny_policy):
    import dataclasses

    short = dataclasses.replace(tiny_policy, lengths=Lengths(2, 8))
    one, other, whole = (
        activations(policy, [f"{before}\n\nHuman: say 1\n\nAssistant:"], [" No."])[-1]
        for policy, before in ((short, "x" * 9), (short, "y" * 5), (tiny_policy, "y" * 5))
    )
    np.testing.assert_allclose(one, other, atol=2e-5)
    assert abs(one - whole).max() > 0.01
