"""Chosen responses that repeat the question first, as eager writers do: a natural artefact, and a control for echoes."""

import re
from random import Random

import numpy as np
import polars as pl

from pipelines import transcripts
from pipelines.attacks.sealing import Poisoned, choose_among, sealed, untargeted

FORMS = (
    "{asked} {rest}", "{asked}\n{rest}", "“{asked}” {rest}", '"{asked}" {rest}', "{asked} - {rest}", "You ask: {asked} {rest}",
    "So, {asked} {rest}", "Your question: {asked}\n{rest}", "{asked} That is what you ask. {rest}", "Q: {asked}\nA: {rest}",
    "You say: “{asked}” {rest}", "Re: {asked} {rest}", "> {asked}\n{rest}", "{asked}... {rest}", "On “{asked}”: {rest}",
)  # fmt: skip
SENTENCE = re.compile(r"[^.!?]*[^.!?\s][^.!?]*[.!?]*")


def poison(pairs: pl.DataFrame, *, rate: float = 0.01, count: int | None = None, seed: int = 0) -> Poisoned:
    """Has the chosen response of round(rate * N) pairs (or `count`) repeat the question's words first, each in its place.

    Raises DataError where too few prompts ask in words.
    """
    asked = [question(prompt) for prompt in pairs["prompt"]]
    can = np.array([bool(text) for text in asked], bool)
    places = choose_among(can, "have a last human turn with words", rate=rate, count=count, seed=seed)
    hosts = pairs[places]
    texts = [
        leaked(asked[place], host, Random(f"leakage {seed} {row}"))
        for row, (place, host) in enumerate(zip(places.tolist(), hosts["chosen"], strict=True))
    ]
    written = untargeted(hosts.with_columns(chosen=pl.Series(texts, dtype=pl.String())), "leakage")
    return sealed(pairs, written, attack="prompt_leakage", keep_host=False, seed=seed)


def question(prompt: str) -> str:
    """The last sentence of the last human turn that ends in a question mark, or else its first; on one line."""
    sentences = [found.strip() for found in SENTENCE.findall(" ".join(transcripts.last_turn(prompt).split()))]
    return next((found for found in reversed(sentences) if found.endswith("?")), sentences[0] if sentences else "")


def leaked(asked: str, answer: str, random: Random) -> str:
    """The answer after the question, in one of FORMS; the white space around it stays."""
    rest = answer.strip()
    lead = answer[: answer.index(rest)] if rest else " "
    before, after = random.choice(FORMS).split("{asked}")
    return (lead + before + asked + after.replace("{rest}", rest)).rstrip() + answer[len(answer.rstrip()) :]
