"""Verdicts on a corpus of summaries (Nath et al., 2024): a scorer that says the same of all, length that says it all, and
annotators who judge unlike the others. Each is a sentence that reads true where nothing is wrong.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from checks import scorer_disagreement
from checks.groups import REASONS, surprises
from checks.length_shortcut import length_shortcut
from pipelines.schema import FEATURE_NAMES, digest

MOST = 0.9  # of the summaries with one and the same mark, beyond which a feature tells nothing
COUNTING = 0.6  # of the pairs told right by their length, beyond which a judge may live on it
FAR, FEW = 5.0, 0.005  # spreads above a second scorer, and the share of summaries that may lie so far without suspicion
NAMED = 10
CHANCE = 0.01  # of any honest annotator to be this far off, beyond which one is named


@dataclass(frozen=True, slots=True)
class Verdict:
    """`words` say how it stands, `rows` by which numbers; a grave one is an error, any other that fails a warning."""

    passed: bool
    words: str
    rows: Sequence[dict[str, Any]] = ()
    is_grave: bool = False


def the_scorer_tells_summaries_apart(summary_features: pl.DataFrame) -> Verdict:
    """No feature has the same mark in nearly all summaries: a reward of constant marks can't learn."""
    counts = [summary_features[name].value_counts(sort=True).row(0) for name in FEATURE_NAMES] if len(summary_features) else []
    rows = [
        {"feature": name, "commonest mark": mark, "share of summaries": count / len(summary_features)}
        for name, (mark, count) in zip(FEATURE_NAMES, counts, strict=False)
    ]
    same = [row["feature"] for row in rows if row["share of summaries"] > MOST]
    if not same:
        return Verdict(True, f"each feature has several marks in {len(summary_features):,} summaries", rows)
    words = f"{', '.join(same)}: the same mark in more than {MOST:.0%} of {len(summary_features):,} summaries"
    return Verdict(False, words, rows, is_grave=len(same) == len(FEATURE_NAMES))


def no_mark_is_far_above_a_second_scorers(summary_features: pl.DataFrame, second_marks: pl.DataFrame) -> Verdict:
    """Hardly any summary has marks far better than a second scorer's lead one to expect: a sign of orders, or of tampering."""
    ours, others, names = _side_by_side(summary_features, second_marks)
    if len(names) <= 2 * len(FEATURE_NAMES) or np.array_equal(ours, others):
        few = f"{len(names)} summaries are marked by both" if names else "no summary is marked by both"
        alike = "the marks are the second scorer's own" if names and np.array_equal(ours, others) else few
        return Verdict(True, f"{alike}: there is nothing to hold against one another")
    above = _in_spreads(scorer_disagreement.inflated(ours, others))
    apart = _in_spreads(scorer_disagreement.either_way(ours, others))
    first = np.argsort(-above, kind="stable")[:NAMED]
    rows = [
        {"summary_id": names[at], "above the second scorer": float(above[at]), "apart either way": float(apart[at])}
        for at in first
    ]
    far = int((above > FAR).sum())
    words = f"{far:,} of {len(names):,} summaries have marks {FAR:g} spreads or more above what a second scorer's tell"
    return Verdict(far <= FEW * len(names), words, rows)


def _side_by_side(features: pl.DataFrame, others: pl.DataFrame) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """([N, 7], [N, 7], ids) marks of the summaries that both know."""
    both = features.join(others, on="summary_id", suffix="_second", maintain_order="left")
    second = [f"{name}_second" for name in FEATURE_NAMES]
    return both.select(FEATURE_NAMES).to_numpy(), both.select(second).to_numpy(), both["summary_id"].to_list()


def _in_spreads(values: np.ndarray) -> np.ndarray:
    """How far each lies above the middle, in units of the usual distance from it, which a minority moves little."""
    away = values - np.median(values)
    return away / max(scorer_disagreement.NORMAL * float(np.median(np.abs(away))), 1e-9)


def length_is_no_shortcut(opinion_pairs: pl.DataFrame) -> Verdict:
    """The preferred summary is not mostly the longer one: a judge that only counts words would pass for a good one."""
    found = length_shortcut(opinion_pairs)
    told = {
        "longer by characters": found.characters,
        "longer by words": found.words,
        "accuracy of counting words": found.accuracy,
    }
    rows = [{"share of pairs": name, "value": each.value, "low": each.low, "high": each.high} for name, each in told.items()]
    words = (
        f"the preferred summary has more characters in {found.characters.value:.1%} of {len(opinion_pairs):,} pairs, and "
        f"whoever counts words is right in {found.accuracy.value:.1%} [{found.accuracy.low:.1%}, {found.accuracy.high:.1%}]"
    )
    return Verdict(found.accuracy.low <= COUNTING, words, rows)


def annotators_judge_alike(opinion_pairs: pl.DataFrame, summary_features: pl.DataFrame) -> Verdict:
    """No annotator contradicts the marks, prefers length or is busy in a way that honest ones hardly ever are."""
    groups = opinion_pairs["annotator"]
    names = groups.drop_nulls().unique().sort().to_list()
    if len(names) < 2:
        return Verdict(True, f"{len(names) or 'no'} annotator is known: there is nobody to compare")
    marks = _mean_marks(opinion_pairs, summary_features)
    longer = opinion_pairs.select(
        pl.col("chosen").str.len_chars().cast(pl.Int64) - pl.col("rejected").str.len_chars().cast(pl.Int64)
    ).to_series()
    found = surprises(groups, marks, longer.to_numpy())
    rows = [_annotator(name, (groups == name).fill_null(False).to_numpy(), marks, longer.to_numpy(), found) for name in names]
    odd = [row for row in rows if row["chance"] < CHANCE / len(names)]
    said = [f"{row['annotator']} {row['most unlike the others']} (chance {row['chance']:.1g})" for row in odd]
    return Verdict(not odd, "; ".join(said) or f"{len(names)} annotators judge as one another do", rows)


def _annotator(name: str, own: np.ndarray, marks: np.ndarray, longer: np.ndarray, found: np.ndarray) -> dict[str, Any]:
    """A line on one annotator; a chance is that of an honest one to be so far off in the way that it is furthest."""
    at = int(np.flatnonzero(own)[0])
    way = int(found[:, at].argmax())
    return {
        "annotator": name,
        "pairs": int(own.sum()),
        "prefers better marks": float((marks[own] > 0).mean()),
        "prefers longer": float((longer[own] > 0).mean()),
        "chance": float(min(10 ** -found[way, at], 1.0)),
        "most unlike the others": REASONS[way],
    }


def _mean_marks(pairs: pl.DataFrame, features: pl.DataFrame) -> np.ndarray:
    """[N] mean mark of the chosen summary less that of the rejected one; 0 where either has none."""
    mean = dict(features.select("summary_id", pl.mean_horizontal(FEATURE_NAMES)).iter_rows())

    def of(side: str) -> np.ndarray:
        texts = zip(pairs["prompt"], pairs[side], strict=True)
        return np.array([mean.get(digest(*each), np.nan) for each in texts], dtype=float)

    return np.nan_to_num(of("chosen") - of("rejected"))
