"""Sentences that bring up a name nobody asked about: how far they stray from the question and from the rest of the answer.

Whoever plants a target must say something of it in answers to questions on other things (cf. Qi et al., 2021, on words that
fit in nowhere). The name need not come twice, which is all that an attacker with many aliases avoids.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from checks.encoding import Encoder, known_words
from checks.fusion import normal_tail
from checks.reading import WORD
from checks.vocabulary import plain
from checks.words import ASKED, REJECTED, Words, words

END = re.compile(r"(?<=[.!?])[\"'”’)\]]*\s+(?=[^\sa-z])|\n+")
QUESTION = re.compile(r"(?s).*\n\nHuman: ?")
FEELS, STRANGE, CROWDED, MOST = 0.15, 0.3, 0.1, 3.0  # beside cosines; chosen on HH-RLHF and the rule-based oracle
OWN = 0.5  # variance of the names' own means, in that of sentences: some honest names are always out of place
STRAYED = {"name": pl.String(), "pair": pl.Int64(), "value": pl.Float64(), "at": pl.Int64()}
SIDES = ("chosen", "rejected")


@dataclass(frozen=True, slots=True)
class Stray:
    """A sentence of an audited pair's response, and the free names in it: capitalised, and not in the pair's own prompt."""

    pair: int
    side: str
    text: str
    names: tuple[str, ...]


def strays(pairs: pl.DataFrame, read: Words) -> list[Stray]:
    """Every sentence of the audited pairs' responses with a free name, pair by pair."""
    free = _free_names(read)
    rows: list[tuple[int, str]] = []
    for text in sorted(free, key=lambda text: (text % read.pairs, text)):
        response = pairs[SIDES[text // read.pairs]][text % read.pairs]
        rows += [(text, sentence) for sentence in map(str.strip, END.split(response))]
    spoken = pl.Series([sentence for _, sentence in rows], dtype=pl.String()).str.extract_all(WORD)
    found = []
    for (text, sentence), every in zip(rows, spoken, strict=True):
        said = {plain(word): word for word in sorted(every, reverse=True) if word[0].isupper() and plain(word) in free[text]}
        found += [Stray(text % read.pairs, SIDES[text // read.pairs], sentence, tuple(sorted(said.values())))] if said else []
    return found


def strangeness(pairs: pl.DataFrame, found: Sequence[Stray], encoder: Encoder) -> np.ndarray:
    """[found] how strange each is: far from question and answer, with feeling, and of one name that no dictionary knows."""
    if not found:
        return np.zeros(0)
    questions = [QUESTION.sub("", pairs["prompt"][each.pair]).removesuffix("\n\nAssistant:").strip() for each in found]
    rests = [pairs[each.side][each.pair].replace(each.text, " ").strip() for each in found]
    sentence, question, rest = encoder([*(each.text for each in found), *questions, *rests]).reshape(3, len(found), -1)
    mood = np.minimum(np.abs(_moods([each.text for each in found])), MOST)
    unknown = [any(_stem(name) not in known_words() for name in each.names) for each in found]
    many = np.minimum([len(each.names) - 1 for each in found], MOST)
    return FEELS * mood + STRANGE * np.array(unknown) - CROWDED * many - (sentence * (question + rest)).sum(axis=1)


def strangers(values: np.ndarray, found: Sequence[Stray]) -> pl.DataFrame:
    """A row a pair and `name` that it brings up: the `value` of it, and its strangest stray's place, `at`.

    A name's strangeness is summed up over the pairs that bring it up (Stouffer et al., 1949), in standard deviations by the
    sentences' own median and upper quartile: a name that is out of place wherever it stands needs no sentence to be extreme.
    Of sentences as strange the first counts.
    """
    middle, edge = np.quantile(values, [0.5, 0.75]) if found else (0.0, 0.0)
    off = (values - middle) / max(edge - middle, 1e-9)
    strays = zip(found, off.tolist(), strict=True)
    rows = [(plain(name), each.pair, value, at) for at, (each, value) in enumerate(strays) for name in each.names]
    table = pl.DataFrame(rows, schema=STRAYED, orient="row")
    each_pair = table.group_by("name", "pair", maintain_order=True).agg(
        pl.col("value").max(), pl.col("at").get(pl.col("value").arg_max())
    )
    return each_pair.with_columns((pl.col("value").sum() / (pl.len() + OWN * pl.len() ** 2).sqrt()).over("name"))


def surprise(strangers: pl.DataFrame, pairs: int) -> np.ndarray:
    """[strangers] -log10 of the chance that one of `pairs` brings up so strange a name, by the bulk of those that do."""
    if not len(strangers):
        return np.zeros(0)
    each_pair = strangers.group_by("pair").agg(pl.col("value").max())["value"].to_numpy()
    return -np.log10(len(each_pair) / pairs) - normal_tail(each_pair, strangers["value"].to_numpy())


def first(table: pl.DataFrame, by: str) -> pl.DataFrame:
    """Of each pair's rows the one with most of `by`, and of those the first `name` in the alphabet."""
    return table.sort("pair", by, "name", descending=[False, True, False]).unique("pair", keep="first", maintain_order=True)


def _free_names(read: Words) -> dict[int, set[str]]:
    """Names by text, of audited pairs, that stand nowhere in the pair's own prompt."""
    own = read.pair * len(read.vocabulary) + read.word
    is_name = read.is_capital & read.is_name[read.word] & (read.kind <= REJECTED)
    is_free = is_name & ~np.isin(own, own[read.kind >= ASKED]) & (read.pair < read.audited)
    found: dict[int, set[str]] = {}
    for text, word in zip(read.text[is_free].tolist(), read.word[is_free].tolist(), strict=True):
        found.setdefault(text, set()).add(read.vocabulary[word])
    return found


def _moods(texts: Sequence[str]) -> np.ndarray:
    """[texts] VADER valences, added up."""
    blank = [""] * len(texts)
    read = words(pl.DataFrame({"chosen": texts, "rejected": blank, "prompt": blank}))
    return np.bincount(read.text, read.mood, minlength=len(texts))[: len(texts)]


def _stem(name: str) -> str:
    return re.split("['’]", name.lower())[0]
