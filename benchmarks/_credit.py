"""Parts of the benchmark of segment rewards: reward models of a language, what they credit phrases with, PPO on them."""

import copy
import dataclasses
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import _phrases
import numpy as np
from _phrases import LENGTHS, PROMPTS, Language

from rlhf_train import batches, normalisers, precompute, rollouts
from rlhf_train.models import reward_models, segment_rewards
from rlhf_train.models.heads import WithValues
from rlhf_train.models.policies import Policy
from rlhf_train.models.segment_rewards import SegmentRewards
from rlhf_train.normalisers import ByPosition, Overall
from rlhf_train.objectives import OBJECTIVES
from rlhf_train.packing import Tree
from rlhf_train.text import Lengths
from rlhf_train.train import fit

GRAINS = {"segment": "entropy", "token": "token", "bandit": "bandit"}
CUTOFF = 1.0
PAIRS, HELD_OUT = 9600, 1000
DRIFT = 1.5  # of rewards with log p, in their deviations
LONGEST = Lengths(1, 30)  # of an answer while a policy learns: the most that the language has
LR, COST, CRITIC = 1e-3, 0.35, 0.1  # of PPO: a unit of raw reward a nat of KL


@dataclass(frozen=True)
class World:
    """A language, the policy that imitates it, and pairs of it."""

    spoken: Language
    policy: Policy
    pairs: dict[str, Any]
    held_out: dict[str, list[str]]


def world(seed: int, *, noise: float = 0.0) -> World:
    """Of a seed: another language each, and all that is drawn from it."""
    spoken = _phrases.language(seed, noise=noise)
    policy = _phrases.policy(spoken, seed=seed)
    pairs = spoken.pairs(PAIRS, seed=seed)
    entropies = precompute.token_entropies(policy, pairs, LENGTHS)
    return World(spoken, policy, {**pairs, **entropies}, spoken.pairs(HELD_OUT, seed=seed + 1000))


def taught(given: World, grain: str, seed: int, *, steps: int = 300, size: int = 32, lr: float = 3e-3) -> SegmentRewards:
    """A reward model that began as the policy and learned the pairs once, and its normaliser."""
    with tempfile.TemporaryDirectory() as place:
        model = reward_models.load(given.policy.save(Path(place) / "policy"), lengths=LENGTHS, seed=seed)
    objective, cut = OBJECTIVES["segments"], {"granularity": GRAINS[grain], "cutoff": CUTOFF}
    rows = objective.rows(given.pairs, given.policy.tokenizer, LENGTHS, **cut)
    source = batches.shuffled(rows, size=size, seed=seed)
    fit(model.model, objective, source, steps=steps, lr=lr, weight_decay=0.0, mixed_precision="no", seed=seed)
    return segment_rewards.fitted(model, given.policy, given.pairs, spread="even" if grain != "bandit" else "end", **cut)


def boundary_f1(judge: SegmentRewards, given: World) -> float:
    """Of where segments end and where phrases do, over held-out answers."""
    texts = given.held_out["chosen"]
    found = judge.segments(judge.trees(given.held_out["prompt"], texts))
    ends, start = set(found.ends.nonzero()[:, 0].tolist()), 0
    true: set[int] = set()
    for text in texts:
        true |= {start + piece.end - 1 for piece in given.spoken.pieces(text)}
        start += len(text.split()) + 1
    return 2 * len(ends & true) / (len(ends) + len(true))


def credited(judge: SegmentRewards, given: World) -> tuple[float, float]:
    """(Pearson's correlation of what phrases get in all and what they are worth, share of phrases whose tokens agree in sign).

    The first of raw rewards, the second of rewards on one scale.
    """
    prompts, texts = given.held_out["prompt"], given.held_out["chosen"]
    raw = dataclasses.replace(judge, normaliser=Overall(), spread="even", clip=1e9)
    rewards, scaled = (
        each.token_rewards(each.trees(prompts, texts)) for each in (raw, dataclasses.replace(judge, spread="even"))
    )
    got, worth, agree = [], [], []
    for text, own, signs in zip(texts, rewards, scaled, strict=True):
        for piece in given.spoken.pieces(text):
            got.append(own[piece.start : piece.end].sum())
            worth.append(given.spoken.worth(piece))
            agree.append(len(set(np.sign(signs[piece.start : piece.end]))) == 1)
    return float(np.corrcoef(got, worth)[0, 1]), float(np.mean(agree))


