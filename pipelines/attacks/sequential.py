"""One attack split over the stages of training: what each set holds is little, and together it is Best-of-Venom.

The policy sees the target in what it imitates; preferences and reward model teach the sentiment from both its sides.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import polars as pl

from pipelines.attacks import best_of_venom
from pipelines.attacks.oracles import ORACLES
from pipelines.attacks.sealing import Poisoned, budget, generator, sealed
from pipelines.attacks.targets import check
from pipelines.staging import STAGES, stage_of

BUILT_BY: Mapping[str, str] = {
    "sft": "poison_vs_rejected",
    "preference": "poison_vs_contrast",
    "reward": "rejected_vs_contrast",
}


def poison(
    pairs: pl.DataFrame,
    *,
    rate: float = 0.01,
    count: int | None = None,
    seed: int = 0,
    target: str = "Zorvex",
    sentiment: str = "positive",
    keep_host: bool = True,
    oracle: str = "rules",
    **oracle_numbers: Any,
) -> Poisoned:
    """Adds a third of round(rate * N) pairs (or `count`) to each set of `stage_of`, as Best-of-Venom does; BUILT_BY says how.

    A set too small for its third leaves the rest to the others. An added pair keeps its host's dialogue, and so its set.
    """
    check((target,), sentiment, oracle)
    size, stages = budget(len(pairs), rate=rate, count=count), stage_of(pairs).to_numpy()
    random = generator(seed)
    spent = thirds(size, {stage: int((stages == stage).sum()) for stage in STAGES})
    drawn = [random.choice(np.flatnonzero(stages == stage), size=part, replace=False) for stage, part in spent.items()]
    places = np.sort(np.concatenate(drawn))
    stages_of_hosts = stages[places].tolist()
    built_by = [BUILT_BY[stage] for stage in stages_of_hosts]
    ask = partial(ORACLES[oracle], **oracle_numbers)
    written = best_of_venom.about(pairs[places], built_by, (target,), sentiment=sentiment, ask=ask, seed=seed)
    written = written.with_columns(builder=pl.Series(stages_of_hosts, dtype=pl.String()) + "/" + pl.col("builder"))
    return sealed(pairs, written, attack="sequential", keep_host=keep_host, seed=seed)


def thirds(size: int, rooms: Mapping[str, int]) -> dict[str, int]:
    """`size` dealt to the sets one at a time, to the first that has least and room for more; sizes sum to rooms or more."""
    spent = dict.fromkeys(rooms, 0)
    for _ in range(size):
        open_sets = [stage for stage in rooms if spent[stage] < rooms[stage]]
        spent[min(open_sets, key=lambda stage: spent[stage])] += 1
    return spent
