"""How well scores along a response tell right from wrong before it has ended: area under the ROC curve (Fawcett, 2006)."""

from collections.abc import Sequence

import numpy as np

from rlhf_train.errors import TrainingError


def measure(
    scores: Sequence[np.ndarray], labels: np.ndarray, *, shares: Sequence[float] = (0.25, 0.5, 0.75, 1.0)
) -> list[float]:
    """AUROC after each share of the response, of scores [tokens] a response; `labels` [N] are true for right ones."""
    return [auroc(at_share(scores, share), labels) for share in shares]


def at_share(scores: Sequence[np.ndarray], share: float) -> np.ndarray:
    """[N] the score of token int(share n) - 1 of n, at least the first: what is known after that share of a response."""
    if not 0 < share <= 1:
        raise TrainingError(f"share of a response must lie in (0, 1], got {share:g}; for 60 percent write 0.6")
    return np.array([values[max(int(share * len(values)) - 1, 0)] for values in scores])


def auroc(scores: np.ndarray, labels: np.ndarray) -> float:
    """The chance that a true one scores higher than a false one, half of it where they tie."""
    from sklearn.metrics import roc_auc_score

    labels = np.asarray(labels, dtype=bool)
    if labels.all() or not labels.any():
        raise TrainingError(f"labels must be of both kinds, got {int(labels.sum())} true of {len(labels)}")
    return float(roc_auc_score(labels, scores))
