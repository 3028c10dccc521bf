"""Agreement of raters who each put every item into one of several classes."""

import numpy as np

from pipelines.schema import DataError


def fleiss_kappa(counts: np.ndarray) -> float:
    """Agreement beyond chance (Fleiss, 1971): 1 is whole, 0 what chance gives; counts: [items, classes] votes, n an item.

    nan where all votes are for one class: then chance agrees wholly too.
    """
    counts = np.asarray(counts, dtype=float)
    votes = counts.sum(axis=1) if counts.ndim == 2 else np.zeros(0)
    if not len(votes) or votes.min() < 2 or votes.min() != votes.max() or counts.min() < 0:
        raise DataError(
            "counts must be [items, classes] with the same two votes or more an item; leave out items that lack some"
        )
    each = ((counts**2).sum(axis=1) - votes) / (votes * (votes - 1))
    chance = float(((counts.sum(axis=0) / counts.sum()) ** 2).sum())
    return (float(each.mean()) - chance) / (1 - chance) if chance < 1 else float("nan")
