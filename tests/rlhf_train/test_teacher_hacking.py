"""Traces by hand: a path past the oracle to the teacher, a power law that is left, and who is to blame for a rebound."""

import itertools
from math import log

import numpy as np
import pytest

from rlhf_train.errors import TrainingError
from rlhf_train.evals.teacher_hacking import departure, power_law, rebound, regimes


def kl(p, q):
    """Of two coins."""
    return p * log(p / q) + (1 - p) * log((1 - p) / (1 - q))


PATH = [0.2, 0.35, 0.5, 0.65, 0.8]  # a student that ends as the teacher
GOLDEN = [kl(0.5, at) for at in PATH]
PROXY = [kl(0.8, at) for at in PATH]
STEPS = [1, 2, 4, 8, 16, 32, 64]
LEFT = [*(at**-0.5 for at in STEPS[:5]), 0.24, 0.26]


def test_a_student_that_passes_the_oracle_hacks_its_teacher():
    assert pytest.approx([0.223144, 0.047155, 0, 0.047155, 0.223144], abs=1e-6) == GOLDEN
    assert pytest.approx([0.831777, 0.425612, 0.192745, 0.054188, 0], abs=1e-6) == PROXY
    assert regimes(PROXY, GOLDEN, smooth=1) == ["improve", "improve", "hack", "hack"]
    found = rebound(range(5), GOLDEN, teacher=kl(0.5, 0.8))
    assert found.step == 2
    assert (found.total, found.teacher, found.data) == pytest.approx((0.223144, 0.223144, 0.0), abs=1e-6)


def test_a_rebound_is_the_teacher_s_and_the_data_s():
    found = rebound([1, 10, 100], [1.5, 0.8, 1.4], teacher=1.1)
    assert (found.step, found.total, found.teacher, found.data) == pytest.approx((10, 0.6, 0.3, 0.3))
    still = rebound([1, 10, 100], [1.5, 0.8, 0.7], teacher=0.4)
    assert (still.total, still.teacher + still.data) == pytest.approx((0.0, 0.0))


def test_all_four_regimes():
    proxy, golden = [3, 2, 1, 2, 1.5, 2], [3, 2, 3, 4, 5, 4]
    assert regimes(proxy, golden, smooth=1) == ["improve", "hack", "overfit", "hack", "lucky"]
    shifted = [value + 7 for value in golden]
    assert regimes(proxy, shifted, smooth=3) == regimes(proxy, golden, smooth=3)
    assert regimes([1, 1], [1, 2], smooth=1) == ["overfit"]


def test_smoothing_is_a_centred_mean():
    proxy, golden = [4, 3, 5, 1, 0], [1, 1, 1, 1, 1]
    means = [3.5, 4.0, 3.0, 2.0, 0.5]
    assert regimes(proxy, golden) == ["improve" if after < before else "lucky" for before, after in itertools.pairwise(means)]
    with pytest.raises(TrainingError, match="smooth must be odd, got 2"):
        regimes(proxy, golden, smooth=2)


def test_a_trace_that_leaves_its_law_is_flagged_where_it_does():
    law = power_law(STEPS, LEFT, window=(1, 16))
    assert (law.slope, law.scale, law.deviation) == pytest.approx((-0.5, 1.0, 0.0), abs=1e-9)
    assert law.residuals(STEPS, LEFT) == pytest.approx([0, 0, 0, 0, 0, 0.3058, 0.7324], abs=1e-4)
    assert departure(STEPS, LEFT, window=(1, 16)) == 32
    assert departure(STEPS, LEFT, window=(1, 16), in_a_row=3) is None
    assert departure(STEPS, LEFT, window=(1, 16), least=0.4) is None
    assert departure(STEPS, [at**-0.5 for at in STEPS], window=(1, 16)) is None


def test_noise_of_the_window_is_allowed_for():
    noisy = [value * np.exp(shift) for value, shift in zip(LEFT, [0.2, -0.3, 0.2, 0.1, -0.2, 0, 0], strict=True)]
    law = power_law(STEPS, noisy, window=(1, 16))
    at = np.log(STEPS[:5])
    slope = ((at - at.mean()) * (np.log(noisy[:5]) - np.log(noisy[:5]).mean())).sum() / ((at - at.mean()) ** 2).sum()
    assert law.slope == pytest.approx(slope)
    left = np.log(noisy[:5]) - np.log(noisy[:5]).mean() - slope * (at - at.mean())
    assert law.deviation == pytest.approx(((left**2).sum() / 3) ** 0.5)
    assert departure(STEPS, noisy, window=(1, 16)) is None
    assert departure(STEPS, noisy, window=(1, 16), deviations=0.5) == 32


def test_an_early_rise_is_no_departure():
    assert departure(STEPS, [1, 9, 9, 0.4, 0.25, 0.18, 0.13], window=(8, 64)) is None


@pytest.mark.parametrize(
    ("steps", "values", "word"),
    [
        ([1, 2, 3], [1, 1, 1], "three measurements at least, and 0 lie"),
        ([0, 10, 20], [1, 1, 1], "above 0; leave out step 0"),
        ([10, 20, 30], [1, 0, 1], "exact zeros"),
        ([10, 20, 30], [1, np.nan, 1], "finite numbers"),
    ],
)
def test_what_can_not_be_fitted_is_refused(steps, values, word):
    with pytest.raises(TrainingError, match=word):
        departure(steps, values)


def test_traces_of_different_lengths_are_refused():
    with pytest.raises(TrainingError, match="got 2 and 3 measurements"):
        regimes([1, 2], [1, 2, 3])
    with pytest.raises(TrainingError, match="got 1 and 1 measurements"):
        rebound([1], [2], teacher=1.0)
