"""A policy as the judge of its own answers: its preference head scores responses wherever a reward model does."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rlhf_train import batches
from rlhf_train.inputs import ended_rewards
from rlhf_train.models import policies, preference_heads
from rlhf_train.models.policies import Policy
from rlhf_train.models.preference_heads import WithPreferenceHead, last_places
from rlhf_train.models.reward_models import read_rows
from rlhf_train.packing import Tree
from rlhf_train.text import Lengths, Tokenizer


@dataclass(frozen=True, slots=True)
class PreferenceJudge:
    """A policy with its head, its tokenizer, and how much of a text it reads."""

    model: WithPreferenceHead
    tokenizer: Tokenizer
    lengths: Lengths = Lengths()

    @property
    def policy(self) -> Policy:
        """Who answers."""
        return Policy(self.model.policy, self.tokenizer, self.lengths)

    def rewards(self, prompts: Sequence[str], responses: Sequence[str], *, tokens: int = 2 * batches.TOKENS) -> np.ndarray:
        """[N] float32, higher is better; each response is read at the end token that is put behind it."""
        rows = batches.responses({"prompt": prompts, "response": responses}, self.tokenizer, self.lengths)
        return read_rows(self.model, rows, ended_rewards, tokens=tokens)

    def row_rewards(
        self, prompts: Sequence[Sequence[int]], responses: Sequence[Sequence[int]], *, tokens: int = 2 * batches.TOKENS
    ) -> np.ndarray:
        """[N] float32 of token ids, such as generate.draw gives; each response is read at its last end token.

        TrainingError names responses that have none: they were cut.
        """
        last = last_places(responses, self.tokenizer.eos_token_id)
        said = zip(prompts, responses, last, strict=True)
        trees = [Tree(prompt, (response[: place + 1],)) for prompt, response, place in said]
        return read_rows(self.model, batches.rows_of(trees, {}), ended_rewards, tokens=tokens)

    def save(self, folder: Path) -> Path:
        """Writes the policy and its head; returns the folder."""
        self.policy.save(folder)
        return preference_heads.save(self.model, self.tokenizer, self.lengths, folder)


def load(folder: str | Path) -> PreferenceJudge:
    """What was saved; TrainingError where its head is not whole, or not of its tokenizer."""
    policy = policies.load(folder)
    model, lengths = preference_heads.load(policy.model, policy.tokenizer, Path(folder))
    return PreferenceJudge(model, policy.tokenizer, lengths)
