"""Forward passes: (model, packed batch) -> the tensors that a loss names."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import accumulate
from typing import Any

import torch

from rlhf_train import positions
from rlhf_train.logps import summed, token_entropies, token_logps

Batch = dict[str, Any]
HALVES = {"bf16": torch.bfloat16, "fp16": torch.float16}
PREPARED = torch.empty(1, 1, 1, 1)  # transformers builds no mask of its own where it is given one of four dimensions


def plain(model: Any) -> Any:
    """The transformers model, adapters or not."""
    return model.get_base_model() if hasattr(model, "get_base_model") else model


def autocast(device: torch.device, mixed_precision: str) -> torch.autocast:
    """The precision of a run, for numbers that its own are compared with."""
    kind = HALVES.get(mixed_precision)
    return torch.autocast(device.type, dtype=kind or torch.bfloat16, enabled=kind is not None)


@contextmanager
def at_rest(model: torch.nn.Module) -> Iterator[None]:
    """The model as it is used and not as it learns: layers that save activations would forget what came before a token."""
    if not model.training:  # switching walks through every module
        yield
        return
    model.eval()
    try:
        yield
    finally:
        model.train()


def body_of(model: Any) -> Any:
    """A transformers model without its head."""
    return plain(model).base_model


def hidden_states(model: Any, batch: Batch, read: torch.Tensor | None = None) -> torch.Tensor:
    """[N, D] of the model's body, without its head; batch as in packing.pack. `read` [1, N, D] stands for its embeddings."""
    ids, layout = batch["input_ids"], batch["layout"]
    seen = {"input_ids": ids} if read is None else {"inputs_embeds": read}
    others = {"use_cache": False} if layout.causal else {"token_type_ids": torch.zeros_like(ids)}
    return body_of(model)(
        **seen, position_ids=batch["position_ids"], attention_mask=PREPARED, layout=layout, **others
    ).last_hidden_state[0]


def response_states(model: Any, batch: Batch) -> torch.Tensor:
    """[M, D] hidden states at the response tokens themselves."""
    return hidden_states(model, batch)[batch["places"]]


def response_logps(model: Any, batch: Batch) -> Batch:
    """token_logps and response_mask [M] of a causal model: every response token of the batch."""
    logps = _token_logps(model, batch)
    return {"token_logps": logps, "response_mask": torch.ones_like(logps, dtype=torch.bool)}


def response_entropies(model: Any, batch: Batch) -> torch.Tensor:
    """[M] of a causal model: the entropy, in nats, of what it expects after each response token; without gradient."""
    head = model.get_output_embeddings()
    return token_entropies(response_states(model, batch), head.weight, head.bias)


def candidate_logps(model: Any, batch: Batch) -> Batch:
    """token_logps and owners [M] of a causal model: of every response token and which response it is of, and what was given."""
    return {"token_logps": _token_logps(model, batch), "owners": batch["owners"], **batch["given"]}


def pair_logps(model: Any, batch: Batch) -> Batch:
    """chosen_logps and rejected_logps [B], and what the batch was given beside them."""
    logps = sequence_logps(model, batch)
    return {"chosen_logps": logps[0::2], "rejected_logps": logps[1::2], **batch["given"]}


def mismatched_logps(model: Any, batch: Batch) -> Batch:
    """chosen_logps, rejected_logps and mismatched_logps [B], and what the batch was given beside them."""
    logps = sequence_logps(model, batch)
    names = ("chosen_logps", "rejected_logps", "mismatched_logps")
    return {**{name: logps[at::3] for at, name in enumerate(names)}, **batch["given"]}


def pair_rewards(model: Any, batch: Batch) -> Batch:
    """chosen_rewards and rejected_rewards [B] of a model with a scalar head, and what the batch was given beside them."""
    rewards = sequence_rewards(model, batch)
    return {"chosen_rewards": rewards[0::2], "rejected_rewards": rewards[1::2], **batch["given"]}


def ended_rewards(model: Any, batch: Batch) -> torch.Tensor:
    """[S] that a policy's preference head reads at each response's end token."""
    return model.rewards(hidden_states(model.policy, batch)[batch["ends"]])


def ended_pairs(model: Any, batch: Batch) -> Batch:
    """chosen_rewards and rejected_rewards [B] of a policy with a preference head, and what the batch was given beside them."""
    rewards = ended_rewards(model, batch)
    return {"chosen_rewards": rewards[0::2], "rejected_rewards": rewards[1::2], **batch["given"]}


