"""Objectives: name -> the loss, the rows that it learns from, and the forward pass that makes its inputs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from rlhf_train import batches, candidates, inputs, numbers
from rlhf_train.guards import check_rewards
from rlhf_train.objectives import bradley_terry, dpo, kto, modpo, off_policy, ppo, sft
from rlhf_train.objectives.outcome import Outcome


def _any(columns: Mapping[str, Any], **numbers: Any) -> None:
    """Nothing to refuse."""


@dataclass(frozen=True, slots=True)
class Objective:
    """`loss(**inputs(model, batch))` over batches of `rows(columns, tokenizer, lengths)`.

    Its numbers are the keyword-only parameters of loss, rows, inputs and module; each is called with those that it names.
    `columns` are texts, `given` numbers of a reference that must be there beforehand (precompute makes them), `scores` numbers
    that the table must hold. `check(columns, **numbers)` refuses a table before the first step. `whole`: the loss is no mean
    over rows, and is taken over a step as a whole. `scored`: the model has a scalar head, and where `causal` no encoder will
    do. `module(model, **numbers)` is the model with what the method adds to it. `lr` is a usual one.
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

    @property
    def calls(self) -> tuple[Callable[..., Any], ...]:
        """What its numbers are given to."""
        return (self.loss, self.rows, self.inputs, *([self.module] if self.module else []))

    @property
    def numbers(self) -> dict[str, numbers.Number]:
        """All of its numbers by name."""
        return numbers.of(self.calls)


PAIRS = ("prompt", "chosen", "rejected")
REFERENCES = ("ref_chosen_logps", "ref_rejected_logps")


def _dpo(loss: Callable[..., Outcome], *, whole: bool = False) -> Objective:
    return Objective(loss, batches.pairs, inputs.pair_logps, PAIRS, REFERENCES, whole)


def _reward(loss: Callable[..., Outcome], *, whole: bool = False) -> Objective:
    return Objective(loss, batches.pairs, inputs.pair_rewards, PAIRS, whole=whole, scored=True, lr=1e-4)


OBJECTIVES: Mapping[str, Objective] = {
    "sft": Objective(sft.loss, batches.responses, inputs.response_logps, ("prompt", "response"), lr=1e-3),
    "bradley_terry": _reward(bradley_terry.loss),
    "trimmed_bradley_terry": _reward(bradley_terry.trimmed, whole=True),
    "winsorised_bradley_terry": _reward(bradley_terry.winsorised, whole=True),
    "dpo": _dpo(dpo.loss),
    "hinge_dpo": _dpo(dpo.hinge),
    "ipo": _dpo(dpo.ipo),
    "conservative_dpo": _dpo(dpo.conservative),
    "robust_dpo": _dpo(dpo.robust),
    "distributionally_robust_dpo": _dpo(dpo.distributionally_robust, whole=True),
    "kto": Objective(
        kto.loss,
        batches.mismatched_pairs,
        inputs.mismatched_logps,
        PAIRS,
        (*REFERENCES, "ref_mismatched_logps"),
        whole=True,
    ),
    "modpo": Objective(
        modpo.loss,
        batches.pairs,
        inputs.pair_logps,
        PAIRS,
        REFERENCES,
        scores=("chosen_margins", "rejected_margins"),
        check=modpo.check,
    ),
    "off_policy": Objective(
        off_policy.loss,
        candidates.rows,
        inputs.candidate_logps,
        ("prompt", "response"),
        ("ref_token_logps",),
        scores=("reward",),
        check=check_rewards,
    ),
    "ppo": Objective(ppo.loss, batches.responses, inputs.rollout_logps, ("prompt",)),
}
