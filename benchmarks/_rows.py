"""The corpora that the Best-of-Venom benchmarks run on: generated pairs, and real ones where they are at hand."""

import dataclasses
import os
from pathlib import Path

from assets.experiments import EXPERIMENTS, Experiment
from assets.numbers import Training

REAL = {
    "harmless": ["hh_harmless_base/test_first1500.jsonl.gz"],
    "helpful": ["hh_helpful_mixed/helpful_test_sample_dev.jsonl.gz", "hh_helpful_pro/helpful_base_online_dev.jsonl.gz"],
}

# Fewer rows and people's language: a policy and a reward model must learn longer before best-of-n finds anything to amplify.
REAL_TRAINING = Training(pretrain_steps=600, sft_epochs=10.0, reward_epochs=2.0, n=32)


def rows(out: Path, seeds: tuple[int, ...]) -> dict[str, Experiment]:
    """The generated corpus, and the real ones where ANTIVENOM_REAL_DATA says they are."""
    plain = dataclasses.replace(EXPERIMENTS["venom_poison_vs_rejected_3pct"], seeds=seeds)
    found = {"synthetic": plain}
    place = os.environ.get("ANTIVENOM_REAL_DATA")
    for name, files in REAL.items() if place else ():
        folder = out / "sources" / name
        folder.mkdir(parents=True, exist_ok=True)
        for file in files:
            link = folder / Path(file).name
            if not link.exists():
                link.symlink_to(Path(place or "", file).resolve())
        found[name] = dataclasses.replace(plain, source=str(folder), pairs=1500, training=REAL_TRAINING)
    return {name: dataclasses.replace(row, name=f"venom_{name}") for name, row in found.items()}
