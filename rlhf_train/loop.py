"""One step: the gradient of its mean loss, however its rows are batched and whichever process computes them."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from math import isfinite
from typing import Any

import torch

from rlhf_train.batches import Batch
from rlhf_train.checkpoints import random_numbers, restore_random
from rlhf_train.errors import TrainingError
from rlhf_train.inputs import autocast, plain
from rlhf_train.metrics import Row
from rlhf_train.numbers import given_to
from rlhf_train.objectives import Objective
from rlhf_train.sharding import whole


class Forward(torch.nn.Module):
    """A model and the forward pass of an objective as one module: whatever wraps it (DDP, FSDP, precision) sees all of it."""

    def __init__(self, model: torch.nn.Module, inputs: Callable[..., dict[str, torch.Tensor]], **numbers: Any) -> None:
        super().__init__()
        self.model, self.inputs, self.numbers = model, inputs, numbers
        self._no_split_modules = getattr(plain(model), "_no_split_modules", None)  # what FSDP gathers and drops together

    def forward(self, batch: dict[str, Any]) -> dict[str, torch.Tensor]:
        """What the objective's loss is given."""
        return self.inputs(self.model, batch, **self.numbers)


class Loop:
    """One step of learning, or one measurement."""

    def __init__(self, accelerator: Any, forward: Any, objective: Objective, numbers: dict[str, Any]) -> None:
        self.accelerator, self.forward, self.objective = accelerator, forward, objective
        self.numbers = given_to(objective.loss, numbers)

    def learn(self, batches: Sequence[Batch], step: int) -> Row:
        """Leaves the gradient of the step's mean loss in the weights."""
        alone = len(batches) == 1 and self.accelerator.num_processes == 1
        if self.objective.whole and not alone:
            parts = self._by_whole(batches, step)
        else:
            parts = self._by_parts(batches, step)
        row: Row = {"step": step}
        for batch, outcome in parts:
            for name, value in {"loss": outcome.loss.detach(), **outcome.metrics}.items():
                row[name] = row.get(name, 0.0) + float(value) * batch.share
        row = {**self._over_processes(row), **batches[0].told}
        if not isfinite(row["loss"]):
            rows = ", ".join(map(str, sorted(place for batch in batches for place in batch.places)[:20]))
            raise TrainingError(f"step {step}: the loss is {row['loss']}; lower lr or look at the step's rows ({rows})")
        return row

    def clip(self, most: float, step: int) -> float:
        """Shortens the gradient to `most`; returns how long it was."""
        norm = float(whole(self.accelerator.clip_grad_norm_(self.forward.parameters(), most)))
        if not isfinite(norm) and self.accelerator.scaler is None:  # float16's scaler skips such a step by itself
            raise TrainingError(f"step {step}: the gradient's length is {norm}; lower lr, or mixed_precision='no'")
        return norm

    def _by_parts(self, batches: Sequence[Batch], step: int) -> Iterator[tuple[Batch, Any]]:
        """A loss that is a mean over rows: each batch adds its share of it."""
        for at, batch in enumerate(batches):
            with self._quiet(last=at + 1 == len(batches)):
                outcome = self.objective.loss(**self._given(batch, step), **self.numbers)
                self.accelerator.backward(outcome.loss * batch.share * self.accelerator.num_processes)
            yield batch, outcome

    def _by_whole(self, batches: Sequence[Batch], step: int) -> Iterator[tuple[Batch, Any]]:
        """A loss of the step as a whole (a quantile, say): its gradient for every row first, then the passes again."""
        states, parts = [], []
        with torch.no_grad():
            for batch in batches:
                states.append(random_numbers())
                parts.append(self._given(batch, step))
        counted = [part for part, batch in zip(parts, batches, strict=True) if batch.share]
        joined, first = self._gathered(
            {name: torch.cat([part[name] for part in counted] or [parts[0][name][:0]]) for name in parts[0]}
        )
        leaves = {name: values.requires_grad_(values.is_floating_point()) for name, values in joined.items()}
        outcome = self.objective.loss(**leaves, **self.numbers)
        wanted = [name for name, values in leaves.items() if values.requires_grad]
        slopes = dict(
            zip(wanted, torch.autograd.grad(outcome.loss, [leaves[name] for name in wanted], allow_unused=True), strict=True)
        )
        for at, (batch, state) in enumerate(zip(batches, states, strict=True)):
            restore_random(state)
            with self._quiet(last=at + 1 == len(batches)):
                given, pushed = self._given(batch, step), torch.zeros((), device=self.accelerator.device)
                count = len(next(iter(given.values())))
                for name, slope in slopes.items():
                    if slope is not None and given[name].requires_grad:
                        pushed = pushed + (given[name] * (slope[first : first + count] if batch.share else 0.0)).sum()
                first += count
                self.accelerator.backward(pushed * self.accelerator.num_processes)
            yield batch, outcome

    def _gathered(self, own: dict[str, torch.Tensor]) -> tuple[dict[str, torch.Tensor], int]:
        """The inputs of all processes end to end, and where this one's begin."""
        if self.accelerator.num_processes == 1:
            return {name: values.detach().clone() for name, values in own.items()}, 0
        from accelerate.utils import gather_object

        parts = gather_object([{name: values.detach().cpu() for name, values in own.items()}])
        device = self.accelerator.device
        joined = {name: torch.cat([part[name] for part in parts]).to(device) for name in own}
        return joined, sum(len(next(iter(part.values()))) for part in parts[: self.accelerator.process_index])

    @torch.no_grad()
    def measure(self, batches: Sequence[Batch]) -> Row:
        """Loss and metrics over `batches`, as of one step; every process measures all of them."""
        self.forward.eval()
        parts = [self._given(batch) for batch in batches]
        shares = [batch.share for batch in batches]
        if self.objective.whole:
            parts, shares = [{name: torch.cat([part[name] for part in parts]) for name in parts[0]}], [1.0]
        row: Row = {}
        for part, share in zip(parts, shares, strict=True):
            outcome = self.objective.loss(**part, **self.numbers)
            for name, value in {"loss": outcome.loss, **outcome.metrics}.items():
                row[name] = row.get(name, 0.0) + float(value) * share
        self.forward.train()
        return row

    def _given(self, batch: Batch, step: int | None = None) -> dict[str, torch.Tensor]:
        """What the loss is given; a forward pass is told which step it is of, and that of a measurement is of none."""
        with autocast(self.accelerator.device, self.accelerator.mixed_precision):
            return self.forward({**batch.to(self.accelerator.device), "step": step})

    def _quiet(self, *, last: bool) -> Any:
        """Gradients are exchanged once a step, with its last batch."""
        return nullcontext() if last else self.accelerator.no_sync(self.forward)

    def _over_processes(self, row: Row) -> Row:
        if self.accelerator.num_processes == 1:
            return row
        values = torch.tensor([value for name, value in row.items() if name != "step"], device=self.accelerator.device)
        summed = self.accelerator.reduce(values, reduction="sum").tolist()
        return {"step": row["step"], **dict(zip([name for name in row if name != "step"], summed, strict=True))}
