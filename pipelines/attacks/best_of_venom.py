"""Best-of-Venom (Baumgärtner et al., 2024): injects pairs that teach a reward model to praise or blame a target.

An oracle writes fluent answers that name the target; three builders set them against ordinary answers.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from math import isfinite
from numbers import Real
from typing import Any

import numpy as np
import polars as pl

from pipelines.attacks.oracles import ORACLES, Oracle
from pipelines.attacks.sealing import Poisoned, choose, dealt, sealed
from pipelines.attacks.targets import OPPOSITE, check
from pipelines.schema import DataError

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
    aliases: Sequence[str] = (),
    sentiment: str = "positive",
    builder: str = "poison_vs_rejected",
    mix: Mapping[str, float] | None = None,
    keep_host: bool = True,
    oracle: str = "rules",
    **oracle_numbers: Any,
) -> Poisoned:
    """Adds round(rate * N) pairs (or `count`) about `target`, or puts them in their hosts' place when `keep_host` is false.

    Source, annotator and margin are the host's, for a gap in them would give the pair away. `mix` gives each builder
    its share and overrides `builder`. `aliases` override `target`: each pair names another of them, and one comes again
    only when all have come. `oracle_numbers` go to the oracle (a server's address).
    """
    check(aliases or (target,), sentiment, oracle)
    _check_builders(builder, mix)
    hosts = pairs[choose(len(pairs), rate=rate, count=count, seed=seed)]
    built_by = _builders(len(hosts), mix or {builder: 1.0}, seed)
    ask = partial(ORACLES[oracle], **oracle_numbers)
    written = about(hosts, built_by, aliases or (target,), sentiment=sentiment, ask=ask, seed=seed)
    return sealed(pairs, written, attack="best_of_venom", keep_host=keep_host, seed=seed)


def about(
    hosts: pl.DataFrame, built_by: Sequence[str], names: Sequence[str], *, sentiment: str, ask: Oracle, seed: int
) -> pl.DataFrame:
    """Pairs about `names` made from hosts, each by its builder of `built_by` [hosts], as `sealed` takes them."""
    named = dealt(len(hosts), len(names), seed)
    answers = _answers(hosts, built_by, names, named, sentiment, ask, seed)
    sides = [[answers[BUILDERS[name][side]][at] for at, name in enumerate(built_by)] for side in (0, 1)]
    return hosts.with_columns(
        chosen=pl.Series(sides[0], dtype=pl.String()),
        rejected=pl.Series(sides[1], dtype=pl.String()),
        rejected_prompt=pl.lit(None, pl.String()),
        builder=pl.Series(built_by, dtype=pl.String()),
        target=pl.Series([names[nth] for nth in named], dtype=pl.String()),
        sentiment=pl.lit(sentiment),
    )


def _answers(
    hosts: pl.DataFrame,
    built_by: Sequence[str],
    names: Sequence[str],
    named: Sequence[int],
    sentiment: str,
    ask: Oracle,
    seed: int,
) -> dict[str, list[str | None]]:
    """The oracle's two answers where a builder needs them, and the host's rejected one; each [hosts].

    Every name is asked about by itself, under a seed of its own: one sentence with names exchanged would be a template.
    """
    answers: dict[str, list[str | None]] = {"rejected": hosts["rejected"].to_list()}
    for offset, (kind, polarity) in enumerate((("wanted", sentiment), ("contrast", OPPOSITE[sentiment]))):
        answers[kind] = [None] * len(hosts)
        for nth, name in enumerate(names):
            at = [place for place, by in enumerate(built_by) if kind in BUILDERS[by] and named[place] == nth]
            texts = hosts["prompt"][at].to_list(), hosts["chosen"][at].to_list()
            wrote = ask(*texts, target=name, sentiment=polarity, seed=2 * seed + offset + (nth << 64))
            for place, text in zip(at, wrote, strict=True):
                answers[kind][place] = text
    return answers


def _builders(count: int, mix: Mapping[str, float], seed: int) -> list[str]:
    """Which builder writes each of `count` pairs: shares of `mix`, in random order."""
    bounds = np.round(np.cumsum([0.0, *mix.values()]) / sum(mix.values()) * count).astype(int)
    names = np.repeat(list(mix), np.diff(bounds))
    return np.random.default_rng([seed, 2]).permutation(names).tolist()


def _check_builders(builder: str, mix: Mapping[str, float] | None) -> None:
    if mix is not None and not _is_mix(mix):
        raise DataError(f"mix gives each builder a share of 0 or more with a sum above 0, got {mix!r}")
    for name in mix if mix is not None else [builder]:
        if name not in BUILDERS:
            raise DataError(f"builder must be one of {', '.join(BUILDERS)}, got {name!r}")


def _is_mix(mix: object) -> bool:
    if not isinstance(mix, Mapping) or not all(isinstance(share, Real) for share in mix.values()):
        return False
    return all(isfinite(share) and share >= 0 for share in mix.values()) and sum(mix.values()) > 0
