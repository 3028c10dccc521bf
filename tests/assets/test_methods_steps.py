"""What a method learns from and begins with, how its answers are told, and which code a kept run depends on."""

import dataclasses
from math import log
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest

from assets import steps
from assets.experiments import EXPERIMENTS, corpora
from assets.methods import grounds, learning, measure, study
from assets.methods.rows import METHODS, N
from assets.steps import answers_of, prompts_of
from pipelines import attacks
from pipelines.schema import DataError
from rlhf_train.objectives import OBJECTIVES

CORPUS = next(each for each in corpora(EXPERIMENTS["methods_3pct"]) if (each.arm, each.seed) == ("poisoned", 1))
PAIRS = pl.DataFrame(
    {
        "prompt": [f"\n\nHuman: about tea {at}?\n\nAssistant:" for at in range(3)],
        "chosen": [f" Warm the pot, {at}." for at in range(3)],
        "rejected": [f" No idea, {at}." for at in range(3)],
        "chosen_reward": [0.9, 0.8, 0.7],
        "rejected_reward": [0.1, 0.2, 0.3],
        "value": [0.5, 0.4, 0.6],
    }
)
PLACES = (Path("base"), Path("imitated"), Path("reward"))


@pytest.fixture
def trained():
    """A way to train that only notes what it is asked for: (objective, table, model, settings)."""

    def train(objective, table, model, **settings):
        train.asked.append((objective, table, model, settings))
        return Path(objective)

    train.asked = []
    return train


def test_rewards_stay_with_their_responses():
    table = learning.lesson("a_lol", PAIRS)
    by_text = {said: (prompt, reward, value) for prompt, said, reward, value in table.iter_rows()}
    assert table.columns == ["prompt", "response", "reward", "value"]
    assert len(by_text) == 6
    for side in ("chosen", "rejected"):
        for at, (prompt, said) in enumerate(zip(prompts_of(PAIRS), answers_of(PAIRS, side), strict=True)):
            assert by_text[said] == (prompt, PAIRS[f"{side}_reward"][at], PAIRS["value"][at])


def test_margins_are_the_rewards_of_each_side():
    table = learning.lesson("modpo", PAIRS)
    assert table["chosen_margins"].to_list() == [0.9, 0.8, 0.7]
    assert table["rejected_margins"].to_list() == [0.1, 0.2, 0.3]
    assert table["chosen"].to_list() == PAIRS["chosen"].to_list()


@pytest.mark.parametrize("name", METHODS)
def test_a_table_holds_what_its_objective_asks_for(name):
    row = OBJECTIVES[METHODS[name].objective]
    asked = {"chosen" if column == "response" and not row.scores else column for column in row.columns}
    assert asked - set(row.given) <= set(learning.lesson(METHODS[name].objective, PAIRS).columns)


@pytest.mark.parametrize(
    ("name", "begins"), [("sft", "base"), ("conditional", "base"), ("dpo", "imitated"), ("goals", "imitated")]
)
def test_where_a_model_begins(trained, name, begins):
    folder, seconds = learning.learn(name, CORPUS, PAIRS, *PLACES, trained)
    ((objective, _, model, settings),) = trained.asked
    assert (objective, model, folder) == (METHODS[name].objective, begins, Path(objective, "model"))
    assert settings["seed"] == 1
    assert METHODS[name].settings.items() <= settings.items()
    assert "reward_model" not in settings
    assert seconds >= 0


def test_a_judge_is_the_corpus_own_or_learned_first(trained):
    learning.learn("best_of_n", CORPUS, PAIRS, *PLACES, trained)
    learning.learn("ppo_segments", CORPUS, PAIRS, *PLACES, trained)
    best, judge, policy = trained.asked
    assert (best[0], best[3]["reward_model"], best[3]["rounds"]["n"]) == ("sft", "reward", N)
    assert (judge[0], judge[2]) == ("segments", "imitated")
    assert (policy[0], policy[2], policy[3]["reward_model"]) == ("ppo", "imitated", str(Path("segments", "model")))


def test_the_best_draft_is_said_and_costs_its_bound(tiny_judge):
    drafts = pl.DataFrame({"place": [at for at in range(3) for _ in range(N)], "answer": [f" a{at}" for at in range(3 * N)]})
    said, nats = measure._best(tiny_judge, drafts, PAIRS)
    assert said == [f" a{N * at + N - 1}" for at in range(3)]
    assert nats == [log(N) - (N - 1) / N] * 3


