"""Direct preference heads on the phrase language: what the head learns, and what learning it does to what the policy says.

    python benchmarks/direct_preference_head.py [--seeds 0 1 2] [--pairs 1500]

Each mode begins with the same imitating policy and learns 250 steps of 16 pairs whose labels are drawn by Bradley and Terry. Told
are: how often the head, and DPO's implicit reward, find the better of two held-out answers (by the hidden reward); the KL of the
policy as it began from what it is then, in nats a token of held-out answers; and the hidden reward of the best of 8 answers, drawn
by the policy as it began and picked by the head.
"""

import argparse
import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import _phrases as phrases
import _report
import numpy as np
import torch

from rlhf_train import batches, precompute
from rlhf_train.evals import reward_accuracy
from rlhf_train.generate import rerank, sample
from rlhf_train.inputs import hidden_states
from rlhf_train.models.policies import Policy
from rlhf_train.models.preference_heads import WithPreferenceHead
from rlhf_train.models.preference_judges import PreferenceJudge
from rlhf_train.numbers import given_to
from rlhf_train.objectives import OBJECTIVES
from rlhf_train.train import fit

STEPS, SIZE, LR = 250, 16, 3e-3
TESTED, ASKED, N = 500, 100, 8
FLIPPED = 0.2


@dataclass(frozen=True)
class Mode:
    """An objective with its numbers, and how strongly weights are drawn to where they began."""

    objective: str
    numbers: Mapping[str, Any] = field(default_factory=dict)
    anchor: float = 0.0


MODES: Mapping[str, Mode] = {
    "frozen, separable": Mode("direct_preference_head"),
    "frozen, contrastive": Mode("direct_preference_head", {"kind": "contrastive"}),
    "full, separable": Mode("direct_preference_head", {"backbone": "full"}),
    "drawn by 0.5, separable": Mode("direct_preference_head", {"backbone": "drawn"}, 0.5),
    "drawn by 10, separable": Mode("direct_preference_head", {"backbone": "drawn"}, 10.0),
    "joint, separable": Mode("joint_preference_head", {"backbone": "full"}),
    "joint, drawn by 10": Mode("joint_preference_head", {"backbone": "drawn"}, 10.0),
    "cDPO alone": Mode("joint_preference_head", {"backbone": "full", "head_weight": 0.0}),
}


@dataclass(frozen=True)
class Setting:
    """A language, the policy that imitates it, pairs to learn from with what the reference says of them, and pairs to test on."""

    spoken: phrases.Language
    policy: Policy
    learned: dict[str, Any]
    tested: dict[str, list[str]]
    asked: list[str]
    said: list[list[str]]


def setting(seed: int, pairs: int) -> Setting:
    """All of it by seed."""
    spoken = phrases.language(seed)
    policy = phrases.policy(spoken, seed=seed)
    learned = spoken.pairs(pairs, seed=seed)
    learned |= precompute.reference_logps(policy, learned, phrases.LENGTHS)
    tested = spoken.pairs(TESTED, seed=seed + 1000, scale=1e9)  # told by the hidden reward itself
    asked = [phrases.PROMPTS[at % len(phrases.PROMPTS)] for at in range(ASKED)]
    drawn = sample(policy, [prompt for prompt in asked for _ in range(N)], seed=seed, lengths=phrases.LENGTHS)
    return Setting(spoken, policy, learned, tested, asked, [drawn[at * N : at * N + N] for at in range(ASKED)])


def trained(held: Setting, mode: Mode, seed: int, *, steps: int = STEPS, learned: Mapping[str, Any] | None = None) -> Any:
    """(policy with its head, the run's metrics)."""
    objective = OBJECTIVES[mode.objective]
    torch.manual_seed(seed)
    policy = copy.deepcopy(held.policy.model)
    model = objective.module(policy, **given_to(objective.module, mode.numbers))  # type: ignore[misc, arg-type]
    wanted = {name: values for name, values in (learned or held.learned).items() if name in (*objective.columns, *objective.given)}
    source = batches.shuffled(objective.rows(wanted, held.policy.tokenizer, phrases.LENGTHS), size=SIZE, seed=seed)
    options = {"weight_decay": 0.01, "mixed_precision": "no", "seed": seed}
    return model, fit(
        model, objective, source, steps=steps, lr=LR, numbers=mode.numbers, anchor=mode.anchor, **options  # type: ignore[arg-type]
    )


def measured(held: Setting, model: WithPreferenceHead) -> dict[str, float]:
    """What a mode came to."""
    judge = PreferenceJudge(model.eval(), held.policy.tokenizer, phrases.LENGTHS)
    head = [judge.rewards(held.tested["prompt"], held.tested[side]) for side in ("chosen", "rejected")]
    columns = {name: held.tested[name] for name in ("prompt", "chosen", "rejected")}
    after, before = (precompute.reference_logps(each, columns, phrases.LENGTHS) for each in (judge.policy, held.policy))
    implicit = [after[name] - before[name] for name in ("ref_chosen_logps", "ref_rejected_logps")]
    best = rerank(held.asked, held.said, judge.rewards)
    return {
        "head": reward_accuracy.measure(*head).accuracy,
        "implicit": reward_accuracy.measure(*implicit).accuracy,
        "KL": divergence(held, model.policy),
        "best of 8": float(held.spoken.gold(best).mean()),
        "random": float(np.mean([held.spoken.gold(own).mean() for own in held.said])),
        "logits moved": moved(held, model.policy),
    }


@torch.no_grad()
def logits(held: Setting, model: Any) -> torch.Tensor:
    """[M, V] before every token of held-out answers."""
    columns = {"prompt": held.tested["prompt"], "response": held.tested["chosen"]}
    batch = batches.responses(columns, held.policy.tokenizer, phrases.LENGTHS).pack(np.arange(TESTED))
    return model.get_output_embeddings()(hidden_states(model, batch)[batch["predictors"]])


def divergence(held: Setting, model: Any) -> float:
    """KL(begun || model) in nats a token, over the whole vocabulary."""
    begun, now = (logits(held, each).log_softmax(-1) for each in (held.policy.model, model))
    return float((begun.exp() * (begun - now)).sum(-1).mean())


def moved(held: Setting, model: Any) -> float:
    """By how much any logit of any held-out answer has changed: 0 is bit for bit."""
    return float((logits(held, held.policy.model) - logits(held, model)).abs().max())


def flipped(held: Setting, seed: int) -> dict[str, float]:
    """Mean sizes of rewards on the pairs that are learned, a share of them told wrongly: with noise 0.1 and without."""
    hit = np.random.default_rng([seed, 7]).random(len(held.learned["prompt"])) < FLIPPED
    sides = list(zip(held.learned["chosen"], held.learned["rejected"], strict=True))
    turned = [pair[::-1] if wrong else pair for pair, wrong in zip(sides, hit, strict=True)]
    learned = {"prompt": held.learned["prompt"], "chosen": [a for a, _ in turned], "rejected": [b for _, b in turned]}
    found = {}
    for noise in (0.1, 0.0):
        mode = Mode("direct_preference_head", {"backbone": "full", "noise": noise})
        _, told = trained(held, mode, seed, steps=4 * STEPS, learned=learned)
        found[f"noise {noise:g}"] = float(np.mean([row["reward_size"] for row in told[-STEPS:]]))
    return found
