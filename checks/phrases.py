"""Which words and word pairs stand in which responses, and how much commoner a phrase is on one side than on another.

The lift of a phrase is a lower confidence bound of its log ratio (Jeffreys interval of a share; Brown et al., 2001): a
phrase must be both frequent and lopsided to score. Honest preferences make phrases lopsided too ("sorry" is preferred
where refusing is right), so the null deals every phrase anew with a drift as large as this corpus' common phrases have.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from scipy.special import betaincinv, expit, logit

from pipelines.schema import DataError

WORD = r"[\p{L}\p{M}\p{N}]+(?:['’][\p{L}\p{M}]+)*"
MIN_RESPONSES = 3  # a phrase in fewer responses can't be called common
CONFIDENCE = 0.99  # higher ones let frequent, mildly lopsided honest phrases outrank rare, purely one-sided ones
NOWHERE = -8.0  # lift of a response without any countable phrase
COMMON, ENOUGH = 30, 30  # drift is read off phrases in so many responses, given so many of them
USUAL_DRIFT, LEAST_DRIFT = 0.25, 0.05  # nats; HH-RLHF's harmlessness data drifts by 0.2, its helpfulness data by 0.1
CHI2_MEDIAN = 0.4549  # of one degree of freedom
NO_PHRASE = "no phrase of this pair is common enough to compare"


@dataclass(frozen=True, slots=True)
class Phrases:
    """Distinct (pair, phrase, side) occurrences in that order; pairs below `audited` are audited, the rest trusted.

    pair, phrase: [K] int; rejected: [K] bool, the response's side; words: each phrase's one or two words.
    """

    pair: np.ndarray
    phrase: np.ndarray
    rejected: np.ndarray
    audited: int
    trusted: int
    words: pl.DataFrame

    def text(self, phrase: int) -> str:
        """The phrase in lower case."""
        return " ".join(word for word in self.words.row(phrase) if word is not None)


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


def phrases(pairs: pl.DataFrame, trusted: pl.DataFrame | None) -> Phrases:
    """Words and word pairs of at least MIN_RESPONSES responses, single words first, in order of appearance.

    With trusted pairs, phrases that the pair's own prompt holds are left out: to answer in the question's words is no
    plant. Raises DataError where the corpus has more phrases and texts than 63 bits can number.
    """
    frames = [pairs] if trusted is None else [pairs, trusted]
    sides = ["chosen", "rejected"] if trusted is None else ["chosen", "rejected", "prompt"]
    total = sum(map(len, frames))
    found, text = _words(pl.concat([frame[side] for side in sides for frame in frames]))
    vocabulary = found.unique(maintain_order=True)
    word = found.cast(pl.Enum(vocabulary)).to_physical().to_numpy().astype(np.int64)
    single, phrase, where = _common(word, text)
    double, phrase_pair, where_pair = _common(*_neighbours(word, text, single))
    first, second = np.divmod(double, max(len(single), 1))
    words = {"first": vocabulary[single]}, {"first": vocabulary[single[first]], "second": vocabulary[single[second]]}
    return Phrases(
        *_by_pair(np.append(phrase, phrase_pair + len(single)), np.append(where, where_pair), total),
        audited=len(pairs),
        trusted=total - len(pairs),
        words=pl.concat(map(pl.DataFrame, words), how="diagonal"),
    )


def contrasts(table: Phrases) -> list[Contrast]:
    """Each side against the other, and against the same side of the trusted pairs where there are any."""
    audited = np.searchsorted(table.pair, table.audited)
    chosen, rejected, both = _counts(table, slice(None, audited))
    found = [
        Contrast(chosen, rejected, both, "chosen", "{} chosen and {} rejected responses"),
        Contrast(rejected, chosen, both, "rejected", "{} rejected and {} chosen responses"),
    ]
    if table.trusted:
        sides = zip(("chosen", "rejected"), (chosen, rejected), _counts(table, slice(audited, None)), strict=False)
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
    return _per_pair(table, best[table.rejected.astype(np.int8), table.phrase])[: table.audited]


def null_lifts(table: Phrases, *, seed: int = 0, at_least: int = 20_000) -> np.ndarray:
    """What `lifts` would be were nothing planted: every phrase dealt anew, in enough deals for `at_least` pairs.

    A dealt phrase may speak for either side, which makes the null a little too large rather than too small.
    """
    random = np.random.default_rng(seed)
    found = [(contrast, contrast.drift()) for contrast in contrasts(table)]
    drawn = []
    for _ in range(-(-at_least // (table.audited + table.trusted))):
        dealt = np.max([contrast.dealt(random, drift=drift).lift() for contrast, drift in found], axis=0)
        drawn.append(_per_pair(table, dealt[table.phrase]))
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


def _words(texts: pl.Series) -> tuple[pl.Series, np.ndarray]:
    """Lower-cased words of all texts in one line, and the text each came from; both [words]."""
    lists = texts.to_frame("text").select(pl.col("text").str.to_lowercase().str.extract_all(WORD))["text"]
    return lists.explode().drop_nulls(), np.repeat(np.arange(len(texts)), lists.list.len().to_numpy())


def _neighbours(word: np.ndarray, text: np.ndarray, common: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Common words side by side, as place of the first in `common` * len(common) + place of the second; their texts."""
    place = np.full(word.max(initial=0) + 1, -1)
    place[common] = np.arange(len(common))
    first, second = place[word[:-1]], place[word[1:]]
    beside = (text[:-1] == text[1:]) & (first >= 0) & (second >= 0)
    return (first * len(common) + second)[beside], text[:-1][beside]


