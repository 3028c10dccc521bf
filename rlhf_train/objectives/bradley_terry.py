"""Bradley-Terry reward modelling (Bradley and Terry, 1952; Ouyang et al., 2022, eq. 1)."""

import torch
from torch.nn.functional import logsigmoid

from rlhf_train.objectives.outcome import Outcome


def loss(chosen_rewards: torch.Tensor, rejected_rewards: torch.Tensor) -> Outcome:
    """Mean of -log sigmoid(chosen - rejected); both inputs are [B]."""
    margin = chosen_rewards - rejected_rewards
    held = margin.detach()
    return Outcome(-logsigmoid(margin).mean(), {"margin": held.mean(), "accuracy": (held > 0).float().mean()})
