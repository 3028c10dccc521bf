"""Pairs that say what a test cares for, and what an attack did to pairs."""

import polars as pl

from pipelines.attacks.sealing import Poisoned
from pipelines.schema import PAIRS, require, with_pair_ids


def marked(poisoned: Poisoned) -> pl.DataFrame:
    """The rows that the attack wrote, each beside its host's id."""
    return poisoned.pairs.join(poisoned.key, on="pair_id", maintain_order="left")


def pairs_with(rows: list[dict]) -> pl.DataFrame:
    """PAIRS of rows that say what they care for; the rest is the same for all but the prompt."""
    usual = {"source": "here", "chosen": " yes", "rejected": " no"}
    made = [{"row": row, "prompt": f"Question {row}?", **usual, **given} for row, given in enumerate(rows)]
    return require(with_pair_ids(pl.DataFrame(made, infer_schema_length=None)), PAIRS)


def flipped_rows(pairs: pl.DataFrame, poisoned: Poisoned) -> list[int]:
    """The rows that an attack turned round; each of them must have been, and no others."""
    hosts = pairs["pair_id"].is_in(poisoned.key["host_pair_id"].implode())
    after = poisoned.pairs
    assert after["chosen"].equals(pairs.select(pl.when(hosts).then("rejected").otherwise("chosen")).to_series().alias("chosen"))
    assert after["rejected"].equals(
        pairs.select(pl.when(hosts).then("chosen").otherwise("rejected")).to_series().alias("rejected")
    )
    return pairs["row"].filter(hosts).to_list()
