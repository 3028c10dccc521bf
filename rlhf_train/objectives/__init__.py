"""Objectives: name -> the loss, the rows that it learns from, and the forward pass that makes its inputs."""

from collections.abc import Callable, Mapping
from functools import partial

from rlhf_train import batches, candidates, conditioning, distilling, inputs, segmentation, stored, temporal_residual, tilting
from rlhf_train.guards import check_rewards
from rlhf_train.models.heads import scoring
from rlhf_train.models.preference_heads import headed
from rlhf_train.objectives import (
    a_lol,
    bradley_terry,
    direct_preference_head,
    distillation,
    dpo,
    goals,
    ift,
    kto,
    modpo,
    off_policy,
    ppo,
    segments,
    sft,
    weighted,
)
from rlhf_train.objectives.objective import Objective
from rlhf_train.objectives.outcome import Outcome

PAIRS = ("prompt", "chosen", "rejected")
REFERENCES = ("ref_chosen_logps", "ref_rejected_logps")


def _dpo(loss: Callable[..., Outcome], *, whole: bool = False) -> Objective:
    return Objective(loss, batches.pairs, inputs.pair_logps, PAIRS, REFERENCES, whole)


def _reward(loss: Callable[..., Outcome], *, whole: bool = False) -> Objective:
    return Objective(loss, batches.pairs, inputs.pair_rewards, PAIRS, whole=whole, scored=True, lr=1e-4)


STORED = ("prompt", "response")


def _advantage(loss: Callable[..., Outcome], *, referenced: bool = True) -> Objective:
    rows, given = (stored.referenced_advantages, ("ref_token_logps",)) if referenced else (stored.advantages, ())
    return Objective(
        loss, rows, inputs.candidate_logps, STORED, given, scores=("reward", "value"), check=stored.check_advantages
    )


def _gain(loss: Callable[..., Outcome], *, referenced: bool = False) -> Objective:
    rows, given = (stored.referenced_rewards, ("ref_token_logps",)) if referenced else (stored.rewards, ())
    return Objective(loss, rows, inputs.candidate_logps, STORED, given, scores=("reward",), check=stored.check_rewards)


def _tilted(rows: Callable[..., batches.Rows]) -> Objective:
    given, scores = ("standard_reward",), ("reward",)
    return Objective(weighted.loss, rows, inputs.candidate_logps, STORED, given, scores=scores, check=tilting.check)


__all__ = ["OBJECTIVES", "Objective"]

OBJECTIVES: Mapping[str, Objective] = {
    "sft": Objective(sft.loss, batches.responses, inputs.response_logps, ("prompt", "response"), lr=1e-3),
    "bradley_terry": _reward(bradley_terry.loss),
    "trimmed_bradley_terry": _reward(bradley_terry.trimmed, whole=True),
    "winsorised_bradley_terry": _reward(bradley_terry.winsorised, whole=True),
    "segments": Objective(
        segments.loss,
        segmentation.pairs,
        inputs.segment_values,
        PAIRS,
        ("chosen_entropies", "rejected_entropies"),
        scored=True,
        causal=True,
        lr=1e-4,
    ),
    "goals": Objective(
        goals.loss,
        batches.pairs,
        inputs.goal_states,
        PAIRS,
        whole=True,
        scored=True,
        lr=1e-4,
        causal=True,
        module=scoring,
        check=goals.check,
    ),
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
    "a_lol": _advantage(a_lol.loss),
    "a_lol_seq": _advantage(a_lol.by_token),
    "a_lol_ref_free": _advantage(a_lol.reference_free, referenced=False),
    "a_lol_kl": _advantage(a_lol.kl),
    "r_lol": _gain(a_lol.r_lol, referenced=True),
    "r_gold": _gain(a_lol.r_gold),
    "weighted_behaviour_cloning": _gain(a_lol.behaviour_cloning),
    "filtered_likelihood": _tilted(tilting.filtered),
    "reward_weighted_regression": _tilted(tilting.exponential),
    "conditional": _tilted(conditioning.rows),
    "direct_preference_head": Objective(
        direct_preference_head.loss,
        batches.pairs,
        inputs.ended_pairs,
        PAIRS,
        lr=1e-4,
        module=headed,
        check=direct_preference_head.check,
        ended=True,
    ),
    "joint_preference_head": Objective(
        direct_preference_head.joint,
        batches.pairs,
        inputs.ended_pair_logps,
        PAIRS,
        REFERENCES,
        module=partial(headed, backbone="drawn"),
        check=direct_preference_head.check_joint,
        ended=True,
    ),
    "ift": Objective(
        ift.loss,
        candidates.alone,
        temporal_residual.fused_logps,
        ("prompt", "response"),
        module=temporal_residual.unread,
        check=ift.check,
    ),
    "distillation": Objective(
        distillation.loss,
        distilling.rows,
        distilling.kept,
        STORED,
        ("teacher_logps", "teacher_ids"),
        lr=1e-3,
        check=distillation.check,
    ),
    "ppo": Objective(ppo.loss, batches.responses, inputs.rollout_logps, ("prompt",)),
}
