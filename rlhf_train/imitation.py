"""Iterated best-of-n imitation, the reinforcement learning of Best-of-Venom (Baumgärtner et al., 2024, s2.3)."""

from collections.abc import Callable, Sequence

from rlhf_train import batches
from rlhf_train.generate import Scorer, best_of_n, sample
from rlhf_train.models.policies import Policy
from rlhf_train.objectives import OBJECTIVES
from rlhf_train.text import Lengths
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
    lengths: Lengths = Lengths(),
    watch: Watch = lambda step, steps: None,
) -> None:
    """Fine-tunes the policy, in place, on the given responses."""
    columns = {"prompt": prompts, "response": responses}
    steps = max(round(epochs * len(prompts) / size), 1)
    source = batches.shuffled(batches.responses(columns, policy.tokenizer, lengths), size=size, seed=seed)
    fit(policy.model, OBJECTIVES["sft"], source, steps=steps, lr=lr, seed=seed, watch=lambda done, of, _: watch(done, of))


def best_of_n_round(
    policy: Policy,
    scorer: Scorer,
    prompts: Sequence[str],
    *,
    n: int = 8,
    epochs: float = 2,
    lr: float = 5e-4,
    temperature: float = 1.0,
    seed: int = 0,
    lengths: Lengths = Lengths(),
) -> list[str]:
    """One round: sample n answers a prompt, keep the best, imitate them. Returns the winners."""
    winners = best_of_n(
        prompts,
        lambda asked, at: sample(policy, asked, seed=at, temperature=temperature, lengths=lengths),
        scorer,
        n=n,
        seed=seed,
    )
    imitate(policy, prompts, winners, epochs=epochs, lr=lr, seed=seed, lengths=lengths)
    return winners
