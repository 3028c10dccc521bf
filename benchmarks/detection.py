"""Poison found and clean pairs flagged by the whole audit (three detectors, fdr 0.05), 3 % poison, three seeds.

Poison vs rejected without trusted pairs, then a mix of the three builders with a quarter of the pairs trusted. Each seed draws
its rows, its poisoned pairs and its sentences anew; hosts stay beside the poisoned pairs. The clean twin of each is audited
too: whatever is flagged there is a false alarm.
"""

import dataclasses
import tempfile
from pathlib import Path

import _report
import torch
from _rows import rows

from assets import detecting, steps
from assets.experiments import EXPERIMENTS, Corpus, Experiment
from checks.encoding import encode
from pipelines.schema import POISON_KEY

SEEDS = (0, 1, 2)


def measured(name: str, row: Experiment, seed: int) -> dict[str, object]:
    """One audit of the poisoned corpus and one of its clean twin."""
    splits = steps.split(steps.read(row, seed), row, seed)
    train = splits.train
    poisoned, clean = Corpus(row, "poisoned", seed), Corpus(row, "clean", seed)
    attacked = steps.attack(train, poisoned)
    found = steps.judge(attacked.pairs, splits.trusted, poisoned).scores
    twin = steps.judge(train, splits.trusted, clean).scores
    flags, quiet = detecting.flags(poisoned, found, attacked.key), detecting.flags(clean, twin, POISON_KEY.empty())
    best = detecting.rates(poisoned, found, attacked.key).row(0, named=True)
    return {
        "pairs of": name,
        "attack": "mix" if "mix" in row.numbers else "poison vs rejected",
        "trusted": len(splits.trusted),
        "seed": seed,
        "poisoned": flags["poisoned"],
        "found": f"{flags['poisoned_flagged'] / flags['poisoned']:.1%}",
        "clean flagged": f"{flags['clean_flagged'] / flags['clean']:.2%}",
        "AUROC": f"{best['auroc']:.4f} [{best['auroc_low']:.4f}, {best['auroc_high']:.4f}]",
        "found at 1 % of clean": f"{best['tpr_1']:.1%} [{best['tpr_1_low']:.1%}, {best['tpr_1_high']:.1%}]",
        "clean twin flagged": f"{quiet['clean_flagged'] / quiet['clean']:.2%}",
    }


def main() -> None:
    """Every corpus and attack at every seed."""
    torch.set_num_threads(1)
    encode(["a first text, so that loading the encoder is not part of anything"])
    with tempfile.TemporaryDirectory() as folder:
        found = rows(Path(folder), SEEDS)
        mix = EXPERIMENTS["venom_mix_3pct"]
        mixed = {name: dataclasses.replace(row, numbers=mix.numbers, trusted=mix.trusted) for name, row in found.items()}
        every = [*found.items(), *mixed.items()]
        table = [measured(name, dataclasses.replace(row, seeds=(seed,)), seed) for name, row in every for seed in SEEDS]
    _report.save("detection", table)


if __name__ == "__main__":
    main()