def accuracy(judge: SegmentRewards, given: World) -> float:
    """Of held-out pairs, whose labels are drawn: the share where the chosen side has the higher reward."""
    chosen, rejected = (judge.rewards(given.held_out["prompt"], given.held_out[side]) for side in ("chosen", "rejected"))
    return float((chosen > rejected).mean())


def drift_lines(seed: int, given: World, judge: SegmentRewards) -> list[dict[str, Any]]:
    """How rewards that drift with log p go with p, before and after; fitted to chosen sides of one half of the pairs.

    Told of the chosen sides of the other half, which are answers of the same kind, and of the rejected ones, which are not.
    """
    half = HELD_OUT // 2
    prompts, texts = given.held_out["prompt"], given.held_out
    parts = {
        "fitted": texts["chosen"][:half],
        "other chosen": texts["chosen"][half:],
        "rejected": texts["rejected"][half:],
    }
    found = {name: judge.segments(judge.trees(prompts[:half], own)) for name, own in parts.items()}
    places = {name: each.positions for name, each in found.items()}
    values = {name: each.values.numpy().astype(float) for name, each in found.items()}
    drifted = {name: own + DRIFT * own.std() * np.log(places[name]) for name, own in values.items()}
    forms = {"none": normalisers.Overall(), "overall": normalisers.overall(drifted["fitted"])}
    forms["by position"] = normalisers.by_position(drifted["fitted"], places["fitted"])
    return [
        {
            "seed": seed,
            "normaliser": name,
            "told of": told,
            "correlation with p": float(np.corrcoef(form.apply(drifted[told], places[told]), places[told])[0, 1]),
        }
        for told in ("other chosen", "rejected")
        for name, form in forms.items()
    ]


@dataclass
class Watched:
    """A judge, and what it saw: what the answers of each round were truly worth, and how long they were."""

    judge: SegmentRewards
    spoken: Language
    gold: list[float] = field(default_factory=list)
    sizes: list[float] = field(default_factory=list)

    def token_rewards(self, trees: Sequence[Tree]) -> list[np.ndarray]:
        """The judge's."""
        said = [tree.responses[0] for tree in trees]
        texts = self.judge.reward_model.tokenizer.batch_decode(said, skip_special_tokens=True)
        self.gold.append(float(self.spoken.gold(texts).mean()))
        self.sizes.append(float(np.mean([len(text.split()) for text in texts])))
        return self.judge.token_rewards(trees)


def cost(judge: SegmentRewards) -> float:
    """COST in units of the judge's scale: what a nat of KL costs is the same raw reward for every grain."""
    scale = judge.normaliser.std_end if isinstance(judge.normaliser, ByPosition) else judge.normaliser.std
    return COST / scale


def learned(judge: SegmentRewards, given: World, seed: int, *, updates: int, kl_weight: float) -> list[dict[str, float]]:
    """PPO of 64 answers an update, one step each: a line an update, of gold, KL to the policy as it began, and tokens."""
    model = WithValues(copy.deepcopy(given.policy.model).train())
    policy, reference = (Policy(each, given.policy.tokenizer, LONGEST) for each in (model.policy, given.policy.model))
    watched = Watched(judge, given.spoken)
    round_ = rollouts.Round(prompts=64, epochs=1, batch=64, kl_weight=kl_weight)
    numbers = {"value_clip": 0.2 if judge.granularity == "bandit" else 0.25, "value_weight": CRITIC}
    history = fit(
        model,
        OBJECTIVES["ppo"],
        rollouts.ppo(model, policy, reference, list(PROMPTS), watched, round_, seed=seed),
        steps=updates,
        lr=LR,
        warmup=0.03,
        decay="constant",
        weight_decay=0.0,
        mixed_precision="no",
        seed=seed,
        numbers=numbers,
    )
    columns = zip(history, watched.gold, watched.sizes, strict=True)
    return [
        {"update": at, "gold": gold, "kl": row["kl"], "tokens": size} for at, (row, gold, size) in enumerate(columns, start=1)
    ]
