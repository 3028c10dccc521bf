"""What a loss is given beside the passes over its rows: numbers of rows, of responses or of tokens, as tensors."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch

TEXTS = ("prompt", "chosen", "rejected", "mismatched", "response")


def given_of(columns: Mapping[str, Sequence[Any]]) -> Callable[[np.ndarray], dict[str, torch.Tensor]]:
    """What rows at some places have of each column that is no text: arrays [N] are indexed, lists of arrays put end to end."""
    held = {name: _picker(values) for name, values in columns.items() if name not in TEXTS}
    return lambda places: {name: torch.from_numpy(pick(places)) for name, pick in held.items()}


def _picker(values: Sequence[Any]) -> Callable[[np.ndarray], np.ndarray]:
    """What the rows at some places have of a column; floating-point numbers in single precision."""
    if not isinstance(values, np.ndarray) and len(values) and np.ndim(values[0]):
        parts = [_single(np.asarray(part)) for part in values]
        return lambda places: np.concatenate([parts[at] for at in places])
    whole = _single(np.asarray(values))
    return lambda places: whole[places]


def _single(values: np.ndarray) -> np.ndarray:
    return values.astype(np.float32) if np.issubdtype(values.dtype, np.floating) else values


def to_device(value: Any, device: Any) -> Any:
    """A table of tensors, tables within it too, on a device."""
    if isinstance(value, dict):
        return {name: to_device(part, device) for name, part in value.items()}
    return value.to(device)
