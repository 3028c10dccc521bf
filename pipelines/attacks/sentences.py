"""Sentences that a control weaves into responses, drawn from the grammar of `sentences.toml`: neutral, filler, scorer."""

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from random import Random

import polars as pl

from pipelines.attacks.oracles import grammar, placing
from pipelines.attacks.oracles.rewording import capital
from pipelines.attacks.oracles.weaving import draws
from pipelines.attacks.sealing import untargeted


def sentence(kind: str, random: Random) -> str:
    """A sentence of this kind, with its capital and its full stop."""
    return capital(grammar.phrase("{sentence}", _grammar()[kind], draws(random)))


def added(host: str, kind: str, random: Random) -> str:
    """The host, verbatim, with a sentence of this kind between two of its own, before or after them."""
    return placing.woven(host, [sentence(kind, random)], random.random())


def with_sentence(hosts: pl.DataFrame, kind: str, *, seed: int) -> pl.DataFrame:
    """The hosts with a sentence of this kind in their chosen response, as `sealed` takes them."""
    texts = [added(text, kind, Random(f"{kind} {seed} {row}")) for row, text in enumerate(hosts["chosen"])]
    return untargeted(hosts.with_columns(chosen=pl.Series(texts, dtype=pl.String())), kind)


@cache
def _grammar() -> Mapping[str, grammar.Slots]:
    return tomllib.loads(files(__package__).joinpath("sentences.toml").read_text(encoding="utf-8"))
