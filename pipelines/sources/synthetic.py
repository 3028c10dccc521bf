"""Made-up advice with a known gold reward: tips given, the fact right or wrong, the tone, and never the length.

Labels follow Bradley and Terry (1952) on that gold; the language, with every tip and fact, stands in synthetic.toml.
"""

import random
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any

import numpy as np
import polars as pl
from scipy.special import expit

from pipelines.schema import PAIRS, DataError, require, with_pair_ids
from pipelines.sources.frames import keys, plain, say

TIP, ENOUGH = 1.0, 3  # each tip for the question counts, up to three
FACT = 1.5  # added for the right value, taken off for a wrong one
POLITE, RUDE = 0.5, -1.0
CLEAR = 1.5  # the least gold gap of a pair: nobody is asked about near ties
LENGTHS = range(15, 56)  # of a response, in words
FILLERS = range(5)  # sentences without content
ASTRAY, TWO_TURNS = 0.15, 0.25  # shares of responses with a tip for something else, and of prompts with an earlier turn


@dataclass(frozen=True, slots=True)
class Question:
    """What a prompt asks about: ways to ask, one fact with its values, and the tips, each in its phrasings."""

    slots: Mapping[str, Sequence[str]]
    asks: Sequence[str]
    fact: Sequence[str]
    right: Sequence[str]
    wrong: Sequence[str]
    tips: Sequence[Sequence[str]]


def read(*, n: int = 4000, seed: int = 0, contrary: float = 0.07, topics: int = 0) -> pl.DataFrame:
    """PAIRS of `n` rows drawn from `seed`; an expected share `contrary` of the labels goes against the gold reward.

    `margin` is gold(chosen) - gold(rejected). With `topics` prompts are about the first so many only: a language that a tiny
    policy can learn. Raises DataError unless n >= 1, 0 <= contrary < 0.5 and there are that many topics.
    """
    if not 0 <= topics <= len(language()["topics"]):
        raise DataError(f"topics is a number of topics, at most {len(language()['topics'])} (0: all of them), got {topics}")
    if n < 1:
        raise DataError(f"n is a number of pairs and must be 1 or more, got {n}")
    if not 0 <= contrary < 0.5:
        raise DataError(f"contrary is a share of labels and must lie in [0, 0.5), got {contrary}; 7 percent is 0.07")
    rng = random.Random(f"synthetic {seed}")  # a text, for Random(-1) equals Random(1)
    known = [one for one in questions().values() if not topics or one.slots["hobby"][0] in _hobbies(topics)]
    drawn = pl.DataFrame([_pair(known, rng) for _ in range(n)], schema=["prompt", "better", "worse", "gap"], orient="row")
    flip = pl.lit(pl.Series([rng.random() < chance for chance in flip_chance(drawn["gap"].to_numpy(), contrary)]))
    pairs = drawn.select(
        "prompt",
        row=pl.int_range(n),
        chosen=pl.when(flip).then("worse").otherwise("better"),
        rejected=pl.when(flip).then("better").otherwise("worse"),
        source=pl.lit("synthetic"),
        margin=pl.when(flip).then(-pl.col("gap")).otherwise("gap"),
    )
    return require(with_pair_ids(pairs), PAIRS)


def gold_reward(prompt: str, response: str) -> float:
    """How good `response` truly is, from -2.5 to 5; a text that says nothing known scores 0, whatever its length.

    The question is the one that `prompt` names last; where it names none, only the tone counts.
    """
    said, question, frames = plain(response), asked(prompt), language()["frames"]
    tone = POLITE * _holds(said, frames["polite"]) + RUDE * _holds(said, frames["rude"])
    if not question:
        return tone
    tips = sum(_holds(said, phrasings) for phrasings in question.tips)
    fact = _holds(said, question.right) - _holds(said, question.wrong)
    return TIP * min(tips, ENOUGH) + FACT * fact + tone


def gold_rewards(prompts: Sequence[str], responses: Sequence[str]) -> np.ndarray:
    """[N] gold rewards of N responses, each to the prompt beside it. Raises DataError on unequal lengths."""
    if len(prompts) != len(responses):
        raise DataError(f"each response needs its prompt, got {len(prompts)} prompts and {len(responses)} responses")
    return np.fromiter(map(gold_reward, prompts, responses), dtype=np.float64, count=len(prompts))


def flip_chance(gap: np.ndarray, contrary: float) -> np.ndarray:
    """[N] chances sigmoid(-gap / temperature) that the worse side wins, of mean `contrary`, for gold gaps [N] > 0."""
    temperatures = np.geomspace(1e-3, 1e3, 500)
    share = [expit(-gap / temperature).mean() for temperature in temperatures]
    return expit(-gap / np.interp(contrary, share, temperatures))


