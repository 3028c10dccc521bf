"""What an objective is: a loss, the rows that it learns from, the forward pass that makes its inputs, and what it needs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from rlhf_train import batches, numbers
from rlhf_train.objectives.outcome import Outcome


def _any(columns: Mapping[str, Any], **numbers: Any) -> None:
    """Nothing to refuse."""


@dataclass(frozen=True, slots=True)
class Objective:
    """`loss(**inputs(model, batch))` over batches of `rows(columns, tokenizer, lengths)`.

    Its numbers are the keyword-only parameters of loss, rows, inputs and module; each is called with those that it names.
    `columns` are texts, `given` numbers that must be there beforehand (lessons makes them), `scores` numbers that the table
    must hold. `check(columns, **numbers)` refuses a table before the first step. `whole`: the loss is no mean
    over rows, and is taken over a step as a whole. `scored`: the model has a scalar head, and where `causal` no encoder will
    do. `module(model, **numbers)` is the model with what the method adds to it. `ended`: the model must end texts as its
    tokenizer does. `lr` is a usual one.
    """

    loss: Callable[..., Outcome]
    rows: Callable[..., batches.Rows]
    inputs: Callable[..., dict[str, Any]]
    columns: tuple[str, ...]
    given: tuple[str, ...] = ()
    whole: bool = False
    scored: bool = False
    lr: float = 1e-5
    scores: tuple[str, ...] = ()
    causal: bool = False
    module: Callable[..., Any] | None = None
    check: Callable[..., None] = _any
    ended: bool = False

    @property
    def calls(self) -> tuple[Callable[..., Any], ...]:
        """What its numbers are given to."""
        return (self.loss, self.rows, self.inputs, *([self.module] if self.module else []))

    @property
    def numbers(self) -> dict[str, numbers.Number]:
        """All of its numbers by name."""
        return numbers.of(self.calls)
