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
from checks.preference_model import folds, influence, out_of_fold_margins

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
        return self.encoder(_responses(self.pairs)).reshape(2, len(self.pairs), -1)

    @cached_property
    def nearness(self) -> np.ndarray:
        """[N] cosine of each pair's two responses, taken together, to those of its CROWD-th nearest other pair."""
        return nearness(np.concatenate(list(self.embeddings), axis=1) / np.sqrt(2))

    @cached_property
    def gaps(self) -> np.ndarray:
        """[N, width] embeddings of the chosen responses less those of the rejected ones."""
        return self.embeddings[0] - self.embeddings[1]

    @cached_property
    def margins(self) -> np.ndarray:
        """[N] Bradley-Terry margins, chosen minus rejected, by a model that saw no pair with the same prompt."""
        return out_of_fold_margins(self.gaps, folds(self.pairs["prompt"], seed=self.seed))

    @cached_property
    def influence(self) -> np.ndarray:
        """[N] nats that the likelihood of the trusted pairs gains when a pair is left out; without them, self-influence."""
        trusted = None if self.trusted is None else self._gaps(self.trusted)
        return influence(self.gaps, trusted)

    def _gaps(self, pairs: pl.DataFrame) -> np.ndarray:
        chosen, rejected = self.encoder(_responses(pairs)).reshape(2, len(pairs), -1)
        return chosen - rejected


def _responses(pairs: pl.DataFrame) -> list[str]:
    """All chosen, then all rejected responses, as they are encoded."""
    return [text.strip() for side in ("chosen", "rejected") for text in pairs[side]]


def nearness(vectors: np.ndarray) -> np.ndarray:
    """[N] cosine of each of the unit `vectors` [N, width] to its CROWD-th nearest other; 0 where there are too few."""
    if len(vectors) <= CROWD:
        return np.zeros(len(vectors))
    return np.concatenate([_nearness(vectors, start) for start in range(0, len(vectors), BLOCK)])


def _nearness(vectors: np.ndarray, start: int) -> np.ndarray:
    near = vectors[start : start + BLOCK] @ vectors.T
    near[np.arange(len(near)), np.arange(start, start + len(near))] = -1  # not one's own neighbour
    return np.partition(near, -CROWD, axis=1)[:, -CROWD]
