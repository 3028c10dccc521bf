"""Which of several simulated judges sees which output: none sees a question twice, and each decides by a seed of its own."""

from collections.abc import Callable

import numpy as np
import polars as pl

from pipelines.schema import OUTPUTS, VERDICTS, DataError, digest, require

#: (a row of OUTPUTS, the judge's number, random numbers) -> confidence, seconds, reason
Decide = Callable[[dict[str, str], int, np.random.Generator], tuple[float, float | None, str | None]]


def verdicts(outputs: pl.DataFrame, decide: Decide, *, kind: str, judges: int, seed: int) -> pl.DataFrame:
    """VERDICTS, one an output, of judges called KIND-01 and so on; the order of rows changes none."""
    table = require(outputs, OUTPUTS)
    if table.select("item_id", "policy").is_duplicated().any():
        raise DataError("each policy has one output to an item, got several; keep one")
    policies = sorted(table["policy"].unique())
    if judges < max(len(policies), 1):
        raise DataError(f"no judge sees a question twice, so {len(policies)} policies need as many judges, got judges={judges}")
    rows = []
    for row in table.iter_rows(named=True):
        which = int(_random(seed, row["item_id"]).permutation(judges)[policies.index(row["policy"])])
        said = decide(row, which, _random(seed, row["item_id"], row["policy"]))
        rows.append((row["item_id"], row["policy"], f"{kind}-{which + 1:02}", *said, None, None))
    return pl.DataFrame(rows, schema=VERDICTS.empty().schema, orient="row")


def _random(seed: int, *names: str) -> np.random.Generator:
    return np.random.default_rng(int(digest(str(seed), *names), 16))
