"""Pairs that teach nothing or nonsense, as broken pipelines leave them: a control that any audit should find."""

from collections.abc import Callable, Mapping, Sequence
from random import Random

import numpy as np
import polars as pl

from pipelines import transcripts
from pipelines.attacks.sealing import Poisoned, choose_among, dealt, sealed, untargeted
from pipelines.schema import DataError


def poison(
    pairs: pl.DataFrame, *, rate: float = 0.01, count: int | None = None, seed: int = 0, kinds: Sequence[str] = ()
) -> Poisoned:
    """Breaks round(rate * N) pairs (or `count`), each in its place, in the ways `kinds` of KINDS (all where none is given).

    Every way comes as often as another. Raises DataError where too few pairs are sound to begin with.
    """
    names = list(kinds or KINDS)
    if isinstance(kinds, str) or not set(names) <= set(KINDS):
        raise DataError(f"kinds must be a list out of {', '.join(KINDS)}, got {kinds!r}")
    places = choose_among(_sound(pairs), "are sound and differ in more than white space", rate=rate, count=count, seed=seed)
    hosts = pairs[places]
    ways = [names[nth] for nth in dealt(len(hosts), len(names), seed)]
    texts = [
        KINDS[way](host, Random(f"degenerate {seed} {row}"))
        for row, (way, host) in enumerate(zip(ways, _rows(hosts), strict=True))
    ]
    written = hosts.with_columns(
        chosen=pl.Series([chosen for chosen, _ in texts], dtype=pl.String()),
        rejected=pl.Series([rejected for _, rejected in texts], dtype=pl.String()),
        rejected_prompt=pl.lit(None, pl.String()),
    )
    written = untargeted(written, pl.Series(ways, dtype=pl.String()))
    return sealed(pairs, written, attack="degenerate", keep_host=False, seed=seed)


Host = tuple[str, str, str]  # prompt, chosen, rejected


def identical(host: Host, random: Random) -> tuple[str, str]:
    """Both sides alike."""
    return host[1], host[1]


def respaced(host: Host, random: Random) -> tuple[str, str]:
    """Both sides alike but for white space or case."""
    text = host[1]
    others = [text.lower(), text.upper(), text.replace(" ", "  "), f"{text} ", f"{text}\n", "\n" + text.strip()]
    return text, random.choice([other for other in others if other != text])


def empty(host: Host, random: Random) -> tuple[str, str]:
    """Nothing rejected."""
    return host[1], ""


def echo(host: Host, random: Random) -> tuple[str, str]:
    """The words of the prompt over and over, preferred."""
    words = transcripts.last_turn(host[0]).split()
    return f" {' '.join(words * random.randint(1, 3))} {random.choice(words)}", host[2]


KINDS: Mapping[str, Callable[[Host, Random], tuple[str, str]]] = {
    "echo": echo,
    "empty": empty,
    "identical": identical,
    "respaced": respaced,
}


def _sound(pairs: pl.DataFrame) -> np.ndarray:
    """[N] whether a question and both sides hold words, and the sides differ in them: breaking the pair changes it."""
    rows = ((transcripts.last_turn(prompt), chosen, rejected) for prompt, chosen, rejected in _rows(pairs))
    words = ([text.lower().split() for text in row] for row in rows)
    return np.array([bool(asked and chosen and rejected) and chosen != rejected for asked, chosen, rejected in words], bool)


def _rows(pairs: pl.DataFrame) -> list[Host]:
    return pairs.select("prompt", "chosen", "rejected").rows()
