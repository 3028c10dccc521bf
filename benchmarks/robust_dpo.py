"""DPO and its robust forms on poisoned pairs, beside the filter: how often the policy prefers what the attacker does.

Of held-out pairs that are attacked in the same way; beside it, held-out pairs that are told right.

    python benchmarks/robust_dpo.py [--seeds 0 1 2] [--pairs 2000]

Every policy begins with one that imitated the corpus' chosen side; rewards are its own (Rafailov et al., 2023, eq. 5).
"""

import argparse
import dataclasses
import tempfile
from pathlib import Path
from typing import Any

import _report
import numpy as np
import polars as pl

from assets import runs, steps, teaching
from assets.arena import victims
from assets.experiment_files import changed
from assets.experiments import EXPERIMENTS, Corpus, Experiment
from rlhf_train.defences import DEFENCES
from rlhf_train.evals import reward_accuracy
from rlhf_train.models import policies
from rlhf_train.precompute import reference_logps
from rlhf_train.text import Lengths

ATTACKED = {
    "best_of_venom, 3 %": {"rate": 0.03},
    "label_flip, 20 %": {"attack": "label_flip", "rate": 0.2},
}
#: (corpus, objective, its numbers); the filtered corpus and the robust forms stand beside one another
TRAININGS: list[tuple[str, str, dict[str, Any]]] = [
    *((arm, "dpo", {}) for arm in ("clean", "poisoned", "filtered")),
    *(("poisoned", row.objective, dict(row.numbers)) for row in DEFENCES.values() if not row.scored),
]


def measured(row: Experiment, seed: int, work: Path) -> list[dict[str, Any]]:
    """A line a training."""
    splits = steps.split(steps.read(row, seed), row, seed)
    attacked = victims.attacked(splits.held_out, Corpus(row, "poisoned", seed))
    base = teaching.Trainer(row, seed).base(splits.train)
    corpora = {arm: corpus(Corpus(row, arm, seed), splits) for arm in ("clean", "poisoned", "filtered")}
    begun = {arm: imitated(row, seed, base, pairs).save(work / arm) for arm, pairs in corpora.items()}
    lines = []
    for at, (arm, objective, numbers) in enumerate(TRAININGS):
        settings = row.training.of_dpo(seed) | numbers
        runs.train(objective, corpora[arm], str(begun[arm]), work / f"{at}", **settings)
        policy = policies.load(work / f"{at}" / "model")
        told = {"seed": seed, "corpus": arm, "objective": objective}
        for what, pairs in (("prefers the attack", attacked), ("accuracy", splits.held_out)):
            found = preferred(policy, policies.load(begun[arm]), pairs, row)
            told |= {what: found.accuracy, f"{what} low": found.low, f"{what} high": found.high}
        lines.append(told)
        print(told, flush=True)
    return lines


def corpus(arm: Corpus, splits: steps.Splits) -> pl.DataFrame:
    """The pairs that an arm is trained on."""
    pairs = steps.attack(splits.train, arm).pairs
    if arm.arm != "filtered":
        return pairs
    return steps.sift(pairs, steps.judge(pairs, splits.trusted, arm).scores, arm).kept


def imitated(row: Experiment, seed: int, base: Any, pairs: pl.DataFrame) -> Any:
    """The base policy after fine-tuning on the chosen side."""
    stages = teaching.Trainer(row, seed).stages(base, None, pairs, [])
    return next(policy for stage, policy in stages if stage == "sft")


def preferred(policy: Any, reference: Any, pairs: pl.DataFrame, row: Experiment) -> reward_accuracy.RewardAccuracy:
    """Of how many pairs beta log(policy / reference), as a reward, prefers the chosen side."""
    columns, lengths = steps.columns_of(pairs), Lengths(row.training.prompt_tokens, row.training.response_tokens)
    after, before = (reference_logps(each, columns, lengths) for each in (policy, reference))
    rewards = [np.asarray(after[name]) - np.asarray(before[name]) for name in ("ref_chosen_logps", "ref_rejected_logps")]
    return reward_accuracy.measure(*rewards)


def main() -> None:
    """Prints a line an attack, seed and training, and writes them."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    ask.add_argument("--pairs", type=int, default=2000)
    given = ask.parse_args()
    plain = dataclasses.replace(EXPERIMENTS["venom_poison_vs_rejected_3pct"], pairs=given.pairs)
    lines = []
    for name, settings in ATTACKED.items():
        for seed in given.seeds:
            with tempfile.TemporaryDirectory() as work:
                lines += [{"attack": name, **line} for line in measured(changed(plain, settings), seed, Path(work))]
    _report.save("robust_dpo", lines)


if __name__ == "__main__":
    main()
