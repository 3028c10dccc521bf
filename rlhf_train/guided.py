"""Decoding guided by a goal, after Nath et al. (2024): of several continuations that whose states point most to it is taken.

A candidate's score is the cosine of its mean state, given the WHOLE prefix, with the goal, plus a weighted log-probability.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite

import numpy as np
import torch

from rlhf_train import batches
from rlhf_train.errors import TrainingError
from rlhf_train.generate import draw
from rlhf_train.guards import check_model
from rlhf_train.inputs import response_logps, response_states
from rlhf_train.logps import summed
from rlhf_train.models.policies import Policy
from rlhf_train.models.reward_models import RewardModel
from rlhf_train.packing import Tree
from rlhf_train.similarity import unit
from rlhf_train.text import prompt_ids


@dataclass(frozen=True, slots=True)
class Line:
    """What has been said so far, whether it has ended, and the scores of its chunks."""

    ids: tuple[int, ...] = ()
    ended: bool = False
    scores: tuple[float, ...] = ()

    @property
    def score(self) -> float:
        """The mean over its chunks: a line that ends early is not worse for having fewer."""
        return sum(self.scores) / max(len(self.scores), 1)


def decode(
    policy: Policy,
    model: RewardModel,
    prompts: Sequence[str],
    goal: np.ndarray,
    *,
    chunk: int = 16,
    n: int = 4,
    beam: int = 1,
    weight: float = 0.0,
    temperature: float = 1.0,
    seed: int = 0,
) -> list[str]:
    """One response a prompt, `chunk` tokens at a time: of `n` continuations of each of `beam` lines the best `beam` go on.

    `goal` [D] is one of the reward model's (goal_bank); `weight` is of the chunk's log-probability in nats a token. What is
    said to one prompt depends on no other. TrainingError unless policy and reward model have one vocabulary.
    """
    _refuse(policy, model, {"chunk": chunk, "n": n, "beam": beam}, weight)
    asked, most = prompt_ids(policy.tokenizer, prompts, policy.lengths), policy.lengths.response
    lines, steps = [[Line()] for _ in prompts], -(-most // chunk)
    for step in range(steps):
        going = [(row, at) for row, held in enumerate(lines) for at, line in enumerate(held) if not line.ended]
        prefixes = [[*asked[row], *lines[row][at].ids] for row, at in going]
        own = [((row * steps + step) * beam + at) * n + pick for row, at in going for pick in range(n)]
        repeated = [prefix for prefix in prefixes for _ in range(n)]
        size = min(chunk, most - step * chunk)
        said = draw(policy, repeated, most=size, seed=seed, temperature=temperature, rows=own)
        trees = [Tree(prefix, tuple(said[at * n : (at + 1) * n])) for at, prefix in enumerate(prefixes)]
        scores = candidate_scores(policy, model, trees, goal, weight=weight)
        pools = [[line for line in held if line.ended] for held in lines]
        for (row, at), tree, given in zip(going, trees, scores, strict=True):
            pools[row] += [_longer(lines[row][at], *each, policy) for each in zip(tree.responses, given, strict=True)]
        lines = [_best(pool, beam) for pool in pools]
    return [policy.tokenizer.decode(held[0].ids, skip_special_tokens=True) for held in lines]


@torch.inference_mode()
def candidate_scores(
    policy: Policy, model: RewardModel, trees: Sequence[Tree], goal: np.ndarray, *, weight: float = 0.0
) -> list[np.ndarray]:
    """[n] scores of the chunks of each tree, whose prompt is the whole prefix; the end token's state counts only when alone."""
    found: list[np.ndarray] = [np.zeros(0)] * len(trees)
    aim = unit(torch.from_numpy(np.asarray(goal, dtype=np.float32)).to(model.model.device))
    for batch in batches.in_order(batches.rows_of(trees, {})) if trees else []:
        tensors = batch.to(model.model.device)
        owners, count = tensors["owners"], len(tensors["ends"])
        sizes = torch.bincount(owners, minlength=count)
        counted = (tensors["targets"] != policy.tokenizer.eos_token_id) | (sizes == 1)[owners]
        states = response_states(model.model, tensors).float() * counted[:, None]
        total = states.new_zeros(count, states.shape[1]).index_add(0, owners, states)  # as good as the mean for a cosine
        scores = unit(total) @ aim
        if weight:
            logps = response_logps(policy.model, batch.to(policy.model.device))["token_logps"].to(scores)
            scores = scores + weight * summed(logps, owners, count) / sizes
        parts = np.split(scores.cpu().numpy(), np.cumsum([len(trees[place].responses) for place in batch.places])[:-1])
        for place, part in zip(batch.places, parts, strict=True):
            found[place] = part
    return found


def _best(pool: Sequence[Line], beam: int) -> list[Line]:
    """Different ones, of equal scores the first drawn."""
    distinct: dict[tuple[int, ...], Line] = {}
    for line in pool:
        distinct.setdefault(line.ids, line)
    return sorted(distinct.values(), key=lambda line: -line.score)[:beam]


def _longer(line: Line, ids: Sequence[int], score: float, policy: Policy) -> Line:
    return Line((*line.ids, *ids), ids[-1] == policy.tokenizer.eos_token_id, (*line.scores, float(score)))


def _refuse(policy: Policy, model: RewardModel, counts: dict[str, int], weight: float) -> None:
    for name, value in counts.items():
        if value < 1:
            raise TrainingError(f"{name} must be 1 or more, got {value}")
    if not (isfinite(weight) and weight >= 0):
        raise TrainingError(f"weight of the log-probability must be a finite number, 0 or more, got {weight:g}")
    if policy.tokenizer.get_vocab() != model.tokenizer.get_vocab():
        raise TrainingError("policy and reward model have different vocabularies; take a reward model that began as the policy")
    check_model(model.model, policy.tokenizer, policy.lengths)
