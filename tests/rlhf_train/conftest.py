"""A tiny policy for all tests of this folder, made once."""

import pytest

SENTENCES = [
    "The kettle sings.",
    "A red bicycle waits outside.",
    "Nobody reads the manual.",
    "Rain again, and no umbrella.",
]


@pytest.fixture(scope="session")
def tiny_policy(one_thread):
    from rlhf_train.models import policies

    texts = [f"\n\nHuman: say {at}\n\nAssistant: {sentence}" for at, sentence in enumerate(SENTENCES * 8)]
    return policies.make(texts, vocabulary=400, width=48, layers=2, steps=30, batch=8, seed=1)
