"""Weights drawn to where they began: by hand, what is drawn and what is not, in every method, and in a run that goes on."""

import copy
import itertools
import json

import numpy as np
import pytest
import torch

from rlhf_train import anchors, batches, spec
from rlhf_train.batches import Batch
from rlhf_train.errors import TrainingError
from rlhf_train.models import policies
from rlhf_train.models.heads import WithValues, added
from rlhf_train.models.preference_heads import headed
from rlhf_train.objectives import OBJECTIVES, Objective
from rlhf_train.objectives.outcome import Outcome
from rlhf_train.run import run
from rlhf_train.train import fit
from tests.rlhf_train.conftest import same, weights
from tests.rlhf_train.owed import model_of, rows

PLAIN = {"decay": "constant", "warmup": 0.0, "mixed_precision": "no"}


class Weight(torch.nn.Module):
    def __init__(self, value=1.5):
        super().__init__()
        self.value = torch.nn.Parameter(torch.tensor(value))


def pushed(slope):
    """An objective whose gradient is `slope` at every step."""
    return Objective(lambda value: Outcome(slope * value, {}), None, lambda model, batch: {"value": model.value}, ())


def source(*_):
    return itertools.repeat([Batch({})])


def test_a_pull_by_hand():
    model = Weight(1.0)
    optimizer = torch.optim.AdamW(anchors.groups(model, lr=0.1, weight_decay=0.3, anchor=0.5), lr=0.1)
    held = anchors.Anchors(optimizer)
    with torch.no_grad():
        model.value.fill_(1.5)
    held.pull()
    assert model.value.item() == pytest.approx(1.5 - 0.1 * 0.5 * (1.5 - 1.0))
    assert model.value.item() == pytest.approx(1.475)


def test_a_run_by_hand():
    """Adam's first steps under an even slope are lr each, whatever it is; the pull comes before each."""
    model = Weight()
    fit(model, pushed(-7.0), source, steps=3, lr=0.1, anchor=0.5, weight_decay=0.9, clip=1e9, **PLAIN)
    expected, begun = 1.5, 1.5
    for _ in range(3):
        expected += 0.1 * 0.5 * (begun - expected) + 0.1
    assert model.value.item() == pytest.approx(expected, abs=1e-5)
    model = Weight()
    fit(model, pushed(-7.0), source, steps=3, lr=0.1, weight_decay=0.9, clip=1e9, **PLAIN)
    expected = 1.5
    for _ in range(3):
        expected += -0.1 * 0.9 * expected + 0.1
    assert model.value.item() == pytest.approx(expected, abs=1e-5)


def test_without_slope_anchored_weights_stay_and_others_decay():
    for options, value in (({"anchor": 0.5}, 1.5), ({}, 1.5 * (1 - 0.1 * 0.9))):
        model = Weight()
        fit(model, pushed(0.0), source, steps=1, lr=0.1, weight_decay=0.9, **options, **PLAIN)
        assert model.value.item() == pytest.approx(value)


def test_the_learning_rate_of_a_step_is_that_of_its_pull():
    model = Weight()
    fit(model, pushed(-7.0), source, steps=4, lr=0.2, anchor=1.0, clip=1e9, decay="linear", warmup=0.5, mixed_precision="no")
    expected = 1.5
    for lr in (0.1, 0.2, 0.2, 0.1):
        expected += lr * (1.5 - expected) + lr
    assert model.value.item() == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("kind", ["score", "values", "head"])
def test_heads_decay_to_nothing_and_bodies_to_where_they_began(body, kind):
    model = {"score": lambda: body("llama", scored=True), "values": lambda: WithValues(body("llama"))}.get(
        kind, lambda: headed(body("llama"), pooler="swiglu_bert", backbone="full")
    )()
    named = {weights: name for name, weights in model.named_parameters()}
    fresh = {named[weights] for weights in added(model)}
    assert fresh == {name for name in named.values() if name.startswith(("score", "head"))}
    drawn, decaying = anchors.groups(model, lr=1e-3, weight_decay=0.3, anchor=0.5)
    assert {named[weights] for weights in decaying["params"]} == fresh
    assert len(drawn["params"]) + len(decaying["params"]) == len(named)
    assert (drawn["weight_decay"], drawn["anchor"], decaying["weight_decay"]) == (0.0, 0.5, 0.3)
    assert not set(drawn["params"]) & set(decaying["params"])


