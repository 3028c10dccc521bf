"""Rows of the comparison: an objective each, where its model begins, and how prompts are answered with it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

N = 8  # drafts that a scorer picks from
ROUNDS = {"prompts": 64, "n": N, "epochs": 2, "batch": 16}


@dataclass(frozen=True, slots=True)
class Method:
    """How an objective leads to answers.

    `settings` are numbers of it and fields of a training run. A policy begins as the one that imitated the corpus (or as the
    base); it answers by itself ("own"), asked for a high score ("asked"), or its best draft is taken ("best"). Where the
    objective makes a scorer, that picks among the imitating policy's drafts. `judge` is an objective whose scorer marks a
    policy's own answers while it learns: "reward_model" stands for the corpus' own.
    """

    objective: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    begins: Literal["base", "imitated"] = "imitated"
    answers: Literal["own", "asked", "best"] = "own"
    judge: str = ""


def _likelihood(objective: str, **settings: Any) -> Method:
    return Method(objective, {"lr": 5e-4, **settings})


METHODS: Mapping[str, Method] = {
    "sft": Method("sft", {"lr": 2e-3}, begins="base"),
    "ift": Method("ift", {"lr": 2e-3}, begins="base"),
    "dpo": Method("dpo"),
    "hinge_dpo": Method("hinge_dpo"),
    "ipo": Method("ipo"),
    "conservative_dpo": Method("conservative_dpo"),
    "robust_dpo": Method("robust_dpo"),
    "distributionally_robust_dpo": Method("distributionally_robust_dpo"),
    "kto": Method("kto"),
    "modpo": Method("modpo"),
    "off_policy": Method("off_policy"),
    "a_lol": _likelihood("a_lol"),
    "a_lol_seq": _likelihood("a_lol_seq"),
    "a_lol_ref_free": _likelihood("a_lol_ref_free"),
    "a_lol_kl": _likelihood("a_lol_kl"),
    "r_lol": _likelihood("r_lol"),
    "r_gold": _likelihood("r_gold"),
    "weighted_behaviour_cloning": _likelihood("weighted_behaviour_cloning"),
    "filtered_likelihood": _likelihood("filtered_likelihood"),
    "reward_weighted_regression": _likelihood("reward_weighted_regression"),
    "conditional": Method("conditional", {"lr": 2e-3}, begins="base", answers="asked"),
    "bradley_terry": Method("bradley_terry", answers="best"),
    "trimmed_bradley_terry": Method("trimmed_bradley_terry", answers="best"),
    "winsorised_bradley_terry": Method("winsorised_bradley_terry", answers="best"),
    "direct_preference_head": Method("direct_preference_head", answers="best"),
    "joint_preference_head": Method("joint_preference_head", answers="best"),
    "segments": Method("segments", answers="best"),
    "goals": Method("goals", answers="best"),
    "best_of_n": Method("sft", {"lr": 1e-3, "rounds": ROUNDS}, judge="reward_model"),
    "ppo": Method("ppo", judge="reward_model"),
    "ppo_segments": Method("ppo", judge="segments"),
}