def ended_pair_logps(model: Any, batch: Batch) -> Batch:
    """As `ended_pairs`, with chosen_logps and rejected_logps [B] of the same pass."""
    hidden = hidden_states(model.policy, batch)
    rewards = model.rewards(hidden[batch["ends"]])
    logps = summed(target_logps(model.policy, hidden[batch["predictors"]], batch), batch["owners"], len(batch["ends"]))
    sides = {"chosen_logps": logps[0::2], "rejected_logps": logps[1::2]}
    return {"chosen_rewards": rewards[0::2], "rejected_rewards": rewards[1::2], **sides, **batch["given"]}


def segment_values(model: Any, batch: Batch) -> Batch:
    """values and owners [K] of a causal model's `score` at the tokens [M] where the batch says that segments end."""
    ends = batch["given"]["ends"]
    read = hidden_states(model, batch)[batch["places"][ends]]
    return {"values": plain(model).score(read)[:, 0].float(), "owners": batch["owners"][ends]}


def goal_states(model: Any, batch: Batch, *, samples: int = 16, source_from: float = 0.0, goal_from: float = 0.0) -> Batch:
    """Rewards [B] of both sides, and states [B, samples, D] along their responses at the positions that are drawn."""
    states, sizes = response_states(model, batch), torch.bincount(batch["owners"], minlength=len(batch["ends"]))
    first = sizes.cumsum(0) - sizes
    rewards = plain(model).score(states[first + sizes - 1])[:, 0].float()
    drawn = positions.drawn(sizes[0::2], sizes[1::2], samples=samples, source_from=source_from, goal_from=goal_from)
    chosen, rejected = first[0::2, None], first[1::2, None]
    return {
        "chosen_rewards": rewards[0::2],
        "rejected_rewards": rewards[1::2],
        "sources": states[chosen + drawn.sources].float(),
        "goals": states[chosen + drawn.goals].float(),
        "other_sources": states[chosen + drawn.other_sources].float(),
        "negatives": states[rejected + drawn.negatives].float(),
        "source_places": drawn.sources,
        "goal_places": drawn.goals,
    }


def rollout_logps(model: Any, batch: Batch) -> Batch:
    """token_logps and values [M] of a policy with a value head, and what the batch was given of each token."""
    hidden = hidden_states(model.policy, batch)[batch["predictors"]]
    return {"token_logps": target_logps(model.policy, hidden, batch), "values": model.value(hidden), **batch["given"]}


def sequence_logps(model: Any, batch: Batch, *, temperature: float = 1.0) -> torch.Tensor:
    """[S] log-probabilities of the responses, summed over their tokens, each as drawn at this temperature."""
    return summed(_token_logps(model, batch, temperature), batch["owners"], len(batch["ends"]))


def sequence_rewards(model: Any, batch: Batch) -> torch.Tensor:
    """[S] of a causal model's `score` at each response's last token, or of an encoder's classifier at its first."""
    read = hidden_states(model, batch)[batch["ends"]]
    whole = plain(model)
    if batch["layout"].causal:
        return whole.score(read)[:, 0].float()
    pooler = getattr(whole.base_model, "pooler", None)
    if pooler is None:  # as RoBERTa, whose classifier looks at the first token by itself
        return whole.classifier(read[:, None])[:, 0].float()
    return whole.classifier(whole.dropout(pooler(read[:, None])))[:, 0].float()


def mean_states(model: Any, batch: Batch) -> torch.Tensor:
    """[S, D] of a scored model's body: the mean over the last part of each tree, a response or an encoder's whole sequence."""
    trees = batch["layout"].trees
    parts = hidden_states(model, batch).float().split([size for tree in trees for size in tree])
    return torch.stack([parts[at - 1].mean(0) for at in accumulate(map(len, trees))])


def _token_logps(model: Any, batch: Batch, temperature: float = 1.0) -> torch.Tensor:
    return target_logps(model, hidden_states(model, batch)[batch["predictors"]], batch, temperature)


def target_logps(model: Any, hidden: torch.Tensor, batch: Batch, temperature: float = 1.0) -> torch.Tensor:
    """[M] log-probabilities of the response tokens, of the hidden states [M, D] that predict them."""
    head = model.get_output_embeddings()
    if temperature == 1.0:
        return token_logps(hidden, head.weight, batch["targets"], head.bias)
    bias = None if head.bias is None else head.bias / temperature
    return token_logps(hidden / temperature, head.weight, batch["targets"], bias)
