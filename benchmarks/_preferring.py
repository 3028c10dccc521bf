"""Preferences on the phrase language: what a policy and its head learn from, and what each of them came to."""

from dataclasses import dataclass
from typing import Any

import _phrases as phrases
import numpy as np
import torch

from rlhf_train import batches, precompute
from rlhf_train.evals import reward_accuracy
from rlhf_train.generate import rerank, sample
from rlhf_train.inputs import hidden_states
from rlhf_train.models.policies import Policy
from rlhf_train.models.preference_heads import WithPreferenceHead
from rlhf_train.models.preference_judges import PreferenceJudge

WIDTH, NARROW = 64, 32  # of the policy's states
TESTED, ASKED, N = 500, 100, 8


@dataclass(frozen=True)
class Setting:
    """A language, the policy that imitates it, pairs to learn from (with references) and to test on, answers to pick from."""

    spoken: phrases.Language
    policy: Policy
    learned: dict[str, Any]
    tested: dict[str, list[str]]
    asked: list[str]
    said: list[list[str]]


def setting(seed: int, pairs: int, width: int = WIDTH) -> Setting:
    """All of it by seed."""
    spoken = phrases.language(seed)
    policy = phrases.policy(spoken, width=width, seed=seed)
    learned = spoken.pairs(pairs, seed=seed)
    learned |= precompute.reference_logps(policy, learned, phrases.LENGTHS)
    tested = ranked(spoken, seed + 1000)
    asked = [phrases.PROMPTS[at % len(phrases.PROMPTS)] for at in range(ASKED)]
    drawn = sample(policy, [prompt for prompt in asked for _ in range(N)], seed=seed, lengths=phrases.LENGTHS)
    return Setting(spoken, policy, learned, tested, asked, [drawn[at * N : at * N + N] for at in range(ASKED)])


def ranked(spoken: phrases.Language, seed: int) -> dict[str, list[str]]:
    """TESTED pairs whose better side is truly so; none is as good as the other."""
    drawn = spoken.pairs(2 * TESTED, seed=seed, scale=0.0)
    better, worse = (spoken.gold(drawn[side]) for side in ("chosen", "rejected"))
    places = np.flatnonzero(better != worse)[:TESTED]
    sides = [(drawn["chosen"][at], drawn["rejected"][at])[:: 1 if better[at] > worse[at] else -1] for at in places]
    prompts = [drawn["prompt"][at] for at in places]
    return {"prompt": prompts, "chosen": [won for won, _ in sides], "rejected": [lost for _, lost in sides]}


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
