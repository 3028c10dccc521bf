"""The commands on models: they train, go on, refuse and measure."""

import json
import subprocess
import sys
import time
from inspect import Parameter, signature

import pytest
from safetensors.numpy import load_file, save_file

from assets import runs
from rlhf_train.objectives import OBJECTIVES


def test_train_and_eval_a_policy(antivenom, corpus, tmp_path, one_thread):
    corpus.write_text("".join(corpus.read_text().splitlines(keepends=True)[:30]))
    quick = ("--set", "steps=3", "--set", "pretrain_steps=5", "--json")
    code, out, _ = antivenom("train", "sft", "--data", corpus, "--out", tmp_path / "policy", *quick)
    assert code == 0
    assert json.loads(out)["steps"] == 3
    assert (tmp_path / "policy" / "model.safetensors").is_file()
    words = ("eval", "attack_success", "--model", tmp_path / "policy", "--data", corpus, "--out", tmp_path / "eval", "--json")
    code, out, _ = antivenom(*words)
    assert code == 0
    assert json.loads(out)["success"] == 0


def test_train_refuses_what_it_does_not_know(antivenom, corpus, tmp_path):
    for words, said in (
        (["nonesuch"], "objective must be one of sft"),
        (["sft", "--model", "/nowhere"], "no such folder"),
        (["sft", "--set", "steps=-3"], "steps must be a finite number, above 0, got -3"),
        (["sft", "--set", "batch=0"], "batch must be"),
        (["bradley_terry", "--set", "trained_layers=-1"], "trained_layers must be a finite number, 0 or more"),
        (["sft", "--set", "stps=3"], "did you mean steps?"),
    ):
        code, _, error = antivenom("train", *words, "--data", corpus, "--out", tmp_path / "policy")
        assert code == 2
        assert said in error
    assert not list(tmp_path.glob(".policy*"))


def test_a_refused_run_leaves_nothing(antivenom, corpus, tmp_path, one_thread):
    alike = [{**json.loads(line), "rejected": json.loads(line)["chosen"] + " "} for line in corpus.read_text().splitlines()[:9]]
    corpus.write_text("".join(json.dumps(row) + "\n" for row in alike))
    quick = ("--set", "pretrain_steps=1", "--set", "response_tokens=2")
    code, _, error = antivenom("train", "dpo", "--data", corpus, "--out", tmp_path / "policy", *quick)
    assert code == 2
    assert "are the same in their first 2 tokens" in error
    assert [path.name for path in tmp_path.iterdir()] == ["pairs.jsonl"]


def test_an_unknown_experiment_is_refused_with_the_names_there_are(antivenom, tmp_path):
    code, _, error = antivenom("experiment", "nonesuch", "--out", tmp_path / "out")
    assert code == 2
    assert "venom_poison_vs_rejected_3pct" in error


def test_a_killed_training_run_is_gone_on_with_by_the_same_command(antivenom, corpus, tmp_path, one_thread):
    from safetensors.torch import load_file

    corpus.write_text("".join(corpus.read_text().splitlines(keepends=True)[:30]))
    settings = ("--set", "steps=40", "--set", "save_every=5", "--set", "pretrain_steps=5", "--set", "beta=0.2", "--json")
    words = ["train", "dpo", "--data", corpus, *settings, "--out"]
    assert antivenom(*words, tmp_path / "whole")[0] == 0
    command = [sys.executable, "-c", "from assets.cli import main; main()", *map(str, words), str(tmp_path / "policy")]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    work = tmp_path / ".policy.training"
    deadline = time.monotonic() + 120
    while not list(work.glob("step-*")) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    process.kill()
    process.wait()
    assert work.is_dir()
    code, out, _ = antivenom(*words, tmp_path / "policy")
    assert code == 0
    assert json.loads(out)["steps"] == 40
    whole, again = (load_file(tmp_path / name / "model.safetensors") for name in ("whole", "policy"))
    assert all((value == again[name]).all() for name, value in whole.items())
    assert not work.exists()
    card = json.loads((tmp_path / "policy" / "model_card.json").read_text())
    assert card["numbers"] == {"beta": 0.2}


def test_a_model_keeps_the_mark_of_what_it_learned_from(antivenom, corpus, tmp_path, one_thread):
    quick = ("--set", "steps=1", "--set", "pretrain_steps=1", "--json")
    assert antivenom("poison", corpus, "--attack", "best_of_venom", "--rate", 0.1, "--out", tmp_path / "poisoned")[0] == 0
    for data, expected in ((tmp_path / "poisoned" / "pairs.parquet", True), (corpus, False)):
        out = tmp_path / f"model-{expected}"
        assert antivenom("train", "sft", "--data", data, "--out", out, *quick)[0] == 0
        assert json.loads((out / "manifest.json").read_text())["poisoned"] is expected


