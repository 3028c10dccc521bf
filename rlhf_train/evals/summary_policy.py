"""What a policy says to held-out prompts: its reward, how far it went from its reference, ROUGE-L, and length.

Means over prompts with 95 % bootstrap intervals over them, and beside another policy's samples to the same prompts the paired
difference. KL is the mean over samples of the summed log-ratio (Schulman, 2020, "k1"), both policies at the temperature that
the samples were drawn at: of other distributions it would be no KL.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from rlhf_train import batches, generate, inputs
from rlhf_train.errors import TrainingError
from rlhf_train.evals.intervals import interval
from rlhf_train.evals.rouge import rouge_l, words
from rlhf_train.models.policies import Policy
from rlhf_train.packing import Tree
from rlhf_train.text import prompt_ids


@dataclass(frozen=True, slots=True)
class Samples:
    """`texts` [N] said to `prompts` [N], and by how many nats each is likelier under the policy than under its reference."""

    prompts: list[str]
    texts: list[str]
    log_ratios: np.ndarray


@dataclass(frozen=True, slots=True)
class Mean:
    """Of a number over prompts, with its 95 % interval."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class SummaryPolicy:
    """Each by its name (reward, kl, rouge_l, words); `gains` are over the other policy."""

    means: dict[str, Mean]
    gains: dict[str, Mean] = field(default_factory=dict)


def draw(
    policy: Policy,
    reference: Policy,
    prompts: Sequence[str],
    *,
    n: int = 1,
    temperature: float = 1.0,
    seed: int = 0,
    asked: Sequence[str] | None = None,
) -> Samples:
    """`n` responses to each prompt, with log-ratios of the very tokens that were drawn.

    The policy may be `asked` in other words than its reference, as one is whose prompts say what reward is wanted.
    """
    if not temperature > 0:
        raise TrainingError(f"temperature must be above 0, got {temperature:g}; the likeliest response alone has no KL")
    repeated = [prompt for prompt in prompts for _ in range(n)]
    plain = prompt_ids(reference.tokenizer, repeated, reference.lengths)
    told = prompt_ids(policy.tokenizer, [words for words in asked or prompts for _ in range(n)], policy.lengths)
    said = generate.draw(policy, told, most=policy.lengths.response, temperature=temperature, seed=seed)
    mine, its = ([Tree(ids, (own,)) for ids, own in zip(rows, said, strict=True)] for rows in (told, plain))
    ratios = _logps(policy, mine, temperature) - _logps(reference, its, temperature)
    return Samples(repeated, policy.tokenizer.batch_decode(said, skip_special_tokens=True), ratios)


def measure(
    samples: Samples,
    rewards: np.ndarray,
    references: Sequence[Sequence[str]],
    *,
    other: tuple[Samples, np.ndarray] | None = None,
) -> SummaryPolicy:
    """`rewards` [N] and `references` [N], one text or more each, are of the samples in their order; so is `other`'s.

    TrainingError where lengths differ, or the other's samples are to other prompts.
    """
    values = _values(samples, rewards, references)
    means = {name: _mean(part) for name, part in values.items()}
    if other is None:
        return SummaryPolicy(means)
    if other[0].prompts != samples.prompts:
        raise TrainingError("the other policy's samples are to other prompts; draw both with the same prompts and n")
    others = _values(*other, references)
    return SummaryPolicy(means, {name: _mean(part - others[name]) for name, part in values.items()})


def _values(samples: Samples, rewards: np.ndarray, references: Sequence[Sequence[str]]) -> dict[str, np.ndarray]:
    """Of every number its mean over the samples to each prompt."""
    if not len(samples.texts) == len(rewards) == len(references) > 0:
        raise TrainingError(
            "expected a reward and references for every sample, and a sample at least; got "
            f"{len(samples.texts)} samples, {len(rewards)} rewards and {len(references)} references"
        )
    owners = np.unique(np.array(samples.prompts, dtype=object), return_inverse=True)[1]
    each: dict[str, Any] = {
        "reward": np.asarray(rewards, dtype=float),
        "kl": samples.log_ratios,
        "rouge_l": [rouge_l(text, own) for text, own in zip(samples.texts, references, strict=True)],
        "words": [len(words(text)) for text in samples.texts],
    }
    return {name: np.bincount(owners, part) / np.bincount(owners) for name, part in each.items()}


def _mean(values: np.ndarray) -> Mean:
    if np.ptp(values) == 0:  # none of these is a share, for which the interval of a constant 0 or 1 would be Wilson's
        return Mean(*[float(values[0])] * 3)
    return Mean(float(values.mean()), *interval(values))


def _logps(policy: Policy, grown: Sequence[Tree], temperature: float) -> np.ndarray:
    """[S] of each tree's one response."""
    found = np.zeros(len(grown))
    with generate.at_rest(policy.model), torch.no_grad():
        for batch in batches.in_order(batches.rows_of(grown, {})):
            tensors = batch.to(policy.model.device)
            logps = inputs.sequence_logps(policy.model, tensors, temperature=temperature)
            found[list(batch.places)] = logps.double().cpu().numpy()
    return found
