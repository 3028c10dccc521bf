"""MODPO over all pairs of a six-armed bandit: how far its least lies from the policy that it should find.

    python benchmarks/modpo_bandit.py

Labels count by their chance under the first reward, the second is the margin; LBFGS from the reference, in double precision.
"""

import _report
import torch

from rlhf_train import pareto
from rlhf_train.objectives import modpo

REWARDS = torch.tensor([[2, 1, 0, 0, 1, -1], [-1, 0, 2, 1, 0, 0]], dtype=torch.float64)
SWEEP = (0.1, 0.3, 0.5, 0.7, 0.9, 1.0)
NUMBERS = {"max_iter": 500, "history_size": 20, "tolerance_grad": 1e-12, "tolerance_change": 1e-16}


def least(ref: torch.Tensor, own: float, beta: float) -> torch.Tensor:
    """[6] log-probabilities where the mean loss over all pairs is least."""
    chosen, rejected = torch.cartesian_prod(torch.arange(6), torch.arange(6)).T
    chances = (ref[chosen] + ref[rejected]).exp() * torch.sigmoid(REWARDS[0][chosen] - REWARDS[0][rejected])
    logits = ref.clone().requires_grad_()
    optimizer = torch.optim.LBFGS([logits], line_search_fn="strong_wolfe", **NUMBERS)
    numbers = {"beta": beta, "weights": (own, 1 - own)}
    each = torch.func.vmap(lambda *pair: modpo.loss(*(part[None] for part in pair), **numbers).loss)

    def step() -> torch.Tensor:
        optimizer.zero_grad()
        sides = [part[side] for part in (logits.log_softmax(0), ref, REWARDS[1]) for side in (chosen, rejected)]
        value = (chances * each(*sides)).sum()
        value.backward()
        return value

    optimizer.step(step)
    return logits.detach().log_softmax(0)


def main() -> None:
    """Prints a line a cell, and writes them."""
    torch.manual_seed(0)
    ref, lines = torch.randn(6).double().log_softmax(0), []
    for beta in (0.1, 0.5):
        for own in SWEEP:
            found = least(ref, own, beta)
            best = torch.from_numpy(pareto.closed_form(ref.numpy(), REWARDS.T.numpy(), (own, 1 - own), beta=beta))
            off = float((found - best).abs().max())
            lines.append({"beta": beta, "w": own, "largest error": off, "kl": float(found.exp() @ (found - best))})
    _report.save("modpo_bandit", lines)
    print(f"criterion: every log-probability within 1e-4: {max(line['largest error'] for line in lines) < 1e-4}")


if __name__ == "__main__":
    main()
