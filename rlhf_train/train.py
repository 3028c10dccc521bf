"""fit(): the one loop, on accelerate: warm-up and decay, clipping, mixed precision, metrics as JSON lines."""

import itertools
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch

from rlhf_train.inputs import Batch
from rlhf_train.objectives import Objective


class TrainingError(RuntimeError):
    """Training can't go on: the message says at which step and why."""


def fit(
    model: torch.nn.Module,
    objective: Objective,
    batches: Iterator[Batch],
    *,
    steps: int,
    lr: float = 1e-3,
    warmup: float = 0.1,
    clip: float = 1.0,
    weight_decay: float = 0.01,
    mixed_precision: str | None = None,
    seed: int = 0,
    log: Path | None = None,
    numbers: Mapping[str, float] | None = None,
    watch: Callable[[int, int], None] = lambda step, steps: None,
) -> list[dict[str, float]]:
    """Trains `model` in place for `steps` batches; returns the metrics of each step and appends them to `log`.

    lr rises linearly over the first `warmup` share of the steps and falls linearly to 0; weights stay float32 whatever the
    precision of the products (None: the fastest that this machine has). Raises TrainingError on a
    loss that is not finite.
    """
    from accelerate import Accelerator
    from accelerate.state import AcceleratorState

    torch.manual_seed(seed)
    AcceleratorState._reset_state()  # it remembers the precision of the run before and refuses another
    accelerator = Accelerator(mixed_precision=mixed_precision or fast_precision(), cpu=not torch.cuda.is_available())
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=lr, weight_decay=weight_decay)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _slope(step, steps, warmup))
    model, optimizer = accelerator.prepare(model, optimizer)
    model.train()
    history = []
    for step, batch in enumerate(itertools.islice(batches, steps)):
        with accelerator.autocast():
            given = objective.inputs(model, {name: values.to(accelerator.device) for name, values in batch.items()})
        outcome = objective.loss(**given, **(numbers or {}))
        history.append(_metrics(step, outcome.loss, outcome.metrics))
        accelerator.backward(outcome.loss)
        accelerator.clip_grad_norm_(trained, clip)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        watch(step + 1, steps)
    accelerator.unwrap_model(model, keep_fp32_wrapper=False).eval()  # or its forward stays in the run's precision
    if log is not None:
        with log.open("a") as lines:
            lines.writelines(json.dumps(row) + "\n" for row in history)
    return history


def fast_precision() -> str:
    """bf16 where the machine multiplies it in hardware (GPU, or a CPU with matrix units), else none."""
    return "bf16" if torch.cuda.is_available() or torch.cpu._is_amx_tile_supported() else "no"


def _slope(step: int, steps: int, warmup: float) -> float:
    rise = max(round(warmup * steps), 1)
    return (step + 1) / rise if step < rise else max((steps - step) / max(steps - rise, 1), 0.0)


def _metrics(step: int, loss: torch.Tensor, metrics: Mapping[str, Any]) -> dict[str, float]:
    row = {"step": step, "loss": loss.item()} | {name: float(value) for name, value in metrics.items()}
    if not torch.isfinite(loss):
        raise TrainingError(f"step {step}: the loss is {row['loss']}; lower lr or look at the batch's rows")
    return row
