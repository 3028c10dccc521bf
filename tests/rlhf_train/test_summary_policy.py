"""ROUGE-L by hand and against the textbook's table, and what is measured of samples."""

import copy

import numpy as np
import pytest
import torch

from rlhf_train.errors import TrainingError
from rlhf_train.evals import EVALS, rouge, summary_policy
from rlhf_train.evals.intervals import interval
from rlhf_train.evals.summary_policy import Samples
from rlhf_train.models.policies import Policy
from rlhf_train.text import Lengths


def test_rouge_by_hand():
    """Lin's own sentences (2004, s3.1): 'police killed the gunman' is the reference."""
    reference = ["police killed the gunman"]
    assert rouge.rouge_l("Police kill the gunman.", reference) == pytest.approx(3 / 4)
    assert rouge.rouge_l("The gunman kill police.", reference) == pytest.approx(2 / 4)
    # 3 of 6 words are in the subsequence, and 3 of the reference's 4
    assert rouge.rouge_l("the police, they killed the cat", reference) == pytest.approx(2 * (3 / 6) * (3 / 4) / (3 / 6 + 3 / 4))


def test_the_nearest_reference_counts():
    assert rouge.rouge_l("a b", ["c", "a b c", "b"]) == pytest.approx(2 * 2 / 5)


@pytest.mark.parametrize(("text", "references"), [("", ["a"]), ("a", [""]), ("", [""]), ("...", ["!"]), ("a", [])])
def test_without_words_nothing_is_shared(text, references):
    assert rouge.rouge_l(text, references) == 0


def test_words_are_small_letters_without_punctuation():
    assert rouge.words("It's GREAT -- really, “don’t”!") == ["it's", "great", "really", "don’t"]


def table(first, second):
    """The longest common subsequence by the textbook's table."""
    rows = np.zeros((len(first) + 1, len(second) + 1), dtype=int)
    for at, word in enumerate(first):
        for place, other in enumerate(second):
            rows[at + 1, place + 1] = rows[at, place] + 1 if word == other else max(rows[at, place + 1], rows[at + 1, place])
    return rows[-1, -1]


@pytest.mark.parametrize("words", [2, 5, 30])
def test_the_longest_common_subsequence_is_the_table_s(words):
    random = np.random.default_rng(words)
    for _ in range(40):
        first, second = (random.integers(0, words, random.integers(0, 90)).tolist() for _ in range(2))
        assert rouge.common(first, second) == table(first, second)


SAMPLES = Samples(["x", "y", "x", "y"], ["a b", "c", "a", "c d e"], np.array([1.0, 4.0, 2.0, -1.0]))
REWARDS = np.array([0.5, 0.1, 0.7, 0.4])
REFERENCES = [["a b"], ["c d"], ["a b"], ["c d"]]


def test_means_are_of_prompts_and_so_are_their_intervals():
    found = EVALS["summary_policy"](SAMPLES, REWARDS, REFERENCES).means
    rouges = [(1 + 2 / 3) / 2, (2 / 3 + 4 / 5) / 2]
    expected = {"reward": [0.6, 0.25], "kl": [1.5, 1.5], "rouge_l": rouges, "words": [1.5, 2.0]}
    assert list(found) == list(expected)
    for name, values in expected.items():
        assert found[name].mean == pytest.approx(np.mean(values)), name
        wanted = interval(np.array(values)) if np.ptp(values) else (values[0], values[0])
        assert (found[name].low, found[name].high) == pytest.approx(wanted), name


def test_a_policy_beside_itself_gains_nothing_for_certain():
    """Whereas 0 of N as a share would be below something only."""
    found = summary_policy.measure(SAMPLES, REWARDS, REFERENCES, other=(SAMPLES, REWARDS))
    assert {(gain.mean, gain.low, gain.high) for gain in found.gains.values()} == {(0.0, 0.0, 0.0)}


def test_gains_are_of_the_same_prompts():
    """Paired: a gain that every prompt has is certain, however much prompts differ."""
    other = (Samples(SAMPLES.prompts, ["a", "c d", "b", "c"], np.zeros(4)), REWARDS - [0.3, 0.1, 0.1, 0.3])
    found = summary_policy.measure(SAMPLES, REWARDS, REFERENCES, other=other).gains
    assert (found["reward"].mean, found["reward"].low, found["reward"].high) == pytest.approx((0.2, 0.2, 0.2))
    assert found["words"].mean == pytest.approx((1.5 - 1 + 2 - 1.5) / 2)
    assert found["kl"].mean == pytest.approx(1.5)


def test_samples_that_can_not_be_compared_are_named():
    other = Samples(["x", "x", "y", "y"], SAMPLES.texts, SAMPLES.log_ratios)
    with pytest.raises(TrainingError, match="samples are to other prompts"):
        summary_policy.measure(SAMPLES, REWARDS, REFERENCES, other=(other, REWARDS))
    with pytest.raises(TrainingError, match="got 4 samples, 3 rewards and 4 references"):
        summary_policy.measure(SAMPLES, REWARDS[:3], REFERENCES)


@pytest.fixture
def asked(tiny_policy):
    return Policy(tiny_policy.model, tiny_policy.tokenizer, Lengths(16, 8))


def test_a_policy_is_no_nats_from_itself(asked):
    drawn = summary_policy.draw(asked, asked, ["\n\nHuman: say 1\n\nAssistant:", "say"], n=3)
    assert len(drawn.texts) == len(drawn.prompts) == 6
    assert len(set(drawn.texts)) > 1
    assert drawn.log_ratios.tolist() == [0.0] * 6


@pytest.mark.parametrize("temperature", [1.0, 0.6])
def test_kl_is_that_of_the_distributions(asked, temperature):
    """One token is drawn: its KL can be summed over the vocabulary."""
    moved = copy.deepcopy(asked.model)
    with torch.no_grad():
        moved.model.norm.weight.mul_(0.6)
    short = Lengths(16, 1)
    policy, reference = Policy(moved, asked.tokenizer, short), Policy(asked.model, asked.tokenizer, short)
    prompt = "\n\nHuman: say 1\n\nAssistant:"
    drawn = summary_policy.draw(policy, reference, [prompt], n=3000, temperature=temperature)
    ids = torch.tensor([asked.tokenizer(prompt)["input_ids"][-16:]])
    with torch.no_grad():
        logits = [each.model(input_ids=ids).logits[0, -1].double() for each in (policy, reference)]
    mine, its = ((part / temperature).log_softmax(-1) for part in logits)
    exact = (mine.exp() * (mine - its)).sum().item()
    low, high = interval(drawn.log_ratios, level=0.999)
    assert exact > 0.05
    assert low < exact < high
    assert np.exp(-drawn.log_ratios).mean() == pytest.approx(1, abs=0.1)  # the reference's mass, as the policy draws it
