"""Runs side by side: means over held-out prompts with intervals, and what poison and filter did, prompt by prompt.

Intervals are bootstraps over prompts, those of all seeds together, and know nothing of how much another seed would differ;
`seeds_low` and `seeds_high`, the least and most of a seed, do. What poison does to an objective is the difference to its clean
twin at the same prompt and seed, and it is `sure` where neither the interval nor any seed reaches 0.
"""

import re
from itertools import pairwise

import numpy as np
import polars as pl

MEASURES = ("gold", "success", "prefers", "nats")
TOLD = (*MEASURES, "distinct_2", "words", "seconds", "seeds", "prompts")  # of `means`, without ends
WORD = re.compile(r"\w+")


def means(answers: pl.DataFrame) -> pl.DataFrame:
    """A line an objective and corpus: each of MEASURES with its ends and seeds' range, distinct_2, words, seconds."""
    lines = []
    for (objective, corpus), own in answers.group_by("objective", "corpus", maintain_order=True):
        line = {"objective": objective, "corpus": corpus, "seeds": own["seed"].n_unique(), "prompts": len(own)}
        for name in MEASURES:
            line |= _told(name, own[name]) | _range(name, own)
        texts = own["answer"].to_list()
        line |= {"distinct_2": distinct(texts), "words": float(np.mean([len(WORD.findall(text)) for text in texts]))}
        lines.append(line | {"seconds": own.group_by("seed").agg(pl.col("seconds").first())["seconds"].median()})
    return pl.DataFrame(lines, infer_schema_length=None)


def harm(answers: pl.DataFrame) -> pl.DataFrame:
    """A line an objective and twin (poisoned, filtered): each less the clean twin's, paired, told as in `means`."""
    clean = answers.filter(corpus="clean").select(
        "objective", "seed", "place", *(pl.col(n).alias(f"clean_{n}") for n in MEASURES)
    )
    both = answers.filter(pl.col("corpus") != "clean").join(clean, on=("objective", "seed", "place"), maintain_order="left")
    lines = []
    for (objective, corpus), own in both.group_by("objective", "corpus", maintain_order=True):
        line = {"objective": objective, "corpus": corpus}
        for name in ("gold", "success", "prefers"):
            less = own.select("seed", pl.col(name).cast(pl.Float64) - pl.col(f"clean_{name}").cast(pl.Float64))
            line |= _told(name, less[name]) | _range(name, less)
        lines.append(line)
    return pl.DataFrame(lines, infer_schema_length=None)


def worst_first(harm: pl.DataFrame) -> pl.DataFrame:
    """What poison did, the most first, poisoned corpora before filtered ones; what it made preferred stands first."""
    front = ("objective", "corpus", "prefers", "prefers_low", "prefers_high", "success", "gold")
    rest = [name for name in harm.columns if name not in front]
    return harm.sort(["corpus", "prefers"], descending=[True, True]).select(*front, *rest)


def sure(name: str) -> pl.Expr:
    """Whether a rise of `name` in `harm` is above 0 by its interval and at every seed."""
    return pl.min_horizontal(f"{name}_low", f"{name}_seeds_low") > 0


def distinct(texts: list[str]) -> float:
    """Different pairs of words over all pairs of words (Li et al., 2016); 0 where there are none."""
    words = [WORD.findall(text.lower()) for text in texts]
    found = [pair for own in words for pair in pairwise(own)]
    return len(set(found)) / max(len(found), 1)


def _told(name: str, values: pl.Series) -> dict[str, float | None]:
    from rlhf_train.evals.intervals import interval  # torch comes with it

    if values.null_count():
        return dict.fromkeys((name, f"{name}_low", f"{name}_high"))
    numbers = values.cast(pl.Float64).to_numpy()
    low, high = interval(numbers) if np.ptp(numbers) or name in ("success", "prefers") else (numbers[0], numbers[0])
    return {name: float(numbers.mean()), f"{name}_low": float(low), f"{name}_high": float(high)}


def _range(name: str, own: pl.DataFrame) -> dict[str, float | None]:
    each = own.group_by("seed").agg(pl.col(name).cast(pl.Float64).mean())[name]
    if each.null_count():
        return dict.fromkeys((f"{name}_seeds_low", f"{name}_seeds_high"))
    return {f"{name}_seeds_low": float(each.to_numpy().min()), f"{name}_seeds_high": float(each.to_numpy().max())}
