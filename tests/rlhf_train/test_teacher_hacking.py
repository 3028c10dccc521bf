"""Traces by hand: a path past the oracle to the teacher, a power law that is left, and who is to blame for a rebound."""

import itertools
from math import log

import numpy as np
import pytest

from rlhf_train.errors import TrainingError
from rlhf_train.evals.teacher_hacking import departure, measure, power_law, rebound, regimes


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


SHARED = list(range(10, 22))


def traced(golden, proxy, *, spread=(0.9, 1.1)):
    """[K, 2] of two prompts: their means are those given."""
    return [np.outer(values, spread) for values in (golden, proxy)]


def told(golden, proxy, teacher, **more):
    golden, proxy = traced(golden, proxy, **more)
    return measure([1, 2, 4, 8][: len(proxy)], proxy, golden, teacher)


def test_what_came_of_a_student_is_said_in_a_word():
    hacking = told([1.0, 0.5, 0.6, 0.8], [2.0, 1.0, 0.9, 0.8], 0.4)
    assert hacking.verdict == "hacking"
    assert (hacking.best, hacking.golden_least, hacking.golden_last) == (2, pytest.approx(0.5), pytest.approx(0.8))
    assert (hacking.rebound, hacking.of_teacher, hacking.of_data) == pytest.approx((0.3, -0.1, 0.4))
    assert (hacking.proxy_best, hacking.proxy_last) == pytest.approx((1.0, 0.8))
    assert 0 < hacking.rebound_low <= 0.3 <= hacking.rebound_high
    assert told([1.0, 0.5, 0.6, 0.8], [2.0, 1.0, 1.1, 1.2], 0.4).verdict == "overfitted"
    assert told([1.0, 0.5, 0.6, 0.8], [2.0, 1.0, 0.9, 0.8], 0.9).verdict == "limited by the teacher"
    assert told([1.0, 0.7, 0.6, 0.5], [2.0, 1.0, 0.9, 0.8], 0.4).verdict == "healthy"


def test_a_rebound_that_prompts_do_not_agree_on_is_none():
    golden, proxy = traced([1.0, 0.5, 0.52, 0.53], [2.0, 1.0, 0.9, 0.8])
    golden[-1] += [-0.4, 0.4]
    assert measure([1, 2, 4, 8], proxy, golden, 0.1).verdict == "healthy"


def test_without_an_oracle_a_departure_is_all_there_is_to_tell():
    law = np.outer([at**-0.5 for at in SHARED], (1.0, 1.0))
    found = measure(SHARED, law)
    assert (found.verdict, found.golden_last, found.rebound, found.best) == ("healthy", None, None, None)
    assert found.residual == pytest.approx(0.0, abs=1e-9)
    steps = [10, 100, 200, 300, 400, 800]
    left = np.outer([at**-0.5 for at in steps[:4]] + [0.2, 0.3], (1.0, 1.0))
    found = measure(steps, left)
    assert (found.verdict, found.departs) == ("departs", 400)
    assert found.residual == pytest.approx(log(0.3) + 0.5 * log(800))


def test_a_run_too_short_for_a_law_has_neither_departure_nor_residual():
    found = told([1.0, 0.5], [2.0, 1.0], 0.4)
    assert (found.verdict, found.departs, found.residual) == ("healthy", None, None)
