"""Numbers kept by content: digests of models, tokenizers and rows, and a folder in which each key is scored once.

A number's key is the digest of all that it depends on: the model's weights and configuration, the tokenizer, the truncation,
the precision, the prompt and the response. An unchanged row is scored once; a changed model finds nothing of the old one.
"""

import hashlib
import json
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from rlhf_train.errors import TrainingError
from rlhf_train.text import Tokenizer

KEY = 16  # bytes
FLUSH = 16  # blocks that are scored before they are written down

Block = list[tuple[int, np.ndarray]]  # places and their numbers
Score = Callable[[Sequence[int]], Iterator[Block]]  # of missing places, block by block


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
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    name = uuid.uuid4().hex
    tensors = {
        "keys": np.frombuffer(b"".join(numbers), dtype=np.uint8).reshape(-1, KEY),
        "counts": np.array([part.size for part in numbers.values()]),
        "numbers": np.concatenate([part.ravel() for part in numbers.values()]),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        save_file(tensors, folder / f".{name}")
        (folder / f".{name}").rename(folder / f"{name}.safetensors")
    except (OSError, SafetensorError) as error:
        raise TrainingError(f"{folder}: numbers can't be kept ({error}); make room there, or name another cache") from None
