"""What a policy reads under intuitive fine-tuning: by hand, packed as unpacked, at its limits; and who gets a gradient."""

import copy

import numpy as np
import pytest
import torch

from rlhf_train import batches, temporal_residual
from rlhf_train.batches import dealt
from rlhf_train.inputs import response_logps
from rlhf_train.logps import likeliest
from rlhf_train.loop import Forward, Loop
from rlhf_train.numbers import given_to
from rlhf_train.objectives import OBJECTIVES, ift
from rlhf_train.packing import Tree, pack
from rlhf_train.temporal_residual import disturbed, fused, fused_logps, guesses, unread
from rlhf_train.train import fit
from tests.rlhf_train.conftest import BODIES
from tests.rlhf_train.owed import rows

pytestmark = pytest.mark.filterwarnings("ignore:ift. some tokens")

TREES = [Tree([5, 9, 33], ([40, 7, 1], [8, 1])), Tree([11], ([60, 61, 12, 1],))]


def test_embeddings_are_mixed_by_hand():
    table = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [-1.0, 2.0]])
    ids, labels, likely = [2, 0, 1, 3], [-100, -100, 1, 3], [0, 3, 0, 2]
    places = [at for at, label in enumerate(labels) if label != -100]
    guessed = [likely[at - 1] for at in places]  # what was predicted for a place stands one before it
    assert guessed == [3, 0]
    found = fused(table[ids][None], table[guessed], torch.tensor(places), 0.2)[0]
    by_hand = [[1, 1], [1, 0], [0.8 * 0 - 0.2 * 1, 0.8 * 1 + 0.2 * 2], [-0.8 + 0.2, 0.8 * 2 + 0.2 * 0]]
    assert by_hand == [[1, 1], [1, 0], [-0.2, 1.2000000000000002], [-0.6000000000000001, 1.6]]
    assert torch.allclose(found, torch.tensor(by_hand))


def alone(model, tree, mix):
    """token log-probabilities of each response of a tree, by transformers' own forward passes on one row each."""
    table, found = model.get_input_embeddings(), []
    for response in tree.responses:
        ids = torch.tensor([[*tree.prompt, *response]])
        start = len(tree.prompt)
        read = table(ids).detach().clone()
        for at in range(start, ids.shape[1]):
            guess = model(input_ids=ids[:, :at]).logits[0, -1].argmax()
            read[0, at] = (1 - mix) * read[0, at] + mix * table(guess)
        logps = model(inputs_embeds=read).logits[0, start - 1 : -1].log_softmax(-1)
        found.append(logps.gather(1, ids[0, start:, None])[:, 0])
    return torch.cat(found)


@pytest.mark.parametrize("kind", BODIES)
@pytest.mark.parametrize("mix", [0.2, 1.0])
def test_packed_numbers_are_those_of_rows_by_themselves(body, kind, mix):
    model = body(kind)
    got = fused_logps(model, pack(TREES), mix=mix)
    assert torch.allclose(got["token_logps"], torch.cat([alone(model, tree, mix) for tree in TREES]), atol=1e-4)
    assert got["owners"].tolist() == [0, 0, 0, 1, 1, 2, 2, 2, 2]
    plain = response_logps(model, pack(TREES))["token_logps"]
    assert (got["token_logps"] - plain).abs().max() > 1e-2


def test_guesses_are_the_likeliest_tokens_chunk_by_chunk(body):
    model, batch = body("llama"), pack(TREES)
    by_hand = []
    for tree in TREES:
        for response in tree.responses:
            logits = model(input_ids=torch.tensor([[*tree.prompt, *response]])).logits[0]
            by_hand += logits[len(tree.prompt) - 1 : -1].argmax(-1).tolist()
    assert guesses(model, batch).tolist() == by_hand
    hidden, weight, bias = torch.randn(7, 5), torch.randn(11, 5), torch.randn(11)
    wanted = (hidden @ weight.T + bias).argmax(-1)
    assert torch.equal(likeliest(hidden, weight, bias, chunk=2), wanted)
    assert not torch.equal(likeliest(hidden, weight), wanted)
    assert likeliest(hidden[:0], weight).shape == (0,)


def test_without_mix_there_is_one_pass_of_the_same_numbers(body, monkeypatch):
    model, batch = body("llama"), pack(TREES)
    monkeypatch.setattr(temporal_residual, "guesses", None)
    got = fused_logps(model, batch, mix=0.0)["token_logps"]
    assert torch.allclose(got, response_logps(model, batch)["token_logps"], atol=1e-6)


def slopes(model, **numbers):
    model.zero_grad()
    given = fused_logps(model, pack(TREES), **numbers)
    ift.loss(**given, **({"gamma": 0.0} if not numbers.get("mix", 0.2) else {})).loss.backward()
    return {name: weights.grad for name, weights in model.named_parameters()}


def test_live_embeddings_without_mix_and_decay_are_fine_tuning_a_response_a_vote(body):
    model = body("qwen2")
    found = slopes(model, mix=0.0, embeddings="live")
    model.zero_grad()
    sizes = torch.tensor([3.0, 2, 4])
    plain = response_logps(model, pack(TREES))["token_logps"]
    (-plain / sizes.repeat_interleave(sizes.long()) / 3).sum().backward()
    for name, weights in model.named_parameters():
        assert torch.allclose(found[name], weights.grad, atol=1e-6), name


