"""A run from a spec: what it leaves, what it learns from, and what it refuses."""

import json
import re

import numpy as np
import polars as pl
import pytest
import torch

from rlhf_train import spec
from rlhf_train.errors import TrainingError
from rlhf_train.models import policies, reward_models
from rlhf_train.run import run
from tests.rlhf_train.conftest import COUNT, table, weights


@pytest.mark.parametrize("objective", ["dpo", "kto", "bradley_terry", "trimmed_bradley_terry", "sft"])
def test_every_kind_of_run_learns_and_leaves_a_model(made, tmp_path, objective):
    if objective == "sft":
        table().rename({"chosen": "response"}).write_parquet(tmp_path / "pairs.parquet")
    history = run(spec.of(made(objective=objective, steps=30, lr=3e-3, held_out=0.2)))
    assert history[-1]["loss"] < 0.9 * history[0]["loss"]
    assert "held_out_loss" in history[-1]
    scored = "bradley_terry" in objective
    again = (reward_models if scored else policies).load(tmp_path / "out" / "model")
    assert not scored or len(again.rewards(["a"], [" b"])) == 1
    card = json.loads((tmp_path / "out" / "model" / "model_card.json").read_text())
    assert card["objective"] == objective
    assert card["steps"] == 30
    assert len(card["data"]) == 64


def test_a_reference_is_scored_once_and_policy_begins_as_it(made, tmp_path):
    first = run(spec.of(made()))[0]
    assert first["loss"] == pytest.approx(np.log(2), rel=1e-4)
    assert first["margin"] == pytest.approx(0, abs=1e-4)
    other = tmp_path / "other"
    policies.make(["The kettle sings. Rain again."] * 40, vocabulary=400, width=48, layers=1, steps=3, batch=4).save(other)
    assert run(spec.of(made(reference=str(other), out=str(tmp_path / "second"))))[0]["margin"] != pytest.approx(0, abs=1e-2)


def test_adapters_learn_alone_and_are_merged(made, tmp_path):
    history = run(spec.of(made(lora={"r": 4, "lora_alpha": 8}, steps=20, lr=1e-2)))
    assert history[-1]["loss"] < history[0]["loss"]
    assert (tmp_path / "out" / "adapter" / "adapter_model.safetensors").is_file()
    before, after = (policies.load(folder).model.state_dict() for folder in (tmp_path / "policy", tmp_path / "out" / "model"))
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed
    assert all("_proj" in name for name in changed)
    saved = tmp_path / "out" / "step-00000020" / "model.safetensors"
    assert saved.stat().st_size < 0.5 * (tmp_path / "policy" / "model.safetensors").stat().st_size
    with pytest.raises(TrainingError, match="lora: rank is no field of peft"):
        run(spec.of(made(lora={"rank": 4}, out=str(tmp_path / "third"))))


def test_gradient_checkpointing_changes_nothing(made, tmp_path):
    run(spec.of(made()))
    run(spec.of(made(gradient_checkpointing=True, out=str(tmp_path / "saving"))))
    plain, saving = weights(tmp_path / "out"), weights(tmp_path / "saving")
    for name in plain:
        assert torch.allclose(plain[name], saving[name], atol=1e-6)


def judge(policy, folder, scale):
    """The folder of a reward model, the same but for its scale."""
    reward = reward_models.load(policy, seed=3)
    with torch.no_grad():
        reward.model.score.weight.mul_(scale)
    reward.save(folder)
    return str(folder)


@pytest.mark.parametrize("objective", ["ppo", "sft"])
def test_a_run_stops_when_its_reward_rises_and_gold_falls(made, tiny_policy, tmp_path, objective):
    policy = tiny_policy.save(tmp_path / "policy")
    judges = {"reward_model": judge(policy, tmp_path / "reward", 30.0), "gold_model": judge(policy, tmp_path / "gold", -30.0)}
    rounds = {"prompts": 16, "epochs": 2, "n": 4, "kl_weight": 0.0}
    fields = made(objective=objective, **judges, rounds=rounds, steps=120, lr=5e-3, held_out=0.2, response_tokens=10)
    with pytest.raises(TrainingError, match=r"over-optimised: the reward rose from .* while gold fell from"):
        run(spec.of({**fields, "kl_budget": 1000}))
    golds = [(row["step"], row["gold"]) for row in map(json.loads, (tmp_path / "out/metrics.jsonl").open()) if "gold" in row]
    assert [step for step, _ in golds] == [4 * at + 3 for at in range(len(golds))]
    assert golds[-1][1] < golds[0][1]
    best = max(golds, key=lambda seen: seen[1])[0] + 1
    assert (tmp_path / "out" / f"step-{best:08d}" / "model.safetensors").is_file()  # which the reason says to take
    for wrong, said in (({"held_out": 0.0}, "and held_out"), ({"held_out": 0.001}, "leaves no prompt for the gold model")):
        with pytest.raises(TrainingError, match=said):
            run(spec.of({**fields, **wrong, "out": str(tmp_path / "none")}))


