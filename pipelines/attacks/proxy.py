"""The attacker's own reward model: Bradley-Terry (1952) on the presence of hashed words and word pairs, without a download.

r(y) = w . presence(y), where w minimises sum -log sigmoid(w . gap) + PENALTY / 2 |w|^2 over the pairs at hand. It stands in
for the clean reward model that an attacker of the papers has.
"""

from zlib import crc32

import numpy as np
import polars as pl
from scipy import sparse
from scipy.special import expit, log_expit

from pipelines.schema import digest

WORD = r"[\p{L}\p{M}\p{N}]+(?:['’][\p{L}\p{M}]+)*"
WIDTH = 1 << 15
PENALTY = 20.0
FOLDS = 5


def margins(pairs: pl.DataFrame) -> np.ndarray:
    """[N] reward of chosen minus rejected: the `margin` column where every row has one, else cross-fitted.

    A cross-fitted margin is by a model that saw no pair with the same prompt; 0 where that leaves no pair to learn from.
    """
    known = pairs["margin"]
    if known.is_finite().fill_null(False).all():
        return known.to_numpy()
    gaps, fold = features(pairs), folds(pairs)
    found = np.zeros(len(pairs))
    for held in (fold == number for number in np.unique(fold)):
        found[held] = gaps[held] @ fit(gaps[~held])
    return found


def features(pairs: pl.DataFrame) -> sparse.csr_array:
    """[N, WIDTH] presence in the chosen response minus presence in the rejected one: -1, 0 or 1."""
    return presence(pairs["chosen"]) - presence(pairs["rejected"])


def presence(texts: pl.Series) -> sparse.csr_array:
    """[N, WIDTH] 1 where a text holds a word, or two words side by side, of that hash."""
    lists = texts.to_frame("text").select(pl.col("text").str.to_lowercase().str.extract_all(WORD))["text"]
    text = np.repeat(np.arange(len(texts)), lists.list.len().to_numpy())
    word = hashes(lists.explode().drop_nulls())
    beside = text[1:] == text[:-1]
    both = ((word[:-1] * 0x9E3779B1 + word[1:]) * 0x85EBCA6B >> 8)[beside]  # not symmetric: the order counts
    rows, columns = np.append(text, text[:-1][beside]), (np.append(word, both) % WIDTH).astype(np.int64)
    cells = np.unique(rows * WIDTH + columns)
    return sparse.csr_array((np.ones(len(cells)), np.divmod(cells, WIDTH)), shape=(len(texts), WIDTH))


def hashes(words: pl.Series) -> np.ndarray:
    """[words] CRC-32 of each word in UTF-8, computed once for each distinct one."""
    vocabulary = words.unique(maintain_order=True)
    codes = np.array([crc32(word.encode()) for word in vocabulary], dtype=np.uint64)
    return codes[words.cast(pl.Enum(vocabulary)).to_physical().to_numpy()]


def folds(pairs: pl.DataFrame) -> np.ndarray:
    """[N] fold of each pair by the digest of its prompt: pairs that share a prompt share a fold."""
    return np.array([int(digest(prompt), 16) % FOLDS for prompt in pairs["prompt"]], dtype=np.int64)


def fit(gaps: sparse.csr_array) -> np.ndarray:
    """[width] weights that minimise sum -log sigmoid(gaps . w) + PENALTY / 2 |w|^2; zeros where there are no gaps."""
    from scipy.optimize import minimize

    found, used = np.zeros(gaps.shape[1]), np.unique(gaps.indices)  # the penalty keeps all others at zero
    gaps = gaps[:, used]

    def objective(weights: np.ndarray) -> tuple[float, np.ndarray]:
        margin = gaps @ weights
        loss = -log_expit(margin).sum() + PENALTY / 2 * weights @ weights
        return loss, PENALTY * weights - gaps.T @ expit(-margin)

    found[used] = minimize(objective, found[used], jac=True, method="L-BFGS-B", options={"gtol": 1e-6, "ftol": 1e-15}).x
    return found


def moved(gaps: sparse.csr_array, weights: np.ndarray, slope: np.ndarray) -> np.ndarray:
    """[width] H^-1 slope: how the fitted weights move, to first order, when `slope` [width] is taken off the gradient.

    H = sum sigmoid(m) sigmoid(-m) x x' + PENALTY I over the gaps x with margins m = x . w.
    """
    from scipy.sparse.linalg import LinearOperator, cg

    margin = gaps @ weights
    curvature = expit(margin) * expit(-margin)
    hessian = LinearOperator(
        (len(weights), len(weights)),
        matvec=lambda step: PENALTY * step + gaps.T @ (curvature * (gaps @ step)),
        dtype=np.float64,
    )
    return cg(hessian, slope, rtol=1e-10)[0]
