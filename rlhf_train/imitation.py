"""Iterated best-of-n imitation, the reinforcement learning of Best-of-Venom (Baumgärtner et al., 2024, s2.3)."""

from collections.abc import Callable, Iterator, Sequence

from rlhf_train import batches
from rlhf_train.models.policies import Policy
from rlhf_train.objectives import OBJECTIVES
from rlhf_train.rollouts import Round
from rlhf_train.train import fit

Watch = Callable[[int, int], None]


def imitate(
    policy: Policy,
    prompts: Sequence[str],
    responses: Sequence[str],
    *,
    epochs: float = 1,
    size: int = 32,
    lr: float = 1e-3,
    seed: int = 0,
    watch: Watch = lambda step, steps: None,
) -> None:
    """Fine-tunes the policy, in place, on the given responses."""
    columns = {"prompt": prompts, "response": responses}
    steps = max(round(epochs * len(prompts) / size), 1)
    source = batches.shuffled(batches.responses(columns, policy.tokenizer, policy.lengths), size=size, seed=seed)
    fit(policy.model, OBJECTIVES["sft"], source, steps=steps, lr=lr, seed=seed, watch=lambda done, of, _: watch(done, of))


def best_of_n_round(
    policy: Policy, source: batches.Source, round_: Round, turn: int, *, lr: float = 5e-4, seed: int = 0
) -> None:
    """Round `turn`, from 1, of `rollouts.best_of` with these numbers, with a schedule and an optimizer of its own."""
    before = (turn - 1) * round_.steps

    def own(start: int, rank: int, world: int) -> Iterator[list[batches.Batch]]:
        return source(before + start, rank, world)

    fit(policy.model, OBJECTIVES["sft"], own, steps=round_.steps, lr=lr, seed=seed)
