"""The numbers detectors need, each computed once and only when asked for: lifts, embeddings, nearness, margins.

All of it comes from the corpus under audit (and a trusted one where given), never from a model trained downstream.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
import polars as pl

from checks import sentences
from checks.committee import committee_margins
from checks.encoding import Encoder, encode
from checks.form import departures, form
from checks.groups import surprises
from checks.inversions import Inversions, inversions
from checks.kept import Kept, kept
from checks.learning_curves import margin_area, turned_area
from checks.lifts import Lifts
from checks.neighbours import near_gaps, nearness
from checks.ngrams import Removals, removals
from checks.phrases import Phrases
from checks.preference_model import folds, influence, out_of_fold_margins
from checks.reference import unreferenced
from checks.resemblance import Clusters, clusters
from checks.tokens import Tokens, responses, word_distances, word_gaps
from checks.words import Words, words

Value = TypeVar("Value")


@dataclass
class Evidence:
    """Evidence on `pairs` (PAIRS); `trusted` (PAIRS) is a reference that the attacker could not touch."""

    pairs: pl.DataFrame
    trusted: pl.DataFrame | None = None
    encoder: Encoder = encode
    seed: int = 0
    given: dict[str, np.ndarray] = field(default_factory=dict)
    _kept: Kept = field(default_factory=Kept, init=False, repr=False)

    @kept
    def words(self) -> Words:
        """Every word of the pairs, and then of the trusted ones."""
        return words(self.pairs, self.trusted)

    @kept
    def strays(self) -> list[sentences.Stray]:
        """Sentences that bring up a name nobody asked about."""
        return sentences.strays(self.pairs, self.words)

    @kept
    def strangeness(self) -> np.ndarray:
        """[strays] how strange each is."""
        return sentences.strangeness(self.pairs, self.strays, self.encoder)

    @kept
    def strangers(self) -> pl.DataFrame:
        """A row a pair and name that it brings up, with how surprising (-log10 of the chance) so strange a name is."""
        found = sentences.strangers(self.strangeness, self.strays)
        return found.with_columns(surprise=pl.Series(sentences.surprise(found, len(self.pairs)), dtype=pl.Float64()))

    @kept
    def embeddings(self) -> np.ndarray:
        """[2, N, width] unit vectors of the chosen and the rejected responses, each without its prompt."""
        if "embeddings" in self.given:
            return self.given["embeddings"]
        return self.encoder(_responses(self.pairs)).reshape(2, len(self.pairs), -1)

    @kept
    def nearness(self) -> np.ndarray:
        """[N] cosine of each pair's two responses, taken together, to those of its CROWD-th nearest other pair."""
        return nearness(np.concatenate(list(self.embeddings), axis=1) / np.sqrt(2))

    @kept
    def resemblance(self) -> Clusters:
        """Near duplicates among the chosen and then the rejected responses, 2 N texts."""
        return clusters(pl.concat([self.pairs["chosen"], self.pairs["rejected"]]), seed=self.seed)

    @kept
    def gaps(self) -> np.ndarray:
        """[N, width] embeddings of the chosen responses less those of the rejected ones."""
        return self.embeddings[0] - self.embeddings[1]

    @kept
    def margins(self) -> np.ndarray:
        """[N] Bradley-Terry margins, chosen minus rejected, by a model that saw no pair with the same prompt."""
        return out_of_fold_margins(self.gaps, folds(self.pairs["prompt"], seed=self.seed))

    @kept
    def influence(self) -> np.ndarray:
        """[N] nats that the likelihood of the trusted pairs gains when a pair is left out; without them, self-influence."""
        trusted = None if self.trusted is None else Evidence(self.trusted, encoder=self.encoder).gaps
        return influence(self.gaps, trusted)

    @kept
    def near_gaps(self) -> np.ndarray:
        """[N, k] cosines with the nearest other gaps up to sign."""
        return near_gaps(self.gaps)

    @kept
    def margin_area(self) -> np.ndarray:
        """[N] mean margin while a head is trained."""
        return margin_area(self.gaps)

    @kept
    def turned_area(self) -> np.ndarray:
        """[T] the same of pairs that are turned round on purpose."""
        return turned_area(self.gaps, folds(self.pairs["prompt"], seed=self.seed))

    @kept
    def form_gaps(self) -> np.ndarray:
        """[N, marks] form of the chosen responses less that of the rejected ones."""
        return form(self.pairs["chosen"]) - form(self.pairs["rejected"])

    @kept
    def form_departures(self) -> np.ndarray:
        """[N, marks] how far off each pair's are."""
        return departures(self.form_gaps)

    @kept
    def tokens(self) -> Tokens:
        """Words of the N chosen and the N rejected responses."""
        return responses(self.words)

    @kept
    def word_gaps(self) -> Any:
        """[N, columns] sparse: words of the chosen less those of the rejected responses, hashed."""
        return word_gaps(self.tokens)

    @kept
    def side_cosines(self) -> np.ndarray:
        """[N] cosine of the two sides of each pair."""
        return (self.embeddings[0] * self.embeddings[1]).sum(axis=1).astype(float)

    @kept
    def word_distances(self) -> np.ndarray:
        """[N] share of the words of both sides that only one of them has."""
        return word_distances(self.tokens)

    @kept
    def committee_margins(self) -> np.ndarray:
        """[members, N] margins by heads of different features and halves, none of which saw the pair."""
        features = {"meaning": self.gaps, "words": self.word_gaps, "form": self.form_departures}
        return committee_margins(features, self.pairs["prompt"], seed=self.seed)

    @kept
    def removals(self) -> Removals:
        """What each response gains by the loss of a word: those of the N chosen, then of the N rejected ones."""
        return removals(self.tokens, np.tile(folds(self.pairs["prompt"], seed=self.seed), 2))

    @kept
    def unreferenced(self) -> np.ndarray:
        """[2, N] how alike the left-over words of responses are to those of their cluster; 0 of those that leave none."""
        return unreferenced(self.words)

    @kept
    def inversions(self) -> Inversions:
        """What last questions share that goes with labels which the margins contradict."""
        return inversions(self.pairs, self.words, self.margins, self.encoder)

    def lifts(self, table: Callable[[Words], Phrases]) -> Lifts:
        """Of the phrases that `table` finds among the words."""
        return self._kept.get(table, lambda: Lifts(table(self.words), self.seed))

    def once(self, call: Callable[["Evidence"], Value]) -> Value:
        """What `call` makes of this evidence: for numbers that one detector alone needs, but more than once."""
        return self._kept.get(call, lambda: call(self))

    def skews(self, column: str) -> np.ndarray:
        """[3, N] how far each pair's annotator or source stands off from the others."""
        return surprises(self.pairs[column], self.margins, self.form_gaps[:, 0])


def _responses(pairs: pl.DataFrame) -> list[str]:
    """All chosen, then all rejected responses, as they are encoded."""
    return [text.strip() for side in ("chosen", "rejected") for text in pairs[side]]
