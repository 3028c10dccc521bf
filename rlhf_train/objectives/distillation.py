"""Distillation: a student learns a teacher's law of every next token of a response (Hinton et al., 2015; Agarwal et al., 2024).

Whose responses they are, the table's or fresh ones of teacher or student, is the source's business.
"""

import torch

from rlhf_train.divergences import check_skew
from rlhf_train.errors import TrainingError
from rlhf_train.logps import summed
from rlhf_train.objectives.outcome import Outcome


def loss(divergences, owners) -> Outcome:
    """Mean over responses of the mean over their tokens; divergences and owners [M], the owners ascend.

    `nats` is the mean over responses of their sums: of forward KL on the teacher's own, an estimate of KL(teacher || student).
    """
    sizes = torch.bincount(owners)
    sums = summed(divergences, owners, len(sizes))
    return Outcome((sums / sizes).mean(), {"nats": sums.detach().mean()})


def check(columns, *, top_k: int = 0, skew: float = 0.1, **others) -> None:
    """TrainingError for numbers that can not serve."""
    if top_k < 0:
        raise TrainingError(
            f"top_k must be 0 (the teacher is asked at every step) or how many tokens of a law are kept, got {top_k}"
        )
    check_skew(skew)
