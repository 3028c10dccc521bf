"""A world where everything can be counted: 4 prompts, 64 responses to each, and a tiny GPT whose law over them is read exactly.

A prompt is a letter x of four, a response three of them. PATTERN [4, 64] is the share of places where y_i = (x + i) mod 4.
Laws are arrays [4, 64], a row a prompt; an average over them is over prompts, which are equally likely. A response ends with
the end token, so a policy may leak a little mass to texts of other lengths: `law` leaves it out, `leak` tells it.
"""

import copy
import itertools

import numpy as np
import torch

from rlhf_train import batches, candidates
from rlhf_train.inputs import candidate_logps, sequence_logps
from rlhf_train.models import letters
from rlhf_train.models.letters import LETTERS
from rlhf_train.models.policies import Policy
from rlhf_train.objectives import Objective, weighted
from rlhf_train.text import Lengths
from rlhf_train.train import fit

RESPONSES = ["".join(three) for three in itertools.product(LETTERS, repeat=3)]
LENGTHS = Lengths(1, 3)
PATTERN = np.array(
    [
        [np.mean([LETTERS.index(said[at]) == (asked + at) % 4 for at in range(3)]) for said in RESPONSES]
        for asked in range(len(LETTERS))
    ]
)
COLUMNS = {
    "prompt": [letter for letter in LETTERS for _ in RESPONSES],
    "response": [said for _ in LETTERS for said in RESPONSES],
}
LIKELIHOOD = Objective(
    weighted.loss,
    lambda columns, tokenizer, lengths: candidates.grouped(
        columns, tokenizer, lengths, per_response={"weights": columns["weights"]}
    ),
    candidate_logps,
    ("prompt", "response"),
)


def fitted(target: np.ndarray, seed: int, *, steps: int = 300, lr: float = 5e-3) -> Policy:
    """A policy whose law is `target` [4, 64] as nearly as `steps` full steps bring it."""
    policy = letters.made(seed)
    rows = LIKELIHOOD.rows({**COLUMNS, "weights": target.ravel() * len(RESPONSES)}, policy.tokenizer, LENGTHS)
    source = batches.shuffled(rows, size=len(rows), seed=seed)
    fit(policy.model, LIKELIHOOD, source, steps=steps, lr=lr, weight_decay=0.0, seed=seed, mixed_precision="no")
    return policy


@torch.no_grad()
def logps(policy: Policy) -> np.ndarray:
    """[4, 64] log-probabilities of all responses, end token included, in double precision."""
    rows = candidates.grouped(COLUMNS, policy.tokenizer, LENGTHS, per_response={}, alone=True)
    model, found = copy.deepcopy(policy.model).double().eval(), np.zeros(len(rows))
    for batch in batches.in_order(rows):
        found[batch.places] = sequence_logps(model, batch.tensors).numpy()
    return found.reshape(len(LETTERS), -1)


def law(policy: Policy) -> np.ndarray:
    """[4, 64] probabilities of the responses among themselves."""
    found = np.exp(logps(policy))
    return found / found.sum(1, keepdims=True)


def leak(policy: Policy) -> float:
    """The mass that other texts have."""
    return float(1 - np.exp(logps(policy)).sum(1).mean())


def tilted(base: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The law proportional to base * weights: what a likelihood with these weights comes to."""
    found = base * weights
    return found / found.sum(1, keepdims=True)


def expected(base: np.ndarray, values: np.ndarray) -> float:
    """The mean of `values` under a law."""
    return float((base * values).sum(1).mean())


def kl(base: np.ndarray, other: np.ndarray) -> float:
    """KL(base || other) in nats, averaged over prompts; where base has none there is none to count."""
    with np.errstate(divide="ignore", invalid="ignore"):
        each = np.where(base > 0, base * (np.log(base) - np.log(other)), 0.0)
    return float(each.sum(1).mean())


def entropy(base: np.ndarray) -> float:
    """In nats, averaged over prompts."""
    return -expected(base, np.log(np.where(base > 0, base, 1.0)))
