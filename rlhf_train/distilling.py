"""What a student learns of a teacher at every token of a response: its law, kept beforehand or asked for at every step.

Of a law that is kept the `top_k` likeliest tokens are, and all others as one: a divergence of such laws is at most that of the
whole ones.
"""

from typing import Any

import torch
from torch.utils.checkpoint import checkpoint

from rlhf_train import candidates
from rlhf_train.batches import Columns, Rows
from rlhf_train.divergences import Divergence, between, of_name
from rlhf_train.inputs import Batch, at_rest, hidden_states
from rlhf_train.logps import chunks, measure
from rlhf_train.text import Lengths, Tokenizer

Tensor = torch.Tensor


def rows(columns: Columns, tokenizer: Tokenizer, lengths: Lengths = Lengths(), *, top_k: int = 0) -> Rows:
    """`prompt` and `response`, a row each, that counts alike however long; teacher_logps and teacher_ids [tokens, K] if there.

    A `top_k` of 0 is no law that is kept: the teacher is asked at every step.
    """
    held = {name: columns[name] for name in ("teacher_logps", "teacher_ids") if name in columns}
    return candidates.grouped(columns, tokenizer, lengths, per_response={}, per_token=held, alone=True)


def kept(model: Any, batch: Batch, *, divergence: Divergence = "forward_kl", skew: float = 0.1) -> Batch:
    """divergences and owners [M] of every response token, from the laws that the batch was given."""
    states, head = hidden_states(model, batch)[batch["predictors"]], model.get_output_embeddings()
    logps, ids = batch["given"]["teacher_logps"], batch["given"]["teacher_ids"]
    call, size = of_name(divergence, skew), measure(states, head.weight, 0)[1]
    made = [
        checkpoint(_bucketed, call, logps[part], ids[part], states[part], head, use_reentrant=False)
        for part in chunks(len(states), size)
    ]
    return {"divergences": torch.cat(made), "owners": batch["owners"]}


def live(model: Any, batch: Batch, *, teacher: Any, divergence: Divergence = "forward_kl", skew: float = 0.1) -> Batch:
    """The same from the teacher itself, a model of the same tokens: whole laws, asked now."""
    with torch.no_grad(), at_rest(teacher):
        taught = hidden_states(teacher, batch)[batch["predictors"]]
    states = hidden_states(model, batch)[batch["predictors"]]
    heads = [each.get_output_embeddings() for each in (teacher, model)]
    found = between(taught, heads[0], states, heads[1], divergence=divergence, skew=skew)
    return {"divergences": found, "owners": batch["owners"]}


@torch.no_grad()
def laws(teacher: Any, batch: Batch, *, top_k: int) -> tuple[Tensor, Tensor]:
    """(log-probabilities [M, K] float32, ids [M, K]) of the likeliest tokens at every response token, the likeliest first."""
    states, head = hidden_states(teacher, batch)[batch["predictors"]], teacher.get_output_embeddings()
    most = min(top_k, len(head.weight))
    found = [
        head(states[part]).float().log_softmax(-1).topk(most, dim=-1)
        for part in chunks(len(states), measure(states, head.weight, 0)[1])
    ]
    return torch.cat([each.values for each in found]), torch.cat([each.indices for each in found])


def _bucketed(call: Any, logps: Tensor, ids: Tensor, states: Tensor, head: Any) -> Tensor:
    """Of laws over the kept tokens and all others together."""
    own = head(states)
    own = own.to(torch.promote_types(own.dtype, torch.float32)).log_softmax(-1)
    picked = own.gather(1, ids)
    if ids.shape[1] == own.shape[1]:
        return call(logps, picked)
    return call(*(torch.cat([part, _rest(part)], dim=1) for part in (logps, picked)))


def _rest(logps: Tensor) -> Tensor:
    """[M, 1] log of what is left of 1; what rounding makes of nothing is next to nothing."""
    return torch.log1p(-logps.exp().sum(1, keepdim=True).clamp(max=1 - 1e-6))
