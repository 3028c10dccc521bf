"""A step's gradient is that of its mean loss, whether its rows come in one batch or one at a time."""

import shutil

import numpy as np
import pytest
import torch

from rlhf_train.batches import dealt, shuffled
from rlhf_train.loop import Forward, Loop
from rlhf_train.numbers import given_to
from rlhf_train.objectives import OBJECTIVES
from rlhf_train.train import fit
from tests.rlhf_train.owed import NUMBERS, model_of, rows

TRAINED = [name for name in OBJECTIVES if name != "ppo"]


def learned(model, objective, batches, **numbers):
    from accelerate import Accelerator
    from accelerate.state import AcceleratorState

    AcceleratorState._reset_state()  # whatever precision a run before had
    model.zero_grad()
    torch.manual_seed(0)  # of what an objective draws
    forward = Forward(model, objective.inputs, **given_to(objective.inputs, numbers))
    loop = Loop(Accelerator(cpu=True), forward, objective, numbers)
    row = loop.learn(batches, 0)
    return row, torch.cat([weights.grad.flatten() for weights in model.parameters() if weights.grad is not None])


@pytest.mark.parametrize("tokens", [1, 60])
@pytest.mark.parametrize("name", TRAINED)
def test_however_rows_are_batched_loss_gradient_and_metrics_are_the_same(body, name, tokens):
    objective = OBJECTIVES[name]
    model, numbers = model_of(objective, body), NUMBERS.get(name, {})
    held = rows(objective)
    places = np.arange(len(held))
    one, straight = learned(model, objective, dealt(held, places), **numbers)
    batches = dealt(held, places, tokens=tokens)
    assert len(batches) > 1
    many, apart = learned(model, objective, batches, **numbers)
    assert straight.norm() > 1e-3
    assert (apart - straight).norm() < 1e-5 * straight.norm()
    assert (
        many == pytest.approx(one, rel=1e-4, abs=1e-6)
        if name != "sft"
        else many["loss"] == pytest.approx(one["loss"], rel=1e-5)
    )


@pytest.mark.parametrize("name", [name for name in TRAINED if OBJECTIVES[name].whole])
def test_a_loss_of_the_whole_step_is_no_mean_of_its_batches(body, name):
    """Or the passes that make it exact would be for nothing, and the test above with them."""
    objective = OBJECTIVES[name]
    model, numbers = model_of(objective, body), NUMBERS.get(name, {})
    held = rows(objective)
    places = np.arange(len(held))
    whole = learned(model, objective, dealt(held, places), **numbers)[0]["loss"]
    parts = sum(
        objective.loss(**objective.inputs(model, batch.tensors), **numbers).loss.item() * batch.share
        for batch in dealt(held, places, tokens=60)
    )
    assert parts != pytest.approx(whole, rel=1e-3)


def test_every_weight_that_learns_gets_a_gradient(body):
    for name in TRAINED:
        objective = OBJECTIVES[name]
        model, held = model_of(objective, body, "qwen2"), rows(objective)
        learned(model, objective, dealt(held, np.arange(len(held))))
        learning = [(part, weights.grad) for part, weights in model.named_parameters() if weights.requires_grad]
        idle = [part for part, slope in learning if slope is None or not slope.abs().sum()]
        assert idle == [], name


@pytest.mark.skipif(not shutil.which("g++"), reason="no C++ compiler")
def test_a_compiled_model_learns_what_it_learns_otherwise(body):
    from torch._dynamo.utils import counters

    held, losses = rows(OBJECTIVES["dpo"]), []
    for compiled in (False, True):
        source = shuffled(held, size=3, tokens=60)
        history = fit(body("llama"), OBJECTIVES["dpo"], source, steps=6, mixed_precision="no", compile=compiled)
        losses.append([row["loss"] for row in history])
    assert counters["stats"]["unique_graphs"] > 0
    assert losses[1] == pytest.approx(losses[0], rel=1e-5)
