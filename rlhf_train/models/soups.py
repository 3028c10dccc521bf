"""Soups: one model of several models' weights, averaged (Wortsman et al., 2022; by a preference: Ramé et al., 2023)."""

import copy
import dataclasses
from collections.abc import Sequence
from typing import Any

import torch

from rlhf_train.errors import TrainingError
from rlhf_train.models.policies import Policy
from rlhf_train.pareto import check_shares


def souped(policies: Sequence[Policy], weights: Sequence[float]) -> Policy:
    """One policy whose weights are the weighted mean of the policies'; they must have begun from one and the same."""
    check_shares(weights, len(policies), of="policies in a soup")
    return dataclasses.replace(policies[0], model=mixed([policy.model for policy in policies], weights, called="policy"))


def mixed(models: Sequence[Any], weights: Sequence[float], *, called: str) -> Any:
    """A copy of the first model with the weighted sum of all models' weights; what is no float stays the first's."""
    states = [model.state_dict() for model in models]
    shapes = [{name: part.shape for name, part in state.items()} for state in states]
    for at, shape in enumerate(shapes):
        if odd := sorted(name for name in {*shape, *shapes[0]} if shape.get(name) != shapes[0].get(name)):
            raise TrainingError(f"{called} {at} is of another shape than the first at {odd[0]}; average models of one body")
    found = copy.deepcopy(models[0])
    found.load_state_dict({name: _sum([state[name] for state in states], weights) for name in states[0]})
    return found


def _sum(parts: Sequence[torch.Tensor], weights: Sequence[float]) -> torch.Tensor:
    if not parts[0].is_floating_point():
        return parts[0]
    whole = sum(weight * part.to(parts[0].device, torch.float64) for weight, part in zip(weights, parts, strict=True))
    return torch.as_tensor(whole).to(parts[0].dtype)
