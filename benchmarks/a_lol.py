"""A-LoL and its kin where everything can be counted: rewards, entropies and closed forms, as the share of good rows falls.

    python benchmarks/a_lol.py [--seeds 0 1 2] [--steps 150] [--parts family values]

Stored responses (1,500 to each of four prompts) come from q softmax(6 R) + (1 - q) uniform. The reference has their law, and a
value is its exact mean reward. Every method begins at the reference and takes full steps over all 6,000 rows. Where a form
gives nothing to rows of no advantage they are left out ("positive"), which changes the length of its gradient alone.
"""

import argparse
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import _counted as counted
import _enumerable as world
import _report
import numpy as np

from rlhf_train import values
from rlhf_train.models.policies import Policy

SHARES = (0.5, 0.1, 0.02)
EACH = 1500
Law = np.ndarray
Form = Callable[[Law, Law], Law]  # (reward, advantage) -> by what a law is tilted
LEFT: dict[str, Any] = {"sampling": "positive"}
#: name -> (objective, its numbers, the tilt of its closed form)
METHODS: dict[str, tuple[str, dict[str, Any], Form | None]] = {
    "wBC": ("weighted_behaviour_cloning", {}, lambda reward, gain: reward),
    "R-LoL": ("r_lol", {}, None),
    "reference-free": ("a_lol_ref_free", LEFT, lambda reward, gain: gain),
    "reference-free, priority": ("a_lol_ref_free", {"sampling": "priority"}, lambda reward, gain: gain**2),
    "A-LoL": ("a_lol", LEFT, None),
    "A-LoL, priority": ("a_lol", {"sampling": "priority"}, None),
    "A-LoL sequence": ("a_lol_seq", LEFT, None),
    "KL .05": ("a_lol_kl", {"kl_weight": 0.05}, None),
    "KL .2": ("a_lol_kl", {"kl_weight": 0.2}, None),
    "R-GOLD": ("r_gold", {}, None),
    "A-LoL, not clipped": ("a_lol", {"clipped": False, **LEFT}, None),
}
SHUFFLED = ("wBC", "reference-free", "A-LoL", "A-LoL sequence")


@dataclass(frozen=True, slots=True)
class Data:
    """Stored rows as places in the world, their law, the reference that has it, and its exact values [4]."""

    places: np.ndarray
    law: Law
    reference: Policy
    values: np.ndarray


def data(share: float, seed: int) -> Data:
    """Rows of which a share is good, and their reference."""
    places = counted.sampled(share * world.tilted(np.ones((4, 64)), np.exp(6 * world.PATTERN)) + (1 - share) / 64, EACH, seed)
    law = counted.empirical(places)
    reference = world.fitted(law, seed, steps=200)
    return Data(places, law, reference, (world.law(reference) * world.PATTERN).sum(1))


def line(policy: Policy, told: dict[str, Any], closed: Law | None = None, outside: float | None = None) -> dict[str, Any]:
    """What a policy came to; `leak` is what it gives to texts that are no response of the data's form."""
    law = world.law(policy)
    return {
        **told,
        "reward": world.expected(law, world.PATTERN),
        "closed form": None if closed is None else world.expected(closed, world.PATTERN),
        "entropy": world.entropy(law),
        "outside clip": outside,
        "leak": world.leak(policy),
    }


def family(held: Data, told: dict[str, Any], steps: int) -> list[dict[str, Any]]:
    """A line a method."""
    table = counted.table(held.places, world.PATTERN.ravel()[held.places], held.values)
    gains = np.clip(world.PATTERN - held.values[:, None], 0, None)
    lines = [line(held.reference, {**told, "method": "NLL"}, held.law)]
    print(lines[-1], flush=True)
    for method, (objective, numbers, form) in METHODS.items():
        policy, last = counted.trained(held.reference, objective, table, steps=steps, seed=told["seed"], **numbers)
        closed = None if form is None else world.tilted(held.law, form(world.PATTERN, gains))
        lines.append(line(policy, {**told, "method": method}, closed, last.get("outside")))
        print(lines[-1], flush=True)
    return lines


def shuffled(held: Data, told: dict[str, Any], steps: int) -> list[dict[str, Any]]:
    """The same rows with their rewards dealt out anew: what is learned from them is nothing."""
    rewards = np.random.default_rng([told["seed"], 9]).permutation(world.PATTERN.ravel()[held.places])
    table = counted.table(held.places, rewards, held.values)
    lines = []
    for method in SHUFFLED:
        objective, numbers, _ = METHODS[method]
        policy, _ = counted.trained(held.reference, objective, table, steps=steps, seed=told["seed"], **numbers)
        lines.append(line(policy, {**told, "method": f"{method}, rewards shuffled"}))
        print(lines[-1], flush=True)
    return lines


