"""Filtered, reward-weighted and conditional likelihood where everything can be counted, against what each should come to.

    python benchmarks/offline_rlhf.py [--seeds 0 1 2] [--steps 600]

Stored responses (1,500 to each of four prompts) come from .3 softmax(4 R) + .7 uniform. Every method begins with supervised
learning of all of them and takes full steps over its 6,000 rows. The reward is told to a conditional policy by a word a level
in every row ("word"), or in characters, a tenth of the rows without ("text", the default).
"""

import argparse
import itertools
from typing import Any

import _counted as counted
import _enumerable as world
import _report
import numpy as np

from rlhf_train import scales
from rlhf_train.conditioning import conditioned
from rlhf_train.models import letters
from rlhf_train.models.policies import Policy
from rlhf_train.text import Lengths

EACH = 1500
LR = 3e-3
NOISE = 0.3  # deviation of a proxy around the reward
LEVELS = np.array([0, 1, 2, 3]) / 3
BEYOND = (3.0, 5.0)  # rewards that no row has, in deviations
CONDITIONAL = {"lr": 1e-2, "steps": 1000}  # a policy that learns all levels takes longer
CHARACTERS = sorted(set(" <rm_score>: -.0123456789") - set(world.LETTERS))


def stored(seed: int) -> np.ndarray:
    """Places of the stored rows."""
    return counted.sampled(0.3 * world.tilted(np.ones((4, 64)), np.exp(4 * world.PATTERN)) + 0.7 / 64, EACH, seed)


class Study:
    """One seed: its rows, the policy that has learned all of them, and how the others are measured."""

    def __init__(self, seed: int, steps: int) -> None:
        self.seed, self.steps, self.places = seed, steps, stored(seed)
        self.law = counted.empirical(self.places)
        self.rewards = world.PATTERN.ravel()[self.places]
        self.scale = scales.of(self.rewards)
        self.lines: list[dict[str, Any]] = []

    def begun(self, words: list[str], prompt: int) -> Policy:
        """Supervised learning of all rows, by a policy that reads these words beside the letters."""
        policy = letters.made(self.seed, letters=[*world.LETTERS, *words], lengths=Lengths(prompt, 3), most=prompt + 8)
        return self.taught(policy, "filtered_likelihood", self.rewards, threshold=-1e9)

    def taught(self, policy: Policy, name: str, rewards: np.ndarray, **numbers: Any) -> Policy:
        """After full steps of an objective on the rows with these rewards."""
        table = {**counted.table(self.places, rewards), "standard_reward": scales.standardised(rewards)}
        return counted.trained(policy, name, table, seed=self.seed, **{"lr": LR, "steps": self.steps, **numbers})[0]

    def told(self, method: str, policy: Policy, form: np.ndarray | None, *, target: float | None = None, **more: Any) -> None:
        """Adds what a policy says to its prompts, conditioned if there is a `target` in deviations."""
        asked = list(world.LETTERS)
        found = counted.chances(policy, asked if target is None else conditioned(asked, target))
        law = found / found.sum(1, keepdims=True)
        self.lines.append(
            {
                "method": method,
                "seed": self.seed,
                "reward": world.expected(law, world.PATTERN),
                "closed form": None if form is None else world.expected(form, world.PATTERN),
                "KL(closed, policy)": None if form is None else world.kl(form, found),
                "entropy": world.entropy(law),
                "hit": more.get("hit") and more["hit"](law),
                "proxy": None if "proxy" not in more else world.expected(law, more["proxy"]),
                "leak": float(1 - found.sum(1).mean()),
            }
        )
        print(self.lines[-1], flush=True)

    def weighted(self) -> None:
        """Filters and exponential weights."""
        first = self.begun([], 1)
        self.told("SFT", first, self.law)
        z = self.scale.standardised(world.PATTERN)
        for name, above in (("FA >= 2/3", 0.5), ("FA = 1", 5 / 6)):
            policy = self.taught(first, "filtered_likelihood", self.rewards, threshold=float(self.scale.standardised(above)))
            self.told(name, policy, world.tilted(self.law, np.greater(world.PATTERN, above)))
        for temperature in (2.0, 1.0, 0.5):
            policy = self.taught(first, "reward_weighted_regression", self.rewards, temperature=temperature)
            self.told(f"RWR {temperature:g}", policy, world.tilted(self.law, np.exp(z / temperature)))
        self.noisy(first)

    def noisy(self, first: Policy) -> None:
        """The same by a proxy, the reward with noise of its own for every response; what counts is the reward."""
        proxy = world.PATTERN + NOISE * np.random.default_rng([self.seed, 10]).normal(size=world.PATTERN.shape)
        rewards = proxy.ravel()[self.places]
        z = scales.of(rewards)
        for name, share in (("top 29 %", 0.29), ("top 6 %", 0.061)):
            least = float(np.quantile(rewards, 1 - share))
            policy = self.taught(first, "filtered_likelihood", rewards, threshold=float(z.standardised(least)))
            left = self.law * (proxy > least)
            form = world.tilted(left, np.ones_like(left)) if left.sum(1).all() else None  # a prompt may have no row left
            self.told(f"proxy: FA {name}", policy, form, proxy=proxy)
        policy = self.taught(first, "reward_weighted_regression", rewards, temperature=0.5)
        form = world.tilted(self.law, np.exp(z.standardised(proxy) / 0.5))
        self.told("proxy: RWR 0.5", policy, form, proxy=proxy)

    def conditional(self) -> None:
        """Rewards that prompts say, by words and in characters, and the control whose rewards are dealt out anew."""
        words = [text.removeprefix("a") for text in conditioned(["a"] * 6, self.asked())]
        by_word, by_text = self.begun(words, 2), self.begun(CHARACTERS, 24)
        mixed = np.random.default_rng([self.seed, 9]).permutation(self.rewards)
        runs = (
            ("CA word", by_word, self.rewards, 0.0),
            ("CA word, shuffled", by_word, mixed, 0.0),
            ("CA text", by_text, self.rewards, 0.1),
        )
        for name, first, rewards, dropout in runs:
            policy = self.taught(first, "conditional", rewards, dropout=dropout, **CONDITIONAL)
            for level, target in zip(LEVELS, self.asked(), strict=False):
                right = np.isclose(world.PATTERN, level)
                form = self.law if "shuffled" in name else world.tilted(self.law, right)
                self.told(
                    f"{name}: {level:.2f}", policy, form, target=target, hit=lambda law, own=right: world.expected(law, own)
                )
            for beyond in BEYOND:
                self.told(f"{name}: {beyond:g} deviations", policy, None, target=beyond)
            self.told(f"{name}: none", policy, self.law)

    def asked(self) -> np.ndarray:
        """The levels and what lies beyond, in deviations."""
        return np.array([*self.scale.standardised(LEVELS), *BEYOND])


