"""A policy that picks one of a few strategies a problem, in which every expectation can be written down.

Its logits are the initial ones, and what it learned of each strategy for all problems and for each. With a penalty of beta
times the KL divergence from where it began, the best policy is pi*(k) ~ pi_0(k) exp(R(k) / beta) (Wen et al., 2024, use PPO;
the closed form is the one behind Rafailov et al., 2023, eq. 4). REINFORCE (Williams, 1992) finds it from samples.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from rlhf_train.errors import TrainingError


@dataclass(frozen=True, slots=True)
class Policy:
    """`initial` [N, K] chances of K strategies for N problems; `shared` [K] and `own` [N, K] are what was learned."""

    initial: np.ndarray
    shared: np.ndarray
    own: np.ndarray

    @property
    def chances(self) -> np.ndarray:
        """[N, K]; a strategy that was never there stays away."""
        return tilted(self.initial, self.shared + self.own, beta=1.0)


@dataclass(frozen=True, slots=True)
class Trained:
    """The policy; of each step the mean reward of its samples, and their KL divergence from the beginning in nats."""

    policy: Policy
    rewards: np.ndarray
    divergences: np.ndarray


def start(initial: np.ndarray) -> Policy:
    """A policy that has learned nothing; TrainingError where a row of `initial` is no distribution."""
    chances = np.asarray(initial, dtype=float)
    if chances.ndim != 2 or (chances < 0).any() or not np.allclose(chances.sum(axis=1), 1):
        raise TrainingError("initial must be a row of chances a problem that add up to 1; divide each row by its sum")
    return Policy(chances, np.zeros(chances.shape[1]), np.zeros(chances.shape))


def tilted(initial: np.ndarray, rewards: np.ndarray, *, beta: float = 0.2) -> np.ndarray:
    """[..., K] initial exp(rewards / beta), made to add up to 1: the best policy under a KL penalty of `beta`."""
    if beta <= 0:
        raise TrainingError(f"beta must be above 0, got {beta}; without a penalty all weight goes to the best strategy")
    powers = np.asarray(rewards, dtype=float) / beta
    weighed = np.asarray(initial) * np.exp(powers - powers.max(axis=-1, keepdims=True))
    return weighed / weighed.sum(axis=-1, keepdims=True)


def objective(policy: Policy, rewards: np.ndarray, *, beta: float = 0.2) -> float:
    """Expected reward less beta times the KL divergence from the beginning, over problems alike."""
    chances = policy.chances
    return float((chances * (rewards - beta * _log_ratio(policy, chances))).sum(axis=1).mean())


def train(
    initial: np.ndarray,
    rewards: np.ndarray,
    *,
    beta: float = 0.2,
    steps: int = 300,
    samples: int = 64,
    shared_lr: float = 1.0,
    own_lr: float = 20.0,
    seed: int = 0,
) -> Trained:
    """REINFORCE on `rewards` [N, K], each step on `samples` strategies of problems drawn alike."""
    policy, random = start(initial), np.random.default_rng(seed)
    if rewards.shape != policy.initial.shape or samples < 2:
        raise TrainingError(
            f"a step needs a reward for each of {policy.initial.shape} chances and two samples at least, "
            f"got rewards of {rewards.shape} and samples={samples}"
        )
    seen = []
    for _ in range(steps):
        shared, own, mean, divergence = estimate(policy, rewards, random, beta=beta, samples=samples)
        policy = Policy(policy.initial, policy.shared + shared_lr * shared, policy.own + own_lr * own)
        seen.append((mean, divergence))
    means, divergences = np.array(seen).reshape(-1, 2).T
    return Trained(policy, means, divergences)


def estimate(
    policy: Policy, rewards: np.ndarray, random: np.random.Generator, *, beta: float, samples: int
) -> tuple[np.ndarray, np.ndarray, float, float]:
    """An unbiased estimate of the objective's gradient in `shared` [K] and `own` [N, K]; mean reward and divergence seen.

    The baseline of a sample is the mean of the others, so that it does not depend on the sample itself.
    """
    chances = policy.chances
    problems = random.integers(len(chances), size=samples)
    picked = (random.random((samples, 1)) > chances[problems].cumsum(axis=1)[:, :-1]).sum(axis=1)
    ratios = _log_ratio(policy, chances)[problems, picked]
    gains = rewards[problems, picked] - beta * ratios
    advantages = (gains - gains.mean()) * samples / (samples - 1)
    slopes = advantages[:, None] * (np.eye(chances.shape[1])[picked] - chances[problems]) / samples
    own = np.zeros_like(policy.own)
    np.add.at(own, problems, slopes)
    return slopes.sum(axis=0), own, float(rewards[problems, picked].mean()), float(ratios.mean())


def levels(chances: np.ndarray, correct: np.ndarray, approved: np.ndarray, weights: np.ndarray) -> Mapping[str, float]:
    """Correctness, approval, error and false approval (fpr) of a policy, exactly.

    `chances`, `correct` (0 or 1) and `approved` (a chance) are [N, K] or broadcast to it; `weights` [N] add up to 1.
    """
    said = chances * np.asarray(weights)[:, None]
    wrong = said * (1 - correct)
    return {
        "correctness": float((said * correct).sum()),
        "approval": float((said * approved).sum()),
        "error": float((said * (correct * (1 - approved) + (1 - correct) * approved)).sum()),
        "fpr": float((wrong * approved).sum() / wrong.sum()),
    }


def fpr_both_wrong(
    before: np.ndarray, after: np.ndarray, correct: np.ndarray, approved: np.ndarray, weights: np.ndarray
) -> tuple[float, float]:
    """False approval of two policies among problems that both get wrong, each answering by itself; arguments as in `levels`."""
    wrongs = [chances * (1 - correct) for chances in (before, after)]
    both = np.asarray(weights) * wrongs[0].sum(axis=1) * wrongs[1].sum(axis=1)
    with np.errstate(invalid="ignore"):
        rates = [np.nan_to_num((wrong * approved).sum(axis=1) / wrong.sum(axis=1)) for wrong in wrongs]
    return float(rates[0] @ both / both.sum()), float(rates[1] @ both / both.sum())


def _log_ratio(policy: Policy, chances: np.ndarray) -> np.ndarray:
    """[N, K] log of the chances now over those at the beginning; 0 where both are 0."""
    there = policy.initial > 0
    return np.log(np.where(there, chances, 1.0)) - np.log(np.where(there, policy.initial, 1.0))
