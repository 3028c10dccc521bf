"""What a policy has in mind before and after an output: hidden states of chosen layers, in packed rows as everywhere else."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch

from rlhf_train import batches
from rlhf_train.errors import TrainingError
from rlhf_train.inputs import PREPARED, Batch, at_rest, body_of
from rlhf_train.models.policies import Policy


@torch.inference_mode()
def activations(
    policy: Policy,
    prompts: Sequence[str],
    responses: Sequence[str],
    *,
    layers: Sequence[int] = (-1,),
    at: str = "end",
    tokens: int = 2 * batches.TOKENS,
) -> dict[int, np.ndarray]:
    """[N, D] float32 of each layer at the `end` or the `start` of each response.

    The end is its last token, the end token aside; of an empty response, that. The start is where it is begun: the last token
    of its prompt. Layer 0 is what the first block reads, -1 what the head reads. TrainingError for a layer that the policy
    lacks, with those it has, for another place, and without a response.
    """
    if at not in PLACES:
        raise TrainingError(f"states are read at {' or '.join(PLACES)} of responses, got {at!r}")
    if not len(responses):
        raise TrainingError("states are read at the ends of responses, got none")
    rows = batches.responses({"prompt": prompts, "response": responses}, policy.tokenizer, policy.lengths)
    found: dict[int, list[np.ndarray]] = {layer: [] for layer in layers}
    places: list[int] = []
    with at_rest(policy.model):
        for batch in batches.in_order(rows, tokens=tokens):
            tensors = batch.to(policy.model.device)
            states = body_of(policy.model)(
                input_ids=tensors["input_ids"],
                position_ids=tensors["position_ids"],
                attention_mask=PREPARED,
                layout=tensors["layout"],
                use_cache=False,
                output_hidden_states=True,
            ).hidden_states
            places_ = PLACES[at](tensors)
            for layer in layers:
                found[layer].append(_of(states, layer)[0][places_].float().cpu().numpy())
            places += batch.places
    order = np.argsort(places)
    return {layer: np.concatenate(parts)[order] for layer, parts in found.items()}


def last_tokens(batch: Batch) -> torch.Tensor:
    """[S] places of each response's last token before its end token, or of the end token where there is no other."""
    sizes = torch.bincount(batch["owners"], minlength=len(batch["ends"]))
    return batch["ends"] - (sizes > 1).long()


def last_of_prompts(batch: Batch) -> torch.Tensor:
    """[S] places that each response's first token is predicted at."""
    sizes = torch.bincount(batch["owners"], minlength=len(batch["ends"]))
    return batch["predictors"][sizes.cumsum(0) - sizes]


PLACES: Mapping[str, Callable[[Batch], torch.Tensor]] = {"end": last_tokens, "start": last_of_prompts}


def _of(states: Sequence[torch.Tensor], layer: int) -> torch.Tensor:
    if not -len(states) <= layer < len(states):
        raise TrainingError(f"layers of this policy are 0 to {len(states) - 1} (or -1 from the end), got {layer}")
    return states[layer]
