"""Tensors that processes hold in parts (FSDP, version 2): whole, and dealt out again."""

from typing import Any

import torch


def whole(value: torch.Tensor) -> torch.Tensor:
    """All of `value`, in every process."""
    return value.full_tensor() if hasattr(value, "full_tensor") else value


def dealt_like(value: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """A whole `value` as `like` is held."""
    from torch.distributed.tensor import DTensor, distribute_tensor

    if not isinstance(like, DTensor):
        return value
    return distribute_tensor(value.to(like.device), like.device_mesh, like.placements)


def exact_outside(accelerator: Any) -> None:
    """Leaves precision to autocast, as without FSDP, whose own would round what a loss is given and what it is made of."""
    plugin = getattr(accelerator.state, "fsdp_plugin", None)
    if plugin is not None:
        from torch.distributed.fsdp import MixedPrecisionPolicy

        plugin.mixed_precision_policy = MixedPrecisionPolicy(cast_forward_inputs=False)


@torch.no_grad()
def gather(model: torch.nn.Module) -> None:
    """Makes every weight of the model whole again, tied ones still tied."""
    made: dict[torch.Tensor, torch.nn.Parameter] = {}
    for module in model.modules():
        for name, held in module._parameters.items():
            if held is not None and hasattr(held, "full_tensor"):
                if held not in made:
                    made[held] = torch.nn.Parameter(whole(held).clone(), requires_grad=held.requires_grad)
                module._parameters[name] = made[held]
