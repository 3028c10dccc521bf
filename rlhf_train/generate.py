"""Sampling with a cache of keys and values, rows of like length together; and best-of-n (Stiennon et al., 2020).

Each row has random numbers of its own, so what it says depends on no other row.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from rlhf_train.errors import TrainingError
from rlhf_train.inputs import at_rest
from rlhf_train.models.policies import Policy
from rlhf_train.text import Lengths, prompt_ids

Scorer = Callable[[Sequence[str], Sequence[str]], np.ndarray]
Sampler = Callable[[Sequence[str], int], list[str]]


def sample(
    policy: Policy,
    prompts: Sequence[str],
    *,
    seed: int = 0,
    temperature: float = 1.0,
    lengths: Lengths = Lengths(),
    size: int = 256,
) -> list[str]:
    """One response a prompt, cut at the end token; row i is drawn with (seed, i). Temperature 0 takes the likeliest tokens."""
    rows = prompt_ids(policy.tokenizer, prompts, lengths)
    drawn = draw(policy, rows, most=lengths.response, seed=seed, temperature=temperature, size=size)
    return policy.tokenizer.batch_decode(drawn, skip_special_tokens=True)


@torch.inference_mode()
def draw(
    policy: Policy,
    prompts: Sequence[Sequence[int]],
    *,
    most: int,
    seed: int = 0,
    temperature: float = 1.0,
    size: int = 256,
    rows: Sequence[int] | None = None,
) -> list[list[int]]:
    """Token ids of one response a prompt, the end token last unless `most` tokens came before it.

    Prompt i is drawn with (seed, i), or with (seed, rows[i]).
    """
    rows = range(len(prompts)) if rows is None else rows
    order = np.argsort([len(prompt) for prompt in prompts], kind="stable")[::-1]
    found: list[list[int]] = [[] for _ in prompts]
    with at_rest(policy.model):
        for start in range(0, len(order), size):
            places = order[start : start + size]
            chances = np.array([np.random.default_rng([seed, rows[place]]).random(most) for place in places])
            said = _drawn(policy, [prompts[place] for place in places], chances, temperature)
            for place, ids in zip(places, said, strict=True):
                found[place] = ids
    return found


def _drawn(policy: Policy, prompts: Sequence[Sequence[int]], chances: np.ndarray, temperature: float) -> list[list[int]]:
    """Responses to prompts, padded on their left; rows that have ended leave the batch once they are half of it."""
    from transformers import DynamicCache

    model, end = policy.model, policy.tokenizer.eos_token_id
    device, width = model.device, max(map(len, prompts))
    ids = torch.tensor([[end] * (width - len(row)) + list(row) for row in prompts], device=device)
    seen = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in prompts], device=device)
    draws = torch.from_numpy(chances).float().to(device)
    cache: Any = DynamicCache(config=model.config)
    said: list[list[int]] = [[] for _ in prompts]
    rows = np.arange(len(prompts))  # which prompt each row of the batch is
    for step in range(chances.shape[1]):
        positions = (seen.cumsum(1) - 1).clamp(min=0)[:, -ids.shape[1] :]
        out = model(
            input_ids=ids, attention_mask=seen, position_ids=positions, past_key_values=cache, use_cache=True, logits_to_keep=1
        )
        tokens = _pick(out.logits[:, -1].float(), draws[:, step], temperature)
        picked = tokens.tolist()
        for row, token in zip(rows, picked, strict=True):
            if not said[row] or said[row][-1] != end:
                said[row].append(token)
        going = [at for at, row in enumerate(rows) if said[row][-1] != end]
        if not going:
            break
        ids, seen = tokens[:, None], torch.cat([seen, seen.new_ones(len(seen), 1)], dim=1)
        if len(going) <= len(rows) // 2:
            kept = torch.tensor(going, device=device)
            cache.batch_select_indices(kept)
            ids, seen, draws, rows = ids[kept], seen[kept], draws[kept], rows[going]
    return said


def _pick(logits: torch.Tensor, chances: torch.Tensor, temperature: float) -> torch.Tensor:
    """[B] tokens: the inverse of the cumulative distribution at each row's chance in [0, 1)."""
    if not temperature:
        return logits.argmax(-1)
    heaped = (logits / temperature).softmax(-1).cumsum(-1)
    return torch.searchsorted(heaped, chances[:, None] * heaped[:, -1:], right=True)[:, 0].clamp(max=logits.shape[-1] - 1)


def best_of_n(prompts: Sequence[str], sampler: Sampler, scorer: Scorer, *, n: int = 8, seed: int = 0) -> list[str]:
    """For each prompt the best scored of `n` samples; sampler(prompts, seed) and scorer(prompts, responses) are any."""
    repeated = [prompt for prompt in prompts for _ in range(n)]
    drawn = sampler(repeated, seed)
    return rerank(prompts, [drawn[at * n : at * n + n] for at in range(len(prompts))], scorer)


def rerank(prompts: Sequence[str], candidates: Sequence[Sequence[str]], scorer: Scorer) -> list[str]:
    """For each prompt the best scored of its candidates, of equal ones the first; TrainingError where one has none."""
    if empty := [at for at, own in enumerate(candidates) if not own]:
        raise TrainingError(f"there is no candidate for prompt {empty[0]}; give each prompt one at least")
    repeated = [prompt for prompt, own in zip(prompts, candidates, strict=True) for _ in own]
    flat = [text for own in candidates for text in own]
    scores = np.split(np.asarray(scorer(repeated, flat)), np.cumsum([len(own) for own in candidates])[:-1])
    return [own[int(part.argmax())] for own, part in zip(candidates, scores, strict=True)]
