"""Sampling, and best-of-n: the candidate that a scorer likes best (Stiennon et al., 2020)."""

from collections.abc import Callable, Sequence

import numpy as np
import torch

from rlhf_train import batches
from rlhf_train.models.policies import Policy
from rlhf_train.text import Lengths

Scorer = Callable[[Sequence[str], Sequence[str]], np.ndarray]
Sampler = Callable[[Sequence[str], int], list[str]]


@torch.inference_mode()
def sample(
    policy: Policy,
    prompts: Sequence[str],
    *,
    seed: int = 0,
    temperature: float = 1.0,
    lengths: Lengths = Lengths(),
    size: int = 256,
) -> list[str]:
    """One response a prompt, cut at the end token; `seed` decides all."""
    torch.manual_seed(seed)
    tokenizer = policy.tokenizer
    rows = [ids[-lengths.prompt :] for ids in tokenizer(list(prompts), add_special_tokens=False)["input_ids"]]
    texts = [""] * len(rows)
    for places in batches.by_length([len(row) for row in rows], size):
        batch = batches.masked([rows[place] for place in places], tokenizer, left=True)
        drawn = policy.model.generate(
            **{name: values.to(policy.model.device) for name, values in batch.items()},
            do_sample=True,
            temperature=temperature,
            top_k=0,
            top_p=1.0,
            max_new_tokens=lengths.response,
            pad_token_id=tokenizer.pad_token_id,
            eos_token_id=tokenizer.eos_token_id,
        )
        for place, text in zip(
            places, tokenizer.batch_decode(drawn[:, batch["input_ids"].shape[1] :], skip_special_tokens=True), strict=True
        ):
            texts[place] = text
    return texts


def best_of_n(prompts: Sequence[str], sampler: Sampler, scorer: Scorer, *, n: int = 8, seed: int = 0) -> list[str]:
    """For each prompt the best scored of `n` samples; sampler(prompts, seed) and scorer(prompts, responses) are any."""
    repeated = [prompt for prompt in prompts for _ in range(n)]
    drawn = sampler(repeated, seed)
    best = scorer(repeated, drawn).reshape(len(prompts), n).argmax(axis=1)
    return [drawn[at * n + pick] for at, pick in enumerate(best)]
