"""Objectives: name -> the loss, the rows that it learns from, and the forward pass that makes its inputs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from rlhf_train import batches, candidates, inputs
from rlhf_train.objectives import bradley_terry, dpo, kto, off_policy, ppo, sft
from rlhf_train.objectives.outcome import Outcome


@dataclass(frozen=True, slots=True)
class Objective:
    """`loss(**inputs(model, batch), **numbers)` over batches of `rows(columns, tokenizer, lengths)`.

    `columns` are texts, `given` numbers of a reference that must be there beforehand (precompute makes them), `scores` numbers
    that the table must hold. `whole`: the loss is no mean over rows, and is taken over a step as a whole. `scored`: the model
    has a scalar head. `lr` is a usual one.
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
    "off_policy": Objective(
        off_policy.loss,
        candidates.rows,
        inputs.candidate_logps,
        ("prompt", "response"),
        ("ref_token_logps",),
        scores=("reward",),
    ),
    "ppo": Objective(ppo.loss, batches.responses, inputs.rollout_logps, ("prompt",)),
}
