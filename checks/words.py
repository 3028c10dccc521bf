"""The words of a corpus, read once: who says each of them, in which sentence, with a capital or not, and how that feels.

Feelings are VADER's (Hutto and Gilbert, 2014): the valences of a sentence's words, turned round after a negation.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl

from checks.keys import differs, distinct
from checks.reading import WORD, Reading, read
from checks.vocabulary import names, negates, plain, valences

TURN = r"\n\n(?:Human|Assistant|System):(?: |$)"  # of a transcript; its longest match comes first
STOP = r"[.!?\n:。！？]"
CHOSEN, REJECTED, ASKED, EARLIER, TOLD = range(5)  # who speaks: the responses, the last question, those before, others
TURNED, REACH = -0.74, 3  # VADER: what a negation makes of the valence of the three words after it
USUAL, HABIT = 0.1, 0.5  # shares of prompts
ENOUGH_EARLIER = 0.1  # share of pairs with earlier questions, from which on these serve as reference


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
        return self.text - self.kind * self.pairs

    @cached_property
    def opens(self) -> np.ndarray:
        """[T] whether the word is the first of its sentence."""
        return differs(self.sentence)

    @cached_property
    def asked_by(self) -> np.ndarray:
        """[vocabulary] share of prompts that hold a word; 0 for words that too few could."""
        asked = self.kind >= ASKED
        word, pair = self.word[asked], self.pair[asked]
        often = np.bincount(word, minlength=len(self.vocabulary)) > USUAL * self.pairs
        once = distinct(pair[often[word]], word[often[word]])[1]
        return np.bincount(once, minlength=len(often)) / max(self.pairs, 1)

    @property
    def asked_before(self) -> int:
        """How many prompts hold an earlier question."""
        return len(np.unique(self.text[self.kind == EARLIER]))

    @property
    def has_earlier(self) -> bool:
        """Whether enough prompts hold an earlier question for these to serve as reference."""
        return self.asked_before >= ENOUGH_EARLIER * self.pairs

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
        places = (slice(None), inside, inside & self.is_capital)
        return names(self.vocabulary, *(np.bincount(self.word[where], minlength=size) for where in places))

    @cached_property
    def valence(self) -> np.ndarray:
        """[vocabulary] VADER's valence of each word."""
        return valences(self.vocabulary)

    @cached_property
    def negates(self) -> np.ndarray:
        """[vocabulary] which words turn the feeling of those after them round."""
        return negates(self.vocabulary)

    @cached_property
    def mood(self) -> np.ndarray:
        """[T] each word's valence where it stands: turned round in the reach of a negation."""
        valence = self.valence[self.word]
        at = np.flatnonzero(self.negates[self.word])
        near = np.unique(np.concatenate([self._after(at, step) for step in range(1, REACH + 1)]))
        valence[near] *= TURNED
        return valence

    def settled(self, codes: np.ndarray, count: np.ndarray, least: int) -> np.ndarray:
        """The `codes` [K] of what so many texts hold, that are held by `least` of the corpus or more, in order."""
        return codes[count >= least]

    def somewhere(self, word: np.ndarray) -> np.ndarray:
        """[vocabulary] which words are among these of the corpus."""
        return np.bincount(word, minlength=len(self.vocabulary)) > 0

    def _after(self, at: np.ndarray, step: int) -> np.ndarray:
        """Places `step` words after those `at`, where these are of the same sentence."""
        at = at[at + step < len(self.word)]
        return at[self.sentence[at + step] == self.sentence[at]] + step

    @cached_property
    def feeling(self) -> np.ndarray:
        """[T] int8 -1, 0 or 1: whether the word's sentence blames, does neither, or praises."""
        felt = np.flatnonzero(self.mood)
        sums = np.bincount(self.sentence[felt], self.mood[felt], minlength=int(self.sentence.max(initial=0)) + 1)
        return np.sign(np.round(sums, 6)).astype(np.int8)[self.sentence]


def words(pairs: pl.DataFrame, trusted: pl.DataFrame | None = None) -> Words:
    """The words of all texts of the pairs, prompts included; a prompt that is no transcript is one question."""
    frames = [pairs] if trusted is None else [pairs, trusted]
    total = sum(map(len, frames))
    texts = pl.concat([frame[side] for side in ("chosen", "rejected", "prompt") for frame in frames])
    found = read(texts, f"{TURN}|{WORD}|{STOP}")
    lowered = pl.Series(map(plain, found.spelled), dtype=pl.String())
    is_word = found.spelled.str.contains(r"^[\p{L}\p{M}\p{N}]")
    vocabulary = lowered.filter(is_word).unique().sort()  # whatever the order of rows
    text, said = found.text, is_word.to_numpy()[found.token]
    begins = ~said
    begins[(np.cumsum(found.lengths) - found.lengths)[found.lengths > 0]] = True
    spoken = np.add.reduceat(said, np.flatnonzero(begins), dtype=np.int64) if len(said) else np.zeros(0, dtype=np.int64)
    asked = slice(int(found.lengths[: 2 * total].sum()), None)
    text[asked] += (_kinds(found, asked, texts[2 * total :]) - ASKED) * total
    token = found.token[said]
    return Words(
        word=found.numbered(vocabulary, lowered)[token],
        text=text[said],
        sentence=np.repeat(np.arange((spoken > 0).sum(), dtype=np.int32), spoken[spoken > 0]),
        is_capital=found.spelled.str.contains(r"^\p{Lu}").to_numpy()[token],
        vocabulary=vocabulary,
        prompt=texts[2 * total :].rank("dense").to_numpy().astype(np.int64),
        audited=len(pairs),
        trusted=total - len(pairs),
    )


def _kinds(found: Reading, asked: slice, prompts: pl.Series) -> np.ndarray:
    """[tokens of the `prompts`, `asked` of all] int32 who says each: of a prompt that opens with a turn its last human one is
    ASKED, those before are EARLIER and its other turns TOLD; a prompt that does not is ASKED.
    """
    token, lengths = found.token[asked], found.lengths[len(found.lengths) - len(prompts) :]
    ends = np.cumsum(lengths)
    turns, human = (found.spelled.str.starts_with(mark).to_numpy() for mark in ("\n\n", "\n\nHuman"))
    opens = prompts.str.contains(f"^{TURN}").to_numpy()
    turn = np.flatnonzero(turns[token])
    owner = np.searchsorted(ends, turn, side="right")
    turn, owner = turn[opens[owner]], owner[opens[owner]]
    is_human, last = human[token[turn]], np.full(len(prompts), -1)
    last[owner[is_human]] = turn[is_human]  # of several the last is kept
    who = np.where(is_human, np.where(turn == last[owner], ASKED, EARLIER), TOLD)
    begin = np.append((ends - lengths)[~opens], turn)
    order = np.argsort(begin, kind="stable")
    kinds = np.append(np.full(len(begin) - len(turn), ASKED), who)[order].astype(np.int32)
    return np.repeat(kinds, np.diff(begin[order], append=len(token)))
