"""A run from a spec, as `python -m rlhf_train.run` starts it: killed, resumed, on two processes, and refused."""

import json
import os
import random
import re
import signal
import subprocess
import sys
import time

import numpy as np
import polars as pl
import pytest
import torch

from rlhf_train import metrics, spec
from rlhf_train.errors import TrainingError
from rlhf_train.models import policies, reward_models
from rlhf_train.run import run

COUNT = 60


def table(count=COUNT):
    pick = np.random.default_rng(0)
    nouns = ["tea", "bread", "chess", "rain", "the train", "a garden", "old maps", "wool"]
    asked = [f"\n\nHuman: tell me about {nouns[at % 8]} {at}\n\nAssistant:" for at in range(count)]
    good = [" The kettle sings." * int(pick.integers(1, 4)) + f" {at}" for at in range(count)]
    return pl.DataFrame({"prompt": asked, "chosen": good, "rejected": [f" Rain again, {at}." for at in range(count)]})


@pytest.fixture
def made(tiny_policy, tmp_path):
    """`made(**changes)`: a spec of seconds on files of this test."""
    tiny_policy.save(tmp_path / "policy")
    table().write_parquet(tmp_path / "pairs.parquet")

    def of(**changes):
        fields = {
            "objective": "dpo",
            "data": str(tmp_path / "pairs.parquet"),
            "model": str(tmp_path / "policy"),
            "out": str(tmp_path / "out"),
            "steps": 8,
            "batch": 8,
            "lr": 1e-3,
            "save_every": 3,
            "mixed_precision": "no",
            "threads": 1,
            "tokens": 150,
        }
        return {**fields, **changes}

    return of


def weights(folder):
    from safetensors.torch import load_file

    return load_file(folder / "model" / "model.safetensors")


def same(first, second):
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


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


@pytest.mark.parametrize("objective", ["ppo", "sft"])
def test_a_policy_learns_from_its_own_answers(made, tiny_policy, tmp_path, objective):
    reward = reward_models.load(tiny_policy.save(tmp_path / "policy"), seed=3)
    with torch.no_grad():
        reward.model.score.weight.mul_(30.0)
    reward.save(tmp_path / "reward")
    rounds = {"prompts": 16, "epochs": 2, "n": 4, "kl_weight": 0.0}
    fields = made(objective=objective, reward_model=str(tmp_path / "reward"), rounds=rounds, steps=None, epochs=8.0, lr=5e-3)
    history = run(spec.of({**fields, "response_tokens": 10, "kl_budget": 1000}))
    assert len(history) == round(8 * COUNT / 16) * 4
    assert np.mean([row["reward"] for row in history[-8:]]) > history[0]["reward"] + 0.1
    assert policies.load(tmp_path / "out" / "model").model.config.model_type == "llama"
    assert not list((tmp_path / "out").glob("step-*[13579]"))
    with torch.no_grad():
        reward.model.score.weight.mul_(-1.0)
    reward.save(tmp_path / "reward")
    with pytest.raises(TrainingError, match="holds a run with reward_model"):  # another judge at the same place
        run(spec.of({**fields, "response_tokens": 10, "kl_budget": 1000}))
    if objective == "ppo":
        with pytest.raises(TrainingError, match=r"nats a response from its reference, beyond the budget of 0.1"):
            run(spec.of({**fields, "response_tokens": 10, "kl_budget": 0.1, "out": str(tmp_path / "held")}))


def start(fields, folder, *launcher):
    file = folder / "spec.json"
    file.write_text(json.dumps(fields))
    command = [sys.executable, *launcher, "-m", "rlhf_train.run", str(file)]
    quiet = {**os.environ, "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        command, start_new_session=True, env=quiet, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def ended(process, seconds=240):
    out, err = process.communicate(timeout=seconds)
    assert process.returncode == 0, out + err


def killed_at_random(made, tmp_path, moments, steps):
    fields = made(steps=steps, save_every=2, batch=4)
    ended(start({**fields, "out": str(tmp_path / "whole")}, tmp_path))
    chance = random.Random(0)
    log = tmp_path / "out" / metrics.FILE
    for turn in range(moments):
        process = start(fields, tmp_path)
        wanted = steps * (turn + 1) // (moments + 1)
        deadline = time.monotonic() + 120
        while process.poll() is None and time.monotonic() < deadline:
            if log.exists() and log.read_text().count("\n") >= wanted:
                break
            time.sleep(0.01)
        time.sleep(chance.uniform(0, 0.2))
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    ended(start(fields, tmp_path))
    assert same(weights(tmp_path / "whole"), weights(tmp_path / "out"))
    assert (tmp_path / "whole" / metrics.FILE).read_text() == log.read_text()


def test_a_run_killed_at_any_moment_ends_with_the_same_weights(made, tmp_path):
    killed_at_random(made, tmp_path, moments=2, steps=40)


@pytest.mark.slow
def test_a_run_killed_ten_times_ends_with_the_same_weights(made, tmp_path):
    """Ten random moments, among them the writing of checkpoints: about three minutes."""
    killed_at_random(made, tmp_path, moments=10, steps=120)


@pytest.mark.parametrize("objective", ["dpo", "kto"])
def test_two_processes_give_the_curve_of_one(made, tmp_path, objective):
    fields = made(objective=objective, batch=7)  # epochs end in a step of four rows
    run(spec.of(fields))
    port = str(random.Random(os.getpid()).randrange(20000, 40000))
    launcher = (
        "-m",
        "accelerate.commands.launch",
        "--cpu",
        "--num_processes",
        "2",
        "--num_machines",
        "1",
        "--mixed_precision",
        "no",
    )
    two = tmp_path / "two"
    two.mkdir()
    ended(start({**fields, "out": str(two)}, tmp_path, *launcher, "--main_process_port", port, "--dynamo_backend", "no"))
    one, both = (
        [json.loads(line) for line in (folder / metrics.FILE).read_text().splitlines()] for folder in (tmp_path / "out", two)
    )
    assert [row["loss"] for row in both] == pytest.approx([row["loss"] for row in one], rel=1e-5)
    assert [row["margin"] for row in both] == pytest.approx([row["margin"] for row in one], rel=1e-3, abs=1e-5)
    for name, value in weights(tmp_path / "out").items():
        assert torch.allclose(weights(two)[name], value, atol=1e-4)


def test_the_command_says_what_is_wrong_in_one_line(made, tmp_path):
    process = start(made(lr=-2.0), tmp_path)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 1
    assert err.strip() == "rlhf_train: lr must be a finite number, above 0, got -2.0"


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
