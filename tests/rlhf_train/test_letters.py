"""Policies over letters: what they read, and a law that is worth imitating."""

import torch

from rlhf_train.evals import distances
from rlhf_train.models import letters
from rlhf_train.text import Lengths


def test_every_letter_is_a_token_and_words_may_be_too():
    policy = letters.made(0, letters=["a", "b", "<good>"])
    assert policy.tokenizer("ab<good>a")["input_ids"] == [2, 3, 4, 2]
    assert policy.tokenizer("x")["input_ids"] == [0]
    assert (policy.tokenizer.eos_token_id, policy.model.config.eos_token_id) == (1, 1)


def test_the_seed_decides_and_a_spread_makes_a_definite_law():
    def law(seed, spread, sharpness=1.5):
        policy = letters.made(seed, lengths=Lengths(2, 1), spread=spread, sharpness=sharpness)
        with torch.no_grad():
            return policy.model(torch.tensor([[2, 3]])).logits[0, -1].softmax(-1)

    assert torch.equal(law(1, 2.0), law(1, 2.0))
    assert not torch.equal(law(1, 2.0), law(2, 2.0))
    entropy = {spread: -(law(1, spread) * law(1, spread).log()).sum().item() for spread in (None, 2.0)}
    assert entropy[2.0] < entropy[None] - 0.1
    ratio = [(law(1, 2.0, sharp)[2] / law(1, 2.0, sharp)[3]).log().item() for sharp in (1.0, 3.0)]
    assert abs(ratio[1] - 3 * ratio[0]) < 1e-4  # logits are so much larger


def test_its_law_can_be_counted():
    policy, other = (letters.made(seed, lengths=Lengths(2, 2), spread=1.0) for seed in (0, 1))
    exact = distances.exact(policy, other, ["ab"])
    sampled = distances.measure(policy, other, distances.drawn(policy, ["ab"], n=4000))[0]
    assert abs(exact[0] - sampled.mean()) < 4 * sampled.std() / 4000**0.5