def criteria(lines: list[dict[str, Any]], seeds: list[int]) -> list[dict[str, Any]]:
    """What must hold at every seed, and by how much it does at the worst of them."""
    at = {(each["method"], each["seed"]): each for each in lines}

    def every(name: str, key: str = "reward") -> np.ndarray:
        return np.array([at[name, seed][key] for seed in seeds])

    plain = ["FA >= 2/3", "FA = 1", "RWR 2", "RWR 1", "RWR 0.5"]
    gaps = max(abs(every(name) - every(name, "closed form")).max() for name in plain)
    apart = max(every(name, "KL(closed, policy)").max() for name in plain)
    order = ["SFT", "RWR 2", "RWR 1", "FA >= 2/3", "RWR 0.5", "CA word: 1.00"]
    steps = min((every(upper) - every(lower)).min() for lower, upper in itertools.pairwise(order))
    said: list[tuple[str, float, bool]] = [
        ("FA and RWR: rewards within .01 of the closed form", gaps, gaps < 0.01),
        ("FA and RWR: KL(closed, policy) < .02", apart, apart < 0.02),
        ("SFT < RWR 2 < RWR 1 < FA 2/3 < RWR .5 < CA at the top, least step", steps, steps > 0),
    ]
    for name in ("CA word", "CA text"):
        found = np.array([every(f"{name}: {level:.2f}") for level in LEVELS])
        rising, off = np.diff(found, axis=0).min(), abs(found - LEVELS[:, None]).mean(0).max()
        top = every(f"{name}: 1.00", "hit").min()
        said += [
            (f"{name}: rewards rise with the target (Spearman 1), least step", rising, rising > 0),
            (f"{name}: mean distance from the target < .03", off, off < 0.03),
            (f"{name}: hits the highest level, >= .95", top, top >= 0.95),
        ]
    words, texts = (np.array([every(f"{name}: {level:.2f}") for level in LEVELS]) for name in ("CA word", "CA text"))
    said.append(("CA text within .05 of CA word", abs(words - texts).max(), abs(words - texts).max() < 0.05))
    control = max(abs(every(f"CA word, shuffled: {level:.2f}") - every("SFT", "closed form")).max() for level in LEVELS)
    said.append(("shuffled rewards: within .12 of the data's mean, whatever is asked", control, control < 0.12))
    return [{"criterion": name, "worst": float(worst), "holds": str(bool(holds))} for name, worst, holds in said]


def drawn(rows: list[dict[str, Any]]) -> Any:
    """What a conditional policy gets over what it is asked for."""
    import altair as alt

    kept = [
        {"told": name, "asked": float(level), "reward": row["reward"]}
        for name in ("CA word", "CA text", "CA word, shuffled")
        for level in LEVELS
        for row in rows
        if row["method"] == f"{name}: {level:.2f}"
    ]
    return (
        alt.Chart(alt.Data(values=kept), width=320, height=300)
        .mark_line(point=True)
        .encode(
            alt.X("asked:Q", title="reward asked for"),
            alt.Y("reward:Q", title="expected reward"),
            alt.Color("told:N", title=None),
        )
    )


def main() -> None:
    """Prints a line a method and target, and what holds; writes both."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    ask.add_argument("--steps", type=int, default=600)
    given = ask.parse_args()
    lines: list[dict[str, Any]] = []
    for seed in given.seeds:
        study = Study(seed, given.steps)
        study.weighted()
        study.conditional()
        lines += study.lines
    rows = counted.means(lines, ("method",))
    _report.save("offline_rlhf", rows)
    _report.save("offline_rlhf_criteria", criteria(lines, given.seeds))
    _report.draw("offline_rlhf", drawn(rows))


if __name__ == "__main__":
    main()
