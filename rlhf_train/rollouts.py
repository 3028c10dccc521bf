"""Steps of what the policy itself says: it answers prompts, the answers are scored, it learns from them, and again.

The one loop trains on them as on a table. A step's number says which round of answers it is of: a run that is resumed enters
at the beginning of a round, with the weights of then.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Protocol, runtime_checkable

import numpy as np
import torch

from rlhf_train import batches, credit, inputs
from rlhf_train.batches import Batch, Rows, Source, dealt
from rlhf_train.errors import TrainingError
from rlhf_train.generate import Scorer, draw
from rlhf_train.metrics import Row
from rlhf_train.models.heads import WithValues
from rlhf_train.models.policies import Policy
from rlhf_train.packing import Tree, pack
from rlhf_train.text import prompt_ids


@dataclass(frozen=True, slots=True)
class Round:
    """How a round goes: prompts that are answered, passes over the answers, the size of a step; and the numbers of credit."""

    prompts: int = 64
    n: int = 8  # answers to a prompt, where the best is learned
    epochs: int = 2
    batch: int = 16
    temperature: float = 1.0
    kl_weight: float = 0.05
    gamma: float = 1.0
    lam: float = 0.95
    tokens: int = batches.TOKENS

    @property
    def steps(self) -> int:
        """Optimizer steps of a round."""
        return self.epochs * -(-self.prompts // self.batch)


@runtime_checkable
class TokenScorer(Protocol):
    """Whoever gives rewards to the tokens of an answer, where a Scorer gives one to all of it."""

    def token_rewards(self, trees: Sequence[Tree]) -> Sequence[np.ndarray]:
        """[tokens] of the one response of each tree."""


@dataclass(frozen=True, slots=True)
class Answers:
    """What was said to each prompt: as a tree, as text, and the rewards [tokens] of each."""

    trees: list[Tree]
    texts: list[str]
    rewards: list[np.ndarray]

    @property
    def scores(self) -> np.ndarray:
        """[S] rewards of whole answers."""
        return np.array([tokens.sum() for tokens in self.rewards], dtype=np.float32)


def answer(
    policy: Policy, prompts: Sequence[str], scorer: Scorer | TokenScorer, *, temperature: float = 1.0, seed: int = 0
) -> Answers:
    """One scored answer a prompt, drawn from the policy; what a Scorer says of an answer is its last token's reward."""
    asked = prompt_ids(policy.tokenizer, prompts, policy.lengths)
    said = draw(policy, asked, most=policy.lengths.response, seed=seed, temperature=temperature)
    texts = policy.tokenizer.batch_decode(said, skip_special_tokens=True)
    trees = [Tree(prompt, (response,)) for prompt, response in zip(asked, said, strict=True)]
    if isinstance(scorer, TokenScorer):
        given = scorer.token_rewards(trees)
    else:
        given = _at_end(np.asarray(scorer(prompts, texts)), trees)
    rewards = [np.asarray(tokens, dtype=np.float32) for tokens in given]
    if wrong := [value for tokens in rewards for value in tokens[~np.isfinite(tokens)]]:
        raise TrainingError(f"the scorer gave {wrong[0]} to an answer; rewards must be finite")
    return Answers(trees, texts, rewards)


def ppo(
    model: WithValues,
    policy: Policy,
    reference: Policy,
    prompts: Sequence[str],
    scorer: Scorer | TokenScorer,
    round_: Round,
    *,
    mixed_precision: str = "no",
    seed: int = 0,
) -> Source:
    """Rounds of proximal policy optimisation, for the objective of that name.

    `policy` wraps the model inside `model`: it answers with the weights that learn.
    """

    def learn(picked: Sequence[str], drawn_by: int) -> tuple[Rows, Row]:
        answers = answer(policy, picked, scorer, temperature=round_.temperature, seed=drawn_by)
        with inputs.at_rest(model), inputs.autocast(reference.model.device, mixed_precision):
            return credited(model, reference, answers, round_)

    return _rounds(learn, prompts, round_, seed)


def best_of(policy: Policy, prompts: Sequence[str], scorer: Scorer, round_: Round, *, seed: int = 0) -> Source:
    """Rounds of best-of-n imitation, for the objective sft: of n answers to a prompt the one that scores best is learned."""
    n = round_.n

    def learn(picked: Sequence[str], drawn_by: int) -> tuple[Rows, Row]:
        repeated = [prompt for prompt in picked for _ in range(n)]
        drawn = answer(policy, repeated, scorer, temperature=round_.temperature, seed=drawn_by)
        best = drawn.scores.reshape(-1, n).argmax(axis=1) + np.arange(len(picked)) * n
        winners = [drawn.trees[at] for at in best]
        told = {"reward": float(drawn.scores.mean()), "best_reward": float(drawn.scores[best].mean())}
        return batches.rows_of(winners, {}, units=[tree.parts[1] for tree in winners]), told

    return _rounds(learn, prompts, round_, seed)


