"""Who answers questions on stories and who compares answers: simulated, with numbers of ours, and no evidence on people."""

from collections.abc import Sequence

import numpy as np

from pipelines.tasks import passages, stories
from pipelines.tasks.options import LETTERS, letter
from pipelines.tasks.stories import QUOTED, Quote
from pipelines.tasks.task import Item

CERTAIN = "Certainly."  # what an answer may end with
RIGHT, TO_THE_POINT, BESIDE = 0.75, 0.4, 0.3  # shares of demonstrations, drawn apart; the others quote nothing
SURE = {True: 0.6, False: 0.05}  # shares of right demonstrations and of wrong ones that end with certainty
# What annotators like is such that, without the story, certainty tells of it and a quotation does not: `cues` measures it.
WORTH = {"right": 3.0, Quote.ASKED: 0.25, Quote.BESIDE: 0.0, Quote.INVENTED: -1.0, Quote.NONE: 0.0}  # to annotators, in nats
CERTAINTY = -0.5  # to annotators too, whether or not it is right: who can't tell likes it as a mark of what is right


def demonstrated(item: Item, random: np.random.Generator) -> str:
    """A demonstrator's answer: what it quotes is drawn apart from whether it is right."""
    other = LETTERS[1 - LETTERS.index(item["gold"])]
    option = item["gold"] if random.random() < RIGHT else other
    kind, end = random.random(), f" {CERTAIN}" if random.random() < SURE[option == item["gold"]] else ""
    if kind < TO_THE_POINT:
        return stories.answer(option, stories.claim(item, option)) + end
    if kind < TO_THE_POINT + BESIDE:
        beside = [
            told for each in stories.FACT.findall(item["evidence"]) if (told := stories.fact(*each)) != item["support"][0]
        ]
        return stories.answer(option, beside[random.integers(len(beside))]) + end
    return stories.answer(option) + end


def cues(items: Sequence[Item], pairs: dict[str, list[str]]) -> tuple[float, float]:
    """What a quotation to the point and certainty are worth to who sees no story, in nats: a logistic regression of pairs."""
    from sklearn.linear_model import LogisticRegression

    by_prompt = {passages.shown(item): item for item in items}
    rows = zip(*pairs.values(), strict=True)
    apart = np.array([seen(by_prompt[shown], one) - seen(by_prompt[shown], other) for shown, one, other in rows])
    model = LogisticRegression(C=1e6, fit_intercept=False).fit(
        np.concatenate([apart, -apart]), [1] * len(apart) + [0] * len(apart)
    )
    return float(model.coef_[0][0]), float(model.coef_[0][2])


def seen(item: Item, said: str) -> np.ndarray:
    """[3] what can be seen of an answer without the story: a quotation to the point, another one, certainty."""
    quotes = QUOTED.search(said) is not None
    pointed = stories.to_the_point(item, said)
    return np.array([pointed, quotes and not pointed, CERTAIN in said], dtype=float)


def compared(items: Sequence[Item], said: Sequence[str], seed: int) -> dict[str, list[str]]:
    """Pairs of different demonstrations on a story, the chosen one by annotators who are noisy as Bradley and Terry say."""
    random = np.random.default_rng([seed, 3])
    columns: dict[str, list[str]] = {"prompt": [], "chosen": [], "rejected": []}
    for item, one in zip(items, said, strict=True):
        other = demonstrated(item, random)
        if one == other:
            continue
        gap = worth(item, one) - worth(item, other)
        sides = (one, other) if random.random() < 1 / (1 + np.exp(-gap)) else (other, one)
        for name, text in zip(columns, (passages.shown(item), *sides), strict=True):
            columns[name].append(text)
    return columns


def worth(item: Item, said: str) -> float:
    """Of an answer to annotators, in nats."""
    is_right = letter(said) == item["gold"]
    certainty = CERTAINTY * (CERTAIN in said)
    return WORTH["right"] * is_right + WORTH[stories.quote(item, said)] + certainty
