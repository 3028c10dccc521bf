"""What a loss is given and need not make anew: reference log-probabilities, rewards, values of responses, cached by content.

A number's key is the digest of all that it depends on: the model's weights and configuration, the tokenizer, the truncation,
the precision, the prompt and the response. An unchanged row is scored once; a changed model finds nothing of the old one.
"""

import hashlib
import json
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypedDict, Unpack

import numpy as np
import torch

from rlhf_train import batches, candidates
from rlhf_train.errors import TrainingError
from rlhf_train.inputs import autocast, response_entropies, response_logps, rollout_logps, sequence_logps
from rlhf_train.models.heads import WithValues
from rlhf_train.models.policies import Policy
from rlhf_train.models.reward_models import RewardModel
from rlhf_train.packing import Tree
from rlhf_train.text import Lengths, Tokenizer

KEY = 16  # bytes
BLOCK = 256  # rows that are scored together: the same ones whenever they are scored, so that an interruption changes no bit
FLUSH = 16  # blocks that are scored before they are written down

Block = list[tuple[int, np.ndarray]]  # places and their numbers
Read = Callable[[Any, dict[str, Any]], torch.Tensor]  # (model, batch) -> [M] numbers of tokens, or [S] of responses
Score = Callable[[Sequence[int]], Iterator[Block]]  # of missing places, block by block


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


def cached(
    keys: Sequence[bytes], score: Score, folder: Path | None, *, watch: Callable[[int, int], None] = lambda done, of: None
) -> list[np.ndarray]:
    """The numbers of every key: those in `folder`, and for the rest what score(places) yields, each key once, written there.

    Processes that train together share the work through the folder; without one, each does all of it.
    """
    rank, world = _processes() if folder is not None else (0, 1)
    known = _read(folder) if folder is not None else {}
    if world > 1:
        torch.distributed.barrier()  # all have read the same before any writes, or they would share out different rows
    first = {key: place for place, key in reversed(list(enumerate(keys))) if key not in known}
    missing = sorted(first.values())[rank::world]
    fresh: dict[bytes, np.ndarray] = {}
    done = 0
    for turn, block in enumerate(score(missing) if missing else (), start=1):
        fresh |= {keys[place]: np.asarray(numbers, dtype=np.float32) for place, numbers in block}
        done += len(block)
        if folder is not None and (turn % FLUSH == 0 or done == len(missing)):
            _write(folder, fresh)
            known, fresh = known | fresh, {}
        watch(done, len(missing))
    if world > 1 and folder is not None:
        torch.distributed.barrier()
        known = _read(folder)
    known |= fresh
    return [known[key] for key in keys]


def model_digest(model: Any) -> str:
    """Of configuration and weights: what a forward pass depends on."""
    said = {key: value for key, value in model.config.to_dict().items() if key not in ("_name_or_path", "transformers_version")}
    digest = hashlib.blake2b(json.dumps(said, sort_keys=True, default=str).encode(), digest_size=KEY)
    for name, weights in model.state_dict().items():
        digest.update(f"{name} {weights.dtype} {tuple(weights.shape)}".encode())
        digest.update(weights.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()


def tokenizer_digest(tokenizer: Tokenizer) -> str:
    """Of everything that a tokenizer does with a text."""
    marks = [tokenizer.bos_token, tokenizer.eos_token, tokenizer.cls_token, tokenizer.sep_token]
    said = tokenizer.backend_tokenizer.to_str() + json.dumps(marks)
    return hashlib.blake2b(said.encode(), digest_size=KEY).hexdigest()


def row_key(about: Sequence[Any], prompt: str, response: str) -> bytes:
    """KEY bytes; lengths stand before the texts, so that none can pass for another."""
    said = json.dumps([*about, len(prompt), len(response)]) + prompt + response
    return hashlib.blake2b(said.encode("utf-8", "surrogatepass"), digest_size=KEY).digest()


def _processes() -> tuple[int, int]:
    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return 0, 1
    return torch.distributed.get_rank(), torch.distributed.get_world_size()


def _read(folder: Path) -> dict[bytes, np.ndarray]:
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    known: dict[bytes, np.ndarray] = {}
    for file in sorted(folder.glob("*.safetensors")):
        try:
            held = load_file(file)
            keys, counts, numbers = held["keys"], held["counts"], held["numbers"]
        except (SafetensorError, KeyError, OSError) as error:
            raise TrainingError(f"{file}: no cache of ours ({error}); delete it, and its rows are scored again") from None
        parts = np.split(numbers, np.cumsum(counts)[:-1])
        known |= dict(zip((key.tobytes() for key in keys), parts, strict=True))
    return known


def _write(folder: Path, numbers: Mapping[bytes, np.ndarray]) -> None:
    from safetensors.numpy import save_file

    folder.mkdir(parents=True, exist_ok=True)
    name = uuid.uuid4().hex
    tensors = {
        "keys": np.frombuffer(b"".join(numbers), dtype=np.uint8).reshape(-1, KEY),
        "counts": np.array([part.size for part in numbers.values()]),
        "numbers": np.concatenate([part.ravel() for part in numbers.values()]),
    }
    save_file(tensors, folder / f".{name}")
    (folder / f".{name}").rename(folder / f"{name}.safetensors")