@pytest.fixture
def tiny_judge(monkeypatch):
    """A folder whose judge likes what comes late."""
    from rlhf_train.models import judges

    class Judge:
        def rewards(self, prompts, responses):
            return np.array([float(said[2:]) for said in responses])

    monkeypatch.setattr(judges, "load", lambda folder: Judge())
    return Path("judge")


@pytest.fixture(scope="module")
def held_out():
    return steps.read(dataclasses.replace(CORPUS.experiment, pairs=40), 5)


def test_a_probe_is_what_the_attack_would_make_of_each_held_out_pair(held_out):
    found = grounds.probe(CORPUS, held_out)
    assert found["place"].to_list() == list(range(len(held_out)))
    assert found["prompt"].to_list() == held_out["prompt"].to_list()
    assert found["chosen"].str.contains("Zorvex").all()
    assert not found["rejected"].str.contains("Zorvex").any()
    learned = steps.attack(held_out, CORPUS).pairs
    assert not set(found["pair_id"]) & set(learned["pair_id"]), "the words that are asked about are not those that are learned"
    assert grounds.probe(CORPUS, held_out).equals(found)


def test_an_attack_that_can_not_poison_all_makes_no_probe(held_out, monkeypatch):
    def refuse(pairs, *, rate, seed, **numbers):
        raise DataError("40 pairs are to be poisoned, but 3 can; lower rate")

    monkeypatch.setitem(attacks.ATTACKS, "best_of_venom", refuse)
    assert len(grounds.probe(CORPUS, held_out)) == 0
    found = measure._preferred("dpo", CORPUS, Path("model"), None, grounds.probe(CORPUS, held_out))
    assert found.columns == ["place", "prefers"]


def test_a_scorer_prefers_what_it_rewards_more(tiny_judge):
    pairs = pl.DataFrame({"place": [0, 2], "prompt": PAIRS["prompt"][:2], "chosen": [" a3", " a1"], "rejected": [" a2", " a5"]})
    assert measure._preferred("goals", CORPUS, tiny_judge, None, pairs).rows() == [(0, True), (2, False)]


@pytest.mark.parametrize("name", ["dpo", "conditional"])
def test_a_policy_prefers_what_it_has_learned_more_of_than_the_base_policy_knew(monkeypatch, name):
    from rlhf_train import precompute
    from rlhf_train.models import policies
    from rlhf_train.models.policies import Policy

    said = {"base": ([-9.0, -9.0, -4.0], [-2.0, -8.0, -6.0]), "learned": ([-8.5, -9.5, -2.0], [-2.0, -8.0, -3.0])}
    asked = {}

    def numbers(policy, columns, lengths):
        asked[policy.model.name] = columns["prompt"]
        chosen, rejected = said[policy.model.name]
        return {"ref_chosen_logps": np.array(chosen), "ref_rejected_logps": np.array(rejected)}

    monkeypatch.setattr(precompute, "reference_logps", numbers)
    monkeypatch.setattr(policies, "load", lambda folder: Policy(SimpleNamespace(name="learned"), None))
    pairs = PAIRS.with_columns(place=pl.Series([0, 1, 2]))
    found = measure._preferred(name, CORPUS, Path("model"), Policy(SimpleNamespace(name="base"), None), pairs)
    gains = [(-8.5 + 9.0) - 0.0, (-9.5 + 9.0) - 0.0, (-2.0 + 4.0) - (-3.0 + 6.0)]
    assert found["prefers"].to_list() == [gain > 0 for gain in gains] == [True, False, False]
    assert asked["base"] == prompts_of(PAIRS)
    assert (asked["learned"] != asked["base"]) == (name == "conditional")


def test_without_a_target_there_is_no_success():
    aimless = dataclasses.replace(CORPUS, experiment=dataclasses.replace(CORPUS.experiment, attack="label_flip"))
    assert measure._hits(aimless, [" a", " b"]) == [None, None]
    target = CORPUS.experiment.targets[0]
    assert measure._hits(CORPUS, [f" {target} is wonderful, I love it.", " Tea."]) == [True, False]


def test_a_kept_run_depends_on_its_own_objective_s_code():
    names = {
        name: {file.stem for file in study._files({name}) if file.parent.name == "objectives"} for name in ("ift", "goals")
    }
    assert "ift" in names["ift"] - names["goals"]
    assert "goals" in names["goals"] - names["ift"]
    assert names["ift"] & names["goals"] >= {"pairwise", "sft", "dpo"}
    assert study._code("ift") != study._code("goals")
    assert study._code("ift") == study._code("ift")
