"""Checkpoints of a run: what learns, its optimizer, random numbers and the step, published by one rename and held to digests.

Safetensors and JSON only: nothing that is read back can run code.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import torch

from rlhf_train.errors import TrainingError
from rlhf_train.sharding import dealt_like, whole

KEPT = 2  # the newest ones
STATE = "state.json"
TENSORS = Mapping[str, torch.Tensor]


def save(
    folder: Path,
    step: int,
    model: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    identity: Mapping[str, Any],
    rank: int = 0,
    spared: Collection[int] = (),
) -> None:
    """Writes step-N under `folder`, all processes together, and drops all but the newest and `spared`; `identity` is JSON."""
    parts = _tensors(model, optimizer)
    weights, moments = ({name: whole(value).detach().cpu().contiguous() for name, value in part.items()} for part in parts)
    place, hidden = folder / f"step-{step:08d}", folder / f".step-{step:08d}"
    if rank == 0:
        shutil.rmtree(hidden, ignore_errors=True)
        hidden.mkdir(parents=True)
    _wait()
    _write(hidden / f"random-{rank}.safetensors", random_numbers())
    if rank == 0:
        _write(hidden / "model.safetensors", weights)
        _write(hidden / "optimizer.safetensors", moments)
    _wait()
    if rank == 0:
        digests = {file.name: _digest(file) for file in sorted(hidden.glob("*.safetensors"))}
        state = {"step": step, "identity": dict(identity), "digests": digests}
        (hidden / STATE).write_text(json.dumps(state, indent=1))
        _sync(hidden / STATE)
        shutil.rmtree(place, ignore_errors=True)
        hidden.rename(place)
        _sync(folder)
        for old in _there(folder)[:-KEPT]:
            if int(old.name.removeprefix("step-")) not in spared:
                shutil.rmtree(old)
    _wait()


def newest(folder: Path, identity: Mapping[str, Any]) -> Path | None:
    """The newest checkpoint of this very run, None where there is none; TrainingError if it is of another run, or damaged."""
    found = _there(folder)
    if not found:
        return None
    place = found[-1]
    mend = f"delete {place} to go on from the checkpoint before it, or from the start"
    try:
        state = json.loads((place / STATE).read_text())
        made_of, _ = dict(state["identity"]), int(state["step"])
        changed = [name for name, digest in dict(state["digests"]).items() if _digest(place / name) != digest]
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise TrainingError(f"{place}: not a whole checkpoint ({error}); {mend}") from None
    if changed:
        raise TrainingError(f"{place / changed[0]}: has changed since it was written; {mend}")
    for name in sorted({*made_of, *identity}):
        was, now = made_of.get(name), json.loads(json.dumps(identity.get(name)))
        if was != now:
            raise TrainingError(
                f"{folder}: holds a run with {name} {was!r}, and this one has {now!r}; "
                "finish that one with its own settings, or delete the folder"
            )
    return place


def load(place: Path, model: torch.nn.Module, optimizer: torch.optim.Optimizer, rank: int = 0) -> int:
    """Puts weights, optimizer and random numbers back as they were; returns the number of steps done."""
    from safetensors.torch import load_file

    saved = load_file(place / "model.safetensors"), load_file(place / "optimizer.safetensors")
    weights = _weights(model)
    if set(weights) != set(saved[0]):
        odd = sorted(set(weights) ^ set(saved[0]))
        raise TrainingError(f"{place}: is of another model; {odd[0]!r} and {len(odd) - 1} more learn in only one of the two")
    with torch.no_grad():
        for name, value in weights.items():
            value.copy_(dealt_like(saved[0][name], value))
    _restore(optimizer, saved[1])
    mine = place / f"random-{rank}.safetensors"
    if mine.exists():
        restore_random(load_file(mine))
    return int(json.loads((place / STATE).read_text())["step"])


def random_numbers() -> dict[str, torch.Tensor]:
    """The state of torch's generators, of this process."""
    found = {"cpu": torch.get_rng_state()}
    return {**found, "cuda": torch.cuda.get_rng_state()} if torch.cuda.is_available() else found


def restore_random(state: TENSORS) -> None:
    """Puts back what random_numbers() gave."""
    torch.set_rng_state(state["cpu"])
    if "cuda" in state and torch.cuda.is_available():
        torch.cuda.set_rng_state(state["cuda"])


def _weights(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    """What learns, and the buffers that are kept: all else is as it was loaded."""
    kept = model.state_dict().keys()
    buffers = {name: value for name, value in model.named_buffers() if name in kept}
    return {**{name: value for name, value in model.named_parameters() if value.requires_grad}, **buffers}


def _tensors(model: torch.nn.Module, optimizer: torch.optim.Optimizer) -> tuple[dict[str, Any], dict[str, Any]]:
    state = optimizer.state_dict()["state"]
    return _weights(model), {f"{at}.{name}": value for at, held in state.items() for name, value in held.items()}


def _restore(optimizer: torch.optim.Optimizer, saved: TENSORS) -> None:
    learning = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    state: dict[int, dict[str, torch.Tensor]] = {}
    for key, value in saved.items():
        at, _, name = key.partition(".")
        state.setdefault(int(at), {})[name] = dealt_like(value, learning[int(at)]) if value.ndim else value
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


def _there(folder: Path) -> list[Path]:
    return sorted(folder.glob("step-*"))


def _digest(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _write(file: Path, tensors: TENSORS) -> None:
    from safetensors.torch import save_file

    save_file(dict(tensors), file)
    _sync(file)


def _sync(place: Path) -> None:
    """Waits until a file, or the names in a folder, are on disk."""
    handle = os.open(place, os.O_RDONLY)
    os.fsync(handle)
    os.close(handle)


def _wait() -> None:
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.barrier()
