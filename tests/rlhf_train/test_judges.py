"""Judges: a committee, a vote or a plain reward model scores the same after it was saved and loaded."""

import json
from functools import partial

import numpy as np
import pytest

from rlhf_train.defences import Defence, fit_reward
from rlhf_train.errors import TrainingError
from rlhf_train.models import judges, linear_rewards, reward_models
from rlhf_train.models.committees import Committee
from rlhf_train.models.partitions import Silent, Standardised
from rlhf_train.text import Lengths

COLUMNS = {
    "prompt": [f"\n\nHuman: talk {at}\n\nAssistant:" for at in range(3)],
    "chosen": [" The kettle sings."] * 3,
    "rejected": [f" Rain again, {at}." for at in range(3)],
}


@pytest.fixture(scope="module")
def body(tiny_policy, tmp_path_factory):
    return reward_models.load(tiny_policy.save(tmp_path_factory.mktemp("body") / "policy"), lengths=Lengths(16, 16))


def scores(judge):
    return judge.rewards(COLUMNS["prompt"], COLUMNS["rejected"])


@pytest.mark.parametrize(
    "defence",
    [Defence(), Defence(members=2, combine="worst"), Defence(members=3, combine="doubted", weight=0.3),
     Defence(members=7, combine="partitions")],
    ids=["one", "worst", "doubted", "vote"],
)  # fmt: skip
def test_it_says_the_same_again(defence, body, tmp_path):
    made = fit_reward(defence, COLUMNS, partial(reward_models.taught, body, steps=2, size=2), seed=1)
    again = judges.load(judges.save(made, tmp_path / "judge"))
    assert type(again) is type(made)
    assert scores(again) == pytest.approx(scores(made), abs=1e-6)
    if isinstance(made, Committee):
        assert (again.combine, again.weight) == (made.combine, made.weight)
        assert [type(member) for member in again.members] == [type(member) for member in made.members]


def test_a_vote_of_few_pairs_has_silent_members_and_others(body):
    """The case above saves each kind of member that there is."""
    defence = Defence(members=7, combine="partitions")
    made = fit_reward(defence, COLUMNS, partial(reward_models.taught, body, steps=2, size=2), seed=1)
    assert {type(member) for member in made.members} == {Silent, Standardised}
    assert np.ptp(scores(made)) > 0


def test_features_that_are_code_are_not_saved(tmp_path):
    model = linear_rewards.fit(COLUMNS, lambda asked, said: np.array([[len(text)] for text in said], dtype=float))
    with pytest.raises(TrainingError, match="can be saved, got LinearReward"):
        judges.save(model, tmp_path / "judge")


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ("{", "not a judge that was saved here"),
        ("[]", "not a judge that was saved here"),
        ({"kind": "Committee", "members": 0, "combine": "mean"}, "at least one reward model"),
        ({"kind": "Committee", "members": "x"}, "not a judge that was saved here"),
        ({"kind": "Silent", "members": 0, "more": 1}, None),
        ({"kind": "os.system", "members": 0}, "a judge is a Committee, Standardised or Silent, got 'os.system'"),
    ],
)
def test_a_spoilt_folder_is_refused(facts, said, tmp_path):
    (tmp_path / judges.FILE).write_text(facts if isinstance(facts, str) else json.dumps(facts))
    if said is None:
        assert isinstance(judges.load(tmp_path), Silent)
        return
    with pytest.raises(TrainingError, match=said):
        judges.load(tmp_path)
