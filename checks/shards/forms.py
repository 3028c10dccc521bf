"""Form over shards: the middle and the spread of every mark by all pairs, and how far off the pairs of a shard are."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl

from checks.detectors.form_artefacts import distance
from checks.engines import each
from checks.form import MARKS, departed, form, norms
from checks.shards.corpus import Corpus, load, read, save

NAME = "form"


@dataclass(frozen=True, slots=True)
class Departures:
    """How far off each pair of the `corpus` is, worked out where it is asked for; middle, spread: [marks]."""

    corpus: Corpus
    middle: np.ndarray
    spread: np.ndarray

    def __getitem__(self, places: Sequence[int]) -> np.ndarray:
        """[places, marks] of these pairs."""
        return departed(_gaps(self.corpus[places]), self.middle, self.spread)

    def distances(self) -> np.ndarray:
        """[N] of all marks together."""
        return self.corpus.dealt_back(each(partial(_distances, self.middle, self.spread), self.corpus.shards))


def departures(corpus: Corpus) -> Departures:
    """Of all pairs by all pairs."""
    list(each(_kept, corpus.shards))
    middle, spread = np.array([_norm(corpus.dealt_back(_column(corpus, mark))) for mark in range(len(MARKS))]).T
    return Departures(corpus, middle, spread)


def _norm(gaps: np.ndarray) -> tuple[float, float]:
    """Middle and spread of one mark."""
    (middle,), (spread,) = norms(gaps[:, None])
    return middle, spread


def _column(corpus: Corpus, mark: int) -> Iterator[np.ndarray]:
    return (load(shard, NAME, mapped=True)[mark] for shard in corpus.shards)


def _gaps(pairs: pl.DataFrame) -> np.ndarray:
    return form(pairs["chosen"]) - form(pairs["rejected"])


def _kept(shard: Path) -> None:
    save(shard, NAME, np.ascontiguousarray(_gaps(read(shard, "chosen", "rejected")).T))


def _distances(middle: np.ndarray, spread: np.ndarray, shard: Path) -> np.ndarray:
    return distance(departed(load(shard, NAME).T, middle, spread))
