"""What a loss is given and need not make anew: reference log-probabilities, rewards, values of responses, kept by content."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypedDict, Unpack

import numpy as np
import torch

from rlhf_train import batches, candidates, distilling
from rlhf_train.by_content import Block, cached, model_digest, row_key, tokenizer_digest
from rlhf_train.inputs import autocast, response_entropies, response_logps, rollout_logps, sequence_logps
from rlhf_train.models.heads import WithValues
from rlhf_train.models.policies import Policy
from rlhf_train.models.reward_models import RewardModel
from rlhf_train.packing import Tree
from rlhf_train.text import Lengths

BLOCK = 256  # rows that are scored together: the same ones whenever they are scored, so that an interruption changes no bit

Read = Callable[[Any, dict[str, Any]], torch.Tensor]  # (model, batch) -> [M] numbers of tokens, or [S] of responses


class How(TypedDict, total=False):
    """`cache` is a folder; `tokens` are those of a batch at most; `watch` is told how many responses are done, of how many."""

    cache: Path | None
    mixed_precision: str
    tokens: int
    watch: Callable[[int, int], None]


def reference_logps(
    policy: Policy, columns: Mapping[str, Sequence[str]], lengths: Lengths, **how: Unpack[How]
) -> dict[str, np.ndarray]:
    """ref_NAME_logps [N] float32 for every column of responses; `columns` holds `prompt` and those."""
    found = _by_column(policy, columns, lengths, "logps", sequence_logps, **how)
    return {f"ref_{name}_logps": np.concatenate(rows) for name, rows in found.items()}


def reference_token_logps(
    policy: Policy, columns: Mapping[str, Sequence[str]], lengths: Lengths, **how: Unpack[How]
) -> dict[str, list[np.ndarray]]:
    """ref_token_logps: of every token of each `response`, its end token included, [tokens] float32 a response."""
    texts = {name: columns[name] for name in ("prompt", "response")}
    read: Read = lambda model, batch: response_logps(model, batch)["token_logps"]  # noqa: E731
    return {"ref_token_logps": _by_column(policy, texts, lengths, "token_logps", read, **how)["response"]}


def token_entropies(
    policy: Policy, columns: Mapping[str, Sequence[str]], lengths: Lengths, **how: Unpack[How]
) -> dict[str, list[np.ndarray]]:
    """NAME_entropies for every column of responses: of what may follow each token, [tokens] float32 a response, in nats."""
    found = _by_column(policy, columns, lengths, "token_entropies", response_entropies, **how)
    return {f"{name}_entropies": rows for name, rows in found.items()}


def teacher_laws(
    policy: Policy, columns: Mapping[str, Sequence[str]], lengths: Lengths, *, top_k: int = 64, **how: Unpack[How]
) -> dict[str, list[np.ndarray]]:
    """teacher_logps float32 and teacher_ids int64: the `top_k` likeliest at every token of each `response`, [tokens, K]."""
    texts = {name: columns[name] for name in ("prompt", "response")}
    read: Read = lambda model, batch: torch.cat(distilling.laws(model, batch, top_k=top_k), dim=1)  # noqa: E731
    kept = min(top_k, policy.model.get_output_embeddings().weight.shape[0])
    found = [
        rows.reshape(-1, 2 * kept) for rows in _by_column(policy, texts, lengths, f"laws of {kept}", read, **how)["response"]
    ]
    return {
        "teacher_logps": [rows[:, :kept] for rows in found],
        "teacher_ids": [rows[:, kept:].astype(np.int64) for rows in found],  # exact: single precision counts to 16 million
    }


def _by_column(
    policy: Policy,
    columns: Mapping[str, Sequence[str]],
    lengths: Lengths,
    what: str,
    read: Read,
    *,
    cache: Path | None = None,
    mixed_precision: str = "no",
    tokens: int = 2 * batches.TOKENS,
    watch: Callable[[int, int], None] = lambda done, of: None,
) -> dict[str, list[np.ndarray]]:
    """What `read` finds of each response, in every column but `prompt`: numbers of its tokens, or one of its own.

    Responses to one prompt that are unknown share it.
    """
    names = [name for name in columns if name != "prompt"]
    prompts, responses = [*columns["prompt"]] * len(names), [text for name in names for text in columns[name]]
    about = [model_digest(policy.model), tokenizer_digest(policy.tokenizer), asdict(lengths), mixed_precision, what]
    keys = [row_key(about, prompt, said) for prompt, said in zip(prompts, responses, strict=True)]

    def score(missing: Sequence[int]) -> Iterator[Block]:
        asked, said = ([texts[at] for at in missing] for texts in (prompts, responses))
        grown = candidates.trees(asked, said, policy.tokenizer, lengths)
        for start in range(0, len(grown), BLOCK):
            yield [(missing[at], numbers) for at, numbers in scored(grown[start : start + BLOCK])]

    def scored(grown: Sequence[tuple[Tree, np.ndarray]]) -> Block:
        found: Block = []
        for batch in batches.in_order(batches.rows_of([tree for tree, _ in grown], {}), tokens=tokens):
            with torch.no_grad(), autocast(policy.model.device, mixed_precision):
                numbers = read(policy.model, batch.to(policy.model.device)).float().cpu().numpy()
            sizes = [size for at in batch.places for size in grown[at][0].parts[1:]]
            sizes = sizes if len(numbers) == sum(sizes) else [1] * len(sizes)
            places = [int(place) for at in batch.places for place in grown[at][1]]
            found += list(zip(places, np.split(numbers, np.cumsum(sizes)[:-1]), strict=True))
        return found

    values, count = cached(keys, score, cache, watch=watch), len(columns["prompt"])
    return {name: values[at * count : (at + 1) * count] for at, name in enumerate(names)}


def rewards(model: RewardModel, prompts: Sequence[str], responses: Sequence[str], *, cache: Path | None = None) -> np.ndarray:
    """[N] float32 rewards, each text scored once."""
    about = [model_digest(model.model), tokenizer_digest(model.tokenizer), asdict(model.lengths), "rewards"]
    keys = [row_key(about, prompt, said) for prompt, said in zip(prompts, responses, strict=True)]

    def score(missing: Sequence[int]) -> Iterator[Block]:
        for part in (missing[start : start + BLOCK] for start in range(0, len(missing), BLOCK)):
            found = model.rewards([prompts[at] for at in part], [responses[at] for at in part])
            yield list(zip(part, found[:, None], strict=True))

    return np.concatenate(cached(keys, score, cache)) if len(keys) else np.zeros(0, dtype=np.float32)


def token_values(
    model: WithValues, policy: Policy, prompts: Sequence[str], responses: Sequence[str], *, cache: Path | None = None
) -> list[np.ndarray]:
    """What the value head expects at every token of each response, its end token included: [tokens] float32 a response."""
    about = [model_digest(model), tokenizer_digest(policy.tokenizer), asdict(policy.lengths), "values"]
    keys = [row_key(about, prompt, said) for prompt, said in zip(prompts, responses, strict=True)]

    def score(missing: Sequence[int]) -> Iterator[Block]:
        for part in (missing[start : start + BLOCK] for start in range(0, len(missing), BLOCK)):
            columns = {"prompt": [prompts[at] for at in part], "response": [responses[at] for at in part]}
            rows = batches.responses(columns, policy.tokenizer, policy.lengths)
            found: Block = []
            for batch in batches.in_order(rows):
                with torch.no_grad():
                    values = rollout_logps(model, batch.to(policy.model.device))["values"].cpu().numpy()
                parts = np.split(values, np.cumsum(rows.units[batch.places]).astype(int)[:-1])
                found += list(zip([part[at] for at in batch.places], parts, strict=True))
            yield found

    return cached(keys, score, cache)
