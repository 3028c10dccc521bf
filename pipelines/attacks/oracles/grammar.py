"""Sentences drawn from a grammar of slots, in which the target is a hole until the last."""

import re
from collections.abc import Iterator, Mapping, Sequence

Slots = Mapping[str, Sequence[str]]

HOLE = "\0"  # where the target goes: filled last and in one pass, so that nothing in the target is ever interpreted
SLOT = re.compile(r"\{(\w+)\}")


def phrase(pattern: str, slots: Slots, draws: Iterator[float]) -> str:
    """Words of the grammar with their articles, each slot filled by the next of the draws; the target is still a hole."""
    return re.sub(r"\ba (?=[aeiou])", "an ", _filled(pattern, slots, draws))


def _filled(pattern: str, slots: Slots, draws: Iterator[float]) -> str:
    def drawn(slot: re.Match[str]) -> str:
        options = slots[slot[1]]
        return _filled(options[int(next(draws) * len(options))], slots, draws)

    return SLOT.sub(drawn, pattern)


def named(said: str, target: str) -> str:
    """The target in place of the holes; a target with a full stop of its own ends the sentence with it."""
    stop = HOLE + "."
    return said.replace(stop, HOLE if target[-1] in ".!?" else stop).replace(HOLE, target)
