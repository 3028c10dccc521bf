import dataclasses

import pytest

from rlhf_train import spec
from rlhf_train.errors import TrainingError
from rlhf_train.objectives import OBJECTIVES

FIELDS = {"objective": "dpo", "data": "pairs.parquet", "model": "policy", "out": "out"}

WRONG = [
    ({"objektive": "dpo"}, "objektive is no field of a training run; did you mean objective?"),
    ({"objective": "dopo"}, "objective must be one of sft, "),
    ({"batch": "8"}, "batch must be int, got '8'"),
    ({"batch": True}, "batch must be int, got True"),
    ({"lr": -1.0}, "lr must be a finite number, above 0, got -1.0"),
    ({"lr": float("nan")}, "lr must be a finite number"),
    ({"steps": 0}, "steps must be a finite number, above 0, got 0"),
    ({"held_out": 1}, r"held_out is a share of the rows and must lie in \[0, 1\), got 1"),
    ({"objective": "ppo"}, "ppo needs a reward_model, the folder of the one that scores answers"),
    ({"reward_model": "folder"}, "a reward_model scores answers for ppo, or for sft on the best of n, not for dpo"),
    ({"objective": "ppo", "reward_model": "f", "rounds": {"size": 3}}, "size is no number of a round; there are batch, epochs"),
    ({"numbers": {"betta": 0.1}}, "betta is no number of dpo; there are beta"),
    (
        {"objective": "off_policy", "numbers": {"beta": 0.1}},
        "beta is no number of off_policy; there are likelihood, kl_weight, c",
    ),
    (
        {"objective": "off_policy", "reward_model": "f"},
        "a reward_model scores answers for ppo, or for sft on the best of n, not",
    ),
    ({"decay": "stairs"}, "decay must be one of linear, cosine, constant, got 'stairs'"),
]


@pytest.mark.parametrize(("change", "said"), WRONG)
def test_a_wrong_spec_is_refused_by_its_field(change, said):
    with pytest.raises(TrainingError, match=said):
        spec.of({**FIELDS, **change})


def test_no_number_of_an_objective_bears_the_name_of_a_field():
    """A setting of the command line is one or the other. The two below can be given in a spec's `numbers` only."""
    fields = {part.name for part in dataclasses.fields(spec.Spec)}
    shared = {name: sorted(fields & set(row.numbers)) for name, row in OBJECTIVES.items()}
    assert {name: names for name, names in shared.items() if names} == {"off_policy": ["clip"], "ppo": ["clip"]}


def test_a_spec_that_lacks_a_field_or_is_no_table(tmp_path):
    with pytest.raises(TrainingError, match="data is missing; a training run needs objective, data, model and out"):
        spec.of({"objective": "dpo"})
    for text, said in (("[1]", "expected a table of fields, got list"), ("{", "not a readable JSON file")):
        (tmp_path / "spec.json").write_text(text)
        with pytest.raises(TrainingError, match=said):
            spec.read(tmp_path / "spec.json")
    with pytest.raises(TrainingError, match=r"nowhere\.json: not a readable JSON file"):
        spec.read(tmp_path / "nowhere.json")


def test_what_is_not_said_is_the_default():
    made = spec.of({**FIELDS, "lr": 1, "trackers": ["tensorboard"]})
    assert (made.batch, made.lr, made.trackers, made.reference) == (16, 1, ("tensorboard",), None)
