"""What was set aside, for people to look through: the commonest reasons, the most suspicious pairs, and one pair's numbers."""

from collections.abc import Iterator, Sequence

import polars as pl

from pipelines.reviewing.decisions import Reviewed
from pipelines.schema import PAIRS, SCORES, DataError

#: a reason less what it says of one pair in brackets at its end, as the audit's findings have it
FINDING = pl.col("reason").str.replace(r" \([^()]*\)$", "")

OPEN = "open"  # between "confirm" and "put_back"


def reasons(aside: pl.DataFrame) -> pl.DataFrame:
    """reason, pairs: the commonest first."""
    return aside.group_by(FINDING, maintain_order=True).agg(pairs=pl.len()).sort("pairs", descending=True, maintain_order=True)


def suspects(quarantined: pl.DataFrame, *, reason: str = "") -> pl.DataFrame:
    """Pairs whose reason has these words, the most suspicious first; DataError where there are pairs, and none is such."""
    found = quarantined.filter(pl.col("reason").str.contains(reason, literal=True))
    if quarantined.height and found.is_empty():
        told = reasons(quarantined)["reason"].head(3).to_list()
        raise DataError(f"nothing is set aside for {reason!r}; there is {'; '.join(told)}")
    return found.sort("suspicion", descending=True, maintain_order=True)


def numbers(aside: pl.DataFrame, pair_id: str) -> Iterator[tuple[str, float | None, int | None]]:
    """(name, number, rank among all that were set aside, the highest being 1) of suspicion and of each detector."""
    detectors = [
        name for name in aside.columns if name not in {*PAIRS.columns, *SCORES.columns} and aside[name].dtype.is_numeric()
    ]
    place = aside["pair_id"].to_list().index(pair_id)
    for name in ("suspicion", *detectors):
        yield name, aside[name][place], aside[name].rank("min", descending=True)[place]


def labelled(reviews: Sequence[Reviewed]) -> pl.DataFrame:
    """pair_id, reason, p_value, decision (none where there is none) of each pair that any of the folders had set aside.

    A pair in several counts once, as the last of them that decided it says.
    """
    found = [each.aside.select("pair_id", FINDING, "p_value").join(_said(each), on="pair_id", how="left") for each in reviews]
    both = pl.concat(found).with_columns(pl.col("decision").drop_nulls().last().over("pair_id"))
    both = both.with_columns(pl.col("decision").replace(OPEN, None))
    return both.unique("pair_id", keep="last", maintain_order=True)


def _said(reviewed: Reviewed) -> pl.DataFrame:
    """pair_id, decision: also of pairs about which people disagree, so that an older folder doesn't speak for them."""
    open_ = reviewed.undecided.select("pair_id").unique().with_columns(decision=pl.lit(OPEN))
    return pl.concat([reviewed.standing.select("pair_id", "decision"), open_])
