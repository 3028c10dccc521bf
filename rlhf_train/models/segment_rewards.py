"""Rewards of segments as rewards of tokens (Yin et al., 2025): a reference says where segments end, a reward model what each is
worth there, a normaliser puts that on one scale, and every segment's is spread over its tokens.
"""

import dataclasses
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch

from rlhf_train import batches, credit, guards, normalisers
from rlhf_train.by_content import model_digest, tokenizer_digest
from rlhf_train.credit import Spread, Total
from rlhf_train.errors import TrainingError
from rlhf_train.models import policies, reward_models
from rlhf_train.models.policies import Policy
from rlhf_train.models.reward_models import RewardModel
from rlhf_train.models.segments import Segments, read
from rlhf_train.normalisers import ByPosition, Overall
from rlhf_train.objectives.segments import Aggregate, aggregated
from rlhf_train.packing import Tree
from rlhf_train.segmentation import CUTOFF, Granularity

FILE, NORMALISER = "segment_rewards.json", "normaliser.json"
REWARD_MODEL, REFERENCE = "reward_model", "reference"  # folders within
FACTS = ("granularity", "cutoff", "aggregate", "spread", "clip", "total", "unended")
WORDS = {"granularity": Granularity, "aggregate": Aggregate, "spread": Spread, "total": Total}
MOST = 60_000  # responses that a normaliser is fitted to


@dataclass(frozen=True, slots=True)
class SegmentRewards:
    """A causal reward model, the reference of its segments (by entropy only), and how their rewards become those of tokens.

    `total` says what they add up to: a sum of segments that are better than usual grows with every one that is added.
    `unended` is what each token gets instead where a response has no end.
    """

    reward_model: RewardModel
    reference: Policy | None
    normaliser: ByPosition | Overall
    granularity: Granularity = "entropy"
    cutoff: float = CUTOFF
    aggregate: Aggregate = "mean"
    spread: Spread = "even"
    clip: float = 10.0
    total: Total = "sum"
    unended: float | None = None

    def __post_init__(self) -> None:
        for name, words in WORDS.items():
            if getattr(self, name) not in get_args(words):
                raise TrainingError(f"{name} must be one of {', '.join(get_args(words))}, got {getattr(self, name)!r}")
        if self.granularity == "entropy" and self.reference is None:
            raise TrainingError("segments by entropy need the reference that they were cut by; give it, or another granularity")

    @property
    def models(self) -> list[Any]:
        """The modules within."""
        return [self.reward_model.model, *([self.reference.model] if self.reference else [])]

    def to(self, device: Any) -> "SegmentRewards":
        """Itself, its models on a device."""
        for model in self.models:
            model.to(device)
        return self

    def check(self, policy: Policy) -> None:
        """TrainingError where it can't read a policy's tokens: they are another tokenizer's, or more than its context holds."""
        if tokenizer_digest(policy.tokenizer) != tokenizer_digest(self.reward_model.tokenizer):
            raise TrainingError(
                "rewards of segments are rewards of tokens, and this policy has others than the reward model has; "
                "train the reward model on a body with the policy's tokenizer"
            )
        for model in self.models:
            guards.check_model(model, policy.tokenizer, policy.lengths)

    def digest(self) -> str:
        """Of all that rewards depend on."""
        said = [*map(model_digest, self.models), self.facts(), dataclasses.asdict(self.normaliser)]
        return hashlib.sha256(json.dumps(said).encode()).hexdigest()

    def facts(self) -> dict[str, Any]:
        """What it is besides its models and its normaliser."""
        return {name: getattr(self, name) for name in FACTS}

    def token_rewards(self, trees: Sequence[Tree]) -> list[np.ndarray]:
        """[tokens] of the response of each tree, on one scale; one that wasn't ended has what its end token would have had."""
        end = self.reward_model.tokenizer.eos_token_id
        found = self.segments([_ended(tree, end) for tree in trees])
        scaled = torch.from_numpy(self.normaliser.apply(found.values.numpy(), found.positions))
        shares = credit.totalled(scaled, found.own, total=self.total)
        each = credit.spread(shares, found.ends, found.owners, mode=self.spread, clip=self.clip)
        parts = each.split(torch.bincount(found.owners).tolist())
        return [
            _cut(part.numpy(), tree.parts[1])
            if self.unended is None or tree.responses[0][-1] == end
            else np.full(tree.parts[1], self.unended)
            for part, tree in zip(parts, trees, strict=True)
        ]

    def rewards(self, prompts: Sequence[str], responses: Sequence[str]) -> np.ndarray:
        """[N] of whole responses: the `aggregate` of their segments, as the loss has it."""
        if not len(responses):
            return np.zeros(0, dtype=np.float32)
        found = self.segments(self.trees(prompts, responses))
        return aggregated(found.values, found.own, len(responses), aggregate=self.aggregate).numpy()

    def trees(self, prompts: Sequence[str], responses: Sequence[str]) -> list[Tree]:
        """A tree a response."""
        columns = {"prompt": prompts, "response": responses}
        return batches.trees_of(columns, ("response",), self.reward_model.tokenizer, self.reward_model.lengths)

    def segments(self, trees: Sequence[Tree]) -> Segments:
        """Of the response of each tree, in order; values as the reward model gives them."""
        return read(self.reward_model, self.reference, trees, granularity=self.granularity, cutoff=self.cutoff)

    def save(self, folder: Path) -> Path:
        """Writes safetensors and JSON; returns the folder."""
        folder.mkdir(parents=True, exist_ok=True)
        self.reward_model.save(folder / REWARD_MODEL)
        if self.reference is not None:
            self.reference.save(folder / REFERENCE)
        normalisers.save(self.normaliser, folder / NORMALISER)
        (folder / FILE).write_text(json.dumps(self.facts(), indent=1) + "\n")
        return folder


