import copy
import dataclasses

import pytest
import torch

from rlhf_train import batches
from rlhf_train.errors import TrainingError
from rlhf_train.evals import reward_health
from rlhf_train.models import reward_models
from rlhf_train.objectives import OBJECTIVES
from rlhf_train.text import Lengths
from rlhf_train.train import fit

KIND, RUDE = (
    (" Thank you, {} is a pleasure.", " With pleasure: {}."),
    (" Shut up about {}, you fool.", " No, not another word about {} from me."),
)


def pairs(count, start=0):
    said = {
        side: [forms[at // 2 % 2].format(f"thing {at}") for at in range(start, start + count)]
        for side, forms in (("chosen", KIND), ("rejected", RUDE))
    }
    return {"prompt": [f"\n\nHuman: tell me about thing {at}\n\nAssistant:" for at in range(start, start + count)], **said}


@pytest.fixture(scope="module")
def body(tiny_policy, tmp_path_factory):
    place = tiny_policy.save(tmp_path_factory.mktemp("body") / "policy")
    return reward_models.load(place, lengths=Lengths(24, 32))


@pytest.fixture(scope="module")
def trained(body):
    model = dataclasses.replace(body, model=copy.deepcopy(body.model))
    source = batches.shuffled(model.pairs(pairs(200)), size=16)
    fit(model.model, OBJECTIVES["bradley_terry"], source, steps=40, lr=2e-3, mixed_precision="no")
    return model


def measured(trained, body, columns=None):
    return reward_health.measure(trained, body, columns or pairs(200), pairs(60, start=200), lr=2e-3, steps=40)


def test_a_sound_reward_model_has_no_ills(trained, body):
    found = measured(trained, body)
    assert found.ills == ()
    assert found.refuse() is None
    assert found.by_heart >= 0.95
    assert found.held_out > 0.95 > found.longer >= 0.5
    assert found.flipped < 0.1


def test_a_constant_one_is_refused(trained, body):
    constant = dataclasses.replace(trained, model=copy.deepcopy(trained.model))
    torch.nn.init.zeros_(constant.model.score.weight)
    found = measured(constant, body)
    assert len(found.ills) == 2
    with pytest.raises(TrainingError, match=r"not fit to train a policy: it is right on 50.0% .*; its rewards are all alike"):
        found.refuse()


def test_one_whose_body_can_not_learn_is_named(trained, body):
    dead = dataclasses.replace(body, model=copy.deepcopy(body.model))
    dead.model.requires_grad_(False)
    dead.model.score.weight.requires_grad_(True)
    with torch.no_grad():
        dead.model.model.norm.weight.zero_()
    ills = measured(trained, dead).ills
    assert any("learns only 50% of 32 pairs by heart" in said for said in ills)
    assert any("taught flipped labels it still prefers the chosen side" in said for said in ills)


def test_one_that_only_knows_length_is_named(trained, body, monkeypatch):
    def by_length(self, prompts, responses, **_):
        import numpy as np

        return np.array([float(len(text)) for text in responses])

    lengthy = dataclasses.replace(trained)
    found = measured(trained, body)
    monkeypatch.setattr(type(lengthy), "rewards", by_length)
    assert any("length alone" in said for said in measured(lengthy, body).ills)
    assert not any("length alone" in said for said in found.ills)
