"""Goal-conditioned contrastive reward models beside plain ones (Nath et al., 2024), on chains whose wrong step is known.

    python benchmarks/goal_rewards.py [--seeds 0 1 2 3 4] [--steps 1000]

Both arms of a seed have one backbone, head, order of pairs and test. Q is the cosine of a token's state with the mean last
state of preferred training chains. "At 60 %" is after three of five steps, where an area of 0.8 is the most that can be told.
"""

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import _chains
import _report
import numpy as np
import torch
from _chains import PROMPT, Pairs
from _goal_results import SHARES, by_seed, chart, judged

from rlhf_train import batches, guided, voting
from rlhf_train.evals.prefix_auroc import at_share, auroc, measure
from rlhf_train.models import goal_bank, reward_models
from rlhf_train.models.goal_bank import GoalBank
from rlhf_train.models.policies import Policy
from rlhf_train.models.reward_models import RewardModel
from rlhf_train.objectives import OBJECTIVES
from rlhf_train.train import fit

OBJECTIVE_OF = {"plain": "bradley_terry", "contrast": "goals"}
PAIRS, AIMED, TESTED, QUESTIONS, SAMPLES = 20_000, 5000, 1000, 100, 16
NOISE = (0.1, 0.4)  # chances that a step is wrong in what is voted on
RIGHT = {(str(d), str((3 * d + 1) % 10)) for d in range(10)}
DRAWN, HEAT = 100, 2.0  # chains that are decoded, and their temperature


def measured(seed: int, steps: int, begun: int, work: Path) -> list[dict[str, Any]]:
    """A line an arm."""
    random = np.random.default_rng(seed)
    train, test = _chains.pairs(random, PAIRS), _chains.pairs(random, TESTED)
    longer = _chains.pairs(random, TESTED, _chains.LONGER)
    policy = _chains.backbone(train.columns["chosen"], seed, steps=begun)
    place = policy.save(work / "backbone")
    lines = []
    for arm, objective in OBJECTIVE_OF.items():
        start = time.process_time()
        model = reward_models.load(place, lengths=_chains.LENGTHS, seed=seed)
        source = batches.shuffled(model.pairs(train.columns), size=64, seed=seed)
        told = fit(model.model, OBJECTIVES[objective], source, steps=steps, lr=1e-3, seed=seed, mixed_precision="no")
        goal = goal_bank.gather(GoalBank(), model, [PROMPT] * AIMED, train.columns["chosen"][:AIMED]).goal()
        line = {"seed": seed, "arm": arm, "accuracy in training": float(np.mean([row["accuracy"] for row in told[-50:]]))}
        line |= {**along(model, goal, test), "longer: AUROC": ends(model, longer)}
        for noise in NOISE:
            line |= voted(model, goal, np.random.default_rng([seed, 1]), noise)
        lines.append({**line, **led(policy, model, goal, seed), "processor seconds": time.process_time() - start})
        print({name: value for name, value in lines[-1].items() if not isinstance(value, list)}, flush=True)
    return lines


def along(model: RewardModel, goal: np.ndarray, tested: Pairs) -> dict[str, Any]:
    """What reward and Q tell along chains."""
    prompts, said, labels = both(tested)
    q = goal_bank.q_values(model, prompts, said, goal)
    rewards = goal_bank.rewards_along(model, prompts, said)
    at = 2 * tested.wrong + 1  # the token of the wrong y
    good, bad = q[: len(at)], q[len(at) :]
    return {
        "AUROC": auroc(at_share(rewards, 1.0), labels),
        "at 60 %: AUROC of the head": auroc(at_share(rewards, 0.6), labels),
        "at 60 %: AUROC of Q": auroc(at_share(q, 0.6), labels),
        "AUROC of least Q": auroc(np.array([values.min() for values in q]), labels),
        "jump of Q": float(np.mean([values[place] - values[place - 1] for values, place in zip(bad, at, strict=True)])),
        "Q less its right twin's": float(np.mean([b[place] - g[place] for b, g, place in zip(bad, good, at, strict=True)])),
        "heads by share": measure(rewards, labels, shares=SHARES),
        "Qs by share": measure(q, labels, shares=SHARES),
    }


def ends(model: RewardModel, tested: Pairs) -> float:
    """AUROC of whole chains' rewards."""
    prompts, said, labels = both(tested)
    return auroc(model.rewards(prompts, said), labels)


def both(tested: Pairs) -> tuple[list[str], list[str], np.ndarray]:
    """Prompts, right chains and then wrong ones, and which are right."""
    columns = tested.columns
    count = len(columns["prompt"])
    return columns["prompt"] * 2, columns["chosen"] + columns["rejected"], np.repeat([True, False], count)


def voted(model: RewardModel, goal: np.ndarray, random: np.random.Generator, noise: float) -> dict[str, float]:
    """Votes of sixteen chains a question, each step of which is wrong with the chance `noise`."""
    digits = random.integers(0, 10, (QUESTIONS, 1, _chains.STEPS)).repeat(SAMPLES, axis=1)
    chains = _chains.right(digits)
    truths = _chains.answers(chains[:, 0]).tolist()
    _chains.spoil(random, chains, random.random(digits.shape) < noise)
    said = _chains.text(chains.reshape(-1, *chains.shape[2:]))
    flat = goal_bank.q_values(model, [PROMPT] * len(said), said, goal)
    q = [flat[at : at + SAMPLES] for at in range(0, len(flat), SAMPLES)]
    found = voting.ballots(_chains.answers(chains).tolist(), q, truths, tie="strict")
    about = f"noise {noise:g}"
    return {
        f"{about}: tokens saved": found.saved,
        f"{about}: votes won": found.filtered,
        f"{about}: votes won without": found.unfiltered,
        f"{about}: questions restored": found.restored,
    }


def led(policy: Policy, model: RewardModel, goal: np.ndarray, seed: int) -> dict[str, float]:
    """Of all steps that the backbone takes at a high temperature the share that is right, alone and led by the goal."""
    shares = {}
    for name, n in (("alone", 1), ("led", 4)):
        said = guided.decode(policy, model, [PROMPT] * DRAWN, goal, chunk=2, n=n, temperature=HEAT, seed=seed)
        words = [text.split() for text in said]
        steps = [step for row in words for step in zip(row[::2], row[1::2], strict=False)]
        shares[f"steps right, {name}"] = float(np.mean([step in RIGHT for step in steps]))
    return shares


def main() -> None:
    """Prints a line a seed and arm, what holds, and writes both and a curve."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    ask.add_argument("--steps", type=int, default=1000)
    ask.add_argument("--begun", type=int, default=300, help="steps of the backbone")
    given = ask.parse_args()
    torch.set_num_threads(1)
    lines = []
    for seed in given.seeds:
        with tempfile.TemporaryDirectory() as work:
            lines += measured(seed, given.steps, given.begun, Path(work))
    _report.save("goal_rewards_seeds", by_seed(lines))
    _report.save("goal_rewards", judged(lines))
    _report.draw("goal_rewards", chart(lines))


if __name__ == "__main__":
    main()
