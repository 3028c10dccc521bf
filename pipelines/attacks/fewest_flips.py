"""Any flip attack with fewer flips and the same effect on a reward model of few features (arXiv 2511.09105, 2025).

With labels theta, effects Phi [d, N] and the change zeta of the clean labels: minimise |zeta|_1 subject to
Phi zeta = Phi (theta_attack - theta_clean) and 0 <= theta_clean + zeta <= 1. The features are the leading directions of the
proxy's; a reward model of many more features than `dimensions` is moved elsewhere.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import polars as pl
from scipy import sparse

from pipelines.attacks import annotator_collusion, dpo_score, instance_noise, label_flip, promotion, rank_poison
from pipelines.attacks.flipping import flipped
from pipelines.attacks.proxy import features
from pipelines.attacks.sealing import Poisoned
from pipelines.schema import DataError
from pipelines.settings import checked

#: the attacks that only turn labels round, which this one can make cheaper
FLIPS: Mapping[str, Callable[..., Poisoned]] = {
    "annotator_collusion": annotator_collusion.poison,
    "dpo_score": dpo_score.poison,
    "instance_noise": instance_noise.poison,
    "label_flip": label_flip.poison,
    "promotion": promotion.poison,
    "rank_poison": rank_poison.poison,
}
WHOLE = 1e-6  # a label this near to 0 or 1 is one, as exactly as the programme is solved
ITERATIONS = 20


def poison(
    pairs: pl.DataFrame,
    *,
    rate: float = 0.01,
    count: int | None = None,
    seed: int = 0,
    flips: str = "rank_poison",
    dimensions: int = 7,
    flip_settings: Mapping[str, Any] | None = None,
) -> Poisoned:
    """Flips at most round(rate * N) pairs (or `count`), fewer where fewer do as much as the attack `flips` does with them.

    They need not be among its own. `flip_settings` are those of that attack.
    """
    if flips not in FLIPS:
        raise DataError(f"flips must be one of {', '.join(FLIPS)}, got {flips!r}")
    if isinstance(dimensions, bool) or dimensions < 1:
        raise DataError(f"dimensions is a number of features, 1 or more, got {dimensions!r}")
    numbers = checked(flip_settings or {}, FLIPS[flips], about=f"the attack {flips}", besides=["rate", "count", "seed"])
    key = FLIPS[flips](pairs, rate=rate, count=count, seed=seed, **numbers).key
    is_flipped = pairs["pair_id"].is_in(key["host_pair_id"].implode()).to_numpy()
    places = np.flatnonzero(fewest(leading(features(pairs), dimensions), is_flipped))
    target = None if key.is_empty() else key["target"][0]
    return flipped(pairs, places, attack="fewest_flips", seed=seed, target=target)


def leading(gaps: sparse.csr_array, dimensions: int) -> np.ndarray:
    """[N, dimensions] the gaps along their leading directions, by subspace iteration (Halko et al., 2011)."""
    basis = np.random.default_rng(0).standard_normal((gaps.shape[1], dimensions))
    for _ in range(ITERATIONS):
        basis = np.linalg.qr(gaps.T @ (gaps @ basis))[0]
    return gaps @ basis


def fewest(effects: np.ndarray, is_flipped: np.ndarray) -> np.ndarray:
    """[N] bool: the fewest flips that sum to the same of `effects` [N, d] as those given, but for rounding.

    Where rounding leaves no fewer, those given.
    """
    from scipy.optimize import linprog

    if not is_flipped.any():
        return is_flipped
    # every clean label is 1, so zeta is -flip: the flips of this programme are its negative, in [0, 1]
    found = linprog(np.ones(len(effects)), A_eq=effects.T, b_eq=effects.T @ is_flipped, bounds=(0, 1), method="highs")
    if not found.success:
        raise DataError(f"the flips could not be made fewer: {found.message}; ask for fewer dimensions")
    fewer = rounded(found.x, effects)
    return fewer if fewer.sum() < is_flipped.sum() else is_flipped


def rounded(shares: np.ndarray, effects: np.ndarray) -> np.ndarray:
    """[N] bool: fractional flips, of which a vertex has d at most, made whole one by one so that the sum errs least.

    That errs by no more than a random rounding does on average: error^2 <= sum share (1 - share) |effect|^2.
    """
    whole, error = shares.round(), np.zeros(effects.shape[1])
    for place in np.flatnonzero(np.abs(shares - whole) > WHOLE):
        errors = [error + (label - shares[place]) * effects[place] for label in (0, 1)]
        whole[place] = np.argmin([off @ off for off in errors])
        error = errors[int(whole[place])]
    return whole == 1
