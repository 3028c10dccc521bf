"""States along responses as a model has them, whether packed or not; runs that learn from them, and what these leave."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from rlhf_train import positions, spec
from rlhf_train.batches import shuffled
from rlhf_train.errors import TrainingError
from rlhf_train.inputs import goal_states
from rlhf_train.models import goal_bank, heads, reward_models
from rlhf_train.objectives import OBJECTIVES
from rlhf_train.packing import Tree, pack
from rlhf_train.run import run
from rlhf_train.tables import split
from rlhf_train.text import Lengths
from rlhf_train.train import fit
from tests.rlhf_train.conftest import BODIES, WORDS, table
from tests.rlhf_train.owed import COUNT, rows

STATES = ("sources", "goals", "other_sources", "negatives")


def pairs(count=3, seed=0):
    random = np.random.default_rng(seed)
    sizes = random.integers(1, 9, (count, 3))
    words = [[random.integers(2, WORDS, size).tolist() for size in row] for row in sizes]
    return [Tree(prompt, tuple(sides)) for prompt, *sides in words]


@pytest.mark.parametrize("kind", BODIES)
@torch.no_grad()
def test_states_and_rewards_are_those_of_plain_rows(body, kind):
    model, trees = body(kind, scored=True), pairs()
    torch.manual_seed(7)
    found = goal_states(model, pack(trees), samples=4)
    torch.manual_seed(7)
    sizes = torch.tensor([tree.parts[1:] for tree in trees])
    drawn = positions.drawn(sizes[:, 0], sizes[:, 1], samples=4, source_from=0.0, goal_from=0.0)
    for row, tree in enumerate(trees):
        for side, response in enumerate(tree.responses):
            ids = torch.tensor([[*tree.prompt, *response]])
            states = model.base_model(input_ids=ids).last_hidden_state[0]
            reward = found["rejected_rewards" if side else "chosen_rewards"][row]
            assert reward.item() == pytest.approx(model(input_ids=ids).logits[0, 0].item(), abs=1e-4)
            for name in STATES[3:] if side else STATES[:3]:
                expected = states[len(tree.prompt) + getattr(drawn, name)[row]]
                assert torch.allclose(found[name][row], expected, atol=1e-4), (name, row)
    assert torch.equal(found["source_places"], drawn.sources)
    assert torch.equal(found["goal_places"], drawn.goals)


def test_rows_in_another_order_have_the_same_states(body, monkeypatch):
    model, trees, order = body("llama", scored=True), pairs(5), [3, 0, 4, 1, 2]
    uniform = positions.uniforms(5, 3)
    monkeypatch.setattr(positions, "uniforms", lambda rows, samples: uniform)
    straight = goal_states(model, pack(trees), samples=3)
    monkeypatch.setattr(positions, "uniforms", lambda rows, samples: uniform[order])
    for name, values in goal_states(model, pack([trees[at] for at in order]), samples=3).items():
        assert torch.allclose(values, straight[name][order], atol=1e-5), name


@pytest.mark.parametrize("numbers", [{"average": True}, {"pairs": "ordered", "samples": 3}, {"head": "mlp", "goal_from": 0.3}])
def test_a_run_that_was_broken_off_ends_with_the_same_weights(body, tmp_path, numbers):
    """In several batches a step, so that the passes of a whole step are made twice with the same draws."""
    objective, held = OBJECTIVES["goals"], rows(OBJECTIVES["goals"])

    def trained(folder, until=None):
        torch.manual_seed(5)
        model = objective.module(body("llama", scored=True), head=numbers.get("head", "linear"))

        def broken(step, steps, row):
            if step == until:
                raise KeyboardInterrupt

        told = {"steps": 7, "numbers": numbers, "folder": folder, "save_every": 2, "mixed_precision": "no", "watch": broken}
        try:
            history = fit(model, objective, shuffled(held, size=4, tokens=40), lr=0.01, **told)
        except KeyboardInterrupt:
            history = None
        return history, model.state_dict()

    history, weights = trained(tmp_path / "whole")
    trained(tmp_path / "broken", until=5)
    again, ended = trained(tmp_path / "broken")
    assert again == history
    assert all(torch.equal(weights[name], ended[name]) for name in weights)
    assert history[0]["contrast"] != history[-1]["contrast"]


def test_what_is_learned_draws_states_of_preferred_responses_together(body):
    model, objective = body("llama", scored=True), OBJECTIVES["goals"]
    history = fit(model, objective, shuffled(rows(objective), size=COUNT), steps=40, lr=3e-3, mixed_precision="no")
    first, last = history[0], history[-1]
    assert last["alike"] > first["alike"]
    assert last["unlike"] < first["unlike"] - 0.5
    assert last["accuracy"] == 1.0


def test_a_run_leaves_the_goal_of_the_rows_that_it_learned_from(made, tmp_path):
    numbers = {"samples": 4, "pairs": "ordered", "weight": 1.0}
    history = run(spec.of(made(objective="goals", numbers=numbers, steps=30, lr=3e-3, held_out=0.2)))
    assert history[-1]["loss"] < 0.9 * history[0]["loss"]
    assert "held_out_contrast" in history[-1]
    folder = tmp_path / "out" / "model"
    model, bank = reward_models.load(folder), goal_bank.load(folder)
    learned, _ = split(table().to_dict(as_series=False), 0.2, 0)
    assert bank.counts == {"preferred": len(learned["prompt"])}
    again = goal_bank.gather(goal_bank.GoalBank(), model, learned["prompt"], learned["chosen"])
    assert bank.goal() == pytest.approx(again.goal(), abs=1e-2)
    assert json.loads((folder / "model_card.json").read_text())["numbers"] == numbers


def test_no_other_run_leaves_a_goal(made, tmp_path):
    run(spec.of(made(objective="bradley_terry", steps=2)))
    assert not (tmp_path / "out" / "model" / goal_bank.FILE).exists()
    with pytest.raises(TrainingError, match=r"no goals\.safetensors that can be read .* goal_bank\.gather"):
        goal_bank.load(tmp_path / "out" / "model")


@pytest.mark.parametrize("lora", [{}, {"r": 4}])
def test_a_perceptron_is_saved_with_the_model_and_comes_back(made, tmp_path, lora):
    run(spec.of(made(objective="goals", numbers={"head": "mlp"}, steps=4, lora=lora)))
    folder = tmp_path / "out" / "model"
    model = reward_models.load(folder)
    width = model.model.config.hidden_size
    shapes = [tuple(weights.shape) for weights in model.model.score.parameters()]
    half = width // 2
    assert shapes == [(half, width), (half,), (half, half), (half,), (width, half), (width,), (1, width)]
    saved = load_file(folder / "model.safetensors")
    for name, weights in model.model.score.state_dict().items():
        assert torch.equal(weights, saved[f"score.{name}"])
    state = torch.randn(1, width)
    hidden = state
    for at in (0, 2, 4):
        hidden = (hidden @ saved[f"score.{at}.weight"].T + saved[f"score.{at}.bias"]).clamp(min=0)
    assert model.model.score(state).item() == pytest.approx((hidden @ saved["score.6.weight"].T).item(), abs=1e-6)
    assert model.rewards(["a"], [" b"]).shape == (1,)
    assert heads.scoring(model.model, head="mlp").score is model.model.score  # another run goes on from it


def test_a_perceptron_without_its_weights_is_named(body, tmp_path):
    with pytest.raises(TrainingError, match="no weights of its reward head"):
        heads.restore(heads.scoring(body("llama", scored=True), head="mlp"), tmp_path)


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        ({"samples": 0}, "samples is .* must be 1 or more, got 0"),
        ({"pairs": "ordered", "goal_from": 0.5}, "goals would come before their sources"),
        ({"average": True, "pairs": "matched"}, "pairs can only be 'all'"),
        ({"head": "deep"}, "head of goals must be one of linear, mlp, got 'deep'"),
        ({"average": 1}, "average of goals must be true or false, got 1"),
        ({"weight": -1}, "weight of the contrast must be a finite number, 0 or more, got -1"),
    ],
)
def test_numbers_that_can_not_serve_are_named_before_the_first_step(made, tmp_path, numbers, said):
    with pytest.raises(TrainingError, match=said):
        run(spec.of(made(objective="goals", numbers=numbers)))
    assert not list((tmp_path / "out").glob("step-*"))


def test_a_taught_reward_model_has_the_head_that_was_asked_for(tiny_policy, tmp_path):
    begun = reward_models.load(tiny_policy.save(tmp_path / "policy"), lengths=Lengths(16, 16))
    columns = table(8).to_dict(as_series=False)
    taught = reward_models.taught(begun, columns, objective="goals", numbers={"head": "mlp", "samples": 2}, steps=2, size=4)
    assert isinstance(taught.model.score, torch.nn.Sequential)
    assert isinstance(begun.model.score, torch.nn.Linear)


def test_samples_may_come_as_a_whole_float(body):
    found = goal_states(body("llama", scored=True), pack(pairs()), samples=2.0)
    assert found["sources"].shape[1] == 2
