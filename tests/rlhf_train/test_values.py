"""Values of prompts: the head by hand, whatever padding stands beside it; what it is fitted to; the column that it makes."""

import copy
from math import exp, log

import numpy as np
import pytest
import torch

from rlhf_train import scales, values
from rlhf_train.errors import TrainingError
from rlhf_train.inputs import hidden_states
from rlhf_train.models.value_heads import PromptValue, WithPromptValue
from rlhf_train.packing import Tree, pack
from rlhf_train.text import Lengths, prompt_ids


def sigmoid(x):
    return 1 / (1 + exp(-x))


def test_the_head_by_hand():
    """One head of attention with a learned query; most * sigmoid of a linear map of what it reads."""
    torch.manual_seed(0)
    head = PromptValue(3, most=4.0, heads=1).eval()
    states = torch.randn(5, 3)
    torch.nn.init.normal_(head.out.weight)
    torch.nn.init.constant_(head.out.bias, 0.3)
    query, key, value = (part.detach() for part in head.attention.in_proj_weight.split(3))
    offsets = head.attention.in_proj_bias.detach().split(3)
    asked = query @ head.query.detach() + offsets[0]
    for first, last, found in ((0, 2, 0), (2, 5, 1)):
        own = states[first:last]
        weights = ((own @ key.T + offsets[1]) @ asked / 3**0.5).softmax(0)
        read = weights @ (own @ value.T + offsets[2])
        read = head.attention.out_proj.weight.detach() @ read + head.attention.out_proj.bias.detach()
        expected = 4 * sigmoid((head.out.weight.detach()[0] @ read).item() + 0.3)
        assert head(states, [2, 3])[found].item() == pytest.approx(expected, rel=1e-5)


def test_a_prompt_has_the_value_that_it_has_alone(body):
    """Whatever stands beside it in a batch: nothing but its own tokens is attended to."""
    model = WithPromptValue(body("gpt2"), PromptValue(24))
    torch.nn.init.normal_(model.head.out.weight)
    model.eval()
    prompts = [[5, 9, 12], [7], [8, 8, 30, 41, 2, 3, 4]]
    with torch.no_grad():
        together = model.values(pack([Tree(prompt) for prompt in prompts]))
        alone = torch.cat([model.values(pack([Tree(prompt)])) for prompt in prompts])
    assert together.tolist() == pytest.approx(alone.tolist(), abs=1e-5)
    assert len({round(value, 6) for value in together.tolist()}) == 3


def test_what_states_have_in_common_is_taken_away(tiny_policy):
    start = values.fit(tiny_policy, PROMPTS, asked_to_sing, k=4, steps=1, lr=1e-12)
    model = WithPromptValue(tiny_policy.model, start.head)
    states = torch.cat([model.states(pack([Tree(ids)])) for ids in prompt_ids(tiny_policy.tokenizer, PROMPTS, Lengths())])
    assert start.head.centre.tolist() == pytest.approx(states.mean(0).tolist(), abs=1e-5)
    assert start.head.deviation.tolist() == pytest.approx(states.std(0, correction=0).tolist(), abs=1e-5)
    moved = copy.deepcopy(start.head).eval()
    moved.centre.add_(5.0)
    own = start.head.eval()
    torch.nn.init.normal_(own.out.weight)
    moved.out.load_state_dict(own.out.state_dict())
    assert torch.allclose(moved(states + 5.0, [len(states)]), own(states, [len(states)]), atol=1e-5)


def test_as_many_heads_as_divide_the_width():
    assert [PromptValue(width).attention.num_heads for width in (48, 24, 12, 7)] == [8, 8, 6, 7]


def test_the_head_alone_learns_and_dropout_is_in_it_alone(body):
    policy = body("llama")
    model = WithPromptValue(policy, PromptValue(24, dropout=0.5)).train()
    torch.nn.init.normal_(model.head.out.weight)
    assert model.head.training
    assert not policy.training
    batch = pack([Tree([5, 9, 12, 4])])
    assert model.values(batch).item() != model.values(batch).item()
    model.values(batch).sum().backward()
    assert all(weights.grad is not None for weights in model.head.parameters())
    assert all(weights.grad is None for weights in policy.parameters())
    model.eval()
    assert model.values(batch).item() == model.values(batch).item()


PROMPTS = [f"\n\nHuman: {('sing', 'read')[at % 2]} {at}\n\nAssistant:" for at in range(12)]


def asked_to_sing(prompts, responses):
    """0.75 for a prompt that asks to sing, 0.25 for another, whatever is said."""
    return np.array([0.75 if "sing" in prompt else 0.25 for prompt in prompts])


@pytest.fixture(scope="module")
def fitted(tiny_policy):
    return values.fit(tiny_policy, PROMPTS * 2, asked_to_sing, k=4, steps=200, size=8, seed=1)


def test_a_head_learns_what_the_reference_gets(fitted):
    assert fitted.of(PROMPTS) == pytest.approx(asked_to_sing(PROMPTS, PROMPTS), abs=0.1)
    assert fitted.error < 0.01
    assert fitted.error == pytest.approx(np.square(fitted.of(PROMPTS) - asked_to_sing(PROMPTS, PROMPTS)).mean())
    assert fitted.spread == pytest.approx(np.var([0.75, 0.25] * 6))