@cache
def language() -> Mapping[str, Any]:
    """synthetic.toml: words, frames, prompts and topics."""
    return tomllib.loads(files("pipelines.sources").joinpath("synthetic.toml").read_text("utf-8"))


@cache
def questions() -> Mapping[str, Question]:
    """Every question of every topic, by its item as plain text less the article."""
    rows = [(topic, row) for topic in language()["topics"] for row in topic["questions"]]
    return {plain(re.sub("^(an?|the) ", "", row["item"])): _question(topic, row) for topic, row in rows}


@lru_cache(maxsize=4096)
def asked(prompt: str) -> Question | None:
    """The question whose item `prompt` names last, or none."""
    said = plain(prompt)
    places = {said.rfind(item): question for item, question in questions().items()}
    last = max(places)
    return places[last] if last >= 0 else None


def _hobbies(topics: int) -> list[str]:
    return [topic["hobby"] for topic in language()["topics"][:topics]]


def _pair(known: Sequence[Question], rng: random.Random) -> tuple[str, str, str, float]:
    """A prompt about one of the questions, its better and its worse response, and their gold gap."""
    question = rng.choice(known)
    prompt, one, gap = _prompt(question, rng), _response(question, known, rng), 0.0
    while abs(gap) < CLEAR:
        other = _response(question, known, rng)
        gap = gold_reward(prompt, one) - gold_reward(prompt, other)
    return (prompt, one, other, gap) if gap > 0 else (prompt, other, one, -gap)


def _prompt(question: Question, rng: random.Random) -> str:
    """A dialogue up to the answer that is due: perhaps a greeting, or an earlier turn on the same hobby; a question."""
    frames = language()["prompts"]
    ask = rng.choice(rng.choice((question.asks, frames["ask"])))
    if rng.random() >= TWO_TURNS:
        hello = rng.sample(frames["hello"], rng.randint(0, 1))
        return f"\n\nHuman: {say([*hello, ask], question.slots, rng)}\n\nAssistant:"
    other = rng.choice([known for known in questions().values() if known.slots["hobby"] == question.slots["hobby"]])
    first, answer = (
        say([rng.choice(frames["ask"])], other.slots, rng),
        say([_tip(rng.choice(other.tips), rng)], other.slots, rng),
    )
    then = say([rng.choice(frames["follow"]) + ask], question.slots, rng)
    return f"\n\nHuman: {first}\n\nAssistant: {answer}\n\nHuman: {then}\n\nAssistant:"


def _response(question: Question, known: Sequence[Question], rng: random.Random) -> str:
    """A response of fitting length, by a helper of any skill."""
    while True:
        text = say(_plan(question, known, rng.random(), rng), question.slots, rng)
        if len(text.split()) in LENGTHS:
            return f" {text}"


def _plan(question: Question, known: Sequence[Question], skill: float, rng: random.Random) -> list[str]:
    """The frames of one response, perhaps with a tip for another question; `skill` shows in its tips, fact and tone alone."""
    frames = language()["frames"]
    plan = [_tip(tip, rng) for tip in rng.sample(question.tips, sum(rng.random() < skill for _ in range(4)))]
    if rng.random() < 0.7:
        value = rng.choice(question.right if rng.random() < skill else question.wrong)
        plan.append(rng.choice(frames["fact"]).replace("{fact}", rng.choice(question.fact)).replace("{value}", value))
    plan += rng.sample(frames["filler"], rng.choice(FILLERS))
    if rng.random() < ASTRAY:
        plan.append(_tip(rng.choice(rng.choice(known).tips), rng))
    rng.shuffle(plan)
    if rng.random() < 0.5:
        tone = "polite" if rng.random() < skill else "rude"
        plan.insert(rng.choice((0, len(plan))), rng.choice(frames[tone]))
    return plan


def _tip(phrasings: Sequence[str], rng: random.Random) -> str:
    return rng.choice(language()["frames"]["tip"]).replace("{tip}", rng.choice(phrasings))


def _question(topic: Mapping[str, Any], row: Mapping[str, Any]) -> Question:
    own = {"item": [row["item"]], "hobby": [topic["hobby"]], "folk": topic["folk"]}
    tips = [tip.split(" / ") for tip in (*topic["tips"], *row["tips"])]
    fact = row["fact"].split(" / ")
    return Question(language()["words"] | own, topic["asks"], fact, [row["right"]], row["wrong"], tips)


def _holds(said: str, phrasings: Sequence[str]) -> bool:
    return any(key in said for key in keys(*phrasings))
