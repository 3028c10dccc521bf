"""How far one law of the next token is from another: Kullback and Leibler's divergence either way round, and their mixtures.

p is the teacher's law, q the student's; all in nats, 0 where they are the same and only there. Between two models they are made
chunk by chunk, from hidden states: the logits of all tokens never stand in memory at once, forward or backward.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Literal

import torch
from torch.utils.checkpoint import checkpoint

from rlhf_train.errors import TrainingError
from rlhf_train.logps import chunks, measure

Tensor = torch.Tensor
Divergence = Literal["forward_kl", "reverse_kl", "jeffreys", "jensen_shannon", "skewed_jensen_shannon"]


def forward_kl(p: Tensor, q: Tensor) -> Tensor:
    """[...] KL(p || q) = sum p (log p - log q), of log-probabilities [..., V]: mass where the student has none is dear."""
    return _expected(p, p - q)


def reverse_kl(p: Tensor, q: Tensor) -> Tensor:
    """[...] KL(q || p), of log-probabilities [..., V]: mass where the teacher has none is dear."""
    return _expected(q, q - p)


def jeffreys(p: Tensor, q: Tensor) -> Tensor:
    """[...] half the sum of both (Jeffreys, 1946, without the half)."""
    return 0.5 * (forward_kl(p, q) + reverse_kl(p, q))


def jensen_shannon(p: Tensor, q: Tensor) -> Tensor:
    """[...] half the sum of each one's divergence from the mean of both (Lin, 1991); at most log 2."""
    return skewed_jensen_shannon(p, q, skew=0.5)


def skewed_jensen_shannon(p: Tensor, q: Tensor, *, skew: float = 0.1) -> Tensor:
    """[...] skew KL(p || m) + (1 - skew) KL(q || m) with m = skew p + (1 - skew) q (Agarwal et al., 2024, eq. 2)."""
    check_skew(skew)
    share = torch.tensor([skew, 1 - skew], dtype=p.dtype, device=p.device).log()
    mixed = torch.logaddexp(p + share[0], q + share[1])
    return skew * _expected(p, p - mixed) + (1 - skew) * _expected(q, q - mixed)


def check_skew(skew: float) -> None:
    """TrainingError unless it is a share of both."""
    if not 0 < skew < 1:
        raise TrainingError(f"skew is the teacher's share of the mixture, between 0 and 1, got {skew:g}")


def _expected(law: Tensor, of: Tensor) -> Tensor:
    """Of log-probabilities; what can't happen counts nothing, whatever it is said to be worth."""
    chances = law.exp()
    return torch.where(chances > 0, chances * of, torch.zeros_like(of)).sum(-1)


DIVERGENCES: Mapping[str, Callable[..., Tensor]] = {
    "forward_kl": forward_kl,
    "reverse_kl": reverse_kl,
    "jeffreys": jeffreys,
    "jensen_shannon": jensen_shannon,
    "skewed_jensen_shannon": skewed_jensen_shannon,
}


def of_name(divergence: Divergence, skew: float) -> Callable[..., Tensor]:
    """The divergence of that name; the skewed one alone reads `skew`."""
    call = DIVERGENCES[divergence]
    return partial(call, skew=skew) if call is skewed_jensen_shannon else call


def between(
    teacher: Tensor,
    teacher_head: Any,
    student: Tensor,
    student_head: Any,
    *,
    divergence: Divergence = "forward_kl",
    skew: float = 0.1,
    chunk: int = 0,
) -> Tensor:
    """[N] divergences of what is said after hidden states [N, D] and [N, E] by each one's head, at least float32.

    The gradient is the student's; its logits are made once more for it.
    """
    call = of_name(divergence, skew)
    parts = chunks(len(student), measure(student, student_head.weight, chunk)[1])
    made = partial(checkpoint, partial(_of, call, teacher_head, student_head), use_reentrant=False)
    return torch.cat([made(teacher[part], student[part]) for part in parts]) if parts else student.new_zeros(0)


def _of(call: Callable[..., Tensor], teacher_head: Any, student_head: Any, teacher: Tensor, student: Tensor) -> Tensor:
    with torch.no_grad():
        law = _law(teacher, teacher_head)
    return call(law, _law(student, student_head))


def _law(states: Tensor, head: Any) -> Tensor:
    logits = head(states)
    return logits.to(torch.promote_types(logits.dtype, torch.float32)).log_softmax(-1)
