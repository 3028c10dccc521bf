"""The two ways of attending to trees agree, and a model that may take packed rows still does all else as before."""

import pytest
import torch

from rlhf_train import attention
from rlhf_train.packing import Layout

LAYOUTS = [
    Layout(((3, 5, 2), (4, 1), (2, 6, 1, 3))),
    Layout(((7,), (4,)), causal=False),
    Layout(((2, 3, 4, 4), (1, 4), (1, 3, 4, 4, 4), (2, 3, 4, 4)) * 4),  # many of few shapes
    Layout(((3,), (4,), (3,)) * 6, causal=False),
]


def parts(layout, heads=2, width=16):
    torch.manual_seed(0)
    tokens = sum(map(sum, layout.trees))
    return [torch.randn(1, heads, tokens, width) for _ in range(3)]


def dense(layout):
    """[N, N], true where a token may look: written out, token by token."""
    marks = [(at, part) for at, tree in enumerate(layout.trees) for part, size in enumerate(tree) for _ in range(size)]
    return torch.tensor(
        [
            [a[0] == b[0] and b[1] in (0, a[1]) and (not layout.causal or place >= other) for other, b in enumerate(marks)]
            for place, a in enumerate(marks)
        ]
    )


@pytest.mark.parametrize("layout", LAYOUTS)
def test_blocks_are_attention_under_the_mask_written_out(layout):
    query, key, value = parts(layout)
    expected = torch.nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=dense(layout), scale=0.3)
    got, _ = attention.attend(None, query, key, value, None, layout=layout, scaling=0.3)
    assert torch.allclose(got.transpose(1, 2), expected, atol=1e-6)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_pieces_gathered_by_shape_are_those_attended_to_one_by_one(layout):
    given = [part.double().requires_grad_() for part in parts(layout)]
    found = []
    for way in (attention._blocks, attention._gathered):
        value = way(*given, layout, 0.3, 0.0)
        push = torch.linspace(-1, 2, value.numel(), dtype=torch.float64).view_as(value)
        found.append((value.detach(), *torch.autograd.grad((value * push).sum(), given)))
    for one, other in zip(*found, strict=True):
        assert torch.allclose(one, other, atol=1e-10)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_flex_attention_takes_the_same_mask(layout):
    from torch.nn.attention.flex_attention import flex_attention

    query, key, value = parts(layout)
    mask = attention.block_mask(layout, torch.device("cpu"))
    got = flex_attention(query, key, value, block_mask=mask, scale=0.3)
    expected, _ = attention.attend(None, query, key, value, None, layout=layout, scaling=0.3)
    assert torch.allclose(got.transpose(1, 2), expected, atol=1e-6)


def test_a_model_that_packs_answers_padded_batches_as_before(body):
    model = body("llama")
    ids = torch.tensor([[5, 9, 33, 40, 7], [0, 0, 60, 61, 8]])
    seen = torch.tensor([[1, 1, 1, 1, 1], [0, 0, 1, 1, 1]])
    places = (seen.cumsum(1) - 1).clamp(min=0)
    packs = model(input_ids=ids, attention_mask=seen, position_ids=places).logits
    model.set_attn_implementation("sdpa")
    assert torch.equal(packs[seen.bool()], model(input_ids=ids, attention_mask=seen, position_ids=places).logits[seen.bool()])


def test_enabling_twice_changes_nothing_and_is_not_saved(body, tmp_path):
    model = body("llama")
    attention.enable(model)
    assert model.config._attn_implementation == attention.NAME
    model.save_pretrained(tmp_path)
    assert attention.NAME not in (tmp_path / "config.json").read_text()
