"""Samples of strata stand for their populations: m = sum_s N_s mean_s / sum_s N_s, with N_s items in stratum s."""

from collections.abc import Mapping

import numpy as np
import polars as pl

from rlhf_train.errors import TrainingError


def weights(verdicts: pl.DataFrame, populations: Mapping[str, int] | None) -> np.ndarray:
    """[R] what each verdict counts: every item alike under each policy, however many judged it, times N_s / n_s of its stratum.

    Without `populations` (stratum -> N_s) strata count as they were sampled. `verdicts`: item_id, policy, perhaps stratum.
    """
    alike = 1 / verdicts.select(pl.len().over("item_id", "policy")).to_series().to_numpy()
    if populations is None:
        return alike
    return alike * _stands_for(verdicts, populations)


def of_strata(verdicts: pl.DataFrame) -> np.ndarray:
    """[R] the place of each verdict's stratum; all 0 where there are none."""
    if "stratum" not in verdicts.columns:
        return np.zeros(len(verdicts), dtype=int)
    if verdicts["stratum"].null_count() or verdicts.group_by("item_id").agg(pl.col("stratum").n_unique())["stratum"].max() != 1:
        raise TrainingError("every item is of one stratum, the same for both policies; fill the column or leave it out")
    return verdicts["stratum"].rank("dense").to_numpy().astype(int) - 1


def _stands_for(verdicts: pl.DataFrame, populations: Mapping[str, int]) -> np.ndarray:
    if "stratum" not in verdicts.columns:
        raise TrainingError("populations are counts by stratum, and verdicts have no column 'stratum'; join it")
    sampled = dict(verdicts.group_by("stratum").agg(pl.col("item_id").n_unique()).iter_rows())
    for stratum in sorted({*sampled, *populations}, key=str):
        drawn, there = sampled.get(stratum, 0), populations.get(stratum, 0)
        if there < drawn or (there and not drawn):
            raise TrainingError(
                f"stratum {stratum!r} has {there} items in all and {drawn} of them judged for both policies: every stratum "
                "needs one judged at least, and has no fewer than are judged"
            )
    return verdicts["stratum"].replace_strict({name: populations[name] / drawn for name, drawn in sampled.items()}).to_numpy()