def fresh(speaker: Policy, prompts: Sequence[str], round_: Round, *, seed: int = 0) -> Source:
    """Rounds of fresh responses to prompts, said by the teacher or by the student that learns, for distillation."""

    def learn(picked: Sequence[str], drawn_by: int) -> tuple[Rows, Row]:
        asked = prompt_ids(speaker.tokenizer, picked, speaker.lengths)
        most, heat = speaker.lengths.response, round_.temperature
        said = draw(speaker, asked, most=most, seed=drawn_by, temperature=heat)
        trees = [Tree(prompt, (response,)) for prompt, response in zip(asked, said, strict=True)]
        return batches.rows_of(trees, {}), {"tokens": float(np.mean([len(response) for response in said]))}

    return _rounds(learn, prompts, round_, seed)


@torch.no_grad()
def credited(model: WithValues, reference: Policy, answers: Answers, round_: Round) -> tuple[Rows, Row]:
    """Answers as rows for ppo: what policy and critic said of every token then, advantages whitened over all, and returns.

    The numbers of the round besides: reward, kl (to the reference, in nats a response) and tokens of a response, all means.
    """
    logps, values, refs = (_padded(part) for part in zip(*_token_numbers(model, reference, answers), strict=True))
    lengths = torch.tensor([tree.parts[1] for tree in answers.trees])
    mask = torch.arange(logps.shape[1]) < lengths[:, None]
    scored = _padded([torch.from_numpy(tokens) for tokens in answers.rewards])
    rewards = credit.token_rewards(scored, logps, refs, mask, kl_weight=round_.kl_weight)
    gains = credit.advantages(rewards, values, mask, gamma=round_.gamma, lam=round_.lam)
    given = {"old_logps": logps, "old_values": values, "advantages": credit.whiten(gains, mask), "returns": gains + values}
    kl = float(((logps - refs) * mask).sum(1).mean())
    told = {"reward": float(answers.scores.mean()), "kl": kl, "tokens": float(lengths.float().mean())}

    def packed(places: np.ndarray) -> dict[str, object]:
        own = torch.from_numpy(places)
        return {
            **pack([answers.trees[place] for place in places]),
            "given": {name: part[own][mask[own]] for name, part in given.items()},
        }

    return Rows([len(tree) for tree in answers.trees], lengths.double().numpy(), packed), told


def _at_end(scores: np.ndarray, trees: Sequence[Tree]) -> list[np.ndarray]:
    """[tokens] of each response: a score of all of it at its last token, 0 before."""
    return [np.append(np.zeros(tree.parts[1] - 1), score) for tree, score in zip(trees, scores, strict=True)]


def _token_numbers(model: WithValues, reference: Policy, answers: Answers) -> list[tuple[torch.Tensor, ...]]:
    """For each answer its tokens' log-probabilities, values, and log-probabilities under the reference."""
    found: list[tuple[torch.Tensor, ...]] = [()] * len(answers.trees)
    for batch in batches.in_order(batches.rows_of(answers.trees, {})):
        tensors = batch.to(reference.model.device)
        mine, its = inputs.rollout_logps(model, tensors), inputs.response_logps(reference.model, tensors)
        sizes = [answers.trees[place].parts[1] for place in batch.places]
        parts = [part.cpu().split(sizes) for part in (mine["token_logps"], mine["values"], its["token_logps"])]
        for place, *numbers in zip(batch.places, *parts, strict=True):
            found[place] = tuple(numbers)
    return found


def _padded(rows: Sequence[torch.Tensor]) -> torch.Tensor:
    return torch.nn.utils.rnn.pad_sequence(list(rows), batch_first=True)


def _rounds(
    learn: Callable[[Sequence[str], int], tuple[Rows, Row]], prompts: Sequence[str], round_: Round, seed: int
) -> Source:
    """Endless rounds: prompts drawn by seed, their rows in `epochs` orders, in steps of `batch` rows."""

    def source(start: int, rank: int, world: int) -> Iterator[list[Batch]]:
        if world > 1:
            raise TrainingError(f"answers are drawn by one process, got {world}; start this run without a launcher")
        if start % round_.steps:
            raise TrainingError(f"a round has {round_.steps} steps and can't be entered at step {start}; save at its end")
        for turn in count(start // round_.steps):
            random = np.random.default_rng([seed, turn])
            picked = random.choice(len(prompts), round_.prompts, replace=len(prompts) < round_.prompts)
            rows, told = learn([prompts[at] for at in picked], int(random.integers(2**31)))
            for order in (random.permutation(len(rows)) for _ in range(round_.epochs)):
                for at in range(0, len(rows), round_.batch):
                    yield dealt(rows, order[at : at + round_.batch], tokens=round_.tokens, told=told)

    return source
