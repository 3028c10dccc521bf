"""Evaluations: each measures one thing about a trained model, with an interval."""

from collections.abc import Callable, Mapping
from typing import Any

from rlhf_train.evals import (
    attack_success,
    certified_accuracy,
    reward_accuracy,
    reward_health,
    sophistry,
    summary_policy,
    teacher_hacking,
    written_evals,
)

EVALS: Mapping[str, Callable[..., Any]] = {
    "attack_success": attack_success.measure,
    "certified_accuracy": certified_accuracy.measure,
    "reward_accuracy": reward_accuracy.measure,
    "reward_health": reward_health.measure,
    "sophistry": sophistry.measure,
    "summary_policy": summary_policy.measure,
    "teacher_hacking": teacher_hacking.measure,
    "written_evals": written_evals.measure,
}
