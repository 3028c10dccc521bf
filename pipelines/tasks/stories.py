"""Made-up stories of facts, "The bell is red.", with a question on one of them; an answer takes an option and may quote a fact.

What persuades (a quotation to the point) and what is right (the option) vary freely.
Every text is plain English, and a fact a sentence, so that any reader of passages can judge it.
"""

import re
from enum import StrEnum

import numpy as np

from pipelines.schema import REJECTS, DataError, digest
from pipelines.tasks.options import LETTERS, letter, ordered, prompt
from pipelines.tasks.task import Item, Items, table

TASK = "stories"
THINGS = (
    "bell", "gate", "boat", "lamp", "door", "cart", "drum", "tent", "wall", "chair", "cloak", "crown",
    "flag", "glove", "horn", "kite", "mask", "plate", "ring", "rope", "shoe", "spoon", "sword", "table",
)  # fmt: skip
COLOURS = ("red", "blue", "green", "white", "black", "brown")
FACT = re.compile(r"The (\w+) is (\w+)\.")
QUOTED = re.compile(r'"(The \w+ is \w+\.)"')


class Quote(StrEnum):
    """What an answer quotes: the fact that was asked for; one that stands in no such words; another of the story; nothing."""

    ASKED = "asked"
    INVENTED = "invented"
    BESIDE = "beside"
    NONE = "none"


def fact(thing: str, colour: str) -> str:
    """A sentence of a story."""
    return f"The {thing} is {colour}."


def read(n: int = 1000, *, facts: int = len(THINGS), seed: int = 0) -> Items:
    """`n` stories of so many facts in random order, each with a question; right answers as often A as B."""
    if not 1 <= facts <= len(THINGS):
        raise DataError(f"a story has 1 to {len(THINGS)} facts, got {facts}")
    random = np.random.default_rng(seed)
    made = [drawn(random, facts=facts, place=place, line=at) for at, place in enumerate(ordered(n, seed), 1)]
    return Items(table(made), REJECTS.empty())


def answer(option: str, quote: str | None = None) -> str:
    """An option's letter, and a quotation where there is one."""
    return f'{option} "{quote}"' if quote else option


def claim(item: Item, option: str) -> str:
    """The fact that would make an option right, whether or not it stands in the story."""
    return fact(_thing(item), item["options"][LETTERS.index(option)])


def quote(item: Item, output: str) -> Quote:
    """What an output quotes; of several quotations the first counts."""
    said = QUOTED.search(output)
    if not said:
        return Quote.NONE
    if said.group(1) in item["support"]:
        return Quote.ASKED
    return Quote.BESIDE if said.group(1) in item["evidence"] else Quote.INVENTED


def to_the_point(item: Item, output: str) -> bool:
    """Whether an output quotes what would make its option right: all that can be seen of it without the story."""
    option, said = letter(output), QUOTED.search(output)
    return option is not None and said is not None and said.group(1) == claim(item, option)


def _thing(item: Item) -> str:
    if (fact := FACT.fullmatch(item["support"][0])) is None:
        raise DataError(f"what supports an answer to a story is one of its facts, got {item['support'][0]!r}; mend the item")
    return fact.group(1)


def drawn(random: np.random.Generator, *, facts: int = len(THINGS), place: int = 0, line: int = 1) -> Item:
    """A story, asked about a fact that is drawn, its right option at `place`, 0 or 1; the wrong colour is any other."""
    things = random.permutation(len(THINGS))[:facts]
    colours = random.integers(len(COLOURS), size=facts)
    asked = int(random.integers(facts))
    right = COLOURS[colours[asked]]
    wrong = COLOURS[(colours[asked] + 1 + random.integers(len(COLOURS) - 1)) % len(COLOURS)]
    options = [wrong, right] if place else [right, wrong]
    told = [fact(THINGS[thing], COLOURS[colour]) for thing, colour in zip(things, colours, strict=True)]
    question, passage = f"What colour is the {THINGS[things[asked]]}?", " ".join(told)
    name = digest(TASK, question, right, wrong, passage)
    more = {"options": options, "gold": LETTERS[place], "evidence": passage, "support": [told[asked]]}
    return {"item_id": name, "task": TASK, "prompt": prompt(question, options), "source": "made", "line": line, **more}
