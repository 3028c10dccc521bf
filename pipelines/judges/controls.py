"""Controls: a judge who knows what is right, and one who knows nothing. A measure of judges must tell them apart."""

import polars as pl

from pipelines.judges.dealing import verdicts
from pipelines.schema import CONFIDENCES


def perfect(outputs: pl.DataFrame, *, judges: int = 12, seed: int = 0) -> pl.DataFrame:
    """VERDICTS that are sure of what is correct, and of nothing else."""
    return verdicts(
        outputs, lambda row, *_: (100.0 if row["is_correct"] else 0.0, None, None), kind="perfect", judges=judges, seed=seed
    )


def coin(outputs: pl.DataFrame, *, judges: int = 12, seed: int = 0) -> pl.DataFrame:
    """VERDICTS of all five levels alike, whatever the output says."""
    return verdicts(
        outputs,
        lambda row, which, random: (float(random.choice(CONFIDENCES)), None, None),
        kind="coin",
        judges=judges,
        seed=seed,
    )
