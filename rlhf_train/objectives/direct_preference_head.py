"""Direct preference heads (Hadji-Kyriacou and Arandjelović, 2024): a policy's own hidden state is made to score its answers.

r is what a head reads from the hidden state of a response's end token, e the `noise`, the share of labels that are wrong.

    separable    BCE(r_chosen, 1 - e) + BCE(r_rejected, e): rewards have a zero, and settle at +-log((1 - e) / e)
    contrastive  BCE(r_chosen - r_rejected, 1 - e): only differences count; conservative DPO's form with the head as its reward
"""

from typing import Literal

from rlhf_train.errors import TrainingError
from rlhf_train.objectives import dpo, pairwise
from rlhf_train.objectives.outcome import Outcome

Kind = Literal["separable", "contrastive"]


def loss(chosen_rewards, rejected_rewards, *, kind: Kind = "separable", noise: float = 0.1, shrinkage: float = 0.0) -> Outcome:
    """Mean over pairs of the head's loss; rewards are [B]. `shrinkage` weighs the mean of r_chosen^2 + r_rejected^2."""
    if kind == "separable":
        each = pairwise.logistic(chosen_rewards, smoothing=noise) + pairwise.logistic(-rejected_rewards, smoothing=noise)
    else:
        each = pairwise.logistic(chosen_rewards - rejected_rewards, smoothing=noise)
    squares = chosen_rewards.square() + rejected_rewards.square()
    margin = (chosen_rewards - rejected_rewards).detach()
    size = (chosen_rewards.abs() + rejected_rewards.abs()).detach().mean() / 2
    metrics = {"margin": margin.mean(), "accuracy": (margin > 0).float().mean(), "reward_size": size}
    return Outcome((each + shrinkage * squares).mean(), metrics)


def joint(
    chosen_rewards,
    rejected_rewards,
    chosen_logps,
    rejected_logps,
    ref_chosen_logps,
    ref_rejected_logps,
    *,
    kind: Kind = "separable",
    noise: float = 0.1,
    shrinkage: float = 0.0,
    beta: float = 0.1,
    policy_noise: float = 0.1,
    head_weight: float = 1.0,
    policy_weight: float = 1.0,
) -> Outcome:
    """`head_weight` times the head's loss and `policy_weight` times conservative DPO's, whose noise is `policy_noise`."""
    head = loss(chosen_rewards, rejected_rewards, kind=kind, noise=noise, shrinkage=shrinkage)
    policy = dpo.conservative(chosen_logps, rejected_logps, ref_chosen_logps, ref_rejected_logps, beta=beta, noise=policy_noise)
    told = {f"policy_{name}": value for name, value in policy.metrics.items()}
    metrics = {**head.metrics, **told, "head_loss": head.loss.detach(), "policy_loss": policy.loss.detach()}
    return Outcome(head_weight * head.loss + policy_weight * policy.loss, metrics)


def check(columns, *, noise: float = 0.1, shrinkage: float = 0.0, **others) -> None:
    """TrainingError for numbers that can not serve."""
    _share("noise", noise)
    _weight("shrinkage", shrinkage)


def check_joint(
    columns,
    *,
    backbone: str = "drawn",
    policy_noise: float = 0.1,
    head_weight: float = 1.0,
    policy_weight: float = 1.0,
    **others,
) -> None:
    """TrainingError for numbers that can not serve, a policy that is to learn and is frozen among them."""
    check(columns, **others)
    _share("policy_noise", policy_noise)
    _weight("head_weight", head_weight)
    _weight("policy_weight", policy_weight)
    if backbone == "frozen":
        raise TrainingError(
            "joint_preference_head teaches the policy too, which backbone 'frozen' forbids; set it to 'drawn' or 'full', or "
            "train direct_preference_head alone"
        )


def _share(name: str, value: float) -> None:
    if not 0 <= value < 0.5:
        raise TrainingError(f"{name} is the share of labels that are wrong and must lie in [0, 0.5), got {value:g}")


def _weight(name: str, value: float) -> None:
    if not value >= 0:
        raise TrainingError(f"{name} must be 0 or more, got {value:g}; below 0 what is to be made small would be made large")
