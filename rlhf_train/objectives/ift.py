"""Intuitive fine-tuning (Hua et al., 2024): each token of a response also answers for those that come after it.

l_t is the negative log-likelihood of token t of a response of N tokens, g the `gamma`. The paper gives the relation between
tokens in two ways that differ, and its released code in a third:

    released    1/N sum_t w_t l_t,  w_t = N D_t / sum_j D_j,  D_t = sum_{i >= t} g^(i-t) l_i / N
    eq21        sum_t c_t l_t,      c_t = 1 + g + ... + g^t, with t from 0 (eq. 21): later tokens weigh more
    algorithm1  sum_t w_t l_t,      w_t = sum_{i >= t} g^(i-t) l_i (Algorithm 1): earlier tokens weigh more

The weights are part of what is differentiated unless `detach`. Of the released form the slope of L in some l_t may then be
negative: a step makes those tokens less likely. `pushed_away` tells how many there are.
"""

import warnings
from typing import Literal

import torch

from rlhf_train.credit import padded, suffix_sums
from rlhf_train.errors import TrainingError
from rlhf_train.objectives.outcome import Outcome

Form = Literal["released", "eq21", "algorithm1"]
Propagation = Literal["loss", "mask", "logps"]
Side = Literal["left", "right"]
Norm = Literal["l1", "l2", "softmax", "log"]

PUSHED = (
    "ift: some tokens have a negative weight, and a step makes them less likely; `pushed_away` is their share. "
    "detach=True takes the weights as they are, and leaves none"
)


def loss(
    token_logps,
    owners,
    *,
    gamma: float = 0.95,
    form: Form = "released",
    propagation: Propagation = "loss",
    side: Side = "left",
    norm: Norm = "l1",
    detach: bool = False,
) -> Outcome:
    """Mean over responses; `owners` [M] says whose a token [M] is. A gamma of 0 is supervised fine-tuning, a response a vote.

    Of the released form: `propagation` is what is summed (l / N, 1, or l), `side` from where on: "left" as above, "right" the
    reciprocal of the sum over i <= t; `norm` is what the sums become before they are brought to a mean of 1.
    """
    unlikely, mask = padded(-token_logps, owners, int(owners[-1]) + 1)

    def value(nll: torch.Tensor) -> torch.Tensor:
        if form == "eq21":
            return (suffix_sums(mask.to(nll.dtype).flip(1), gamma).flip(1) * nll * mask).sum(1)
        weights = suffix_sums(nll, gamma) if form == "algorithm1" else _relations(nll, mask, gamma, propagation, side, norm)
        each = (weights.detach() if detach else weights) * nll * mask
        return each.sum(1) if form == "algorithm1" else each.sum(1) / mask.sum(1)

    pushed = _share_below_zero(value, unlikely, mask)
    if pushed > 0:
        warnings.warn(PUSHED, stacklevel=1)  # from one line: said once in a run
    metrics = {"nll": (unlikely.detach().sum(1) / mask.sum(1)).mean(), "pushed_away": pushed}
    return Outcome(value(unlikely).mean(), metrics)


def check(columns, *, gamma: float = 0.95, mix: float = 0.2, disturbance: float = 0.0, **others) -> None:
    """TrainingError for numbers that can not serve."""
    for name, number, what in (
        ("gamma", gamma, "how much of a token's weight reaches the one before it"),
        ("mix", mix, "the share of the model's own guess in what it reads"),
    ):
        if not 0 <= number <= 1:
            raise TrainingError(f"{name} is {what} and must lie in [0, 1], got {number:g}")
    if not disturbance >= 0:
        raise TrainingError(f"disturbance is a deviation, in shares of mix, and must be 0 or more, got {disturbance:g}")


def _relations(nll, mask, gamma: float, propagation: str, side: str, norm: str) -> torch.Tensor:
    """[S, T] weights of mean 1 over the tokens of a response, 0 elsewhere."""
    sizes = mask.sum(1, keepdim=True)
    if gamma == 0:
        return mask.to(nll.dtype)
    summed = mask.to(nll.dtype) if propagation == "mask" else nll / sizes if propagation == "loss" else nll
    least = torch.finfo(nll.dtype).tiny
    if side == "left":
        found = _sharpened(suffix_sums(summed, gamma), norm)
    else:
        before = suffix_sums(summed.flip(1), gamma).flip(1)
        # twice the smallest is the least that is divided by; of its own response, or it would depend on its neighbours
        floor = before.masked_fill(~(mask & (before > 0)), torch.inf).amin(1, keepdim=True)
        found = _reciprocal(before + floor.nan_to_num(posinf=1.0).clamp(min=least**0.25), norm)
    if norm == "softmax":
        found = found.masked_fill(~mask, -torch.inf).softmax(1)
    found = found * mask
    return found * sizes / found.sum(1, keepdim=True).clamp(min=least)


def _sharpened(sums: torch.Tensor, norm: str) -> torch.Tensor:
    return {"l1": lambda: sums, "l2": sums.square, "softmax": lambda: sums, "log": sums.log1p}[norm]()


def _reciprocal(sums: torch.Tensor, norm: str) -> torch.Tensor:
    return 1 / (sums.log1p() if norm == "log" else sums.square() if norm == "l2" else sums)


def _share_below_zero(value, unlikely: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """The share of a response's tokens whose own loss raises the whole one when it falls; the mean over responses."""
    with torch.enable_grad():
        leaf = unlikely.detach().requires_grad_()
        slopes = torch.autograd.grad(value(leaf).sum(), leaf)[0]
    return (((slopes < 0) & mask).sum(1) / mask.sum(1)).mean()
