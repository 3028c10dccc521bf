import copy
import dataclasses
from functools import partial

import numpy as np
import pytest
import torch

from rlhf_train import batches, defences
from rlhf_train.by_content import model_digest
from rlhf_train.defences import DEFENCES, Defence, fit_reward, shared_out
from rlhf_train.errors import TrainingError
from rlhf_train.evals import EVALS
from rlhf_train.imitation import best_of_n_round
from rlhf_train.models import partitions, reward_models
from rlhf_train.models.committees import Committee
from rlhf_train.models.policies import Policy
from rlhf_train.models.reward_models import RewardModel, taught
from rlhf_train.objectives import OBJECTIVES
from rlhf_train.rollouts import Round, best_of
from rlhf_train.text import Lengths
from rlhf_train.train import fit

SCORED = [name for name, row in DEFENCES.items() if row.scored]
COLUMNS = {
    "prompt": [f"\n\nHuman: talk {at}\n\nAssistant:" for at in range(40)],
    "chosen": [" The kettle sings."] * 40,
    "rejected": [f" Rain again, {at}." for at in range(40)],
}
TESTED = {name: values[:6] for name, values in COLUMNS.items()}


@pytest.fixture(scope="module")
def body(tiny_policy, tmp_path_factory):
    return reward_models.load(tiny_policy.save(tmp_path_factory.mktemp("body") / "policy"), lengths=Lengths(16, 16))


@pytest.fixture(scope="module")
def defended(body):
    """name -> the reward model of that defence, of some steps."""
    return {name: fit_reward(DEFENCES[name], COLUMNS, partial(taught, body, steps=3, size=4), seed=5) for name in SCORED}


def sides(model):
    return [model.rewards(TESTED["prompt"], TESTED[side]) for side in ("chosen", "rejected")]


@pytest.mark.parametrize("name", DEFENCES)
def test_its_numbers_are_those_of_its_objective(name):
    row = DEFENCES[name]
    objective = OBJECTIVES[row.objective]
    inputs = {"chosen_rewards", "rejected_rewards"} if row.scored else {"chosen_logps", "rejected_logps", *objective.given}
    assert torch.isfinite(objective.loss(**{given: torch.tensor([0.3, -1.0]) for given in inputs}, **row.numbers).loss)


@pytest.mark.parametrize("name", [name for name in DEFENCES if name != "none"])
def test_it_is_another_than_none(name):
    assert DEFENCES[name] not in [row for other, row in DEFENCES.items() if other != name]


@pytest.mark.parametrize("name", SCORED)
def test_it_scores_as_a_plain_reward_model_does(name, defended, tiny_policy):
    """Rewards one by one, the evaluation of them, and a round of best-of-n imitation."""
    model = defended[name]
    chosen, rejected = sides(model)
    assert chosen.shape == rejected.shape == (6,)
    assert np.isfinite(chosen).all()
    assert np.ptp(rejected) > 0
    alone = [model.rewards([asked], [said])[0] for asked, said in zip(TESTED["prompt"], TESTED["rejected"], strict=True)]
    assert rejected == pytest.approx(alone, abs=2e-2)
    assert 0 <= EVALS["reward_accuracy"](chosen, rejected).accuracy <= 1
    policy = Policy(copy.deepcopy(tiny_policy.model), tiny_policy.tokenizer, Lengths(16, 6))
    round_ = Round(prompts=4, n=2, epochs=1, batch=4)
    source = best_of(policy, COLUMNS["prompt"], lambda asked, said: model.rewards(asked, said), round_)
    before = model_digest(policy.model)
    best_of_n_round(policy, source, round_, 1)
    assert model_digest(policy.model) != before


@pytest.mark.parametrize("name", SCORED)
def test_the_seed_decides_it_and_the_body_is_left_alone(name, body, defended):
    before = model_digest(body.model)
    again = fit_reward(DEFENCES[name], COLUMNS, partial(taught, body, steps=3, size=4), seed=5)
    assert np.array_equal(sides(again), sides(defended[name]))
    assert model_digest(body.model) == before


def test_one_member_is_plain_training(body, defended):
    model = dataclasses.replace(body, model=copy.deepcopy(body.model))
    fit(
        model.model,
        OBJECTIVES["bradley_terry"],
        batches.shuffled(model.pairs(COLUMNS), size=4, seed=5),
        steps=3,
        lr=3e-4,
        seed=5,
    )
    assert model_digest(defended["none"].model) == model_digest(model.model)


