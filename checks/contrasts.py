"""How much commoner a phrase is on one side than on another, and how much commoner chance would make it.

The lift of a phrase is a lower confidence bound of its log ratio (Jeffreys interval of a share; Brown et al., 2001): a
phrase must be both frequent and lopsided to score. Honest preferences make phrases lopsided too ("sorry" is preferred
where refusing is right), so the null deals every phrase anew with a drift such as this corpus' common phrases have. Each
comparison has a null of its own: corpora differ more from a trusted one than their sides differ, or less.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy.special import betaincinv, expit, logit

from checks.phrases import EITHER, MIN_RESPONSES, NOWHERE, Phrases

CONFIDENCE = 0.99  # higher ones let frequent, mildly lopsided honest phrases outrank rare, purely one-sided ones
COMMON, ENOUGH = 30, 30  # drift is read off phrases in so many responses, given so many of them
USUAL_DRIFT, LEAST_DRIFT = 0.25, 0.05  # nats; HH-RLHF's harmlessness data drifts by 0.2, its helpfulness data by 0.1
MOST_DRIFT = 1.5  # the most that is told; last and earlier questions of HH-RLHF drift by 0.4, templates for each place by 2
ASKED_DRIFT = 1.0  # answers have names to say, of months and places, that no question holds
CHI2_MEDIAN = 0.4549  # of one degree of freedom
INNER, OUTER = 0.1, 0.01  # parts of the drifts at either end: an exponential through both replaces the outer, plants and all


@dataclass(frozen=True, slots=True)
class Contrast:
    """[phrases] each: how many responses hold a phrase here and there, and how many pairs hold it both here and there.

    `side` is what is suspicious when lifted: a text of the "first" or of the "second" side, or "either" where pairs are
    counted; `words` says what was counted; `least` is the least drift, in nats, of honest phrases between here and there;
    `most` [phrases] bounds the lift of each from above.
    """

    here: np.ndarray
    there: np.ndarray
    both: np.ndarray
    side: str
    words: str
    least: float = 0.0
    most: np.ndarray | None = None

    def lift(self) -> np.ndarray:
        """[phrases] lower bound, in nats, of how many times commoner a phrase is here than there."""
        lift = np.full(len(self.here), NOWHERE)
        common = self.here >= MIN_RESPONSES
        base = self.there.max(initial=0) + 1
        counts, where = np.unique(self.here[common] * base + self.there[common], return_inverse=True)
        here, there = np.divmod(counts, base)  # few distinct counts: the quantile is the costly part
        bound = logit(betaincinv(here + 0.5, there + 0.5, 1 - CONFIDENCE)) - _log_odds(self.here, self.there)
        lift[common] = bound[where]
        return lift if self.most is None else np.minimum(lift, self.most)

    def apart(self) -> tuple[np.ndarray, np.ndarray]:
        """[phrases] responses here and there whose other side lacks it: only they can go either way (McNemar, 1947)."""
        return self.here - self.both, self.there - self.both

    def drift(self) -> float:
        """Spread, in nats, of the true log ratios of common phrases: what sampling alone does not explain.

        The spread at which half of them lie within their median deviation; a few planted phrases don't move it.
        """
        off, noise = self._off()
        if len(off) < ENOUGH:
            return USUAL_DRIFT
        spreads = np.linspace(LEAST_DRIFT, MOST_DRIFT, 146)
        inside = np.array([np.median(off**2 / (noise + spread**2)) for spread in spreads]) <= CHI2_MEDIAN
        return float(spreads[inside.argmax()]) if inside.any() else float(spreads[-1])

    def drifts(self, random: np.random.Generator, *, spread: float) -> np.ndarray:
        """[phrases] drifts in nats, drawn from those of common phrases, shrunk to `spread`; Laplace where few are."""
        off, noise = self._off()
        if len(off) < ENOUGH:
            return random.laplace(0, spread, len(self.here))
        own = np.sort(off * spread / np.sqrt(noise + spread**2))
        at = random.uniform(size=len(self.here))
        low, inner_low, inner_high, high = _quantile(own, np.array([OUTER, INNER, 1 - INNER, 1 - OUTER]))
        drawn = _quantile(own, np.clip(at, OUTER, 1 - OUTER))
        outer = np.flatnonzero(np.minimum(at, 1 - at) < OUTER)
        end = at[outer] < 0.5
        beyond = np.log(OUTER / np.maximum(np.where(end, at[outer], 1 - at[outer]), 1e-300)) / np.log(INNER / OUTER)
        drawn[outer] += beyond * np.where(end, low - inner_low, high - inner_high)
        return drawn

    def dealt(self, random: np.random.Generator, *, spread: float) -> "Contrast":
        """The same phrases, each response apart dealt here or there, each phrase with a drift of its own."""
        here, there = self.apart()
        won = random.binomial(here + there, expit(_log_odds(here, there) + self.drifts(random, spread=spread)))
        return replace(self, here=self.both + won, there=self.both + here + there - won, most=None)

    def _off(self) -> tuple[np.ndarray, np.ndarray]:
        """[common phrases] each one's log ratio less that of all together, and its sampling variance."""
        here, there = self.apart()
        common = here + there >= COMMON
        off = np.log((here + 0.5) / (there + 0.5)) - _log_odds(here, there)
        return off[common], (1 / (here + 0.5) + 1 / (there + 0.5))[common]