def test_what_does_not_learn_is_not_drawn(body):
    model = headed(body("llama"), backbone="frozen")
    (only,) = anchors.groups(model, lr=1e-3, weight_decay=0.3, anchor=0.5)
    assert [weights.shape for weights in only["params"]] == [model.head.out.weight.shape]
    assert anchors.Anchors(torch.optim.AdamW([only])).identity() == {}


@pytest.mark.parametrize("name", [name for name in OBJECTIVES if name != "ppo"])
def test_every_method_stays_nearer_with_an_anchor(body, name):
    objective = OBJECTIVES[name]
    held, moved = rows(objective), []
    for anchor in (0.0, 300.0):
        model = model_of(objective, body, **({"backbone": "full"} if objective.ended else {}))
        before = {part: weights.detach().clone() for part, weights in model.named_parameters()}
        heads = set(added(model))
        steps = batches.shuffled(held, size=4)
        fit(model, objective, steps, steps=12, lr=1e-3, anchor=anchor, weight_decay=0.0, clip=1e9, **PLAIN)
        moved.append(
            sum((weights - before[part]).square().sum() for part, weights in model.named_parameters() if weights not in heads)
        )
    assert moved[0] > 0
    assert moved[1] < 0.5 * moved[0]


@pytest.mark.parametrize("anchor", [-0.1, float("nan"), 20.0])
def test_a_pull_beyond_where_weights_began_is_refused(anchor):
    with pytest.raises(TrainingError, match=r"anchor times lr is the share of its way back .* got anchor .* lr 0.1"):
        fit(Weight(), pushed(0.0), source, steps=1, lr=0.1, anchor=anchor, **PLAIN)


def test_a_run_that_was_broken_off_ends_with_the_same_weights(made, tmp_path):
    fields = made(anchor=200.0)
    run(spec.of(fields))

    def broken(what, done, of, row):
        if what == "training" and done == 5:
            raise KeyboardInterrupt

    fields = made(anchor=200.0, out=str(tmp_path / "broken"))
    with pytest.raises(KeyboardInterrupt):
        run(spec.of(fields), broken)
    run(spec.of(fields))
    assert same(weights(tmp_path / "out"), weights(tmp_path / "broken"))
    with pytest.raises(TrainingError, match="holds a run with anchor 200"):
        run(spec.of({**fields, "anchor": 100.0}))
    run(spec.of(made(out=str(tmp_path / "free"))))
    begun = policies.load(tmp_path / "policy").model.state_dict()
    far, near = (
        np.mean([float((value - begun[name]).square().mean()) for name, value in weights(tmp_path / out).items()])
        for out in ("free", "out")
    )
    assert near < 0.7 * far
    card = json.loads((tmp_path / "out" / "model" / "model_card.json").read_text())
    assert card["anchor"] == 200.0


def test_going_on_from_other_weights_than_those_that_it_began_with_is_refused(body, tmp_path):
    objective = OBJECTIVES["dpo"]
    options = {"steps": 4, "lr": 1e-3, "anchor": 0.5, "folder": tmp_path, "save_every": 2, **PLAIN}
    model = body("llama")

    def broken(done, of, row):
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(copy.deepcopy(model), objective, batches.shuffled(rows(objective), size=4), watch=broken, **options)
    with pytest.raises(TrainingError, match="holds a run with anchored at"):
        fit(body("llama", seed=1), objective, batches.shuffled(rows(objective), size=4), **options)
    fit(model, objective, batches.shuffled(rows(objective), size=4), **options)
