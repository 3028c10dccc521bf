"""Objectives: name -> the loss, where its batches come from, and the forward pass that makes its inputs."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from rlhf_train import batches, inputs
from rlhf_train.objectives import bradley_terry, sft
from rlhf_train.objectives.outcome import Outcome


@dataclass(frozen=True, slots=True)
class Objective:
    """`loss(**inputs(model, batch), **numbers)`; `batches(columns, tokenizer, size=, seed=)` is endless."""

    loss: Callable[..., Outcome]
    batches: Callable[..., Iterator[inputs.Batch]]
    inputs: Callable[..., inputs.Batch]
    columns: tuple[str, ...]


OBJECTIVES: Mapping[str, Objective] = {
    "sft": Objective(sft.loss, batches.responses, inputs.response_logps, ("prompt", "response")),
    "bradley_terry": Objective(bradley_terry.loss, batches.pairs, inputs.pair_rewards, ("prompt", "chosen", "rejected")),
}