def load(folder: str | Path) -> SegmentRewards:
    """What `save` wrote; TrainingError naming a file that holds something else."""
    place = Path(folder)
    try:
        facts = json.loads((place / FILE).read_text())
        reference = policies.load(place / REFERENCE) if (place / REFERENCE).is_dir() else None
        model = reward_models.load(place / REWARD_MODEL)
        return SegmentRewards(model, reference, normalisers.load(place / NORMALISER), **facts)
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise TrainingError(f"{place / FILE}: no segment rewards that were saved here ({error}); train them again") from None


def fitted(
    reward_model: RewardModel,
    reference: Policy | None,
    columns: batches.Columns,
    *,
    granularity: Granularity = "entropy",
    cutoff: float = CUTOFF,
    aggregate: Aggregate = "mean",
    most: int = MOST,
    **how: Any,
) -> SegmentRewards:
    """With the normaliser of what it says of `chosen` and `rejected`, of at most so many responses: by position, or overall
    where responses are single segments.
    """
    cut: dict[str, Any] = {"granularity": granularity, "cutoff": cutoff, "aggregate": aggregate}
    kept = reference if granularity == "entropy" else None
    raw = SegmentRewards(reward_model, kept, Overall(), **cut, **how).to(reward_model.model.device)
    sides = [raw.trees(columns["prompt"][: most // 2], columns[side][: most // 2]) for side in ("chosen", "rejected")]
    found = raw.segments([tree for side in sides for tree in side])
    values, places = found.values.numpy(), found.positions
    several = len(np.unique(places)) > 1
    normaliser = normalisers.by_position(values, places) if several else normalisers.overall(values)
    return dataclasses.replace(raw, normaliser=normaliser)


def _ended(tree: Tree, end: int) -> Tree:
    """With the end token, as all responses that the reward model learned from."""
    [response] = tree.responses
    return tree if response[-1:] == [end] else Tree(tree.prompt, ([*response, end],))


def _cut(rewards: np.ndarray, size: int) -> np.ndarray:
    """Of so many tokens; those of what was put behind them go to the last."""
    return np.append(rewards[: size - 1], rewards[size - 1 :].sum())
