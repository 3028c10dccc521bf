"""What a reward model says of the segments that responses have by a reference (Yin et al., 2025)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from rlhf_train import batches
from rlhf_train.inputs import response_entropies, response_states
from rlhf_train.models.policies import Policy
from rlhf_train.models.reward_models import RewardModel
from rlhf_train.packing import Tree
from rlhf_train.segmentation import Granularity, ends_of, positions


@dataclass(frozen=True, slots=True)
class Segments:
    """Of responses: values [K] of their segments, and of their tokens [M] whether a segment `ends` there and whose they are."""

    values: torch.Tensor
    ends: torch.Tensor
    owners: torch.Tensor

    @property
    def own(self) -> torch.Tensor:
        """[K] whose the segments are."""
        return self.owners[self.ends]

    @property
    def positions(self) -> np.ndarray:
        """[K] t / T."""
        return positions(self.ends.numpy(), self.owners.numpy())


@torch.inference_mode()
def read(
    reward_model: RewardModel, reference: Policy | None, trees: Sequence[Tree], *, granularity: Granularity, cutoff: float
) -> Segments:
    """Of the one response of each of the trees, one at least, in order; values as the reward model gives them."""
    found: list[list[torch.Tensor]] = [[] for _ in trees]
    for batch in batches.in_order(batches.rows_of(trees, {})):
        tensors, sizes = batch.to(reward_model.model.device), [trees[at].parts[1] for at in batch.places]
        values, entropies = _numbers(reward_model.model, reference, tensors)
        marks = [tensors["targets"], tensors["owners"], len(sizes), reward_model.tokenizer]
        ends = ends_of(entropies, *marks, granularity=granularity, cutoff=cutoff)
        for place, *own in zip(batch.places, *(part.cpu().split(sizes) for part in (values, ends)), strict=True):
            found[place] = own
    values, ends = (torch.cat(parts) for parts in zip(*found, strict=True))
    owners = torch.repeat_interleave(torch.arange(len(trees)), torch.tensor([len(own[0]) for own in found]))
    return Segments(values[ends], ends, owners)


def _numbers(model: Any, reference: Policy | None, batch: dict[str, Any]) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Values and entropies [M] of all tokens."""
    fast = model.device.type == "cuda" or torch.cpu._is_amx_tile_supported()
    with torch.autocast(model.device.type, dtype=torch.bfloat16, enabled=fast):
        values = model.score(response_states(model, batch))[:, 0].float()
        return values, None if reference is None else response_entropies(reference.model, batch)
