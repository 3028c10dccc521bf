"""A policy with a preference head (Hadji-Kyriacou and Arandjelović, 2024), and the head saved with it.

The head reads the hidden state of a response's end token, after the last norm. Only a body that is frozen answers exactly as it
did: one that learns by the head's loss moves what the policy says, the more the less it is drawn back (rlhf_train.anchors).
"""

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, get_args

import torch

from rlhf_train.errors import TrainingError
from rlhf_train.guards import named
from rlhf_train.inputs import plain
from rlhf_train.models.heads import Pooler, ScalarHead
from rlhf_train.text import Lengths, Tokenizer

Backbone = Literal["frozen", "drawn", "full"]

FILE, WEIGHTS = "preference_head.json", "preference_head.safetensors"
ANCHOR = 0.5  # of a drawn body unless the run names one: the released recipe's


class WithPreferenceHead(torch.nn.Module):
    """`policy` and a scalar head; `anchor` is how strongly a run draws the policy to where it began unless it says itself.

    A "frozen" policy is so in place, until it is told otherwise.
    """

    def __init__(self, policy: Any, *, pooler: Pooler = "identity", backbone: Backbone = "full") -> None:
        super().__init__()
        self.policy, self.pooler = policy, pooler
        self.anchor = ANCHOR if backbone == "drawn" else 0.0
        self.head = ScalarHead(policy.get_output_embeddings().weight.shape[1], pooler=pooler).to(policy.device)
        if backbone == "frozen":
            policy.requires_grad_(False)

    @property
    def config(self) -> Any:
        """The policy's."""
        return self.policy.config

    @property
    def device(self) -> torch.device:
        """The policy's."""
        return self.policy.device

    def rewards(self, states: torch.Tensor) -> torch.Tensor:
        """[S] of hidden states [S, D], in single precision whatever that of a run: in half of it, near candidates are equal."""
        with torch.autocast(states.device.type, enabled=False):
            return self.head(states)

    def get_base_model(self) -> Any:
        """The policy without adapters, as peft's models have it."""
        return plain(self.policy)


def headed(policy: Any, *, pooler: Pooler = "identity", backbone: Backbone = "frozen") -> WithPreferenceHead:
    """The policy with a new head. Of a "frozen" one nothing else learns; a "drawn" one learns and is drawn back; so "full".

    TrainingError for adapters on a frozen policy: they would never learn.
    """
    if backbone == "frozen" and hasattr(policy, "peft_config"):
        raise TrainingError("lora: adapters can't learn where backbone is 'frozen'; leave lora out, or set backbone to 'full'")
    return WithPreferenceHead(policy, pooler=pooler, backbone=backbone)


def save(model: WithPreferenceHead, tokenizer: Tokenizer, lengths: Lengths, folder: Path) -> Path:
    """Writes the head, and no more, into the folder of its policy; returns the folder."""
    from safetensors.torch import save_file

    save_file({name: value.detach().cpu().contiguous() for name, value in model.head.state_dict().items()}, folder / WEIGHTS)
    facts = {"pooler": model.pooler, "end": tokenizer.eos_token, "lengths": dataclasses.asdict(lengths)}
    (folder / FILE).write_text(json.dumps(facts, indent=1) + "\n")
    return folder


def load(policy: Any, tokenizer: Tokenizer, folder: Path) -> tuple[WithPreferenceHead, Lengths]:
    """The policy with the head that was saved beside it, and how much of a text it reads.

    TrainingError where the head is not whole, or the tokenizer ends texts with another token than the one that it reads.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        facts = json.loads((folder / FILE).read_text(encoding="utf-8"))
        pooler, end, lengths = facts["pooler"], facts["end"], Lengths(**facts["lengths"])
        if pooler not in get_args(Pooler):
            raise ValueError(f"no pooler is named {pooler!r}")
        model = WithPreferenceHead(policy, pooler=pooler)
        model.head.load_state_dict(load_file(folder / WEIGHTS))
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RuntimeError, SafetensorError) as error:
        said = str(error).splitlines()[0]
        raise TrainingError(f"{folder / FILE}: no preference head that was saved here ({said}); train it again") from None
    if tokenizer.eos_token != end:
        raise TrainingError(
            f"{folder}: its head learned to read {end!r} and its tokenizer ends texts with {tokenizer.eos_token!r}; "
            "give it the tokenizer that it was trained with"
        )
    return model.eval(), lengths


def last_places(ids: Sequence[Sequence[int]], token: int, mask: Sequence[Sequence[bool]] | None = None) -> list[int]:
    """[N] where `token` stands last in each row, of the places that `mask` counts: padding may be the same token.

    TrainingError names the rows that have none: a head would read whatever stands there, or the end of the prompt.
    """
    counted = mask if mask is not None else [[True] * len(row) for row in ids]
    found = [
        max((at for at, (own, counts) in enumerate(zip(row, seen, strict=True)) if own == token and counts), default=-1)
        for row, seen in zip(ids, counted, strict=True)
    ]
    if missing := [at for at, place in enumerate(found) if place < 0]:
        raise TrainingError(
            f"the end token ({token}), which the head reads, is missing in {named(missing)}; put it where the response ends, "
            "after the response is cut"
        )
    return found
