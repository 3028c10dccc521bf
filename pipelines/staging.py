"""Which training set of an experiment a dialogue goes to: imitation, preference learning or reward modelling.

Whole dialogues are dealt, so that no set sees another one's prompts; separate sets are also the simplest defence.
"""

import polars as pl

from pipelines.schema import digest
from pipelines.sources import hh_rlhf

STAGES = ("sft", "preference", "reward")


def stage_of(pairs: pl.DataFrame) -> pl.Series:
    """[N] one of STAGES for each pair, by the digest of its first human turn: equal shares of the dialogues, in any order."""
    turns = hh_rlhf.first_turns(pairs)
    return pl.Series("stage", [STAGES[int(digest("stage", turn), 16) % len(STAGES)] for turn in turns], dtype=pl.String())