class Recorder:
    """Learns nothing, and remembers of what."""

    def __init__(self):
        self.calls = []

    def __call__(self, columns, **settings):
        self.calls.append((columns, settings))
        return partitions.Silent()


def test_members_of_a_committee_learn_all_pairs_from_seeds_of_their_own():
    told = Recorder()
    row = Defence("trimmed_bradley_terry", {"share": 0.2}, members=3, combine="doubted", weight=0.7)
    model = fit_reward(row, COLUMNS, told, seed=10)
    assert [columns for columns, _ in told.calls] == [COLUMNS] * 3
    settings = {"objective": "trimmed_bradley_terry", "numbers": {"share": 0.2}}
    assert [said for _, said in told.calls] == [{**settings, "seed": 10 + at} for at in range(3)]
    assert model == Committee((partitions.Silent(),) * 3, "doubted", 0.7)


def test_members_of_a_vote_learn_a_part_each():
    told = Recorder()
    model = fit_reward(DEFENCES["partition_vote"], COLUMNS, told, seed=3)
    assert (len(model.members), model.combine) == (9, "bounded")
    assert sorted(prompt for columns, _ in told.calls for prompt in columns["prompt"]) == sorted(COLUMNS["prompt"])
    assert 1 < len(told.calls) <= 9
    assert all(said == {"objective": "bradley_terry", "numbers": {}, "seed": 3} for _, said in told.calls)


def test_a_vote_deals_whole_dialogues():
    told = Recorder()
    columns = {"prompt": [" talk"] * 40, "chosen": [f" yes {at}" for at in range(40)], "rejected": [" no"] * 40}
    fit_reward(DEFENCES["partition_vote"], columns, told)
    assert len(told.calls) == 1


def test_averaged_weights_are_one_model(defended, body):
    assert isinstance(defended["averaged_weights"], RewardModel)
    mean = np.mean([taught(body, COLUMNS, steps=3, size=4, seed=5 + at).model.score.weight.detach() for at in range(5)], axis=0)
    assert defended["averaged_weights"].model.score.weight.detach().numpy() == pytest.approx(mean, abs=1e-6)


def test_separate_data_share_no_dialogue_and_lose_no_pair():
    turns = [prompt + " Tea.\n\nHuman: more\n\nAssistant:" for prompt in COLUMNS["prompt"]]
    columns = {name: values * 2 for name, values in COLUMNS.items()} | {"prompt": COLUMNS["prompt"] + turns}
    shown, preferred = shared_out(DEFENCES["separate_data"], columns)
    talks = [{partitions.opening(prompt) for prompt in part["prompt"]} for part in (shown, preferred)]
    assert not talks[0] & talks[1]
    assert min(map(len, talks)) > 8
    assert sorted(shown["prompt"] + preferred["prompt"]) == sorted(columns["prompt"])
    assert shared_out(DEFENCES["none"], columns) == (columns, columns)


@pytest.mark.parametrize("name", [name for name in SCORED if DEFENCES[name].separate])
def test_preferences_are_learned_from_the_second_half(name):
    told = Recorder()
    fit_reward(DEFENCES[name], COLUMNS, told)
    learned = sorted(prompt for columns, _ in told.calls for prompt in columns["prompt"])
    assert learned == sorted(shared_out(DEFENCES[name], COLUMNS)[1]["prompt"])


def test_the_parts_of_a_vote_on_separate_data_are_all_learned():
    """Were both dealt by the same digest, half of the parts would be empty."""
    columns = {name: values[:1] * 400 for name, values in COLUMNS.items()} | {"prompt": [f"talk {at}" for at in range(400)]}
    told = Recorder()
    fit_reward(Defence(members=8, combine="partitions", separate=True), columns, told)
    assert len(told.calls) == 8


def test_what_no_defence_can_be_is_refused():
    with pytest.raises(TrainingError, match=r"learns pairs, by one of bradley_terry, .*; got 'sft'"):
        Defence("sft")
    with pytest.raises(TrainingError, match=r"combine must be one of mean, .*, averaged, partitions, got 'best'"):
        Defence(combine="best")
    for row in ({"members": 0}, {"objective": "dpo", "members": 3}):
        with pytest.raises(TrainingError, match="members must be 1 or more reward models, got"):
            Defence(**row)
    with pytest.raises(TrainingError, match="robust_dpo trains a policy and no reward model"):
        defences.fit_reward(DEFENCES["robust_dpo"], COLUMNS, Recorder())
