"""Template clusters: one response, nearly word for word, under many prompts, and on one side of its pairs.

Stock answers stand on both sides, and answers to one prompt that were rated several times count once.
"""

from collections.abc import Sequence

import numpy as np
import polars as pl
from scipy.stats import binom

from checks.evidence import Evidence
from checks.shingles import normalised

LONG = 10  # shingles, hence twelve words: shorter answers recur by themselves, and people do prefer some of them
STYLE = 2 / 3  # how often honest people may prefer a stock answer, or the others
BOTH = np.log10(2)  # the more surprising of a pair's two responses speaks for it
NULL = 10_000
QUOTED = 60  # letters


def score(evidence: Evidence) -> np.ndarray:
    """[N] Jaccard of either response to its nearest other; of a template, 1 - log10 of the chance to be so one-sided."""
    surprise, nearest = evidence.once(_surprise).max(axis=0), evidence.resemblance.nearest.reshape(2, -1).max(axis=0)
    return np.where(surprise > BOTH, 1 + surprise - BOTH, nearest)


def null(evidence: Evidence) -> np.ndarray:
    """[N or more] the same where all responses are templates and fall on one side as often as STYLE allows."""
    size = max(len(evidence.pairs), NULL)
    return 1 - np.log10((np.arange(size) + 0.5) / size)


def explain(evidence: Evidence, places: Sequence[int]) -> list[str]:
    """How the cluster's first text begins, and under how many prompts it stands on either side."""
    texts = pl.concat([evidence.pairs["chosen"], evidence.pairs["rejected"]])
    label, side = evidence.resemblance.label.reshape(2, -1), evidence.once(_surprise).argmax(axis=0)
    counts = {template: count for template, *count in evidence.once(_templates).iter_rows()}
    told = []
    for template in label[side[list(places)], list(places)].tolist():
        words = "stands under {} prompts as chosen and under {} as rejected" if template in counts else "is no template"
        told.append(f"'{' '.join(texts[template].split())[:QUOTED]}' {words.format(*counts.get(template, ()))}")
    return told


def _surprise(evidence: Evidence) -> np.ndarray:
    """[2, N] -log10 P(a side gets as many of a template's prompts as the fuller one has), by chosen and by rejected."""
    templates = evidence.once(_templates)
    chosen, rejected = templates["chosen"].to_numpy(), templates["rejected"].to_numpy()
    chance = binom.logsf(np.maximum(chosen, rejected) - 1, chosen + rejected, STYLE)
    surprise = np.zeros(2 * len(evidence.pairs))
    surprise[templates["template"].to_numpy()] = -chance / np.log(10)
    return surprise[evidence.resemblance.label].reshape(2, -1)


def _templates(evidence: Evidence) -> pl.DataFrame:
    """Label of each cluster of long texts, and the prompts under which it is chosen and rejected (on both: chosen)."""
    found, prompts = evidence.resemblance, evidence.pairs["prompt"]
    pair, rejected = np.tile(np.arange(len(prompts)), 2), np.repeat([False, True], len(prompts))
    own = rejected & np.tile(np.equal(*found.label.reshape(2, -1)), 2)
    said = pl.DataFrame({"template": found.label, "pair": pair, "rejected": rejected}).filter((found.sizes >= LONG) & ~own)
    said = said.filter(pl.len().over("template") > 1)
    said = said.with_columns(prompt=normalised(prompts.gather(said["pair"])))
    side = {
        name: pl.col("prompt").filter(pl.col("rejected") == at).n_unique() for at, name in enumerate(["chosen", "rejected"])
    }
    return said.group_by("template").agg(**side)
