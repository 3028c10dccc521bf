"""How much commoner a phrase is on one side than on another, and how much commoner chance would make it.

The lift of a phrase is a lower confidence bound of its log ratio (Jeffreys interval of a share; Brown et al., 2001): a
phrase must be both frequent and lopsided to score. Honest preferences make phrases lopsided too ("sorry" is preferred
where refusing is right), so the null deals every phrase anew with a drift as large as this corpus' common phrases have.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import betaincinv, expit, logit

from checks.phrases import MIN_RESPONSES, Phrases

CONFIDENCE = 0.99  # higher ones let frequent, mildly lopsided honest phrases outrank rare, purely one-sided ones
NOWHERE = -8.0  # lift of a response without any countable phrase
COMMON, ENOUGH = 30, 30  # drift is read off phrases in so many responses, given so many of them
USUAL_DRIFT, LEAST_DRIFT = 0.25, 0.05  # nats; HH-RLHF's harmlessness data drifts by 0.2, its helpfulness data by 0.1
CHI2_MEDIAN = 0.4549  # of one degree of freedom
NO_PHRASE = "no phrase of this pair is common enough to compare"


@dataclass(frozen=True, slots=True)
class Contrast:
    """[phrases] each: how many responses hold a phrase here and there, and how many pairs hold it both here and there.

    `side` is the response ("chosen" or "rejected") that is suspicious when lifted; `words` says what was counted.
    """

    here: np.ndarray
    there: np.ndarray
    both: np.ndarray
    side: str
    words: str

    def lift(self) -> np.ndarray:
        """[phrases] lower bound, in nats, of how many times commoner a phrase is here than there."""
        lift = np.full(len(self.here), NOWHERE)
        common = self.here >= MIN_RESPONSES
        base = self.there.max(initial=0) + 1
        counts, where = np.unique(self.here[common] * base + self.there[common], return_inverse=True)
        here, there = np.divmod(counts, base)  # few distinct counts: the quantile is the costly part
        bound = logit(betaincinv(here + 0.5, there + 0.5, 1 - CONFIDENCE)) - _log_odds(self.here, self.there)
        lift[common] = bound[where]
        return lift

    def apart(self) -> tuple[np.ndarray, np.ndarray]:
        """[phrases] responses here and there whose other side lacks it: only they can go either way (McNemar, 1947)."""
        return self.here - self.both, self.there - self.both

    def drift(self) -> float:
        """Spread, in nats, of the true log ratios of common phrases: what sampling alone does not explain.

        The spread at which half of them lie within their median deviation; a few planted phrases don't move it.
        """
        here, there = self.apart()
        common = here + there >= COMMON
        if common.sum() < ENOUGH:
            return USUAL_DRIFT
        off = (np.log((here + 0.5) / (there + 0.5)) - _log_odds(here, there))[common] ** 2
        noise = (1 / (here + 0.5) + 1 / (there + 0.5))[common]
        spreads = np.linspace(LEAST_DRIFT, 1.5, 146)
        inside = np.array([np.median(off / (noise + spread**2)) for spread in spreads]) <= CHI2_MEDIAN
        return float(spreads[inside.argmax()]) if inside.any() else float(spreads[-1])

    def dealt(self, random: np.random.Generator, *, drift: float) -> "Contrast":
        """The same phrases, each response apart dealt here or there, each phrase with a Laplace drift of its own."""
        here, there = self.apart()
        drifts = random.laplace(0, drift, len(here))
        won = random.binomial(here + there, expit(_log_odds(here, there) + drifts))
        return Contrast(self.both + won, self.both + here + there - won, self.both, self.side, self.words)


def contrasts(table: Phrases) -> list[Contrast]:
    """Each side against the other, and against the same side of the trusted pairs where there are any."""
    audited = np.searchsorted(table.pair, table.audited)
    chosen, rejected, both = table.counts(slice(None, audited))
    found = [
        Contrast(chosen, rejected, both, "chosen", "{} chosen and {} rejected responses"),
        Contrast(rejected, chosen, both, "rejected", "{} rejected and {} chosen responses"),
    ]
    if table.trusted:
        sides = zip(("chosen", "rejected"), (chosen, rejected), table.counts(slice(audited, None)), strict=False)
        for side, here, there in sides:
            of = f"{{}} of {table.audited:,} {side} responses here and {{}} of {table.trusted:,} trusted ones"
            found.append(Contrast(here, there, np.zeros_like(both), side, of))
    return found


def lifts(table: Phrases) -> np.ndarray:
    """[audited] how lopsided the most lopsided phrase of each pair is."""
    best = np.full((2, len(table.words)), NOWHERE)
    for contrast in contrasts(table):
        side = int(contrast.side == "rejected")
        best[side] = np.maximum(best[side], contrast.lift())
    return table.most(best[table.rejected.astype(np.int8), table.phrase], NOWHERE)[: table.audited]


def null_lifts(table: Phrases, *, seed: int = 0, at_least: int = 20_000) -> np.ndarray:
    """What `lifts` would be were nothing planted: every phrase dealt anew, in enough deals for `at_least` pairs.

    A dealt phrase may speak for either side, which makes the null a little too large rather than too small.
    """
    random = np.random.default_rng(seed)
    found = [(contrast, contrast.drift()) for contrast in contrasts(table)]
    drawn = []
    for _ in range(-(-at_least // (table.audited + table.trusted))):
        dealt = np.max([contrast.dealt(random, drift=drift).lift() for contrast, drift in found], axis=0)
        drawn.append(table.most(dealt[table.phrase], NOWHERE))
    return np.concatenate(drawn)


def explain(table: Phrases, places: Sequence[int]) -> list[tuple[str, str]]:
    """(phrase, counts in words) of the most lifted phrase in each of the audited pairs at `places`; "" for no phrase.

    On a tie the first contrast and the first phrase speak: a single word before the word pairs it stands in.
    """
    found = [(contrast, contrast.lift()) for contrast in contrasts(table)]
    bounds = np.searchsorted(table.pair, np.asarray(places, dtype=np.int64)[:, None] + [0, 1])
    return [_best_phrase(table, found, slice(*bound)) for bound in bounds]


def _best_phrase(table: Phrases, found: list[tuple[Contrast, np.ndarray]], here: slice) -> tuple[str, str]:
    best, spoken = NOWHERE, ("", NO_PHRASE)
    for contrast, lift in found:
        own = table.phrase[here][table.rejected[here] == (contrast.side == "rejected")]
        if len(own) and lift[own].max() > best:
            phrase = int(own[lift[own].argmax()])
            counts = contrast.words.format(f"{contrast.here[phrase]:,}", f"{contrast.there[phrase]:,}")
            best, spoken = lift[phrase], (table.text(phrase), counts)
    return spoken


def _log_odds(here: np.ndarray, there: np.ndarray) -> float:
    return float(np.log((here.sum() + 1) / (there.sum() + 1)))
