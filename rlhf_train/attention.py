"""Attention over packed trees as an attention function of transformers: by blocks with sdpa, FlexAttention on a GPU."""

from collections.abc import Callable
from functools import cache, lru_cache, partial
from itertools import pairwise
from typing import Any

import torch
from torch.nn.functional import scaled_dot_product_attention

from rlhf_train.packing import Layout

NAME = "trees"
ALIKE = 8  # pieces of a shape, on average, from which on gathering them costs less than a call for each
BLOCK = 128  # rows and columns of a block that FlexAttention computes or skips whole


def enable(model: Any) -> None:
    """Lets a transformers model take packed rows; whatever else it does (generation, padded batches) stays as it was."""
    from transformers import AttentionInterface, AttentionMaskInterface
    from transformers.masking_utils import sdpa_mask

    if model.config._attn_implementation != NAME:
        AttentionInterface.register(NAME, attend)
        AttentionMaskInterface.register(NAME, sdpa_mask)
        model.set_attn_implementation(NAME)


@torch.compiler.disable  # blocks differ from batch to batch: a compiled model calls this as it is
def attend(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    *,
    layout: Layout | None = None,
    scaling: float | None = None,
    dropout: float = 0.0,
    **others: Any,
) -> tuple[torch.Tensor, None]:
    """[1, N, heads, D] of query, key, value [1, heads, N, D]; without a layout, transformers' own sdpa."""
    if layout is None:
        from transformers.integrations.sdpa_attention import sdpa_attention_forward

        return sdpa_attention_forward(module, query, key, value, attention_mask, scaling=scaling, dropout=dropout, **others)
    for name in ("softcap", "s_aux", "position_bias"):
        if others.get(name) is not None:
            raise ValueError(f"packed rows can't be attended to with {name}; this model must be trained another way")
    window, longest = others.get("sliding_window"), max(map(sum, layout.trees))
    if window is not None and longest > window:
        raise ValueError(f"the model attends over {window} tokens and a packed tree has {longest}; lower the token limits")
    shared = query.shape[1] // key.shape[1]  # query heads to a head of keys and values
    if shared > 1:
        key, value = (part.repeat_interleave(shared, dim=1) for part in (key, value))
    if query.is_cuda:
        return _flex(query, key, value, layout, scaling, dropout).transpose(1, 2), None
    with torch.autocast("cpu", enabled=False):  # a processor's gradient of attention is up to twice as fast in float32
        exact = torch.promote_types(query.dtype, torch.float32)
        shapes = _shapes(layout)
        are_alike = len(shapes) * ALIKE <= sum(map(len, shapes.values()))
        way = _gathered if are_alike else _blocks
        found = way(query.to(exact), key.to(exact), value.to(exact), layout, scaling, dropout)
    return found.to(query.dtype).transpose(1, 2), None


def _blocks(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, layout: Layout, scaling: float | None, dropout: float
) -> torch.Tensor:
    """A call for each prompt with its first response and one for each sibling: what trees do not share is never multiplied."""
    sizes = [size for prompt, *responses in layout.trees for size in (prompt + sum(responses[:1]), *responses[1:])]
    pieces = zip(*(part.split(sizes, dim=2) for part in (query, key, value)), strict=True)
    once: Callable[..., torch.Tensor] = partial(scaled_dot_product_attention, scale=scaling, dropout_p=dropout)
    found = []
    for prompt, *responses in layout.trees:
        first = next(pieces)
        found.append(once(*first, is_causal=layout.causal))
        for size, (asked, keys, values) in zip(responses[1:], pieces, strict=False):
            seen = [torch.cat([head[:, :, :prompt], own], dim=2) for head, own in zip(first[1:], (keys, values), strict=True)]
            allowed = _before(prompt, size, query)
            found.append(once(asked, *seen, attn_mask=allowed))
    return torch.cat(found, dim=2)


