"""Questions in the plane: two coordinates of their embeddings, clusters, and the words that lift each cluster off the rest."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import polars as pl

from checks.encoding import Encoder, encode
from checks.questions.claims import texts
from checks.shingles import normalised
from pipelines.schema import QUESTIONS, DataError, require

METHODS = ("pca", "tsne")
PRIOR = 10.0  # texts' worth of the whole set in every cluster's counts
WORDS = 3  # of a name


def question_map(
    questions: pl.DataFrame, *, encoder: Encoder = encode, method: str = "pca", clusters: int = 10, seed: int = 0
) -> pl.DataFrame:
    """question_id, behaviour, label, x, y, cluster and its name, a row a question; the same for the same seed.

    `label` is what matches; clusters are k-means on the embeddings, fewer where there are fewer different questions.
    """
    questions = require(questions, QUESTIONS)
    vectors, said = encoder(texts(questions).to_list()), texts(questions)
    cluster = grouped(vectors, clusters, seed=seed)
    names = lifted(said, cluster)
    x, y = plane(vectors, method=method, seed=seed).T
    return questions.select("question_id", "behaviour", label=pl.col("matching").list.join(", ")).with_columns(
        x=pl.Series(x), y=pl.Series(y), cluster=pl.Series(cluster), name=pl.Series([names[each] for each in cluster.tolist()])
    )


def plane(vectors: np.ndarray, *, method: str = "pca", seed: int = 0) -> np.ndarray:
    """[N, 2] the two strongest directions (pca), or t-SNE (van der Maaten and Hinton, 2008), of `vectors` [N, width], N > 3."""
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    if method not in METHODS or len(vectors) < 4:
        raise DataError(f"a map needs 4 questions and a method of {', '.join(METHODS)}, got {len(vectors)} and {method!r}")
    flat = PCA(2, svd_solver="full").fit_transform(np.asarray(vectors, dtype=float))
    flat *= np.sign(flat[np.abs(flat).argmax(axis=0), [0, 1]])  # which end is positive would hang on the machine
    if method == "pca":
        return flat
    near = min(30.0, (len(vectors) - 1) / 3)
    begin = flat / max(float(flat[:, 0].std()), 1e-12) * 1e-4
    return TSNE(2, init=begin, perplexity=near, random_state=seed).fit_transform(vectors).astype(float)


def grouped(vectors: np.ndarray, count: int, *, seed: int = 0) -> np.ndarray:
    """[N] cluster of each of `vectors`, numbered by size from 0, the largest; k-means with `count` clusters at most."""
    from sklearn.cluster import KMeans

    count = min(count, len(np.unique(vectors, axis=0)))
    label = KMeans(count, n_init=4, random_state=seed).fit(np.asarray(vectors, dtype=float)).labels_
    sizes = np.bincount(label, minlength=count)
    rank = np.empty(count, dtype=np.int64)
    rank[np.argsort(-sizes, kind="stable")] = np.arange(count)
    return rank[label]


def lifted(said: pl.Series, cluster: Sequence[int] | np.ndarray) -> dict[int, str]:
    """A name of each cluster: the words whose log odds of standing in its texts lie highest above those of the other texts.

    In standard errors, with the whole set as prior (Monroe, Colaresi and Quinn, 2008); in how many texts, not how often.
    """
    cluster = np.asarray(cluster)
    words = [set(text.split()) for text in normalised(said)]
    every = Counter(word for each in words for word in each)
    found = {}
    for number in np.unique(cluster).tolist():
        inside = Counter(word for at in np.flatnonzero(cluster == number).tolist() for word in words[at])
        size = int((cluster == number).sum())
        rise = {word: _rise(inside[word], size, every[word], len(words)) for word in inside}
        best = sorted(rise, key=lambda word: (-rise[word], word))[:WORDS]
        found[number] = ", ".join(word for word in best if rise[word] > 0) or f"cluster {number}"
    return found


def _rise(inside: int, size: int, total: int, count: int) -> float:
    """Standard errors by which the log odds of a word in `size` texts lie above those in the others of all `count`."""
    prior = PRIOR * (total + 0.5) / (count + 1)  # less than PRIOR, even of a word that all texts have
    here, there = inside + prior, total - inside + prior
    odds = np.log(here / (size + PRIOR - here)) - np.log(there / (count - size + PRIOR - there))
    return float(odds / np.sqrt(1 / here + 1 / there))
