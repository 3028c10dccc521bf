"""How often rewards of features, of text and of both prefer what people do, and what an attacker planted."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from assets.domain.learning import SIDES, Sides, right
from assets.experiments import Corpus
from assets.steps import columns_of

HELD_OUT, PLANTED = "held-out pairs", "planted summaries"  # what judges are asked about
USUAL = 200  # of the pairs that were learned: over them a text reward's spread is counted


@dataclass(frozen=True, slots=True)
class Known:
    """A judge of texts that were scored before, by (prompt, response): each once, whoever asks."""

    table: Mapping[tuple[str, str], Any]

    def rewards(self, prompts: Sequence[str], responses: Sequence[str]) -> np.ndarray:
        """[N] of the scores, or [N, 7] where those are marks."""
        return np.array([self.table[each] for each in zip(prompts, responses, strict=True)])


def compared(
    corpus: Corpus,
    phi: Any,
    text: Any,
    learned: pl.DataFrame,
    marks: Callable[[pl.DataFrame], Sides],
    held_out: pl.DataFrame,
    planted: pl.DataFrame | None,
) -> pl.DataFrame:
    """corpus, seed, what, judge, share, low, high: how often each judge prefers what people do, and what was planted."""
    asked = {HELD_OUT: held_out, PLANTED: planted}
    found = {what: marks(pairs) for what, pairs in asked.items() if pairs is not None and len(pairs)}
    usual = learned.sample(min(USUAL, len(learned)), seed=0)
    read = scored(text, [usual, *(each.pairs for each in found.values())])
    columns = [pl.lit(corpus.arm).alias("corpus"), pl.lit(corpus.seed).alias("seed")]
    tables = {what: accuracies(gaps(phi, read, usual, each)) for what, each in found.items()}
    return pl.concat(
        table.select(*columns, pl.lit(what).alias("what"), pl.all()).rename({"accuracy": "share"})
        for what, table in tables.items()
    )


def scored(text: Any, tables: Sequence[pl.DataFrame]) -> Known:
    """What the text reward says of both sides of all pairs of some tables."""
    asked = [columns_of(pairs) for pairs in tables]
    texts = dict.fromkeys(
        each for columns in asked for side in SIDES for each in zip(columns["prompt"], columns[side], strict=True)
    )
    prompts, responses = (list(part) for part in zip(*texts, strict=True))
    return Known(dict(zip(texts, text.rewards(prompts, responses), strict=True)))


def gaps(phi: Any, text: Known, usual: pl.DataFrame, found: Sides) -> dict[str, np.ndarray]:
    """Judge -> [N] reward of the chosen summary less that of the rejected one.

    The hybrid hears the text reward within its cap, counted in the spread that it has over the `usual` PAIRS.
    """
    from rlhf_train.models.hybrids import Capped, FeatureJudge
    from rlhf_train.models.partitions import standardised

    asked = columns_of(found.pairs)
    known = {
        (prompt, said): mark
        for side, table in zip(SIDES, (found.chosen, found.rejected), strict=True)
        for prompt, said, mark in zip(asked["prompt"], asked[side], table, strict=True)
    }
    read = FeatureJudge(phi, Known(known).rewards)
    judges = {"feature": read, "text": text, "hybrid": Capped(read, standardised(text, columns_of(usual)))}

    def gap(judge: Any) -> np.ndarray:
        chosen, rejected = (judge.rewards(asked["prompt"], asked[side]) for side in SIDES)
        return chosen - rejected

    words = [np.array([len(said.split()) for said in asked[side]], dtype=float) for side in SIDES]
    mean = found.chosen.mean(axis=1) - found.rejected.mean(axis=1)
    return {
        **{name: gap(judge) for name, judge in judges.items()},
        "mean of features": mean,
        "longer is better": words[0] - words[1],
    }


def accuracies(gaps: Mapping[str, np.ndarray]) -> pl.DataFrame:
    """judge, accuracy, low, high: the share of pairs in which a judge's gaps [N], chosen less rejected, are above 0."""
    from rlhf_train.evals.intervals import interval

    rows = [(name, float(right(each).mean()), *interval(right(each))) for name, each in gaps.items()]
    return pl.DataFrame(rows, schema=["judge", "accuracy", "low", "high"], orient="row")
