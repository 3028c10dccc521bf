"""How far a policy is from another over whole responses (Tiapkin et al., 2025): KL(p || q) is the mean, over what p says, of
the sum of the divergences of both laws of the next token. Whole laws are compared at every token, not what was drawn: the mean
is the same, its variance far smaller, and no number is below 0.
"""

from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np
import torch

from rlhf_train import batches
from rlhf_train.divergences import Divergence, between
from rlhf_train.errors import TrainingError
from rlhf_train.generate import draw
from rlhf_train.given import to_device
from rlhf_train.guards import check_same_tokens
from rlhf_train.inputs import at_rest, hidden_states, response_logps
from rlhf_train.logps import summed
from rlhf_train.models.policies import Policy
from rlhf_train.packing import Tree
from rlhf_train.text import prompt_ids

MOST = 200_000  # prefixes of a prompt that are walked


def drawn(policy: Policy, prompts: Sequence[str], *, n: int = 4, seed: int = 0) -> list[Tree]:
    """A tree a prompt of `n` responses that the policy says to it: prefixes that it is compared at."""
    asked = prompt_ids(policy.tokenizer, prompts, policy.lengths)
    said = draw(policy, [ids for ids in asked for _ in range(n)], most=policy.lengths.response, seed=seed)
    return [Tree(ids, tuple(said[at * n : (at + 1) * n])) for at, ids in enumerate(asked)]


def measure(
    first: Policy, second: Policy, trees: Sequence[Tree], *, divergence: Divergence = "forward_kl", tokens: int = batches.TOKENS
) -> list[np.ndarray]:
    """[responses] a tree: sums over a response's tokens of how far the second's law of the next one is from the first's.

    Responses that the first one says make their mean an estimate of KL(first || second) of what follows a prompt.
    """
    check_same_tokens(first.tokenizer, second.tokenizer)
    found = [np.zeros(len(tree.responses)) for tree in trees]
    for batch in batches.in_order(batches.rows_of(list(trees), {}), tokens=tokens):
        held = batch.to(first.model.device)
        apart = _apart(first, second, held, held["predictors"], divergence)
        sums = summed(apart, held["owners"], len(held["ends"])).cpu().double()
        counts = [len(trees[place].responses) for place in batch.places]
        for place, part in zip(batch.places, sums.split(counts), strict=True):
            found[place] = part.numpy()
    return found


def exact(first: Policy, second: Policy, prompts: Sequence[str], *, divergence: Divergence = "forward_kl") -> np.ndarray:
    """[P] the same without samples, of at most lengths.response tokens: at each prefix, by the first one's chance of it.

    TrainingError for a vocabulary and a length that have more than MOST prefixes.
    """
    check_same_tokens(first.tokenizer, second.tokenizer)
    end, depth = first.tokenizer.eos_token_id, first.lengths.response - 1
    going = [word for word in range(len(first.tokenizer)) if word != end]
    if prefixes(first) > MOST:
        raise TrainingError(
            f"{len(going)} words and {depth + 1} tokens have over {MOST:,} prefixes; measure drawn ones instead"
        )
    leaves, size = list(product(going, repeat=depth)), max(batches.TOKENS // max(depth, 1), 1)
    parts = [tuple(leaves[start : start + size]) for start in range(0, len(leaves), size)]
    asked = prompt_ids(first.tokenizer, prompts, first.lengths)
    return np.array([sum(_walked(first, second, Tree(ids, part), len(going), divergence) for part in parts) for ids in asked])


def prefixes(policy: Policy) -> int:
    """How many of a prompt are as long as they get before the last token of a response: all words but the end go on."""
    return int((len(policy.tokenizer) - 1) ** (policy.lengths.response - 1))


def _walked(first: Policy, second: Policy, tree: Tree, words: int, divergence: Divergence) -> float:
    """Over all prefixes of the tree's leaves: one of j tokens begins words ** (T - 1 - j) leaves and is shared out."""
    count, depth = len(tree.responses), len(tree.responses[0])
    batch = {name: part for name, part in batches.rows_of([tree], {}).pack(np.arange(1)).items() if name != "given"}
    batch = to_device(batch, first.model.device)
    places = torch.cat([batch["predictors"].view(count, depth), batch["ends"].view(count, 1)], dim=1)
    apart = _apart(first, second, batch, places.flatten(), divergence).view(count, depth + 1).double()
    with torch.no_grad(), at_rest(first.model):
        logps = response_logps(first.model, batch)["token_logps"].view(count, depth).double()
    chances = torch.cat([logps.new_zeros(count, 1), logps.cumsum(1)], dim=1).exp()
    shared = float(words) ** -torch.arange(depth, -1, -1, dtype=torch.double, device=chances.device)
    return float((apart * chances * shared).sum())


@torch.no_grad()
def _apart(first: Policy, second: Policy, batch: dict[str, Any], places: torch.Tensor, divergence: Divergence) -> torch.Tensor:
    """[K] after the tokens at these places."""
    states = []
    for policy in (first, second):
        with at_rest(policy.model):
            states.append(hidden_states(policy.model, batch)[places])
    heads = [policy.model.get_output_embeddings() for policy in (first, second)]
    return between(states[0], heads[0], states[1], heads[1], divergence=divergence)
