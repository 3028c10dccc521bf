"""On a GPU: FlexAttention computes what single responses give, training takes it, and sampling runs."""

import numpy as np
import pytest
import torch

from rlhf_train import inputs
from rlhf_train.batches import rows_of, shuffled
from rlhf_train.models.policies import Policy
from rlhf_train.objectives import OBJECTIVES
from rlhf_train.packing import Tree, pack
from rlhf_train.train import fit
from tests.rlhf_train.conftest import BODIES, WORDS

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")]


def trees(count=9, most=150, seed=0):
    random = np.random.default_rng(seed)
    words = [[random.integers(2, WORDS, size).tolist() for size in random.integers(1, most, 3) // 2 + 1] for _ in range(count)]
    return [Tree(prompt, tuple(rest)) for prompt, *rest in words]


def on_gpu(batch):
    return {name: part.to("cuda") if isinstance(part, torch.Tensor) else part for name, part in batch.items()}


@pytest.mark.parametrize("kind", BODIES)
def test_flex_attention_gives_the_log_probabilities_and_gradients_of_blocks(body, kind):
    model, given = body(kind), trees(most=60)
    here = inputs.sequence_logps(model, pack(given))
    wanted = torch.autograd.grad(here.sum(), list(model.parameters()))
    model = model.to("cuda")
    there = inputs.sequence_logps(model, on_gpu(pack(given)))
    found = torch.autograd.grad(there.sum(), list(model.parameters()))
    assert there.tolist() == pytest.approx(here.tolist(), rel=1e-3)
    whole = torch.cat([part.flatten() for part in wanted]).norm()
    for ours, theirs in zip(found, wanted, strict=True):
        assert (ours.cpu() - theirs).norm() < 1e-3 * whole


def test_training_in_bf16_learns(body):
    given, model = trees(32), body("llama")
    with torch.no_grad():
        held = inputs.sequence_logps(model, pack(given)).view(-1, 2).numpy()
    refs = {"ref_chosen_logps": held[:, 0], "ref_rejected_logps": held[:, 1]}
    source = shuffled(rows_of(given, refs), size=8, tokens=2048)
    history = fit(model, OBJECTIVES["dpo"], source, steps=40, lr=3e-3, mixed_precision="bf16")
    assert history[-1]["loss"] < 0.5 * history[0]["loss"]


def test_sampling_does_not_depend_on_the_batch(tiny_policy):
    import copy

    from rlhf_train.generate import sample

    policy = Policy(copy.deepcopy(tiny_policy.model).to("cuda"), tiny_policy.tokenizer)
    prompts = [f"\n\nHuman: {'more ' * at}\n\nAssistant:" for at in range(12)]
    together = sample(policy, prompts, seed=1)
    assert sum(one == other for one, other in zip(together, sample(policy, prompts, seed=1, size=3), strict=True)) >= 11
