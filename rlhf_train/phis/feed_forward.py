"""A small network of features (Nath et al., 2024: [6, 4, 2] hidden units, AdamW with warm-up and cosine).

Published with a ReLU behind the output too, which dies at most seeds: all rewards are 0 and nothing is learned any more.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
import torch
from torch.nn.functional import softplus

Activation = Callable[[torch.Tensor], torch.Tensor]
Layers = Sequence[tuple[torch.Tensor, torch.Tensor]]
Fit = Callable[..., dict[str, np.ndarray]]
Reward = Callable[..., np.ndarray]

WARM_UP = 0.2  # part of the steps in which the rate rises


def of(activation: Activation, output: Activation = lambda x: x) -> tuple[Fit, Reward]:
    """`fit` and `reward` of a network with this activation behind hidden layers, and that behind the output."""

    def fit(
        chosen: np.ndarray,
        rejected: np.ndarray,
        *,
        hidden: Sequence[int] = (6, 4, 2),
        epochs: int = 40,
        batch: int = 128,
        lr: float = 0.05,
        weight_decay: float = 0.05,
        seed: int = 0,
    ) -> dict[str, np.ndarray]:
        """`weights_0`, `bias_0`, ... of each layer."""
        random = torch.Generator().manual_seed(seed)
        sizes = [chosen.shape[1], *hidden, 1]
        layers = [_layer(*each, random) for each in pairwise(sizes)]
        tensors = [tensor for layer in layers for tensor in layer]
        steps = epochs * -(-len(chosen) // batch)
        optimiser = torch.optim.AdamW(tensors, lr=lr, weight_decay=weight_decay)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: _rate(step / steps))
        sides = torch.from_numpy(np.stack([chosen, rejected]))
        for _ in range(epochs):
            for at in torch.randperm(len(chosen), generator=random).split(batch):
                won, lost = _forward(sides[:, at], layers, activation, output)
                optimiser.zero_grad()
                softplus(lost - won).mean().backward()
                torch.nn.utils.clip_grad_norm_(tensors, 1.0)
                optimiser.step()
                schedule.step()
        names = [f"{name}_{at}" for at in range(len(layers)) for name in ("weights", "bias")]
        return {name: tensor.detach().numpy() for name, tensor in zip(names, tensors, strict=True)}

    def reward(features: np.ndarray, **arrays: np.ndarray) -> np.ndarray:
        """[N] of features [N, D]."""
        tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
        layers = [(tensors[f"weights_{at}"], tensors[f"bias_{at}"]) for at in range(len(tensors) // 2)]
        return _forward(torch.from_numpy(np.ascontiguousarray(features)), layers, activation, output).numpy()

    return fit, reward


def _layer(width: int, units: int, random: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Weights [width, units] and bias [units], uniform within 1 / sqrt(width), as torch's own linear layers are."""
    drawn = torch.rand(width + 1, units, generator=random, dtype=torch.float64)
    both = (2 * drawn - 1) / width**0.5
    return both[:-1].clone().requires_grad_(), both[-1].clone().requires_grad_()


def _forward(features: torch.Tensor, layers: Layers, activation: Activation, output: Activation) -> torch.Tensor:
    """[...] of features [..., D]."""
    for weights, bias in layers[:-1]:
        features = activation(features @ weights + bias)
    weights, bias = layers[-1]
    return output(features @ weights + bias).squeeze(-1)


def _rate(done: float) -> float:
    """Part of the learning rate when a part of the steps is `done`."""
    if done < WARM_UP:
        return done / WARM_UP
    return float(0.5 + 0.5 * np.cos(np.pi * (done - WARM_UP) / (1 - WARM_UP)))