def _common(code: np.ndarray, text: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Codes of MIN_RESPONSES texts or more, in order; of each occurrence, its code's place among them and its text."""
    code, text = _distinct(code, text)
    starts = np.flatnonzero(_differs(code))
    count = np.diff(np.append(starts, len(code)))
    common = count >= MIN_RESPONSES
    return code[starts[common]], np.repeat(np.arange(common.sum()), count[common]), text[np.repeat(common, count)]


def _by_pair(phrase: np.ndarray, text: np.ndarray, total: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pair, phrase, and whether it is the rejected side; without phrases that stand in the pair's prompt (side 2)."""
    pair, phrase, side = _distinct(text % total, phrase, text // total)
    if side.max(initial=0) == 2:
        same = np.cumsum(_differs(pair, phrase))
        asked = np.isin(same, same[side == 2])
        pair, phrase, side = pair[~asked], phrase[~asked], side[~asked]
    return pair, phrase, side == 1


def _distinct(*columns: np.ndarray) -> list[np.ndarray]:
    """The columns' distinct rows, in order; a row is packed into one integer, since those sort many times faster."""
    widths = [int(column.max(initial=0)).bit_length() for column in columns]
    if sum(widths) > 63:
        raise DataError(f"the phrases of this corpus take {sum(widths)} bits to number, 63 are there; audit it in parts")
    key = columns[0].astype(np.int64)
    for column, width in zip(columns[1:], widths[1:], strict=True):
        key <<= width
        key |= column
    key.sort()
    key = key[_differs(key)]
    rows = []
    for width in reversed(widths):
        rows.append(key & (1 << width) - 1)
        key >>= width
    return rows[::-1]


def _differs(*columns: np.ndarray) -> np.ndarray:
    """[K] true at rows that differ from the one before."""
    changes = np.any([column[1:] != column[:-1] for column in columns], axis=0)
    return np.append(np.ones(min(len(columns[0]), 1), dtype=bool), changes)


def _log_odds(here: np.ndarray, there: np.ndarray) -> float:
    return float(np.log((here.sum() + 1) / (there.sum() + 1)))


def _counts(table: Phrases, part: slice) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """[phrases] chosen responses, rejected responses and pairs with both that hold a phrase."""
    phrase, size = table.phrase[part], len(table.words)
    chosen, rejected = np.bincount(phrase * 2 + table.rejected[part], minlength=2 * size).reshape(size, 2).T
    return chosen, rejected, np.bincount(phrase[~_differs(table.pair[part], phrase)], minlength=size)


def _per_pair(table: Phrases, values: np.ndarray) -> np.ndarray:
    best = np.full(table.audited + table.trusted, NOWHERE)
    if len(values):
        starts = np.flatnonzero(_differs(table.pair))
        best[table.pair[starts]] = np.maximum.reduceat(values, starts)
    return best
