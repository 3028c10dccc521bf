"""Log-probabilities of tokens and what is left open before them (entropies), chunk by chunk: the logits of all tokens never
stand in memory at once, forward or backward.
"""

from typing import Any

import torch

LOGITS = {"cpu": 2**21, "cuda": 2**28}  # logits that stand in memory at once: what a processor's cache holds, what fills a GPU
LEAST = 256  # tokens at once however large the vocabulary, or adding up the head's gradient costs more than making it


def token_logps(
    hidden: torch.Tensor, weight: torch.Tensor, targets: torch.Tensor, bias: torch.Tensor | None = None, *, chunk: int = 0
) -> torch.Tensor:
    """[N] log softmax(hidden @ weight.T + bias)[targets], at least float32; hidden [N, D], weight [V, D], targets [N].

    `chunk` tokens are computed at once (0: as many as LOGITS allows, at least LEAST), and once more in the backward pass.
    """
    return _TokenLogps.apply(hidden, weight, bias, targets, *measure(hidden, weight, chunk))


@torch.no_grad()
def likeliest(hidden: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None, *, chunk: int = 0) -> torch.Tensor:
    """[N] the likeliest token after each hidden state [N, D]: of equal ones the first. In chunks, as above."""
    dtype, chunk = measure(hidden, weight, chunk)
    cast = weight.to(dtype)
    with torch.autocast(hidden.device.type, enabled=False):
        parts = [_logits(hidden[part], cast, bias, dtype).argmax(-1) for part in chunks(len(hidden), chunk)]
    return torch.cat(parts) if parts else torch.zeros(0, dtype=torch.long, device=hidden.device)


@torch.no_grad()
def picked_logps(
    hidden: torch.Tensor,
    weight: torch.Tensor,
    rows: torch.Tensor,
    targets: torch.Tensor,
    bias: torch.Tensor | None = None,
    *,
    chunk: int = 0,
) -> torch.Tensor:
    """[M] log softmax(hidden @ weight.T + bias)[rows, targets], several targets [M] to a hidden state [N, D]; in chunks."""
    dtype, chunk = measure(hidden, weight, chunk)
    exact, cast = torch.promote_types(dtype, torch.float32), weight.to(dtype)
    found = torch.empty(len(targets), dtype=exact, device=hidden.device)
    with torch.autocast(hidden.device.type, enabled=False):
        for part in chunks(len(hidden), chunk):
            logits = _logits(hidden[part], cast, bias, exact)
            here = ((rows >= part.start) & (rows < part.stop)).nonzero()[:, 0]
            own = rows[here] - part.start
            found[here] = logits[own, targets[here]] - logits.logsumexp(-1)[own]
    return found


@torch.no_grad()
def token_entropies(
    hidden: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None, *, chunk: int = 0
) -> torch.Tensor:
    """[N] Shannon entropies in nats of softmax(hidden @ weight.T + bias), at least float32, without gradient."""
    dtype, chunk = measure(hidden, weight, chunk)
    exact, cast = torch.promote_types(dtype, torch.float32), weight.to(dtype)
    found = torch.empty(len(hidden), dtype=exact, device=hidden.device)
    with torch.autocast(hidden.device.type, enabled=False):
        for part in chunks(len(hidden), chunk):
            logps = _logits(hidden[part], cast, bias, exact).log_softmax(-1)
            found[part] = torch.special.entr(logps.exp()).sum(-1)
    return found


def measure(hidden: torch.Tensor, weight: torch.Tensor, chunk: int) -> tuple[torch.dtype, int]:
    """The precision of the product, and how many tokens it is made for at once (0: as many as LOGITS allows)."""
    kind = hidden.device.type
    dtype = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else hidden.dtype
    return dtype, chunk or max(LOGITS.get(kind, LOGITS["cuda"]) // len(weight), LEAST)


class _TokenLogps(torch.autograd.Function):
    """Keeps the log normaliser of each token, and makes its logits anew for the gradient softmax - onehot."""

    @staticmethod
    def forward(ctx: Any, hidden: Any, weight: Any, bias: Any, targets: Any, dtype: torch.dtype, chunk: int) -> torch.Tensor:
        exact = torch.promote_types(dtype, torch.float32)
        found, normalisers = (torch.empty(len(hidden), dtype=exact, device=hidden.device) for _ in range(2))
        ctx.dtype, ctx.chunk = dtype, chunk
        cast = weight.to(dtype)
        with torch.autocast(hidden.device.type, enabled=False):
            for part in chunks(len(hidden), chunk):
                logits = _logits(hidden[part], cast, bias, exact)
                normalisers[part] = logits.logsumexp(-1)
                found[part] = logits.gather(1, targets[part, None])[:, 0]
        ctx.save_for_backward(hidden, weight, bias, targets, normalisers)
        return found - normalisers

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        hidden, weight, bias, targets, normalisers = ctx.saved_tensors
        wants_hidden, wants_weight, wants_bias = ctx.needs_input_grad[:3]
        cast = weight.to(ctx.dtype)
        d_hidden = torch.empty_like(hidden) if wants_hidden else None
        d_weight = torch.zeros_like(weight) if wants_weight else None
        d_bias = torch.zeros_like(bias) if wants_bias else None
        for part in chunks(len(hidden), ctx.chunk):
            wrong = _logits(hidden[part], cast, bias, grad.dtype).sub_(normalisers[part, None]).exp_().mul_(-grad[part, None])
            wrong.scatter_add_(1, targets[part, None], grad[part, None])
            if d_bias is not None:
                d_bias += wrong.sum(0)
            wrong = wrong.to(ctx.dtype)
            if d_hidden is not None:
                d_hidden[part] = wrong @ cast
            if d_weight is not None:
                _add_product(d_weight, wrong.T, hidden[part].to(ctx.dtype))
        return d_hidden, d_weight, d_bias, None, None, None


def chunks(count: int, chunk: int) -> list[slice]:
    """Of so many tokens, `chunk` at a time."""
    return [slice(start, start + chunk) for start in range(0, count, chunk)]


def _logits(hidden: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, exact: torch.dtype) -> torch.Tensor:
    logits = (hidden.to(weight.dtype) @ weight.T).to(exact)
    return logits if bias is None else logits + bias.to(exact)


def _add_product(total: torch.Tensor, left: torch.Tensor, right: torch.Tensor) -> None:
    if total.dtype == left.dtype:
        total.addmm_(left, right)
    else:
        total += left @ right


def summed(values: torch.Tensor, owners: torch.Tensor, count: int) -> torch.Tensor:
    """[count] sums of values [M] over the response that owns each."""
    return torch.zeros(count, dtype=values.dtype, device=values.device).index_add(0, owners, values)


def masked_mean(values: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Mean of `values` where `mask` is true; 0 where it is true nowhere."""
    return (values * mask).sum() / mask.sum().clamp(min=1)