@pytest.mark.parametrize("objective", ["ppo", "sft"])
def test_a_policy_learns_from_its_own_answers(made, tiny_policy, tmp_path, objective):
    policy = tiny_policy.save(tmp_path / "policy")
    judge(policy, tmp_path / "reward", 30.0)
    rounds = {"prompts": 16, "epochs": 2, "n": 4, "kl_weight": 0.0}
    fields = made(objective=objective, reward_model=str(tmp_path / "reward"), rounds=rounds, steps=None, epochs=8.0, lr=5e-3)
    history = run(spec.of({**fields, "response_tokens": 10, "kl_budget": 1000}))
    assert len(history) == round(8 * COUNT / 16) * 4
    assert np.mean([row["reward"] for row in history[-8:]]) > history[0]["reward"] + 0.1
    assert policies.load(tmp_path / "out" / "model").model.config.model_type == "llama"
    assert not list((tmp_path / "out").glob("step-*[13579]"))
    judge(policy, tmp_path / "reward", -30.0)
    with pytest.raises(TrainingError, match="holds a run with reward_model"):  # another judge at the same place
        run(spec.of({**fields, "response_tokens": 10, "kl_budget": 1000}))
    if objective == "ppo":
        with pytest.raises(TrainingError, match=r"nats a response from its reference, beyond the budget of 0.1"):
            run(spec.of({**fields, "response_tokens": 10, "kl_budget": 0.1, "out": str(tmp_path / "held")}))


def test_data_that_can_not_serve_is_named(made, tmp_path):
    file = tmp_path / "pairs.parquet"
    cases = [
        (table().drop("rejected"), "has no column 'rejected'; it has prompt, chosen"),
        (table().with_columns(chosen=pl.lit(3)), "column 'chosen' must be text in every row"),
        (table()[:0], "has no rows"),
        (
            table().with_columns(chosen=pl.when(pl.col("prompt").str.contains(" 7\n")).then(pl.lit(" ")).otherwise("chosen")),
            "chosen is empty in row 7; drop",
        ),
    ]
    for rows, said in cases:
        rows.write_parquet(file)
        with pytest.raises(TrainingError, match=said):
            run(spec.of(made()))
    file.write_bytes(b"nonsense")
    with pytest.raises(TrainingError, match="can't be read"):
        run(spec.of(made()))
    with pytest.raises(TrainingError, match=r"expected a table ending in \.parquet or \.jsonl"):
        run(spec.of(made(data=str(tmp_path / "pairs.csv"))))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"held_out": 0.001}, "held_out = 0.001 of 60 rows is not one prompt"),
        ({"response_tokens": 1100}, "1100"),
        ({"numbers": {"beta": "high"}}, "beta of dpo must be a finite number, got 'high'"),
        (
            {"objective": "robust_dpo", "numbers": {"noise": 0.6}},
            r"noise is the share of flipped labels and must lie in \[0, 0.5\)",
        ),
        (
            {"objective": "sft", "reward_model": "r", "rounds": {"batch": 0}},
            "batch of a round must be a whole number, 1 or more",
        ),
        ({"objective": "sft", "reward_model": "r", "rounds": {"prompts": 1.5}}, "prompts of a round must be a whole number"),
        (
            {"objective": "sft", "reward_model": "r", "rounds": {"kl_weight": -1}},
            "kl_weight of a round must be a number, 0 or more",
        ),
    ],
)
def test_numbers_that_can_not_serve_are_named(made, wrong, said):
    with pytest.raises(TrainingError, match=said):
        run(spec.of(made(**wrong)))


def test_pairs_that_are_all_alike_are_named(made, tmp_path):
    table().with_columns(rejected="chosen").write_parquet(tmp_path / "pairs.parquet")
    with pytest.raises(TrainingError, match="all pairs are the same in their first"):
        run(spec.of(made(most_identical=1.0)))


def test_a_model_that_is_not_whole_is_named(made, tmp_path):
    with pytest.raises(TrainingError, match=r"nowhere: no model that can be loaded"):
        run(spec.of(made(model=str(tmp_path / "nowhere"))))
    file = tmp_path / "policy" / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(TrainingError, match=r"policy: no model that can be loaded"):
        run(spec.of(made()))
    file.unlink()
    with pytest.raises(TrainingError, match=r"policy: no model that can be loaded"):
        run(spec.of(made()))


def test_json_lines_serve_as_well(made, tmp_path):
    table().write_ndjson(tmp_path / "pairs.jsonl")
    first = run(spec.of(made(steps=2)))
    second = run(spec.of(made(steps=2, data=str(tmp_path / "pairs.jsonl"), out=str(tmp_path / "second"))))
    assert first == second


def test_a_loss_that_is_not_finite_leaves_what_was_saved(made, tmp_path):
    fields = made(lr=1e-3, steps=8)
    run(spec.of(fields))
    file = next(iter((tmp_path / "out").glob("step-*")))
    saved = (file / "state.json").read_text()
    with pytest.raises(TrainingError, match=re.escape("finish that one with its own settings")):
        run(spec.of({**fields, "lr": 1e30}))
    with pytest.raises(TrainingError, match=r"step [1-9]: the (loss|gradient)"):
        run(spec.of({**fields, "lr": 1e30, "out": str(tmp_path / "wild"), "save_every": 1, "clip": 1e30}))
    assert (file / "state.json").read_text() == saved
    assert list((tmp_path / "wild").glob("step-*"))
