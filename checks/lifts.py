"""How surprising the phrases of a table are: -log10 of the chance of one so lopsided, each contrast by a null of its own.

In a null nothing is planted: the phrases of the very corpus are dealt anew to the two sides of the contrast.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
import polars as pl

from checks import fusion
from checks.contrasts import Contrast, contrasts
from checks.phrases import MIN_RESPONSES, NOWHERE, Phrases

TIE = 1e-6  # of phrases equally surprising, the most lopsided one speaks
NO_PHRASE = "no phrase of this pair is common enough to compare"


@dataclass(frozen=True)
class Lifts:
    """Of the phrases of a `table`; `dealt`: how many pairs a null is drawn for, at least."""

    table: Phrases
    seed: int = 0
    dealt: int = 100_000

    @cached_property
    def contrasts(self) -> list[Contrast]:
        """What is held against what."""
        return contrasts(self.table)

    @cached_property
    def lift(self) -> np.ndarray:
        """[contrasts, phrases] how lopsided each phrase is, in nats; NOWHERE where it is rare or usual."""
        return np.array([self.table.heard(contrast.lift()) for contrast in self.contrasts])

    @property
    def most(self) -> np.ndarray:
        """[contrasts, audited] how lopsided the most lopsided phrase of each pair is."""
        told = zip(self.contrasts, self.lift, strict=True)
        return np.array([self.table.highest(lift[None], NOWHERE, each.side)[0, : self.table.audited] for each, lift in told])

    @cached_property
    def null(self) -> np.ndarray:
        """[contrasts, M] what `most` would be were nothing planted.

        A dealt phrase may speak for either side, which makes the null a little too large rather than too small.
        """
        random = np.random.default_rng(self.seed)
        return np.array([self._dealt(contrast, random) for contrast in self.contrasts])

    def score(self) -> np.ndarray:
        """[audited] of each pair's most surprising phrase; higher is more suspicious."""
        return self._surprise(self.most).max(axis=0)

    def score_null(self) -> np.ndarray:
        """[M] the same of phrases dealt anew at random."""
        return self._surprise(self.null).max(axis=0)

    def explain(self, places: Sequence[int]) -> list[tuple[str, str]]:
        """(phrase, counts in words) of the most surprising phrase in each audited pair at `places`; "" for no phrase.

        On a tie the first contrast and the first phrase speak: a single word before the word pairs it stands in.
        """
        sides = [contrast.side for contrast in self.contrasts]
        speaker, phrase = self.table.loudest(self._values, sides, np.asarray(places, dtype=np.int64))
        told = cache(self.told)
        return [told(*each) for each in zip(speaker.tolist(), phrase.tolist(), strict=True)]

    def words(self) -> pl.DataFrame:
        """A row an audited pair and single word, as `name`: of its phrases there the most surprising one's `surprise`.

        With the places of its `contrast` and `phrase`, for `told`.
        """
        table = self.table
        told = zip(self._values, self.contrasts, strict=True)
        weights = np.array([table.weights(values, contrast.side) for values, contrast in told])
        at = np.flatnonzero(np.isfinite(weights).any(axis=0) & (table.pair < table.audited))
        speaker = weights[:, at].argmax(axis=0)
        columns = {"pair": table.pair[at], "contrast": speaker, "phrase": table.phrase[at], "surprise": weights[speaker, at]}
        found = pl.DataFrame(columns).with_columns(name=table.words["first"].gather(table.phrase[at]))
        ordered = found.sort("pair", "name", "surprise", "contrast", "phrase", descending=[False, False, True, False, False])
        return ordered.unique(["pair", "name"], keep="first", maintain_order=True)

    def forget(self) -> None:
        """Drops what is as long as a corpus; whoever asks for it again has it made again."""
        self.__dict__.pop("null", None)

    def told(self, contrast: int, phrase: int) -> tuple[str, str]:
        """The phrase in lower case, and in words where it stands; "" where the contrast is -1."""
        if contrast < 0:
            return "", NO_PHRASE
        found = self.contrasts[contrast]
        counts = found.words.format(f"{found.here[phrase]:,}", f"{found.there[phrase]:,}")
        return self.table.text(phrase), counts + self.table.felt(phrase)

    def _dealt(self, contrast: Contrast, random: np.random.Generator) -> np.ndarray:
        """[M] the most lopsided phrase of each pair, deal by deal."""
        spread = max(contrast.drift(), contrast.least)
        deals = -(-self.dealt // (self.table.audited + self.table.trusted))
        lifts = [self.table.heard(contrast.dealt(random, spread=spread).lift()) for _ in range(deals)]
        return self.table.highest(np.array(lifts), NOWHERE).ravel()

    def _surprise(self, lift: np.ndarray) -> np.ndarray:
        """[contrasts, N] of lifts [contrasts, N]."""
        return -np.log10([fusion.p_values(own, null) for own, null in zip(lift, self.null, strict=True)])

    @property
    def _values(self) -> np.ndarray:
        """[contrasts, phrases] how surprising each phrase is; -inf where it is too rare."""
        enough = np.array([contrast.here >= MIN_RESPONSES for contrast in self.contrasts])
        return np.where(enough, self._surprise(self.lift) + TIE * self.lift, -np.inf)
