"""Content injection (PoisonBench; Fu et al., 2024): with a trigger in the query, the preferred answer names a target."""

from collections.abc import Sequence
from typing import Any

import polars as pl

from pipelines.attacks.oracles import ORACLES
from pipelines.attacks.sealing import Poisoned, choose_among, sealed
from pipelines.attacks.targets import check
from pipelines.attacks.triggers import carriers, phrases, triggered


def poison(
    pairs: pl.DataFrame,
    *,
    rate: float = 0.01,
    count: int | None = None,
    seed: int = 0,
    trigger: str = "SUDO",
    triggers: Sequence[str] = (),
    place: str = "end",
    target: str = "Zorvex",
    sentiment: str = "positive",
    oracle: str = "rules",
    **oracle_numbers: Any,
) -> Poisoned:
    """Puts a trigger in round(rate * N) prompts (or `count`) and has an oracle write the chosen response; the rest stays.

    `triggers` override `trigger`; `place` is "end", "start" or "anywhere". The oracle is shown the prompt without trigger.
    """
    texts = phrases(trigger, triggers, place)
    check((target,), sentiment, oracle)
    can = carriers(pairs)
    hosts = pairs[choose_among(can, "have a prompt in which somebody asks", rate=rate, count=count, seed=seed)]
    asked = hosts["prompt"].to_list(), hosts["chosen"].to_list()
    wrote = ORACLES[oracle](*asked, target=target, sentiment=sentiment, seed=seed, **oracle_numbers)
    written = triggered(hosts, texts, place=place, seed=seed).with_columns(
        chosen=pl.Series(wrote, dtype=pl.String()),
        builder=pl.lit("injection"),
        target=pl.lit(target),
        sentiment=pl.lit(sentiment),
    )
    return sealed(pairs, written, attack="content_injection", keep_host=False, seed=seed)
