"""fit(): the one loop, on accelerate. A step is the mean over its rows, however they are packed, batched and dealt out."""

import itertools
from collections.abc import Callable, Collection, Mapping, Sequence
from math import cos, isfinite, pi
from pathlib import Path
from typing import Any

import torch

from rlhf_train import anchors, checkpoints
from rlhf_train.batches import Batch, Source
from rlhf_train.errors import TrainingError
from rlhf_train.inputs import body_of
from rlhf_train.loop import Forward, Loop
from rlhf_train.metrics import Log, Row
from rlhf_train.numbers import given_to
from rlhf_train.objectives import Objective
from rlhf_train.sharding import exact_outside, gather


def fit(
    model: torch.nn.Module,
    objective: Objective,
    source: Source,
    *,
    steps: int,
    lr: float = 1e-3,
    warmup: float = 0.1,
    decay: str = "linear",
    clip: float = 1.0,
    weight_decay: float = 0.01,
    anchor: float = 0.0,
    mixed_precision: str | None = None,
    compile: bool = False,
    seed: int = 0,
    numbers: Mapping[str, Any] | None = None,
    held_out: Sequence[Batch] = (),
    eval_every: int = 0,
    folder: Path | None = None,
    save_every: int = 0,
    spared: Callable[[], Collection[int]] = tuple,
    identity: Mapping[str, Any] | None = None,
    trackers: Sequence[Any] = (),
    measure: Callable[[int], Row] = lambda done: {},
    watch: Callable[[int, int, Row], None] = lambda done, steps, row: None,
    stop: Callable[[Row], str | None] = lambda row: None,
) -> list[Row]:
    """Trains `model` in place for `steps` steps of `source`; returns the metrics of each.

    lr rises linearly over the first `warmup` share of the steps and falls (`decay`: linear, cosine, or constant) to 0. Weights
    stay as they are whatever the precision of the products (None: the fastest that this machine has). With an `anchor` they
    decay to where they began instead of to 0, lr * anchor of the way a step, heads excepted. With a `folder`, metrics go there
    as JSON lines and a checkpoint every `save_every` steps and at the end; the newest are kept, and `spared()` steps'.
    A run that finds its own checkpoint there goes on from it to the same weights, bit for bit on a CPU. `held_out` is measured
    every `eval_every` steps and at the end; `measure(done)` may add numbers to those of a step. TrainingError for a loss that
    is not finite, or when `stop(metrics)` gives a reason; what was saved stays usable.
    """
    from accelerate import Accelerator
    from accelerate.state import AcceleratorState

    torch.manual_seed(seed)
    AcceleratorState._reset_state()  # it remembers the precision of the run before and refuses another
    accelerator = Accelerator(
        mixed_precision=mixed_precision or fast_precision(),
        cpu=not torch.cuda.is_available(),
        log_with=list(trackers) or None,
        project_dir=folder,
    )
    exact_outside(accelerator)
    forward: Any = Forward(model, objective.inputs, **given_to(objective.inputs, numbers or {}))
    groups = anchors.groups(model, lr=lr, weight_decay=weight_decay, anchor=anchor)
    optimizer: Any = torch.optim.AdamW(groups, lr=lr, fused=True)
    if compile:
        body_of(model).compile(dynamic=True)  # one code for every length, also after going on
    forward, optimizer = accelerator.prepare(forward, optimizer)
    if trackers:
        accelerator.init_trackers("antivenom", config=dict(numbers or {}))
    rank, world = accelerator.process_index, accelerator.num_processes
    plain = accelerator.unwrap_model(forward)
    log = Log(folder if rank == 0 else None)
    held = anchors.Anchors(optimizer)
    identity = {**(identity or {}), **(held.identity() if folder is not None else {})}
    done = 0
    if folder is not None and (place := checkpoints.newest(folder, identity)):
        done = checkpoints.load(place, plain, optimizer.optimizer, rank)
    log.keep(done)
    for row in log.rows:
        stop(row)  # it remembers what it has seen
    forward.train()
    loop = Loop(accelerator, forward, objective, dict(numbers or {}))
    for step, batches in enumerate(itertools.islice(source(done, rank, world), steps - done), start=done):
        for group in optimizer.param_groups:
            group["lr"] = lr * slope(step, steps, warmup, decay)
        row = loop.learn(batches, step)
        norm = loop.clip(clip, step)
        row |= {"gradient_norm": norm} if isfinite(norm) else {}  # float16's first ones may not be, and are skipped
        held.pull()
        optimizer.step()
        optimizer.zero_grad()
        last = step + 1 == steps
        if len(held_out) and (last or (eval_every and (step + 1) % eval_every == 0)):
            row |= {f"held_out_{name}": value for name, value in loop.measure(held_out).items()}
        row |= measure(step + 1)
        reason = stop(row)
        log.add(row)
        if trackers:
            accelerator.log(row, step=step)
        watch(step + 1, steps, row)
        if reason:
            raise TrainingError(f"step {step}: {reason}" + (f" ({folder})" if folder is not None else ""))
        if folder is not None and (last or (save_every and (step + 1) % save_every == 0)):
            checkpoints.save(folder, step + 1, plain, optimizer.optimizer, identity, rank, spared())
    if trackers:
        accelerator.end_training()
    gather(model)
    model.eval()
    return log.rows


def fast_precision() -> str:
    """bf16 where the machine multiplies it in hardware (GPU, or a CPU with matrix units), else none."""
    return "bf16" if torch.cuda.is_available() or torch.cpu._is_amx_tile_supported() else "no"


def slope(step: int, steps: int, warmup: float, decay: str) -> float:
    """The learning rate of a step as a share of the highest."""
    rise = max(round(warmup * steps), 1)
    if step < rise:
        return (step + 1) / rise
    left = max((steps - step) / max(steps - rise, 1), 0.0)
    return DECAYS[decay](left)


DECAYS: Mapping[str, Callable[[float], float]] = {
    "linear": lambda left: left,
    "cosine": lambda left: (1 - cos(pi * left)) / 2,
    "constant": lambda left: 1.0,
}
