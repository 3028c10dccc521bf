"""Promotes or demotes the responses that name a target by flips alone (Wu et al., 2024, arXiv 2402.01920).

To be raised or lowered: U = mean reward of the target's responses - mean reward of all. The paper ascends the gradient of
relaxed flips; here it is taken once, at the clean labels of the attacker's own proxy (its black-box setting).
"""

import re
from collections.abc import Callable, Mapping

import numpy as np
import polars as pl
from scipy import sparse

from pipelines.attacks import proxy
from pipelines.attacks.corpus_names import named_about_as_often
from pipelines.attacks.flipping import flipped, top
from pipelines.attacks.sealing import Poisoned, budget
from pipelines.schema import DataError

GOALS: Mapping[str, float] = {"promote": 1.0, "demote": -1.0}


def poison(
    pairs: pl.DataFrame,
    *,
    rate: float = 0.01,
    count: int | None = None,
    seed: int = 0,
    target: str = "",
    goal: str = "promote",
    how: str = "gradient",
    share: float = 0.02,
) -> Poisoned:
    """Flips the round(rate * N) pairs (or `count`) that serve the `goal` best, however little the last ones serve it.

    `target` is a word or phrase of the responses, in any case; where empty, a name that about the `share` of them hold.
    Raises DataError where no response names it.
    """
    size = budget(len(pairs), rate=rate, count=count)
    for name, value, known in (("goal", goal, GOALS), ("how", how, HOW)):
        if value not in known:
            raise DataError(f"{name} must be one of {', '.join(known)}, got {value!r}")
    if pairs.is_empty():
        return flipped(pairs, top(np.zeros(0), 0, seed=seed), attack="promotion", seed=seed)
    responses = pl.concat([pairs["chosen"], pairs["rejected"]])
    target = target or named_about_as_often(responses, share)
    named = names(responses, target)
    if not named.any():
        raise DataError(f"target must be a word or phrase that some response holds, got {target!r}, which none does")
    scores = GOALS[goal] * HOW[how](proxy.presence(responses), named)
    return flipped(pairs, top(scores, size, seed=seed), attack="promotion", seed=seed, target=target)


def names(responses: pl.Series, target: str) -> np.ndarray:
    """[responses] whether each names the target, as words of its own, in any case."""
    return responses.str.contains(rf"(?i)(?:^|\W){re.escape(target)}(?:\W|$)").to_numpy()


def influence(responses: sparse.csr_array, named: np.ndarray) -> np.ndarray:
    """[N] how much a flip of each pair raises U, to first order; `responses` [2 N, width] are all chosen, then rejected.

    A flip puts -log sigmoid(-w . x) in the place of -log sigmoid(w . x), whose gradients differ by x, the pair's feature
    gap; so the fitted w moves by -H^-1 x, and U = u . w by -u . H^-1 x with u = mean target features - mean features.
    """
    chosen, rejected = sparse.csr_array(responses[: len(named) // 2]), responses[len(named) // 2 :]
    gaps = chosen - rejected
    return -gaps @ proxy.moved(gaps, proxy.fit(gaps), responses[named].mean(axis=0) - responses.mean(axis=0))


def nearness(responses: sparse.csr_array, named: np.ndarray) -> np.ndarray:
    """[N] cosine to the mean target features, of the rejected response less that of the chosen one.

    The paper's other heuristic: a flip raises what it makes the chosen response, so that should lie near the target's.
    """
    length = np.sqrt(np.maximum(responses.multiply(responses).sum(axis=1), 1))
    centre = responses[named].mean(axis=0)
    cosine = responses @ centre / length / np.linalg.norm(centre)
    return cosine[len(named) // 2 :] - cosine[: len(named) // 2]


HOW: Mapping[str, Callable[[sparse.csr_array, np.ndarray], np.ndarray]] = {"gradient": influence, "distance": nearness}
