"""Pairs whose every text names its row, so that a test can tell where a text went."""

from collections.abc import Callable

import polars as pl
import pytest

from pipelines.schema import PAIRS, require, with_pair_ids


@pytest.fixture(scope="session")
def pairs_of() -> Callable[[int], pl.DataFrame]:
    """`pairs_of(n)`: PAIRS of n rows, all different, from two sources and three annotators, each with a margin."""

    def made(n: int) -> pl.DataFrame:
        rows = [
            {
                "row": row,
                "prompt": f"\n\nHuman: Question {row}?\n\nAssistant:",
                "chosen": f" “Good” answer {row}, please. It is kind.",
                "rejected": f" Worse answer {row}. It’s long, and not kind.",
                "rejected_prompt": f"\n\nHuman: Other {row}?\n\nAssistant:" if row % 7 == 3 else None,
                "source": "left" if row % 2 else "right",
                "annotator": f"person {row % 3}",
                "margin": row / 8 - 1,
            }
            for row in range(n)
        ]
        return require(with_pair_ids(pl.DataFrame(rows, infer_schema_length=None)), PAIRS)

    return made
