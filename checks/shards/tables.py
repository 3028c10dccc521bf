"""Tables of phrases over shards: which phrases are common is counted in all of them before any says which it holds.

A table is made shard by shard by the very function that makes it of a whole corpus. Wherever that asks what is common, it stops
until all shards have counted; then it is called again, knowing one answer more.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import partial
from pathlib import Path

import numpy as np

from checks.engines import each
from checks.keys import located
from checks.phrases import EITHER, MIN_RESPONSES, Phrases
from checks.shards.corpus import Corpus, load, places, save
from checks.shards.reading import Unsettled, Whole, opened
from checks.words import Words

Table = Callable[[Words], Phrases]
COLUMNS, NONE = ("pair", "phrase", "second"), np.zeros(0, dtype=np.int32)


@dataclass(frozen=True)
class Spread(Phrases):
    """Phrases whose occurrences lie in the shards of a `corpus`, under `name`; `pair`, `phrase` and `second` are empty."""

    corpus: Corpus = field(kw_only=True)
    name: str = field(kw_only=True)

    def of_audited(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The counts of all pairs."""
        return self._counted(Phrases.of_audited)

    def of_two_sided(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """As of phrases in memory."""
        return self._counted(Phrases.of_two_sided)

    def highest(self, values: np.ndarray, nowhere: float, side: str = EITHER) -> np.ndarray:
        """As of phrases in memory; a shard is read once for all rows of `values`."""
        return self.corpus.dealt_back(each(partial(_highest, self._head(), values, nowhere, side), self.corpus.shards))

    def loudest(self, values: np.ndarray, sides: Sequence[str], pairs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """As of phrases in memory."""
        speaker, phrase = np.full(len(pairs), -1), np.zeros(len(pairs), dtype=np.int64)
        call = partial(_loudest, self._head(), values, sides, pairs)
        for at, own_speaker, own_phrase in each(call, self.corpus.shards):
            speaker[at], phrase[at] = own_speaker, own_phrase
        return speaker, phrase

    def _counted(self, count: Callable[[Phrases], Sequence[np.ndarray]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Sums over shards: prompts are in one shard each, so that what counts once a prompt adds up."""
        sums = np.zeros((3, len(self.words)), dtype=np.int64)
        for part in each(partial(_counts, self._head(), count), self.corpus.shards):
            sums += part
        return sums[0], sums[1], sums[2]

    def _head(self) -> tuple[str, Phrases]:
        """What a shard needs to open its part: little beside the occurrences."""
        plain = {each.name: getattr(self, each.name) for each in fields(Phrases)}
        return self.name, Phrases(**plain)


def spread(corpus: Corpus, whole: Whole, tables: Sequence[Table]) -> Mapping[Table, Spread]:
    """Every table over all shards."""
    stages: dict[Table, list[np.ndarray]] = {table: [] for table in tables}
    found: dict[Table, Spread] = {}
    while waiting := [table for table in tables if table not in found]:
        counted = {table: _Counts() for table in waiting}
        heads: dict[Table, list[Phrases]] = {table: [] for table in waiting}
        for told in each(partial(_advanced, whole, {table: stages[table] for table in waiting}), corpus.shards):
            for table, one in told.items():
                heads[table].append(one) if isinstance(one, Phrases) else counted[table].add(*one)
        for table in waiting:
            if heads[table]:
                found[table] = _joined(heads[table], corpus, table.__name__)
            else:
                stages[table].append(counted[table].common())
    return found


class _Counts:
    """How many texts hold each code, added up over shards; numbers are joined when they have doubled."""

    def __init__(self) -> None:
        self._codes, self._counts = [np.zeros(0, dtype=np.int64)], [np.zeros(0, dtype=np.int64)]

    def add(self, codes: np.ndarray, counts: np.ndarray) -> None:
        self._codes.append(codes)
        self._counts.append(counts)
        if sum(map(len, self._codes[1:])) > len(self._codes[0]):
            self._join()

    def common(self) -> np.ndarray:
        """Those of MIN_RESPONSES texts or more, in order."""
        self._join()
        return self._codes[0][self._counts[0] >= MIN_RESPONSES]

    def _join(self) -> None:
        codes, place = np.unique(np.concatenate(self._codes), return_inverse=True)
        sums = np.bincount(place, np.concatenate(self._counts), len(codes)).astype(np.int64)
        self._codes, self._counts = [codes], [sums]


def _advanced(
    whole: Whole, stages: Mapping[Table, Sequence[np.ndarray]], shard: Path
) -> dict[Table, Phrases | tuple[np.ndarray, np.ndarray]]:
    """Of each table its head where the shard's part is made and kept, else the codes that have to be counted, and counts."""
    told: dict[Table, Phrases | tuple[np.ndarray, np.ndarray]] = {}
    words = opened(shard, whole)
    for table, known in stages.items():
        try:
            words.stages[:] = known
            made = table(words)
        except Unsettled as waiting:
            told[table] = waiting.args[0], waiting.args[1]
            continue
        for name in COLUMNS:
            save(shard, f"{table.__name__}-{name}", getattr(made, name))
        told[table] = replace(made, pair=NONE, phrase=NONE, second=NONE, prompt=NONE)  # views would keep all of them alive
    return told


def _joined(heads: Sequence[Phrases], corpus: Corpus, name: str) -> Spread:
    plain = {each.name: getattr(heads[0], each.name) for each in fields(Phrases)}
    if asked := [head.asked for head in heads if head.asked is not None]:
        plain["asked"] = np.sum(asked, axis=0)
    return Spread(**{**plain, "audited": len(corpus)}, corpus=corpus, name=name)


def _part(head: tuple[str, Phrases], shard: Path) -> Phrases:
    name, plain = head
    pair, phrase, second = (load(shard, f"{name}-{column}") for column in COLUMNS)
    prompt = load(shard, "prompt")
    return replace(plain, pair=pair, phrase=phrase, second=second, prompt=prompt, audited=len(prompt))


def _counts(head: tuple[str, Phrases], count: Callable[[Phrases], Sequence[np.ndarray]], shard: Path) -> np.ndarray:
    return np.array(count(_part(head, shard)))


def _highest(head: tuple[str, Phrases], values: np.ndarray, nowhere: float, side: str, shard: Path) -> np.ndarray:
    return _part(head, shard).highest(values, nowhere, side)


def _loudest(
    head: tuple[str, Phrases], values: np.ndarray, sides: Sequence[str], pairs: np.ndarray, shard: Path
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Which of the `pairs` lie here, and what is loudest in them."""
    local, is_here = located(pairs, places(shard))
    at = np.flatnonzero(is_here)
    return at, *_part(head, shard).loudest(values, sides, local[at])
