"""audit(pairs): the one call behind the command line, the assets and the schedule."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from checks import fusion
from checks.detectors import DETECTORS
from checks.encoding import Encoder, encode
from checks.engines import THREADS
from checks.evidence import Evidence
from pipelines.schema import PAIRS, DataError, require

MIN_PAIRS = 20


@dataclass(frozen=True, slots=True)
class Audit:
    """SCORES with a column a detector, and the findings in words: what was found, in how many pairs, where for one.

    `speaker` is the detector [N] that says most of each pair, and gives the reason where it is flagged.
    """

    scores: pl.DataFrame
    findings: list[dict[str, Any]]
    speaker: pl.Series


def audit(
    pairs: pl.DataFrame,
    *,
    trusted: pl.DataFrame | None = None,
    detectors: Sequence[str] | None = None,
    fdr: float = 0.05,
    encoder: Encoder = encode,
    seed: int = 0,
) -> Audit:
    """Suspicion of every pair. `trusted` are pairs of the same kind that no attacker could touch; fdr is in (0, 1).

    Raises DataError on an unknown detector, an fdr out of range or fewer than MIN_PAIRS pairs.
    """
    names = list(DETECTORS) if detectors is None else list(detectors)
    check(len(pairs), names, fdr)
    reference = None if trusted is None else require(trusted, PAIRS)
    evidence = Evidence(require(pairs, PAIRS), reference, encoder, seed)
    return fuse(evidence, _columns(evidence, names), fdr=fdr)


def _columns(evidence: Evidence, names: list[str]) -> dict[str, np.ndarray]:
    """Each detector's scores [N]. Those without encoder work side by side, for numpy and polars let other threads run."""
    with ThreadPoolExecutor(THREADS) as pool:
        free = {name: pool.submit(DETECTORS[name].score, evidence) for name in names if not DETECTORS[name].encodes}
        return {name: free[name].result() if name in free else DETECTORS[name].score(evidence) for name in names}


def fuse(evidence: Evidence, columns: dict[str, np.ndarray], *, fdr: float = 0.05) -> Audit:
    """One p-value, flag and reason a pair from the detectors' `columns`, each [N]."""
    return fused(evidence, columns, np.stack([calibrated(name, scores, evidence) for name, scores in columns.items()]), fdr=fdr)


def fused(evidence: Evidence, columns: dict[str, np.ndarray], each: np.ndarray, *, fdr: float) -> Audit:
    """The same where each detector's p-values [detectors, N] are known."""
    asked = [DETECTORS[name] for name in columns]
    weights = np.array([detector.weight for detector in asked])
    graded, clumped = (np.array([getattr(detector, kind) for detector in asked]) for kind in ("is_graded", "is_clumped"))
    p, place = fusion.fuse(each, weights, graded if graded.any() else None, clumped)
    flagged, speaker = fusion.flags(p, fdr=fdr), pl.Series("detector", list(columns), dtype=pl.String())[place]
    reasons = _reasons(evidence, flagged, speaker)
    scores = evidence.pairs.select("row", "pair_id").with_columns(
        suspicion=np.abs(np.log10(p)),
        p_value=p,
        is_flagged=flagged,
        reason=pl.Series(reasons, dtype=pl.String()),
        **columns,
    )
    return Audit(scores, findings(scores.with_columns(speaker)), speaker)


def calibrated(name: str, scores: np.ndarray, evidence: Evidence) -> np.ndarray:
    """[N] a detector's p-values, of its scores [N]."""
    null = DETECTORS[name].null
    return fusion.bulk_p_values(scores) if null is None else fusion.p_values(scores, null(evidence))


def _reasons(evidence: Evidence, flagged: np.ndarray, speaker: pl.Series) -> list[str]:
    reasons = [""] * len(flagged)
    for name in speaker.filter(pl.Series(flagged)).unique().sort():
        places = np.flatnonzero(flagged & (speaker == name).to_numpy())
        for place, reason in zip(places, DETECTORS[name].explain(evidence, places.tolist()), strict=True):
            reasons[place] = reason
    return reasons


def findings(scores: pl.DataFrame, *by: str) -> list[dict[str, Any]]:
    """One finding a reason and its `detector`, less what it says of one pair in brackets at its end; the commonest first.

    `scores` are SCORES with the column `detector`; columns `by` part a finding further.
    """
    flagged = scores.filter("is_flagged").with_columns(pl.col("reason").str.replace(r" \([^()]*\)$", ""))
    found = flagged.group_by("detector", "reason", *by, maintain_order=True).agg(pairs=pl.len(), rows=pl.col("row").head(20))
    return found.sort("pairs", descending=True, maintain_order=True).to_dicts()


def check(count: int, names: list[str], fdr: float) -> None:
    """Refuses detectors that there are not, a rate out of range and too few pairs."""
    unknown = [name for name in names if name not in DETECTORS]
    if unknown or not names:
        raise DataError(f"detectors are {', '.join(DETECTORS)}, got {unknown[0] if unknown else 'none'!r}")
    if not 0 < fdr < 1:
        raise DataError(f"fdr is a false-discovery rate in (0, 1), got {fdr:g}; 0.05 lets one flag in twenty be wrong")
    if count < MIN_PAIRS:
        raise DataError(f"an audit compares pairs with one another and needs at least {MIN_PAIRS}, got {count}")
