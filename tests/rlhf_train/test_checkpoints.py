"""A run that stops and goes on ends as one that never stopped, and what was saved is never taken for another's."""

import copy
import json
import re

import numpy as np
import pytest
import torch

from rlhf_train import checkpoints, metrics
from rlhf_train.batches import shuffled
from rlhf_train.errors import TrainingError
from rlhf_train.objectives import OBJECTIVES
from rlhf_train.train import fit

STEPS, EVERY = 9, 2
NAMED = {"lr": 0.01, "data": "abc"}


@pytest.fixture
def run(body, tiny_policy):
    """`run(folder, until=None, **changes)`: the same training each time, broken off after `until` steps."""
    random = np.random.default_rng(0)
    columns = {
        "prompt": [f"\n\nHuman: {at}\n\nAssistant:" for at in range(20)],
        "chosen": [" The kettle sings." * int(random.integers(1, 4)) for _ in range(20)],
        "rejected": [" Rain again." * int(random.integers(1, 4)) for _ in range(20)],
        "ref_chosen_logps": np.linspace(-40, -20, 20),
        "ref_rejected_logps": np.linspace(-30, -25, 20),
    }
    objective = OBJECTIVES["dpo"]
    rows = objective.rows(columns, tiny_policy.tokenizer)

    def trained(folder, until=None, identity=NAMED, seed=3, drop=0.0, name="dpo"):
        model = copy.deepcopy(tiny_policy.model)
        for layer in model.model.layers:
            layer.self_attn.o_proj = torch.nn.Sequential(layer.self_attn.o_proj, torch.nn.Dropout(drop))

        def broken(step, steps, row):
            if step == until:
                raise KeyboardInterrupt

        try:
            history = fit(
                model,
                OBJECTIVES[name],
                shuffled(rows, size=4, seed=seed, tokens=100),
                steps=STEPS,
                lr=0.01,
                seed=seed,
                folder=folder,
                save_every=EVERY,
                identity=identity,
                watch=broken,
                mixed_precision="no",
            )
        except KeyboardInterrupt:
            history = None
        return history, {name: weights.clone() for name, weights in model.state_dict().items()}

    return trained


def same(first, second):
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("name", ["dpo", "distributionally_robust_dpo"])
@pytest.mark.parametrize("until", [1, 2, 5, 8, 9])
def test_a_run_that_was_broken_off_ends_with_the_same_weights_and_metrics(run, tmp_path, until, name):
    history, weights = run(tmp_path / "whole", drop=0.2, name=name)
    run(tmp_path / "broken", until=until, drop=0.2, name=name)
    again, ended = run(tmp_path / "broken", drop=0.2, name=name)
    assert same(weights, ended)
    assert again == history
    assert [json.loads(line) for line in (tmp_path / "broken" / metrics.FILE).read_text().splitlines()] == history


def test_a_run_broken_off_twice_still_ends_alike(run, tmp_path):
    _, weights = run(tmp_path / "whole")
    for until in (3, 7):
        run(tmp_path / "broken", until=until)
    assert same(weights, run(tmp_path / "broken")[1])


def test_a_finished_run_is_not_run_again(run, tmp_path):
    history, weights = run(tmp_path)
    again, ended = run(tmp_path, until=1)
    assert again == history
    assert same(weights, ended)


def test_the_two_newest_are_kept(run, tmp_path):
    run(tmp_path)
    assert [place.name for place in sorted(tmp_path.glob("*step-*"))] == ["step-00000008", "step-00000009"]


def test_half_written_ones_are_never_looked_at(run, tmp_path):
    _, weights = run(tmp_path / "whole")
    run(tmp_path / "broken", until=5)
    half = tmp_path / "broken" / ".step-00000006"
    half.mkdir()
    (half / "model.safetensors").write_bytes(b"half")
    assert same(weights, run(tmp_path / "broken")[1])


def test_another_run_is_refused_by_the_setting_that_differs(run, tmp_path):
    run(tmp_path, until=5)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(TrainingError, match="holds a run with data 'abc', and this one has 'abd'"):
        run(tmp_path, identity={**NAMED, "data": "abd"})
    assert sorted(tmp_path.rglob("*")) == before


def test_a_damaged_checkpoint_is_named_and_the_one_before_serves(run, tmp_path):
    _, weights = run(tmp_path / "whole")
    run(tmp_path / "broken", until=5)
    damaged = tmp_path / "broken" / "step-00000004"
    file = damaged / "optimizer.safetensors"
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(TrainingError, match=f"{re.escape(str(file))}: has changed since .* delete {re.escape(str(damaged))}"):
        run(tmp_path / "broken")
    (damaged / checkpoints.STATE).write_text("{")
    with pytest.raises(TrainingError, match="not a whole checkpoint"):
        run(tmp_path / "broken")
    for part in damaged.iterdir():
        part.unlink()
    damaged.rmdir()
    assert same(weights, run(tmp_path / "broken")[1])


def test_a_checkpoint_of_another_model_is_refused(body, tmp_path):
    models = body("llama"), body("gpt2")
    optimizers = [torch.optim.AdamW(model.parameters()) for model in models]
    checkpoints.save(tmp_path, 1, models[0], optimizers[0], {})
    with pytest.raises(TrainingError, match="is of another model"):
        checkpoints.load(checkpoints.newest(tmp_path, {}), models[1], optimizers[1])


def test_only_what_learns_is_saved(body, tmp_path):
    from safetensors.torch import load_file

    model = body("llama")
    model.model.requires_grad_(False)
    checkpoints.save(tmp_path, 1, model, torch.optim.AdamW(model.lm_head.parameters()), {})
    assert list(load_file(tmp_path / "step-00000001" / "model.safetensors")) == ["lm_head.weight"]