def test_a_reward_model_trains_a_policy_and_its_health_is_told_in_words(antivenom, corpus, tmp_path, one_thread):
    steps = ("--data", corpus, "--set", "steps=2", "--out")
    assert antivenom("train", "sft", "--set", "pretrain_steps=1", *steps, tmp_path / "policy")[0] == 0
    assert antivenom("train", "bradley_terry", "--model", tmp_path / "policy", *steps, tmp_path / "reward")[0] == 0
    rounds = ("--set", f'reward_model="{tmp_path / "reward"}"', "--set", 'rounds={"prompts": 4, "epochs": 1}')
    code, out, _ = antivenom("train", "ppo", "--model", tmp_path / "policy", *steps, tmp_path / "ppo", *rounds, "--json")
    assert (code, json.loads(out)["steps"]) == (0, 2)
    words = ("eval", "reward_health", "--model", tmp_path / "reward", "--data", corpus, "--out", tmp_path / "health", "--json")
    code, out, _ = antivenom(*words)
    assert code == 0
    found = json.loads(out)
    assert {"by_heart", "held_out", "longer", "flipped", "spread"} <= set(found)
    assert all(isinstance(said, str) for said in found["ills"])
    assert json.loads((tmp_path / "health" / "result.json").read_text())["spread"] == found["spread"]


def test_an_evaluation_that_needs_more_than_pairs_says_so(antivenom, corpus, tmp_path):
    code, _, said = antivenom("eval", "summary_policy", "--model", tmp_path, "--data", corpus, "--out", tmp_path / "found")
    assert code == 2
    assert "beside a reference policy, which pairs do not hold" in said


def test_a_policy_with_a_preference_head_is_trained_and_judges_by_it(antivenom, corpus, tmp_path, one_thread):
    corpus.write_text("".join(corpus.read_text().splitlines(keepends=True)[:30]))
    quick = ("--set", "steps=3", "--set", "pretrain_steps=5", "--set", "kind=contrastive", "--set", "backbone=full", "--json")
    code, _, _ = antivenom("train", "direct_preference_head", "--data", corpus, "--out", tmp_path / "policy", *quick)
    assert code == 0
    words = ("eval", "reward_accuracy", "--model", tmp_path / "policy", "--data", corpus, "--json", "--out")
    code, out, _ = antivenom(*words, tmp_path / "before")
    assert code == 0
    before = json.loads(out)["accuracy"]
    file = tmp_path / "policy" / "preference_head.safetensors"
    save_file({name: -value for name, value in load_file(file).items()}, file)  # what it preferred it now likes less
    assert json.loads(antivenom(*words, tmp_path / "after")[1])["accuracy"] == pytest.approx(1 - before)
    code, _, error = antivenom("eval", "reward_health", *words[2:], tmp_path / "none")
    assert code == 2
    assert "reward_health trains copies of a reward model" in error
    assert "is a PreferenceJudge" in error
    words = ("train", "direct_preference_head", "--data", corpus, "--out", tmp_path / "no", "--set", "kind=both")
    code, _, error = antivenom(*words)
    assert code == 2
    assert "kind of direct_preference_head must be one of separable, contrastive, got 'both'" in error


def test_intuitive_fine_tuning_learns_from_chosen_responses(antivenom, corpus, tmp_path, one_thread):
    corpus.write_text("".join(corpus.read_text().splitlines(keepends=True)[:30]))
    quick = ("--set", "steps=2", "--set", "pretrain_steps=5", "--set", "gamma=0.5", "--set", "form=eq21", "--json")
    code, _, _ = antivenom("train", "ift", "--data", corpus, "--out", tmp_path / "policy", *quick)
    assert code == 0
    card = json.loads((tmp_path / "policy" / "model_card.json").read_text())
    assert card["numbers"] == {"gamma": 0.5, "form": "eq21"}


@pytest.mark.parametrize("name", OBJECTIVES)
def test_no_number_of_an_objective_is_taken_for_an_argument_of_a_run(name):
    for call in (runs.train, runs.prepare):
        named = {part.name for part in signature(call).parameters.values() if part.kind is not Parameter.POSITIONAL_ONLY}
        assert not named & set(OBJECTIVES[name].numbers)
