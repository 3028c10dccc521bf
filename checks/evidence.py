"""The numbers detectors need, each computed once and only when asked for: phrases, embeddings, nearness, margins.

All of it comes from the corpus under audit (and a trusted one where given), never from a model trained downstream.
"""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import polars as pl

from checks import contrasts
from checks import phrases as phrase_table
from checks.encoding import Encoder, encode
from checks.resemblance import Clusters, clusters

FOLDS = 5
CROWD = 3  # a pair and its one copy are no flood: nearness is to the third other pair
BLOCK = 1024


@dataclass
class Evidence:
    """Evidence on `pairs` (PAIRS); `trusted` (PAIRS) is a reference that the attacker could not touch."""

    pairs: pl.DataFrame
    trusted: pl.DataFrame | None = None
    encoder: Encoder = encode
    seed: int = 0
    given: dict[str, np.ndarray] = field(default_factory=dict)

    @cached_property
    def phrases(self) -> phrase_table.Phrases:
        """Which words and word pairs stand in which responses."""
        return phrase_table.phrases(self.pairs, self.trusted)

    @cached_property
    def lifts(self) -> np.ndarray:
        """[contrasts, N] how lopsided the most lopsided phrase of each pair is."""
        return contrasts.lifts(self.phrases)

    @cached_property
    def null_lifts(self) -> np.ndarray:
        """[contrasts, M] the same of phrases dealt anew at random."""
        return contrasts.null_lifts(self.phrases, seed=self.seed)

    @cached_property
    def embeddings(self) -> np.ndarray:
        """[2, N, width] unit vectors of the chosen and the rejected responses, each without its prompt."""
        if "embeddings" in self.given:
            return self.given["embeddings"]
        texts = [text.strip() for side in ("chosen", "rejected") for text in self.pairs[side]]
        return self.encoder(texts).reshape(2, len(self.pairs), -1)

    @cached_property
    def nearness(self) -> np.ndarray:
        """[N] cosine of each pair's two responses, taken together, to those of its CROWD-th nearest other pair."""
        return nearness(np.concatenate(list(self.embeddings), axis=1) / np.sqrt(2))

    @cached_property
    def resemblance(self) -> Clusters:
        """Near duplicates among the chosen and then the rejected responses, 2 N texts."""
        return clusters(pl.concat([self.pairs["chosen"], self.pairs["rejected"]]), seed=self.seed)

    @cached_property
    def margins(self) -> np.ndarray:
        """[N] Bradley-Terry margins, chosen minus rejected, by a model that saw no pair with the same prompt."""
        chosen, rejected = self.embeddings
        return out_of_fold_margins(chosen - rejected, self._folds())

    def _folds(self) -> np.ndarray:
        """[N] fold of each pair: pairs that share a prompt share a fold, whatever their order."""
        return self.pairs["prompt"].hash(seed=self.seed).to_numpy() % FOLDS


def nearness(vectors: np.ndarray) -> np.ndarray:
    """[N] cosine of each of the unit `vectors` [N, width] to its CROWD-th nearest other; 0 where there are too few."""
    if len(vectors) <= CROWD:
        return np.zeros(len(vectors))
    return np.concatenate([_nearness(vectors, start) for start in range(0, len(vectors), BLOCK)])


def _nearness(vectors: np.ndarray, start: int) -> np.ndarray:
    near = vectors[start : start + BLOCK] @ vectors.T
    near[np.arange(len(near)), np.arange(start, start + len(near))] = -1  # not one's own neighbour
    return np.partition(near, -CROWD, axis=1)[:, -CROWD]


def out_of_fold_margins(gaps: np.ndarray, folds: np.ndarray, *, penalty: float = 1.0) -> np.ndarray:
    """[N] x . w where w is fitted on the other folds by minimising sum(-log sigmoid(x . w)) + penalty |w|^2 / 2.

    The Bradley-Terry likelihood; x are the `gaps` [N, width], chosen minus rejected features; folds: [N] int.
    """
    from sklearn.linear_model import LogisticRegression

    margins = np.zeros(len(gaps))
    for fold in np.unique(folds):
        held = folds == fold
        if held.all():
            continue  # one prompt only: no other pair to learn from, so no doubt either
        seen = gaps[~held]
        sign = np.where(np.arange(len(seen)) % 2, -1.0, 1.0)  # half the gaps turned round: two balanced classes
        model = LogisticRegression(C=1 / penalty, fit_intercept=False, max_iter=500)
        model.fit(seen * sign[:, None], sign) if len(seen) > 1 else None
        margins[held] = gaps[held] @ model.coef_[0] if len(seen) > 1 else 0.0
    return margins