def _gathered(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, layout: Layout, scaling: float | None, dropout: float
) -> torch.Tensor:
    """As _blocks, for many pieces of few shapes: those of one shape in one call."""
    line, found = [], []
    for (prompt, size), members in _shapes(layout).items():
        starts, firsts = ([member[at] for member in members] for at in range(2))
        asked, keys, values = (_pieces(part, starts, size) for part in (query, key, value))
        if prompt:
            keys, values = (
                torch.cat([_pieces(part, firsts, prompt), own], dim=2) for part, own in ((key, keys), (value, values))
            )
        mask: dict[str, Any] = {"attn_mask": _before(prompt, size, query)} if prompt else {"is_causal": layout.causal}
        heads = scaled_dot_product_attention(asked, keys, values, scale=scaling, dropout_p=dropout, **mask)
        found.append(heads.transpose(0, 1).flatten(1, 2))
        line += [(start, size) for start in starts]
    whole = torch.cat(found, dim=1)
    if line != sorted(line):
        whole = whole[:, torch.cat([torch.arange(start, start + size) for start, size in line]).argsort()]
    return whole[None]


def _pieces(part: torch.Tensor, starts: list[int], size: int) -> torch.Tensor:
    """[n, heads, size, D] of [1, heads, N, D]; nothing is copied where they stand in even steps, or are one and the same."""
    steps = {later - one for one, later in pairwise(starts)} or {0}
    if steps == {0}:
        return part[:, :, starts[0] : starts[0] + size].expand(len(starts), -1, -1, -1)
    if len(steps) == 1:
        return part[0, :, starts[0] : starts[-1] + size].unfold(1, size, steps.pop()).permute(1, 0, 3, 2)
    places = torch.tensor(starts)[:, None] + torch.arange(size)
    return part[0][:, places].transpose(0, 1)


@lru_cache(maxsize=4)
def _shapes(layout: Layout) -> dict[tuple[int, int], list[tuple[int, int]]]:
    """(tokens of a prompt that stands apart, own tokens) -> where each such piece begins, and where its prompt does."""
    found: dict[tuple[int, int], list[tuple[int, int]]] = {}
    at = 0
    for prompt, *responses in layout.trees:
        first = at
        for shape in ((0, prompt + sum(responses[:1])), *((prompt, size) for size in responses[1:])):
            found.setdefault(shape, []).append((at, first))
            at += shape[1]
    return found


def _before(prompt: int, size: int, like: torch.Tensor) -> torch.Tensor:
    """[size, prompt + size]: 0 where a response's token may look, at the prompt and at its own up to itself, else -inf."""
    return torch.full((size, prompt + size), float("-inf"), dtype=like.dtype, device=like.device).triu_(prompt + 1)


def _flex(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, layout: Layout, scaling: float | None, dropout: float
) -> torch.Tensor:
    if dropout:
        raise ValueError(
            f"attention dropout is {dropout:g}, and FlexAttention has none; set the model's attention dropout to 0"
        )
    return _compiled()(query, key, value, block_mask=block_mask(layout, query.device), scale=scaling)


@cache
def _compiled() -> Callable[..., Any]:
    from torch.nn.attention.flex_attention import flex_attention

    return torch.compile(flex_attention, dynamic=True)


@lru_cache(maxsize=4)  # every layer of a model asks for the mask of the same batch
def block_mask(layout: Layout, device: torch.device) -> Any:
    """The layout as FlexAttention's block-sparse mask, [1, 1, N, N]."""
    from torch.nn.attention.flex_attention import create_block_mask

    sizes = torch.tensor([part for parts in layout.trees for part in parts], device=device)
    tree = torch.repeat_interleave(_numbers([len(parts) for parts in layout.trees], device), sizes)
    branch = torch.repeat_interleave(_numbers_within(layout, device), sizes)
    causal = layout.causal

    def may_look(batch: Any, head: Any, at: torch.Tensor, to: torch.Tensor) -> torch.Tensor:
        near = (tree[at] == tree[to]) & ((branch[to] == 0) | (branch[to] == branch[at]))
        return near & (to <= at) if causal else near

    return create_block_mask(may_look, None, None, len(tree), len(tree), device=device, BLOCK_SIZE=BLOCK)


def _numbers(counts: list[int], device: torch.device) -> torch.Tensor:
    return torch.repeat_interleave(torch.arange(len(counts), device=device), torch.tensor(counts, device=device))


def _numbers_within(layout: Layout, device: torch.device) -> torch.Tensor:
    return torch.tensor([number for parts in layout.trees for number in range(len(parts))], device=device)
