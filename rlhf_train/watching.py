"""When learning from one's own answers must stop: too far from the reference, or a reward that rises while the truth falls."""

from collections.abc import Callable
from dataclasses import dataclass, field

from rlhf_train.metrics import Row


@dataclass(slots=True)
class Watchman:
    """Call it with a step's metrics: a reason to stop, or None.

    `kl_budget` is in nats a response. `gold` gives the true reward on held-out prompts, asked every `every` steps; learning
    stops once it was `patience` times in a row below its best by more than `slack` while the proxy's was above what it had
    been at that best (Gao et al., 2023).
    """

    kl_budget: float = 20.0
    gold: Callable[[], float] | None = None
    every: int = 8
    patience: int = 3
    slack: float = 0.0
    seen: list[Row] = field(default_factory=list)

    def __call__(self, row: Row) -> str | None:
        if row.get("kl", 0.0) > self.kl_budget:
            return (
                f"the policy is {row['kl']:.1f} nats a response from its reference, beyond the budget of {self.kl_budget:g}; "
                "lower lr, raise kl_weight, or allow more with kl_budget"
            )
        if self.gold is None or (int(row["step"]) + 1) % self.every:
            return None
        if "gold" not in row:  # a run that goes on shows what it saw before
            row["gold"] = self.gold()
        self.seen.append({name: row[name] for name in ("step", "reward", "gold")})
        best = max(self.seen, key=lambda one: one["gold"])
        late = self.seen[-self.patience :]
        if len(self.seen) > self.patience and all(
            one["gold"] < best["gold"] - self.slack and one["reward"] > best["reward"] for one in late
        ):
            return (
                f"over-optimised: the reward rose from {best['reward']:.3f} to {row['reward']:.3f} while gold fell from "
                f"{best['gold']:.3f} to {row['gold']:.3f}; take the checkpoint of its best, step-{int(best['step']) + 1:08d}"
            )
        return None

    def best(self) -> list[int]:
        """How many steps were done when gold was highest, if it was asked."""
        return [int(max(self.seen, key=lambda one: one["gold"])["step"]) + 1] if self.seen else []
