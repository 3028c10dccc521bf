"""A policy of summaries (Nath et al., 2024): supervised on stored ones of all tiers, then taught off policy what phi prefers.

The reward of a summary is sigmoid(phi - its mean over what is stored): pairs tell differences only, and a sigmoid is steep in
its middle. What is learned stays near the supervised policy, which is frozen; the best of what is stored needs no learning.
"""

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from assets.domain.learning import marks_of
from assets.numbers import Training
from assets.steps import Watch, silent
from pipelines.schema import DataError

ASK = "\n\nSummary:"
WIDTH, LAYERS, BATCH = 96, 2, 8  # of a policy that two cores teach in a minute or two
PRODUCTS = 2  # of a step, each with all that is stored of it
TEXTS = {"prompt": pl.String(), "summary": pl.String()}

Marks = Callable[[pl.DataFrame], pl.DataFrame]  # (prompt, summary) -> FEATURES


@dataclass(frozen=True, slots=True)
class Rewarded:
    """A phi with whoever marks a text, and phi's mean over the stored summaries."""

    phi: Any
    marks: Marks
    middle: float

    def __call__(self, prompts: Sequence[str], summaries: Sequence[str]) -> np.ndarray:
        """[N] in (0, 1); 1/2 for a summary that is as good as what is stored, and for one that gets no marks."""
        from scipy.special import expit

        texts = pl.DataFrame({"prompt": list(prompts), "summary": list(summaries)}, schema_overrides=TEXTS)
        found = marks_of(texts, self.marks(texts))
        known = ~np.isnan(found).any(axis=1)
        rewards = np.full(len(texts), 0.5)
        rewards[known] = expit(self.phi.rewards(found[known]) - self.middle)
        return rewards


def rewarded(phi: Any, marks: Marks, stored: pl.DataFrame) -> Rewarded:
    """The reward that a policy learns from; `stored` are SUMMARIES."""
    found = marks_of(stored, marks(stored))
    return Rewarded(phi, marks, float(phi.rewards(found[~np.isnan(found).any(axis=1)]).mean()))


def asked(prompts: Iterable[str]) -> list[str]:
    """The reviews as a policy is asked about them."""
    return [prompt + ASK for prompt in prompts]


def of_products(stored: pl.DataFrame, pairs: pl.DataFrame) -> pl.DataFrame:
    """The SUMMARIES of the products that some PAIRS are about."""
    return stored.filter(pl.col("prompt").is_in(pairs["prompt"].unique().implode()))


def sized(policy: Any, training: Training) -> Any:
    """The policy with room for reviews: what is kept of it does not say how much of a text it is shown."""
    from rlhf_train.text import Lengths

    return dataclasses.replace(policy, lengths=Lengths(*training.summary_tokens))


def supervised(stored: pl.DataFrame, training: Training, seed: int, watch: Watch = silent) -> Any:
    """A tiny policy made and pre-trained on reviews and summaries, then taught all `stored` SUMMARIES alike."""
    import torch

    from rlhf_train import batches, candidates
    from rlhf_train.models import policies
    from rlhf_train.objectives import OBJECTIVES
    from rlhf_train.train import fit

    torch.set_num_threads(training.threads)
    prompts, said = asked(stored["prompt"]), [f" {text}" for text in stored["summary"]]
    made = policies.make(
        [*dict.fromkeys(prompts), *said],
        vocabulary=training.vocabulary,
        width=min(training.width, WIDTH),
        layers=min(training.layers, LAYERS),
        steps=2 * training.pretrain_steps,
        batch=BATCH,
        seed=seed,
        watch=lambda step, of: watch("pre-training", step, of),
    )
    policy = sized(made, training)
    grown = [tree for tree, _ in candidates.trees(prompts, said, policy.tokenizer, policy.lengths)]
    rows = batches.rows_of(grown, {}, units=[sum(tree.parts[1:]) for tree in grown])
    steps = max(round(training.summary_epochs * len(rows) / PRODUCTS), 1)
    source = batches.shuffled(rows, size=PRODUCTS, seed=seed)
    fit(
        policy.model,
        OBJECTIVES["sft"],
        source,
        steps=steps,
        lr=training.sft_lr,
        seed=seed,
        watch=lambda done, of, _: watch("fine-tuning", done, of),
    )
    return policy


def lesson(stored: pl.DataFrame, reward: Rewarded) -> pl.DataFrame:
    """The table that `off_policy` learns: prompt, response, reward. DataError where phi likes all that is stored alike."""
    rewards = reward(stored["prompt"].to_list(), stored["summary"].to_list())
    if np.ptp(rewards) == 0:
        raise DataError("phi gives all stored summaries the same reward: no policy can learn from it; look at its scorer")
    said = [f" {text}" for text in stored["summary"]]
    return pl.DataFrame({"prompt": asked(stored["prompt"]), "response": said, "reward": rewards})