def contrasts(table: Phrases) -> list[Contrast]:
    """Each side against the other; where there are trusted pairs, whole pairs (of questions the last) against those.

    Where the table knows what is `asked`, whole pairs against prompts as well: what nobody asks for, honest answers seldom
    bring up. Neither that nor where questions stand tells anything once it drifts by MOST_DRIFT.
    """
    sides = table.sides
    first, second, both = table.of_audited()
    found = [Contrast(first, second, both, "first", sides.forward, sides.drift)]
    if sides.backward:
        found.append(Contrast(second, first, both, "second", sides.backward, sides.drift))
    else:
        found = [_by_place(table, found[0])]
    if table.trusted:
        of = sides.trusted % (f"{table.audited:,}", f"{table.trusted:,}")
        trusted = table.of_trusted()
        none = np.zeros_like(first)
        if sides.backward:
            here, there = (one + other - shared for one, other, shared in ((first, second, both), trusted))
            found.append(Contrast(here, there, none, EITHER, of, sides.drift))
        else:
            found.append(Contrast(first, trusted[0], none, "first", of, sides.drift))
    if table.asked is not None:
        either, none = first + second - both, np.zeros_like(first)
        asked = Contrast(either, table.asked, none, EITHER, "{} pairs and {} prompts", ASKED_DRIFT)
        found.append(_silent(asked) if asked.drift() >= MOST_DRIFT else asked)
    return found


def _by_place(table: Phrases, contrast: Contrast) -> Contrast:
    """A `contrast` of questions by their place that says of each phrase what it says in prompts that have both, at the most.

    Where dialogues and single questions are mixed, the words of the latter stand in last questions only, for nobody asked
    before.
    """
    here, there, both = table.of_two_sided()
    within = replace(contrast, here=here, there=there, both=both)
    is_silent = max(contrast.drift(), within.drift()) >= MOST_DRIFT
    return _silent(contrast) if is_silent else replace(contrast, most=within.lift())


def _silent(contrast: Contrast) -> Contrast:
    """One that says nothing: its sides are worded apart all through, and a plant would be one phrase among many."""
    return replace(contrast, most=np.full(len(contrast.here), NOWHERE))


def _log_odds(here: np.ndarray, there: np.ndarray) -> float:
    return float(np.log((here.sum() + 1) / (there.sum() + 1)))


def _quantile(ordered: np.ndarray, at: np.ndarray) -> np.ndarray:
    """[M] quantiles of numbers in order at shares [M] in [0, 1): numpy's own, which would sort them once a call."""
    place = at * (len(ordered) - 1)
    below = place.astype(np.int64)
    return ordered[below] + (place - below) * np.diff(ordered, append=ordered[-1])[below]
