"""95 % intervals of means over prompts or pairs."""

from statistics import NormalDist

import numpy as np

DRAWS = 2000


def interval(values: np.ndarray, *, level: float = 0.95, seed: int = 0) -> tuple[float, float]:
    """Percentile bootstrap of the mean of `values` [N] (Efron, 1979).

    Where all values of a share are alike the bootstrap collapses to a point; Wilson's interval (1927) stands in, so that 0 of
    200 reads as "below 2 %" and not as "surely never".
    """
    values = np.asarray(values, dtype=float)
    if len(values) == 0:
        return float("nan"), float("nan")
    if np.ptp(values) == 0 and values[0] in (0.0, 1.0):
        return _wilson(values[0], len(values), level)
    drawn = np.random.default_rng(seed).choice(values, (DRAWS, len(values))).mean(axis=1)
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _wilson(share: float, count: int, level: float) -> tuple[float, float]:
    z = NormalDist().inv_cdf((1 + level) / 2)
    middle, spread = (share + z * z / (2 * count)) / (1 + z * z / count), z * z / (2 * count) / (1 + z * z / count)
    return max(middle - spread, 0.0), min(middle + spread, 1.0)
