"""The reward as text: where it stands, how it is written, what share of rows does without, and that a policy heeds it."""

import copy

import numpy as np
import pytest
import torch

from rlhf_train import batches, conditioning, scales
from rlhf_train.conditioning import conditioned
from rlhf_train.errors import TrainingError
from rlhf_train.inputs import sequence_logps
from rlhf_train.objectives import OBJECTIVES
from rlhf_train.packing import Tree, pack
from rlhf_train.text import Lengths, prompt_ids, response_ids
from rlhf_train.train import fit

REWARDS = [1.2, -0.4, 0.1, 0.0]
LENGTHS = Lengths(40, 24)
ASKED = [f"\n\nHuman: say {at}\n\nAssistant:" for at in range(4)]


def test_the_template_by_hand():
    z = scales.standardised(REWARDS)
    assert conditioned(["Q:"] * 4, z) == [f"Q: <rm_score>: {said} " for said in ("1.42", "-0.91", "-0.18", "-0.33")]
    assert conditioned(["Q:", "R:"], 5.0) == ["Q: <rm_score>: 5.00 ", "R: <rm_score>: 5.00 "]


def test_a_reward_next_to_nothing_is_written_one_way():
    assert conditioned(["Q:"] * 3, np.array([-0.001, 0.0, 0.004])) == ["Q: <rm_score>: 0.00 "] * 3


def test_in_a_dialogue():
    """As published it opens the answer's turn; by name it closes the turn before."""
    asked = ["\n\nHuman: say 1\n\nAssistant:"]
    assert conditioned(asked, 1.5) == ["\n\nHuman: say 1\n\nAssistant: <rm_score>: 1.50 "]
    assert conditioned(asked, 1.5, placement="turn") == ["\n\nHuman: say 1 <rm_score>: 1.50\n\nAssistant:"]
    with pytest.raises(
        TrainingError, match=r"placement 'turn' needs prompts that end with '.*Assistant:', and number 1 does not"
    ):
        conditioned([*asked, "Q:"], 1.5, placement="turn")


def test_a_reward_that_is_none_is_refused():
    with pytest.raises(TrainingError, match="a reward to ask for must be finite, got nan"):
        conditioned(["Q:"], float("nan"))


def prompts_of(rows, count):
    """The prompt's ids of every row."""
    packed = [rows.pack(np.array([at])) for at in range(count)]
    return [part["input_ids"][0, : part["layout"].trees[0][0]].tolist() for part in packed]


def table(rewards=REWARDS, prompts=ASKED):
    return {"prompt": list(prompts), "response": [" Tea."] * len(prompts), "standard_reward": scales.standardised(rewards)}


def test_rows_say_their_reward_in_the_prompt_and_are_learned_alike(tiny_policy):
    rows = conditioning.rows(table(), tiny_policy.tokenizer, LENGTHS, dropout=0.0)
    said = conditioned(ASKED, scales.standardised(REWARDS))
    assert prompts_of(rows, 4) == prompt_ids(tiny_policy.tokenizer, said, LENGTHS)
    packed = rows.pack(np.arange(4))
    assert packed["given"]["weights"].tolist() == [1] * 4
    ids = tiny_policy.tokenizer(" Tea.")["input_ids"]
    assert packed["targets"].tolist() == [*ids, tiny_policy.tokenizer.eos_token_id] * 4  # and the reward is no part of it


def test_a_shift_or_stretch_of_all_rewards_changes_no_row(tiny_policy):
    moved = [7 * reward + 3 for reward in REWARDS]
    first, second = (
        prompts_of(conditioning.rows(table(own), tiny_policy.tokenizer, LENGTHS, dropout=0.0), 4) for own in (REWARDS, moved)
    )
    assert first == second


def test_the_channel_is_silent_in_a_share_of_the_rows(tiny_policy):
    asked = [f"Q{at % 300}:" for at in range(1200)]  # each four times
    own = table(np.arange(1200.0), asked)
    rows = conditioning.rows(own, tiny_policy.tokenizer, LENGTHS, dropout=0.25)
    plain = prompt_ids(tiny_policy.tokenizer, asked, LENGTHS)
    silent = np.array([mine == ids for mine, ids in zip(prompts_of(rows, 1200), plain, strict=True)])
    assert silent.mean() == pytest.approx(0.25, abs=4 * (0.25 * 0.75 / 1200) ** 0.5)
    by_prompt = silent.reshape(4, 300).sum(0)
    assert set(by_prompt) > {0, 1, 2}  # equal rows are told apart
    assert not np.array_equal(silent[:300], silent[300:600])


def test_which_rows_are_silent_is_a_matter_of_the_row_and_not_of_its_place():
    asked, said = [f"Q{at}" for at in range(50)], ["a"] * 50
    first, second = conditioning.chances(asked, said), conditioning.chances(asked[::-1], said)
    assert first.tolist() == second[::-1].tolist()
    assert conditioning.chances(["Q", "Q"], ["a", "b"]).tolist() != conditioning.chances(["Q", "Q"], ["b", "c"]).tolist()


def test_a_policy_says_what_it_is_asked_for(tiny_policy):
    """One response where a high reward is asked, the other where a low one is; and either where none is said."""
    good, bad = " The kettle sings.", " Rain again, and no umbrella."
    asked = [prompt for prompt in ASKED for _ in range(6)]
    own = {"prompt": asked, "response": [good, bad] * 12, "standard_reward": scales.standardised([0.9, 0.2] * 12)}
    rows = conditioning.rows(own, tiny_policy.tokenizer, LENGTHS, dropout=0.3)
    model, source = copy.deepcopy(tiny_policy.model), batches.shuffled(rows, size=12)
    fit(model, OBJECTIVES["conditional"], source, steps=80, lr=5e-3, mixed_precision="no")
    high, low = own["standard_reward"][:2]
    margins = []
    for prompts in (conditioned(ASKED, high), conditioned(ASKED, low), ASKED):
        said = tuple(response_ids(tiny_policy.tokenizer, [good, bad], LENGTHS))
        packed = pack([Tree(ids, said) for ids in prompt_ids(tiny_policy.tokenizer, prompts, LENGTHS)])
        with torch.no_grad():
            margins.append(sequence_logps(model, packed).view(-1, 2).diff(dim=1).neg().mean().item())
    assert margins[0] > 1
    assert margins[1] < -1
    assert abs(margins[2]) < 1


@pytest.mark.parametrize("dropout", [-0.1, 1.0])
def test_a_share_that_is_none_is_refused(tiny_policy, dropout):
    with pytest.raises(TrainingError, match=r"must lie in \[0, 1\), got"):
        conditioning.rows(table(), tiny_policy.tokenizer, LENGTHS, dropout=dropout)
