"""Phis: rewards phi(x) of a response's expert features x [N, D] in [0, 1], learned from pairs (Nath et al., 2024).

Each minimises the mean of log(1 + exp(phi(x_rejected) - phi(x_chosen))) and a penalty, and is a few arrays once it is fitted.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch

from rlhf_train.phis import feed_forward, linear, monotone_additive, naive_mean

Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True, slots=True)
class Phi:
    """`fit(chosen [N, D], rejected [N, D], *, numbers)` gives arrays by name; `reward(x [N, D], **arrays)` gives [N]."""

    fit: Callable[..., Arrays]
    reward: Callable[..., np.ndarray]


PHIS: Mapping[str, Phi] = {
    "feed_forward": Phi(*feed_forward.of(torch.sigmoid)),
    "linear": Phi(linear.fit, linear.reward),
    "monotone_additive": Phi(monotone_additive.fit, monotone_additive.reward),
    "naive_mean": Phi(naive_mean.fit, naive_mean.reward),
    "published_network": Phi(*feed_forward.of(torch.relu, torch.relu)),
}
