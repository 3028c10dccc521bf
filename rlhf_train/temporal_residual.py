"""The temporal residual connection of intuitive fine-tuning (Hua et al., 2024, eq. 17): a policy reads what it would have said.

    e_t = (1 - mix) E[y_t] + mix E[argmax pi(. | x, y_<t)]     for every token t of a response; prompts stay as they are

A first pass without gradient makes the guesses, a second one from embeddings the log-probabilities.
"""

from typing import Any, Literal

import numpy as np
import torch

from rlhf_train.inputs import Batch, hidden_states, plain, target_logps
from rlhf_train.logps import likeliest

Embeddings = Literal["frozen", "live"]


def fused_logps(
    model: Any, batch: Batch, *, mix: float = 0.2, embeddings: Embeddings = "frozen", disturbance: float = 0.0
) -> Batch:
    """token_logps and owners [M] of a causal model that reads its responses so mixed.

    "frozen" embeddings get no gradient from what is read; tied ones still learn as the head. With a `disturbance`, every step
    has a mix of its own: mix (1 + disturbance n), n standard normal, held in [0, 1]; what is measured has none.
    """
    table = plain(model).get_input_embeddings()
    with torch.set_grad_enabled(torch.is_grad_enabled() and embeddings == "live"):
        read = table(batch["input_ids"])
        if share := disturbed(mix, disturbance, batch.get("step")):
            read = fused(read, table(guesses(model, batch)), batch["places"], share)
    hidden = hidden_states(model, batch, read)[batch["predictors"]]
    return {"token_logps": target_logps(model, hidden, batch), "owners": batch["owners"]}


@torch.no_grad()
def guesses(model: Any, batch: Batch) -> torch.Tensor:
    """[M] the token that the policy finds likeliest at the place of each response token, after all that truly stand before."""
    head = model.get_output_embeddings()
    return likeliest(hidden_states(model, batch)[batch["predictors"]], head.weight, head.bias)


def fused(read: torch.Tensor, guessed: torch.Tensor, places: torch.Tensor, mix: float) -> torch.Tensor:
    """[1, N, D] `read` with its `places` [M] drawn to `guessed` [M, D] by the share `mix`."""
    return read.index_copy(1, places, torch.lerp(read[:, places], guessed[None].to(read.dtype), mix))


def disturbed(mix: float, disturbance: float, step: int | None) -> float:
    """The mix of a step: the same in all its batches and processes, and in a run that goes on."""
    if not disturbance or step is None:
        return mix
    drawn = np.random.default_rng([torch.initial_seed(), step]).standard_normal()
    return float(min(max(mix * (1 + disturbance * drawn), 0.0), 1.0))


def unread(policy: Any, *, embeddings: Embeddings = "frozen") -> Any:
    """The policy; embeddings that nothing would reach (frozen and not tied to the head) do not learn, nor decay."""
    table = plain(policy).get_input_embeddings()
    if embeddings == "frozen" and table.weight is not policy.get_output_embeddings().weight:
        table.requires_grad_(False)
    return policy
