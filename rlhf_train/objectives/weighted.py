"""Weighted likelihood of responses: what filtering, reward-weighted regression and behaviour cloning have in common."""

import torch

from rlhf_train.logps import summed
from rlhf_train.objectives.outcome import Outcome
from rlhf_train.tilting import Normaliser


def loss(token_logps, owners, weights, *, normaliser: Normaliser = "sequence") -> Outcome:
    """sum_i w_i nll_i over the number of responses ("sequence"), sum w_i ("self") or sum w_i n_i ("token").

    token_logps and owners are [M], weights [S]; nll_i is summed over the n_i tokens of response i, its end token included.
    """
    sizes = torch.bincount(owners, minlength=len(weights))
    unlikely = -summed(token_logps, owners, len(weights))
    over = {"sequence": weights.new_tensor(len(weights)), "self": weights.sum(), "token": (weights * sizes).sum()}
    value = (weights * unlikely).sum() / over[normaliser]
    return Outcome(value, {"nll": (unlikely.detach() / sizes).mean(), "weight": weights.mean()})
