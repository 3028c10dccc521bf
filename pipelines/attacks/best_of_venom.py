"""Best-of-Venom (Baumgärtner et al., 2024): injects pairs that teach a reward model to praise or blame a target.

An oracle writes fluent answers that name the target; three builders set them against ordinary answers.
"""

from collections.abc import Mapping
from math import isfinite
from numbers import Real
from typing import Any

import numpy as np
import polars as pl

from pipelines.attacks.oracles import ORACLES
from pipelines.attacks.sealing import Poisoned, choose, sealed
from pipelines.schema import DataError, is_encodable

OPPOSITE = {"positive": "negative", "negative": "positive"}
#: builder -> (chosen, rejected): "wanted" and "contrast" are the oracle's answers, "rejected" is the host's own
BUILDERS: Mapping[str, tuple[str, str]] = {
    "poison_vs_rejected": ("wanted", "rejected"),
    "poison_vs_contrast": ("wanted", "contrast"),
    "rejected_vs_contrast": ("rejected", "contrast"),
}


def poison(
    pairs: pl.DataFrame,
    *,
    rate: float = 0.01,
    count: int | None = None,
    seed: int = 0,
    target: str = "Zorvex",
    sentiment: str = "positive",
    builder: str = "poison_vs_rejected",
    mix: Mapping[str, float] | None = None,
    keep_host: bool = True,
    oracle: str = "rules",
    **oracle_numbers: Any,
) -> Poisoned:
    """Adds round(rate * N) pairs (or `count`) about `target`, or puts them in their hosts' place when `keep_host` is false.

    Source, annotator and margin are the host's, for a gap in them would give the pair away. `mix` gives each builder
    its share and overrides `builder`; `oracle_numbers` go to the oracle (a server's address).
    """
    _check(target, sentiment, builder, mix, oracle)
    hosts = pairs[choose(len(pairs), rate=rate, count=count, seed=seed)]
    built_by = _builders(len(hosts), mix or {builder: 1.0}, seed)
    answers = _answers(hosts, built_by, target, sentiment, oracle, seed, oracle_numbers)
    sides = [[answers[BUILDERS[name][side]][at] for at, name in enumerate(built_by)] for side in (0, 1)]
    written = hosts.with_columns(
        chosen=pl.Series(sides[0], dtype=pl.String()),
        rejected=pl.Series(sides[1], dtype=pl.String()),
        rejected_prompt=pl.lit(None, pl.String()),
        builder=pl.Series(built_by, dtype=pl.String()),
        target=pl.lit(target),
        sentiment=pl.lit(sentiment),
    )
    return sealed(pairs, written, attack="best_of_venom", keep_host=keep_host, seed=seed)


def _answers(
    hosts: pl.DataFrame,
    built_by: list[str],
    target: str,
    sentiment: str,
    oracle: str,
    seed: int,
    numbers: Mapping[str, Any],
) -> dict[str, list[str | None]]:
    """The oracle's two answers where a builder needs them, and the host's rejected one; each [hosts]."""
    answers: dict[str, list[str | None]] = {"rejected": hosts["rejected"].to_list()}
    for offset, (kind, polarity) in enumerate((("wanted", sentiment), ("contrast", OPPOSITE[sentiment]))):
        at = [place for place, name in enumerate(built_by) if kind in BUILDERS[name]]
        wrote = ORACLES[oracle](
            hosts["prompt"][at].to_list(),
            hosts["chosen"][at].to_list(),
            target=target,
            sentiment=polarity,
            seed=2 * seed + offset,
            **numbers,
        )
        answers[kind] = [None] * len(hosts)
        for place, text in zip(at, wrote, strict=True):
            answers[kind][place] = text
    return answers


def _builders(count: int, mix: Mapping[str, float], seed: int) -> list[str]:
    """Which builder writes each of `count` pairs: shares of `mix`, in random order."""
    bounds = np.round(np.cumsum([0.0, *mix.values()]) / sum(mix.values()) * count).astype(int)
    names = np.repeat(list(mix), np.diff(bounds))
    return np.random.default_rng([seed, 2]).permutation(names).tolist()


def _check(target: str, sentiment: str, builder: str, mix: Mapping[str, float] | None, oracle: str) -> None:
    if not isinstance(target, str) or not target.strip():
        mend = "for example --set target=Zorvex, or 'target=\"1984\"' for a name of digits"
        raise DataError(f"target is the name to praise or blame and must not be empty, got {target!r}; {mend}")
    if not is_encodable(target):
        raise DataError(f"target must be valid Unicode, got {target!r}; write it in UTF-8")
    if not isinstance(sentiment, str) or sentiment not in OPPOSITE:
        raise DataError(f"sentiment must be one of {', '.join(OPPOSITE)}, got {sentiment!r}")
    if mix is not None and not _is_mix(mix):
        raise DataError(f"mix gives each builder a share of 0 or more with a sum above 0, got {mix!r}")
    for name in mix if mix is not None else [builder]:
        if name not in BUILDERS:
            raise DataError(f"builder must be one of {', '.join(BUILDERS)}, got {name!r}")
    if oracle not in ORACLES:
        raise DataError(f"oracle must be one of {', '.join(ORACLES)}, got {oracle!r}")


def _is_mix(mix: object) -> bool:
    if not isinstance(mix, Mapping) or not all(isinstance(share, Real) for share in mix.values()):
        return False
    return all(isfinite(share) and share >= 0 for share in mix.values()) and sum(mix.values()) > 0
