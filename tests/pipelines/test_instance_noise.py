"""Instance-dependent noise: draws without replacement by their weights."""

from collections import Counter
from itertools import combinations

import numpy as np
import pytest
from scipy.special import expit

from pipelines.attacks import instance_noise
from pipelines.schema import DataError
from tests.pipelines.poisoned import flipped_rows, pairs_with


@pytest.mark.parametrize("sharpness", [0.0, 0.7, 2.0])
def test_two_hard_pairs_are_drawn_one_after_the_other_by_their_weights(sharpness):
    """P(i and j) = w_i / S * w_j / (S - w_i) + the same the other way round, with S the sum of weights."""
    margins = np.array([0.1, -1.5, 2.5, -0.6])
    weights = expit(-sharpness * abs(margins))
    rest = weights.sum() - weights
    draws = 4000
    drawn = [sorted(instance_noise.hardest(margins, 2, sharpness=sharpness, seed=seed).tolist()) for seed in range(draws)]
    counts = Counter(map(tuple, drawn))
    for i, j in combinations(range(4), 2):
        share = weights[i] * weights[j] / weights.sum() * (1 / rest[i] + 1 / rest[j])
        assert abs(counts[i, j] - draws * share) < 4.5 * (draws * share * (1 - share)) ** 0.5


def test_weights_that_round_to_zero_still_order_pairs():
    margins = np.array([3000.0, -1000.0, 2000.0, 9.0])
    assert instance_noise.hardest(margins, 4, sharpness=5.0, seed=0).tolist() == [3, 1, 2, 0]


def test_noise_reaches_the_pairs_of_small_margin():
    pairs = pairs_with([{"margin": (-1) ** row * (0.0 if row < 4 else 90.0)} for row in range(40)])
    assert flipped_rows(pairs, instance_noise.poison(pairs, count=4)) == [0, 1, 2, 3]
    with pytest.raises(DataError, match=r"sharpness must be a finite number, 0 or more, got -1"):
        instance_noise.poison(pairs, sharpness=-1.0)
