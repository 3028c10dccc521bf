"""Generated pairs of any number among which copies are planted: exact ones, near ones, and ones that are not near enough.

Words follow each other as in real dialogues where those are at hand, else as in generated ones (a chain over words), so that
phrases recur as they do in a language.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl

from pipelines.schema import with_pair_ids
from pipelines.sources import records, synthetic

FILES = ("hh_harmless_base/test_first1500.jsonl.gz", "hh_helpful_pro/helpful_base_online_dev.jsonl.gz")
KINDS = {"exact": (0.0, 1.0, 1.0), "near": (0.02, 0.75, 0.99), "decoy": (0.1, 0.3, 0.6)}  # words changed, and Jaccard then
SHARE = 0.05  # of the second half of all pairs, each kind
LENGTHS = (20, 400)  # words of both responses together; shorter ones are the same by chance
BATCH = 50_000


def corpus(size: int, *, seed: int = 0) -> pl.DataFrame:
    """PAIRS of `size` rows, with the `kind` of planted ones and the row of their `original`, else null."""
    random = np.random.default_rng(seed)
    sources = _texts()
    texts = [text for at in range(0, size, BATCH) for text in _chained(sources, min(BATCH, size - at), random)]
    words = " ".join(sources[:200]).split()
    kind, original = [None] * size, [None] * size
    for place in size // 2 + np.flatnonzero(random.random(size - size // 2) < SHARE * len(KINDS)):
        name, other = str(random.choice([*KINDS])), int(random.integers(size // 2))
        copy = _copied(texts[other], *KINDS[name], words, random)
        if copy:
            texts[place], kind[place], original[place] = copy, name, other
    return _pairs(texts, random).with_columns(
        kind=pl.Series(kind, dtype=pl.String()), original=pl.Series(original, dtype=pl.Int64())
    )


def _texts() -> list[str]:
    place = os.environ.get("ANTIVENOM_REAL_DATA")
    frames = [records.read(Path(place) / name).pairs for name in FILES] if place else [synthetic.read(n=4000)]
    return [text for frame in frames for text in (frame["chosen"] + " " + frame["rejected"])]


def _chained(sources: list[str], size: int, random: np.random.Generator) -> Iterator[str]:
    """Texts as long as the sources in which each word is followed by one that follows it somewhere in the sources."""
    line = np.array(" ".join(sources).split())
    words, code = np.unique(line, return_inverse=True)
    after = np.argsort(np.append(code[:-1], code[-2]), kind="stable")  # places of each word, word by word
    starts, counts = np.searchsorted(code[after], np.arange(len(words))), np.bincount(code[:-1], minlength=len(words))
    lengths = random.choice([len(text.split()) for text in sources], size=size).clip(*LENGTHS)
    said = np.empty((lengths.max(), size), dtype=np.int64)
    said[0] = random.choice(code[:-1], size=size)
    for step in range(1, len(said)):
        last = said[step - 1]
        chosen = after[(starts[last] + random.random(size) * counts[last]).astype(np.int64)]
        said[step] = code[np.minimum(chosen + 1, len(code) - 1)]
    table = words.tolist()
    for column, length in zip(said.T, lengths, strict=True):
        yield " ".join([table[word] for word in column[:length].tolist()])


def _copied(text: str, rate: float, least: float, most: float, words: list[str], random: np.random.Generator) -> str | None:
    """`text` with a `rate` of its words changed, in capitals and without marks at its end; None unless J is as wanted."""
    for _ in range(20):
        said = text.split()
        for place in np.flatnonzero(random.random(len(said)) < rate):
            said[place] = words[random.integers(len(words))]
        copy = " ".join(said).upper() + " !"
        if least <= jaccard(text, copy) <= most:
            return copy
    return None


def triples(text: str) -> set[str]:
    """The runs of three words, as any peer would cut them."""
    words = text.lower().replace("!", "").split()
    return {" ".join(words[at : at + 3]) for at in range(max(len(words) - 2, 1))}


def jaccard(one: str, other: str) -> float:
    """Of the two texts' triples."""
    left, right = triples(one), triples(other)
    return len(left & right) / len(left | right)


def _pairs(texts: list[str], random: np.random.Generator) -> pl.DataFrame:
    """Each text cut in two responses, under another text as its prompt."""
    words = pl.Series(texts).str.split(" ")
    half = words.list.len() // 2
    frame = pl.DataFrame({"words": words, "half": half, "prompt": pl.Series(texts).shuffle(seed=1)})
    sides = {"chosen": pl.col("words").list.head("half"), "rejected": pl.col("words").list.slice("half")}
    made = frame.select("prompt", **{name: side.list.join(" ") for name, side in sides.items()})
    return with_pair_ids(made.with_columns(row=pl.int_range(pl.len(), dtype=pl.Int64()), source=pl.lit("generated")))
