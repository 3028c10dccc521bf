"""Anchors: weights drawn to where they began instead of to 0, decoupled from the gradient (Kirkpatrick et al., 2017, without a
Fisher; as weight decay in Loshchilov and Hutter, 2019): theta -= lr anchor (theta - theta_0), before the optimizer's own step.

Heads that a method adds begin nowhere: they decay to 0, as all weights do without an anchor.
"""

import hashlib
from collections.abc import Mapping
from math import isfinite
from typing import Any

import torch

from rlhf_train.errors import TrainingError
from rlhf_train.models.heads import added
from rlhf_train.sharding import whole


def groups(model: torch.nn.Module, *, lr: float, weight_decay: float, anchor: float) -> list[dict[str, Any]]:
    """What an optimizer is given: all weights that learn, or those that are drawn back and those that decay apart.

    TrainingError for a strength by which a step would overshoot where the weights began.
    """
    learning = [weights for weights in model.parameters() if weights.requires_grad]
    if not anchor:
        return [{"params": learning, "weight_decay": weight_decay}]
    if not (isfinite(anchor) and 0 < anchor * lr <= 1):
        raise TrainingError(
            f"anchor times lr is the share of its way back that a weight goes in a step and must lie in [0, 1], got anchor "
            f"{anchor:g} and lr {lr:g}; lower one of them"
        )
    heads = set(added(model))
    held = [weights for weights in learning if weights not in heads]
    fresh = [weights for weights in learning if weights in heads]
    apart = [
        {"params": held, "weight_decay": 0.0, "anchor": anchor},
        {"params": fresh, "weight_decay": weight_decay, "anchor": 0.0},
    ]
    return [group for group in apart if group["params"]]


class Anchors:
    """Where the weights of an optimizer's anchored groups are when it is made."""

    def __init__(self, optimizer: torch.optim.Optimizer) -> None:
        self.optimizer = optimizer
        self.begun = [[weights.detach().clone() for weights in group["params"]] for group in self._groups()]

    @torch.no_grad()
    def pull(self) -> None:
        """Draws the weights back by their group's lr and anchor."""
        for group, begun in zip(self._groups(), self.begun, strict=True):
            for weights, first in zip(group["params"], begun, strict=True):
                weights.add_(first - weights, alpha=group["lr"] * group["anchor"])

    def identity(self) -> Mapping[str, str]:
        """Of what a run that goes on must have begun with; empty without anchors."""
        if not self.begun:
            return {}
        digest = hashlib.sha256()
        for weights in (weights for part in self.begun for weights in part):
            digest.update(whole(weights).cpu().contiguous().flatten().view(torch.uint8).numpy().data)
        return {"anchored at": digest.hexdigest()}

    def _groups(self) -> list[dict[str, Any]]:
        """Those of now: an optimizer that is put back as it was has others than before."""
        return [group for group in self.optimizer.param_groups if group.get("anchor")]
