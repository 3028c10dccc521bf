"""The words of a corpus, read once: who says each of them, in which sentence, with a capital or not, and how that feels.

Feelings are VADER's (Hutto and Gilbert, 2014): the valences of a sentence's words, turned round after a negation.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import files

import numpy as np
import polars as pl

from checks.tokens import WORD

TURN = r"\n\n(?:Human|Assistant|System):(?: |$)"  # of a transcript; its longest match comes first
STOP = r"[.!?\n:。！？]"
CHOSEN, REJECTED, ASKED, EARLIER, TOLD = range(5)  # who speaks: the responses, the last question, those before, others
TURNED, REACH = -0.74, 3  # VADER: what a negation makes of the valence of the three words after it
USUAL, HABIT = 0.1, 0.5  # shares of prompts
NEGATIONS = ["not", "no", "never", "none", "nobody", "nothing", "neither", "nor", "cannot", "without", "hardly", "rarely"]
NEGATED = r"n['’]t$"


@dataclass(frozen=True)
class Words:
    """Every word of `audited` pairs, then of `trusted` ones, text by text; [T] each.

    word: place in `vocabulary` (lower case); text: kind * pairs + pair, kinds being CHOSEN to TOLD; sentence: numbered
    through; is_capital: whether it is written with one. prompt: [pairs] equal numbers where prompts are equal.
    """

    word: np.ndarray
    text: np.ndarray
    sentence: np.ndarray
    is_capital: np.ndarray
    vocabulary: pl.Series
    prompt: np.ndarray
    audited: int
    trusted: int

    @property
    def pairs(self) -> int:
        return self.audited + self.trusted

    @cached_property
    def kind(self) -> np.ndarray:
        """[T] who says it."""
        return self.text // max(self.pairs, 1)

    @cached_property
    def pair(self) -> np.ndarray:
        """[T] in which pair."""
        return self.text % max(self.pairs, 1)

    @cached_property
    def opens(self) -> np.ndarray:
        """[T] whether the word is the first of its sentence."""
        return np.diff(self.sentence, prepend=-1) != 0

    @cached_property
    def asked_by(self) -> np.ndarray:
        """[vocabulary] share of prompts that hold a word; 0 for words that too few could."""
        asked = self.kind >= ASKED
        word, pair = self.word[asked], self.pair[asked]
        often = np.bincount(word, minlength=len(self.vocabulary)) > USUAL * self.pairs
        once = np.unique(pair[often[word]] * len(often) + word[often[word]])
        return np.bincount(once % max(len(often), 1), minlength=len(often)) / max(self.pairs, 1)

    @property
    def is_usual(self) -> np.ndarray:
        """[vocabulary] which words more than USUAL of all prompts hold: a language's own, of which none is a target."""
        return self.asked_by > USUAL

    @cached_property
    def is_name(self) -> np.ndarray:
        """[vocabulary] which words are names: mostly with a capital inside sentences, and often enough there.

        Whatever opens most of its sentences, as an interjection does, is none; nor is the pronoun I with its short forms.
        """
        size, inside = len(self.vocabulary), ~self.opens
        everywhere, within, capital = (
            np.bincount(self.word[where], minlength=size) for where in (slice(None), inside, inside & self.is_capital)
        )
        pronoun = self.vocabulary.str.contains(r"^i(?:['’]\w+)?$").to_numpy()
        return (2 * capital >= within) & (4 * capital >= everywhere) & (capital > 0) & ~pronoun

    @cached_property
    def valence(self) -> np.ndarray:
        """[vocabulary] VADER's valence of each word."""
        return np.array([lexicon().get(word, 0.0) for word in self.vocabulary])

    @cached_property
    def mood(self) -> np.ndarray:
        """[T] each word's valence where it stands: turned round in the reach of a negation."""
        valence = self.valence[self.word]
        negates = self.vocabulary.is_in(NEGATIONS) | self.vocabulary.str.contains(NEGATED)
        negation, near = negates.to_numpy()[self.word], np.zeros(len(self.word), dtype=bool)
        for step in range(1, REACH + 1):
            near[step:] |= negation[:-step] & (self.sentence[step:] == self.sentence[:-step])
        return np.where(near, TURNED * valence, valence)

    @cached_property
    def feeling(self) -> np.ndarray:
        """[T] -1, 0 or 1: whether the word's sentence blames, does neither, or praises."""
        return np.sign(np.round(np.bincount(self.sentence, self.mood), 6)).astype(np.int64)[self.sentence]


