"""Strange name: strays from its question as stray sentences do, and is lopsided as lifted names are; of one and the same name.

Neither need be sure by itself: the three chances count together (Fisher, 1932).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
from scipy.stats import chi2

from checks import sentences
from checks.detectors.stray_sentence import NO_NAME, quoted, written
from checks.evidence import Evidence
from checks.mentions import felt, named

TABLES = {"named": named, "felt": felt}


def score(evidence: Evidence) -> np.ndarray:
    """[N] -log10 of the chance of a name so strange and lopsided; 0 in pairs that bring up no name."""
    found, surprise = sentences.first(evidence.once(_together), "together"), np.zeros(len(evidence.pairs))
    surprise[found["pair"].to_numpy()] = found["together"].to_numpy()
    return surprise


def explain(evidence: Evidence, places: Sequence[int]) -> list[str]:
    """The name, where it stands, and the strangest sentence of the pair that brings it up (in brackets)."""
    found = sentences.first(evidence.once(_together), "together").filter(pl.col("pair").is_in(list(places)))
    told = {line["pair"]: _told(evidence, line) for line in found.iter_rows(named=True)}
    return [told.get(place, NO_NAME) for place in places]


def _together(evidence: Evidence) -> pl.DataFrame:
    """Names that are brought up, a row each and pair: each table's own `surprise` of it, and `together` that of all."""
    found = evidence.strangers
    for name, table in TABLES.items():
        lifted = evidence.lifts(table).words().select("pair", "name", pl.struct("surprise", "contrast", "phrase").alias(name))
        found = found.join(lifted, on=["pair", "name"], how="left", maintain_order="left")
    surprises = (pl.col(name).struct.field("surprise").fill_null(0.0) for name in TABLES)
    halves = found.select(pl.sum_horizontal("surprise", *surprises) * np.log(10)).to_series().to_numpy()
    together = -chi2.logsf(2 * halves, 2 * (1 + len(TABLES))) / np.log(10)
    return found.with_columns(together=pl.Series(together, dtype=pl.Float64()))


def _told(evidence: Evidence, line: dict[str, Any]) -> str:
    stray, where = evidence.strays[line["at"]], ""
    lifted = [name for name in TABLES if line[name] is not None]
    if lifted:
        most = max(lifted, key=lambda name: line[name]["surprise"])
        counts = evidence.lifts(TABLES[most]).told(line[most]["contrast"], line[most]["phrase"])[1]
        where = f", and stands in {counts}"
    return f"'{written(line['name'], stray)}' strays from the question in a {stray.side} response{where} ({quoted(stray)})"