@pytest.mark.parametrize("mix", [0.0, 0.2])
def test_frozen_embeddings_learn_as_a_head_and_not_from_what_is_read(body, mix):
    """gpt2's are tied to its head, qwen2's are not."""
    untied = slopes(body("qwen2"), mix=mix)
    assert untied["model.embed_tokens.weight"] is None
    assert untied["lm_head.weight"].abs().sum() > 0
    tied, live = slopes(body("gpt2"), mix=mix), slopes(body("gpt2"), mix=mix, embeddings="live")
    model = body("gpt2")
    model.transformer.wte.weight.requires_grad_(False)
    model.lm_head.weight = torch.nn.Parameter(model.lm_head.weight.detach().clone())
    apart = slopes(model, mix=mix)
    assert torch.allclose(tied["transformer.wte.weight"], apart["lm_head.weight"], atol=1e-6)
    assert (live["transformer.wte.weight"] - tied["transformer.wte.weight"]).abs().max() > 1e-4
    assert torch.allclose(tied["transformer.h.0.attn.c_attn.weight"], live["transformer.h.0.attn.c_attn.weight"], atol=1e-6)


def test_the_first_pass_has_no_gradient_and_live_embeddings_have_that_of_what_was_guessed(body):
    model, batch = body("qwen2"), pack(TREES)
    found = slopes(model, mix=0.3, embeddings="live")["model.embed_tokens.weight"]
    guessed = guesses(model, batch)
    assert not guessed.requires_grad
    inner = guessed[[0, 1, 3, 5, 6, 7]].tolist()  # nothing learns from an end token that is read, nor from its guess
    assert set(found.abs().sum(1).nonzero()[:, 0].tolist()) == {*inner, 5, 9, 33, 40, 7, 8, 11, 60, 61, 12}


def test_what_nothing_reaches_does_not_learn(body):
    assert not unread(body("qwen2")).get_input_embeddings().weight.requires_grad
    assert unread(body("gpt2")).get_input_embeddings().weight.requires_grad
    assert unread(body("qwen2"), embeddings="live").get_input_embeddings().weight.requires_grad


def test_embeddings_stay_as_they_are_in_a_run_and_all_else_learns(body):
    for kind, embeddings, same in (("qwen2", "frozen", True), ("qwen2", "live", False), ("gpt2", "frozen", False)):
        objective = OBJECTIVES["ift"]
        model = objective.module(body(kind), embeddings=embeddings)
        before = copy.deepcopy(model.state_dict())
        source = batches.shuffled(rows(objective), size=4)
        fit(model, objective, source, steps=3, numbers={"embeddings": embeddings}, mixed_precision="no", weight_decay=0.5)
        after = model.state_dict()
        changed = {name for name in before if not torch.equal(before[name], after[name])}
        assert ({name for name in before if "embed_tokens" in name or "wte" in name} <= changed) != same
        assert changed | {"model.embed_tokens.weight"} >= {name for name, _ in model.named_parameters()}


def test_each_step_has_a_mix_of_its_own_and_a_measurement_has_none():
    torch.manual_seed(3)
    found = [disturbed(0.2, 0.5, step) for step in range(400)]
    assert found == [disturbed(0.2, 0.5, step) for step in range(400)]
    drawn = [value for value in found if 0 < value < 1]
    assert np.mean(drawn) == pytest.approx(0.2, abs=0.02)
    assert np.std(drawn) == pytest.approx(0.1, abs=0.015)
    assert min(found) == 0
    assert disturbed(0.2, 0.5, None) == disturbed(0.2, 0.0, 7) == 0.2
    assert max(disturbed(0.9, 3.0, step) for step in range(50)) == 1
    state = torch.get_rng_state()
    torch.manual_seed(4)
    assert disturbed(0.2, 0.5, 0) != found[0]
    torch.set_rng_state(state)  # as a run that goes on
    assert disturbed(0.2, 0.5, 0) == found[0]


@pytest.mark.parametrize("disturbance", [0.0, 0.7])
def test_a_step_is_one_however_it_is_batched_and_measured_without_disturbance(body, disturbance):
    from accelerate import Accelerator
    from accelerate.state import AcceleratorState

    objective, numbers = OBJECTIVES["ift"], {"disturbance": disturbance, "mix": 0.4}
    held, model = rows(objective), body("llama")
    AcceleratorState._reset_state()
    loop = Loop(
        Accelerator(cpu=True), Forward(model, objective.inputs, **given_to(objective.inputs, numbers)), objective, numbers
    )
    one, many = dealt(held, np.arange(len(held))), dealt(held, np.arange(len(held)), tokens=30)
    assert len(many) > 2
    told = [loop.learn(part, 5)["loss"] for part in (one, many)]
    assert told[0] == pytest.approx(told[1], rel=1e-5)
    measured = [loop.measure(part)["loss"] for part in (one, many)]
    assert measured[0] == pytest.approx(measured[1], rel=1e-5)
    assert (abs(measured[0] - told[0]) > 1e-4) == bool(disturbance)
