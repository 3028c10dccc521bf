"""What every loss returns."""

from dataclasses import dataclass

import torch


@dataclass(frozen=True, slots=True)
class Outcome:
    """`loss` is a scalar to minimise; `metrics` are detached scalars to report."""

    loss: torch.Tensor
    metrics: dict[str, torch.Tensor]