def words(pairs: pl.DataFrame, trusted: pl.DataFrame | None = None) -> Words:
    """The words of all texts of the pairs, prompts included; a prompt that is no transcript is one question."""
    frames = [pairs] if trusted is None else [pairs, trusted]
    total = sum(map(len, frames))
    texts = pl.concat([frame[side] for side in ("chosen", "rejected", "prompt") for frame in frames])
    lists = texts.to_frame("text").select(pl.col("text").str.extract_all(f"{TURN}|{WORD}|{STOP}"))["text"]
    found = lists.explode().drop_nulls()
    text = np.repeat(np.arange(len(texts)), lists.list.len().to_numpy())
    spelled = found.unique(maintain_order=True)
    token = found.cast(pl.Enum(spelled)).to_physical().to_numpy()
    is_word = spelled.str.contains(r"^[\p{L}\p{M}\p{N}]").to_numpy()[token]
    sentence = np.cumsum(~is_word | (np.diff(text, prepend=-1) != 0))[is_word]
    lowered = spelled.str.to_lowercase()
    vocabulary = lowered.filter(lowered.str.contains(r"^[\p{L}\p{M}\p{N}]")).unique().sort()  # whatever the order of rows
    place = lowered.cast(pl.Enum(vocabulary), strict=False).to_physical().fill_null(0).to_numpy().astype(np.int64)
    opens = texts.str.contains(f"^{TURN}").to_numpy()[text]
    kind = _kinds(text, token, spelled, text // max(total, 1), opens)
    return Words(
        word=place[token][is_word],
        text=(kind * total + text % max(total, 1))[is_word],
        sentence=np.cumsum(np.diff(sentence, prepend=-1) != 0) - 1,
        is_capital=spelled.str.contains(r"^\p{Lu}").to_numpy()[token][is_word],
        vocabulary=vocabulary,
        prompt=texts[2 * total :].rank("dense").to_numpy().astype(np.int64),
        audited=len(pairs),
        trusted=total - len(pairs),
    )


@cache
def lexicon() -> Mapping[str, float]:
    """VADER's mean valence of each word, -4 to 4."""
    lines = files("vaderSentiment").joinpath("vader_lexicon.txt").read_text(encoding="utf-8").splitlines()
    return {word: float(valence) for word, valence, *_ in (line.split("\t") for line in lines)}


def _kinds(text: np.ndarray, token: np.ndarray, spelled: pl.Series, column: np.ndarray, opens: np.ndarray) -> np.ndarray:
    """[tokens] who says each: of a prompt that opens with a turn its last human one is ASKED, those before are EARLIER.

    Its other turns are TOLD.
    """
    kind, place = column.copy(), np.arange(len(text))
    turns = spelled.str.starts_with("\n\n").to_numpy()[token] & (column == ASKED) & opens
    human = turns & spelled.str.starts_with("\n\nHuman").to_numpy()[token]
    begun = np.maximum.accumulate(np.where(turns, place, -1))
    in_turn = (begun >= 0) & (text[begun] == text) & (column == ASKED)
    last = np.full(int(text.max(initial=-1)) + 1, -1)
    last[text[human]] = place[human]  # of several the last is kept
    kind[in_turn] = np.where(human[begun], np.where(begun == last[text], ASKED, EARLIER), TOLD)[in_turn]
    return kind