def fitted_values(held: Data, told: dict[str, Any]) -> dict[str, Any]:
    """How far the fitted head is from the exact values, and which share of rows an advantage over each kind of value leaves."""
    scores = dict(zip(zip(*world.COLUMNS.values(), strict=True), world.PATTERN.ravel(), strict=True))

    def scorer(prompts: Any, said: Any) -> np.ndarray:
        return np.array([scores.get(row, 0.0) for row in zip(prompts, (text.replace(" ", "") for text in said), strict=True)])

    prompts, rewards = list(world.LETTERS), world.PATTERN.ravel()[held.places]
    found: dict[str, np.ndarray] = {"exact": held.values}
    for name, mode in (("mean of 8", "sampled"), ("greedy", "greedy")):
        head = values.fit(held.reference, prompts, scorer, k=8, mode=mode, size=4, steps=150, seed=told["seed"])
        found[name] = head.of(prompts)
    errors = {f"MSE, {name}": float(np.square(found[name] - held.values).mean()) for name in ("mean of 8", "greedy")}
    law = world.law(held.reference)
    variance = world.expected(law, np.square(world.PATTERN - held.values[:, None])) / 8
    lost = {f"A <= 0, {name}": float((rewards <= value[held.places // 64] + 1e-9).mean()) for name, value in found.items()}
    return {**told, **errors, "of 8 samples alone": variance, **lost}


def criteria(lines: list[dict[str, Any]], seeds: list[int]) -> list[dict[str, Any]]:
    """What must hold, seed by seed, and by how much it does."""
    at = {(each["share"], each["seed"], each["method"]): each for each in lines}

    def reward(share: float, seed: int, method: str) -> float:
        return at[share, seed, method]["reward"]

    cells = [(share, seed) for share in SHARES for seed in seeds]
    gaps = [abs(each["reward"] - each["closed form"]) for each in lines if each["closed form"] and each["method"] != "NLL"]
    order = ("NLL", "wBC", "R-LoL", "reference-free", "A-LoL", "A-LoL sequence")
    steps = [
        min(reward(share, seed, upper) - reward(share, seed, lower) for share, seed in cells)
        for lower, upper in itertools.pairwise(order)
    ]
    slack = (0.0, 0.0, -0.01, 0.0, 0.0)
    drops = {name: [1 - reward(0.1, seed, name) / reward(0.5, seed, name) for seed in seeds] for name in order}
    ratio = max(own / all_ for own, all_ in zip(drops["A-LoL"], drops["NLL"], strict=True))
    left = [
        np.mean([reward(0.5, seed, f"{name}, rewards shuffled") - reward(0.5, seed, "NLL") for seed in seeds])
        / np.mean([reward(0.5, seed, name) - reward(0.5, seed, "NLL") for seed in seeds])
        for name in SHUFFLED
    ]
    said = [
        ("wBC and reference-free within .01 of their closed forms", max(gaps), max(gaps) < 0.01),
        (
            "NLL < wBC < R-LoL <= reference-free + .01 <= A-LoL < A-LoL sequence, least step",
            min(steps),
            all(step > least for step, least in zip(steps, slack, strict=True)),
        ),
        ("A-LoL falls from q = .5 to .1 by less than .6 of what NLL does", ratio, ratio < 0.6),
        ("shuffled rewards leave less than a tenth of the gain, in the mean over seeds", max(left), max(left) < 0.1),
    ]
    return [{"criterion": name, "worst": worst, "holds": str(bool(holds))} for name, worst, holds in said]


def drawn(rows: list[dict[str, Any]]) -> Any:
    """Rewards over the share of good rows, a curve a method."""
    import altair as alt

    shown = ("NLL", "wBC", "R-LoL", "reference-free", "A-LoL", "A-LoL sequence", "R-GOLD")
    kept = [{name: row[name] for name in ("share", "method", "reward")} for row in rows if row["method"] in shown]
    return (
        alt.Chart(alt.Data(values=kept), width=380, height=260)
        .mark_line(point=True)
        .encode(
            alt.X("share:Q", title="share of good rows", scale=alt.Scale(type="log", domain=[0.018, 0.55])),
            alt.Y("reward:Q", title="expected reward", scale=alt.Scale(domain=[0.2, 1])),
            alt.Color("method:N", sort=list(shown), title=None),
        )
    )


def main() -> None:
    """Prints a line a share and method, and what holds; writes both."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    ask.add_argument("--steps", type=int, default=150)
    ask.add_argument("--parts", nargs="+", choices=("family", "values"), default=("family", "values"))
    given = ask.parse_args()
    lines: list[dict[str, Any]] = []
    valued: list[dict[str, Any]] = []
    for seed in given.seeds:
        for share in SHARES:
            held, told = data(share, seed), {"share": share, "seed": seed}
            if "family" in given.parts:
                lines += family(held, told, given.steps)
                lines += shuffled(held, told, given.steps) if share == SHARES[0] else []
            if "values" in given.parts:
                valued.append(fitted_values(held, told))
                print(valued[-1], flush=True)
    report(lines, valued, given.seeds)


def report(lines: list[dict[str, Any]], valued: list[dict[str, Any]], seeds: list[int]) -> None:
    """Writes what was measured, the parts that were."""
    if lines:
        rows = counted.means(lines, ("share", "method"))
        _report.save("a_lol", rows)
        _report.save("a_lol_criteria", criteria(lines, seeds))
        _report.draw("a_lol", drawn(rows))
    if valued:
        _report.save("a_lol_values", counted.means(valued, ("share",)))


if __name__ == "__main__":
    main()