def test_a_fit_leaves_the_reference_as_it_was(tiny_policy):
    before = copy.deepcopy(tiny_policy.model.state_dict())
    tiny_policy.model.get_input_embeddings().weight.requires_grad_(False)
    try:
        values.fit(tiny_policy, PROMPTS[:3], asked_to_sing, k=4, steps=2)
        learning = {name: weights.requires_grad for name, weights in tiny_policy.model.named_parameters()}
    finally:
        tiny_policy.model.requires_grad_(True)
    assert all(torch.equal(weights, before[name]) for name, weights in tiny_policy.model.state_dict().items())
    assert not learning.pop("model.embed_tokens.weight")
    assert all(learning.values())


def test_a_new_head_begins_at_the_mean_of_its_targets(tiny_policy):
    start = values.fit(tiny_policy, PROMPTS, asked_to_sing, k=4, steps=1, lr=1e-12)
    logit = start.head.out.bias.item()
    assert sigmoid(logit) == pytest.approx(np.mean([0.75, 0.25]), rel=1e-4)
    sure = values.fit(tiny_policy, PROMPTS, lambda asked, said: np.ones(len(asked)), k=4, steps=1, lr=1e-12)
    assert sure.head.out.bias.item() == pytest.approx(log(0.99 / 0.01), rel=1e-4)


def test_targets_are_means_of_samples_or_one_greedy_answer(tiny_policy):
    asked, said = [], []

    def longer(prompts, responses):
        asked.append(prompts)
        said.append(responses)
        return np.array([len(text) for text in responses])

    found = values.targets(tiny_policy, PROMPTS[:2], longer, most=1e4, k=5, seed=3)
    assert asked[0] == [PROMPTS[0]] * 5 + [PROMPTS[1]] * 5
    sizes = [len(text) for text in said[0]]
    assert found.tolist() == [np.mean(sizes[:5]), np.mean(sizes[5:])]
    assert len(set(said[0])) > 2
    greedy = values.targets(tiny_policy, PROMPTS[:2], longer, most=1e4, mode="greedy")
    assert asked[1] == PROMPTS[:2]
    assert greedy.tolist() == [len(text) for text in said[1]]
    again = values.targets(tiny_policy, PROMPTS[:2], longer, most=1e4, mode="greedy", seed=9)
    assert again.tolist() == greedy.tolist()


def test_a_table_has_a_value_for_every_row(fitted):
    table = {"prompt": [PROMPTS[3], PROMPTS[4], PROMPTS[3]], "response": list("abc"), "reward": [0.3, 1.0, 0.1]}
    made = values.valued(table, fitted)
    assert made["value"].tolist() == pytest.approx([0.25, 0.75, 0.25], abs=0.1)
    assert made["value"][0] == made["value"][2]
    assert made["value"].tolist() == pytest.approx(fitted.of(table["prompt"]).tolist())
    assert made["reward"].tolist() == table["reward"]
    assert made["response"] == table["response"]


def test_rewards_of_any_size_are_squashed_by_name(tiny_policy):
    table = {"prompt": PROMPTS, "response": ["x"] * 12, "reward": 100 * asked_to_sing(PROMPTS, PROMPTS) - 40}
    scale = scales.of(table["reward"])
    wide = values.fit(
        tiny_policy, PROMPTS, lambda asked, said: 100 * asked_to_sing(asked, said) - 40, k=4, steps=200, scale=scale, most=2.0
    )
    made = values.valued(table, wide)
    z = (table["reward"] - table["reward"].mean()) / table["reward"].std(ddof=1)
    assert made["reward"].tolist() == pytest.approx([2 * sigmoid(part) for part in z])
    assert made["value"] == pytest.approx(made["reward"], abs=0.15)


def test_what_can_not_be_a_value_is_refused(tiny_policy, fitted):
    for reward in (-0.2, 1.5, float("nan")):
        with pytest.raises(TrainingError, match=rf"a value lies in \[0, 1\], and so must every reward; got {reward:g}: raise"):
            values.fit(tiny_policy, PROMPTS[:2], lambda asked, said, own=reward: np.full(len(asked), own))
    with pytest.raises(TrainingError, match=r"got 3: raise most, or give a scale"):
        values.valued({"prompt": PROMPTS[:2], "reward": [0.5, 3.0]}, fitted)
    with pytest.raises(TrainingError, match="the mean reward of k samples, 4 at least, got 1; for one, mode='greedy'"):
        values.fit(tiny_policy, PROMPTS, asked_to_sing, k=1)


def test_states_are_those_of_the_prompts_tokens(tiny_policy, monkeypatch):
    seen = []

    def watched(model, batch):
        seen.append(batch["layout"].trees)
        return hidden_states(model, batch)

    monkeypatch.setattr("rlhf_train.models.value_heads.hidden_states", watched)
    head = PromptValue(48).eval()
    values.Values(tiny_policy, head, 0.0, 0.0).of(["a b", "c"])
    assert all(len(tree) == 1 for trees in seen for tree in trees)
