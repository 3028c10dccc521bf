"""Decisions on pairs that a filter set aside: which of them are learned from again, and what was said of each so far.

Pairs only change sides: kept and set aside together are the same before and after, and one that was put back keeps its scores.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace

import polars as pl

from pipelines.schema import CONFIRM, DECISIONS, PUT_BACK, DataError, require

DECIDED = (CONFIRM, PUT_BACK)


@dataclass(frozen=True, slots=True)
class Reviewed:
    """`kept` is PAIRS; `quarantined` has the columns of SCORES too, and so have the pairs of `kept` that were `put_back`.

    `decisions` and `undecided` are DECISIONS: those in force, and those of quarantined pairs about which people disagree.
    """

    kept: pl.DataFrame
    quarantined: pl.DataFrame
    put_back: pl.DataFrame
    decisions: pl.DataFrame
    undecided: pl.DataFrame

    @property
    def aside(self) -> pl.DataFrame:
        """All pairs that the filter had set aside, with their scores, by `row`."""
        return pl.concat([self.quarantined, self.put_back]).sort("row", maintain_order=True)

    @property
    def last(self) -> pl.DataFrame:
        """DECISIONS: the last one of each pair, which its place follows."""
        return self.decisions.unique("pair_id", keep="last", maintain_order=True)

    @property
    def standing(self) -> pl.DataFrame:
        """DECISIONS: the same without pairs about which people disagree since."""
        return self.last.filter(~pl.col("pair_id").is_in(self.undecided["pair_id"].implode()))


def decide(reviewed: Reviewed, decisions: pl.DataFrame) -> Reviewed:
    """After DECISIONS, the last of which counts for each pair, whatever people said of it before.

    DataError for a pair that the filter never set aside, and for a decision that there is not.
    """
    decisions = require(decisions, DECISIONS)
    check_known(reviewed, decisions["pair_id"])
    if unknown := sorted(set(decisions["decision"]) - set(DECIDED)):
        raise DataError(f"a decision is {' or '.join(DECIDED)}, got {unknown[0]!r}")
    last = dict(decisions.select("pair_id", "decision").iter_rows())
    before = dict.fromkeys(reviewed.put_back["pair_id"], PUT_BACK)
    back = [pair_id for pair_id, decision in (before | last).items() if decision == PUT_BACK]
    settled = pl.col("pair_id").is_in(list(last))
    said = [reviewed.decisions, reviewed.undecided.filter(settled), decisions]  # what was in doubt stands before what ends it
    return replace(_parted(reviewed, back), decisions=pl.concat(said), undecided=reviewed.undecided.filter(~settled))


def leave_open(reviewed: Reviewed, answers: pl.DataFrame) -> Reviewed:
    """After DECISIONS that contradict each other, or what stands: their pairs stay where they are until `decide` names them."""
    answers = require(answers, DECISIONS)
    check_known(reviewed, answers["pair_id"])
    return replace(reviewed, undecided=pl.concat([reviewed.undecided, answers]))


def check_known(reviewed: Reviewed, pair_ids: Collection[str]) -> None:
    """DataError that names the first pair that was never set aside."""
    aside = set(reviewed.aside["pair_id"])
    for pair_id in pair_ids:
        if pair_id not in aside:
            was = (
                "was kept and never set aside" if pair_id in set(reviewed.kept["pair_id"]) else "is in no table of this folder"
            )
            raise DataError(f"pair {pair_id!r:.60} {was}; decisions are about pairs that antivenom review list names")


def _parted(reviewed: Reviewed, back: Collection[str]) -> Reviewed:
    """The same pairs, of which these of the ones set aside are kept and all others of them are not."""
    aside = reviewed.aside
    never = reviewed.kept.filter(~pl.col("pair_id").is_in(aside["pair_id"].implode()))
    returned = aside.filter(pl.col("pair_id").is_in(list(back)))
    kept = pl.concat([never, returned.select(never.columns)]).sort("row", maintain_order=True)
    return replace(reviewed, kept=kept, quarantined=aside.filter(~pl.col("pair_id").is_in(list(back))), put_back=returned)
