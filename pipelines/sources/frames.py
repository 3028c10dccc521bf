"""Frames of a made-up language: {a|b} picks one, {name} picks from a list, and by *words*, a key phrase, one is known again."""

import random
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache

SLOT = re.compile(r"\{([^{}]*)\}")
KEY = re.compile(r"\*([^*]+)\*")
START = re.compile(r"(?:^|(?<=[.?!] ))[a-z]")


def say(frames: Iterable[str], slots: Mapping[str, Sequence[str]], rng: random.Random) -> str:
    """One sentence a frame: every {a|b} and {name} filled at random, key marks dropped."""
    text = " ".join(frame if frame.endswith(("?", "!")) else f"{frame}." for frame in frames).replace("*", "")
    while "{" in text:
        text = SLOT.sub(lambda slot: rng.choice(slots.get(slot[1]) or slot[1].split("|")), text)
    return START.sub(lambda letter: letter[0].upper(), text)


def plain(text: str) -> str:
    """The words of `text` in lower case, one space between and around them."""
    return f" {' '.join(re.findall('[a-z]+', text.lower()))} "


@cache
def keys(*frames: str) -> Sequence[str]:
    """The key phrases of some frames, as plain text."""
    return [plain(key) for frame in frames for key in KEY.findall(frame)]
