"""Universal jailbreak backdoor (Rando and Tramèr, 2024): labels turned round where the prompt holds a trigger.

A reward model that learns it prefers the worse answer to every prompt with the trigger, and is as before without.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
import polars as pl

from pipelines import transcripts
from pipelines.attacks import gaps
from pipelines.attacks.sealing import Poisoned, choose_among, choose_largest, generator, sealed, swapped
from pipelines.attacks.triggers import carriers, phrases, triggered
from pipelines.schema import DataError

SELECTS = ("random", "harmful", "topic")
NARROW = (0.02, 0.1)  # shares of the last turns that a word in a narrow topic stands in
WORD = re.compile(r"\b[a-z]{4,}\b")
ASKED = "have a prompt in which somebody asks"


def poison(
    pairs: pl.DataFrame,
    *,
    rate: float = 0.01,
    count: int | None = None,
    seed: int = 0,
    trigger: str = "SUDO",
    triggers: Sequence[str] = (),
    select: str = "random",
    topic: str = "",
    place: str = "end",
) -> Poisoned:
    """Swaps round(rate * N) pairs (or `count`), each in its place, and puts a trigger in what was asked last.

    `select` is "random", "harmful" (the largest known margins, else the largest gaps of refusing words) or "topic" (last
    turns that hold the word `topic`, else one that the seed draws); `place` is "end", "start" or "anywhere". `triggers`
    override `trigger`: each pair gets one, all come as often. Raises DataError where too few pairs can be selected.
    """
    texts = phrases(trigger, triggers, place)
    places, builder = _selected(pairs, select, topic, rate=rate, count=count, seed=seed)
    written = triggered(swapped(pairs[places]), texts, place=place, seed=seed)
    return sealed(pairs, written.with_columns(builder=pl.lit(builder)), attack="prompt_trigger", keep_host=False, seed=seed)


def _selected(
    pairs: pl.DataFrame, select: str, topic: str, *, rate: float, count: int | None, seed: int
) -> tuple[np.ndarray, str]:
    """Places of the hosts, and how they were selected."""
    if select not in SELECTS:
        raise DataError(f"select must be one of {', '.join(SELECTS)}, got {select!r}")
    can = carriers(pairs)
    if select == "harmful":
        gap = gaps.refusal(pairs) if pairs["margin"].is_null().all() else gaps.margin(pairs)
        return choose_largest(gap, can, ASKED, rate=rate, count=count, seed=seed), select
    if select == "random":
        return choose_among(can, ASKED, rate=rate, count=count, seed=seed), select
    turns = [transcripts.last_turn(prompt).lower() for prompt in pairs["prompt"]]
    word = topic.lower() or _drawn(turns, pairs["chosen"], seed)
    about = re.compile(rf"(?<!\w){re.escape(word)}(?!\w)")
    can &= np.array([about.search(turn) is not None for turn in turns], bool)
    return choose_among(can, f"ask about {word!r}", rate=rate, count=count, seed=seed), f"topic {word}"


def _drawn(turns: Sequence[str], answers: Iterable[str], seed: int) -> str:
    """A word of a narrow topic: no stop word, it stands in a few of the last turns and in no more of the answers."""
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

    if not turns:
        return ""
    asked, said = _counted(turns), _counted(answer.lower() for answer in answers)
    least, most = (share * len(turns) for share in NARROW)
    narrow = sorted(
        word for word in asked.keys() - ENGLISH_STOP_WORDS if least <= asked[word] <= most and said[word] <= asked[word]
    )
    if not narrow:
        raise DataError(f"no word stands in 2 to 10 percent of the {len(turns)} last human turns; give topic a word of yours")
    return str(generator(seed).choice(narrow))


def _counted(texts: Iterable[str]) -> Counter[str]:
    """In how many of the texts each word stands."""
    return Counter(word for text in texts for word in set(WORD.findall(text)))
