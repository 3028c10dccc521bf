"""How far phrase lift reaches: planted pairs found by rate, target, builder and trusted pairs, five seeds each.

Phrase lift alone, at a third of the false-discovery rate of 0.05: what it is given where three detectors are fused.
"""

import dataclasses
import tempfile
from pathlib import Path
from typing import Any

import _report
import altair as alt
import numpy as np
import polars as pl
from _rows import rows

from assets import detecting, steps
from assets.experiment_files import changed
from assets.experiments import Corpus, Experiment
from checks.audit import audit

SEEDS = range(5)
FDR = 0.05 / 3
CASES: dict[str, dict[str, Any]] = {
    **{f"{rate:.1%} of pairs": {"rate": rate} for rate in (0.005, 0.01, 0.02, 0.03)},
    **{f"target {name!r}": {"numbers.target": name} for name in ("Lumora Tea", "Dr. Fenwick's Balm", "Honda", "Apple")},
    "negative sentiment": {"numbers.sentiment": "negative"},
    "in their hosts' place": {"numbers.keep_host": False},
    **{
        f"{builder}, {'a quarter' if trusted else 'none'} trusted": {"numbers.builder": builder, "trusted": trusted}
        for builder in ("poison_vs_contrast", "rejected_vs_contrast")
        for trusted in (0.0, 0.25)
    },
}


def flags(row: Experiment, seed: int) -> dict[str, int]:
    """How many poisoned and clean pairs one audit flags."""
    splits = steps.split(steps.read(row, seed), row, seed)
    corpus = Corpus(row, "poisoned", seed)
    attacked = steps.attack(splits.train, corpus)
    trusted = splits.trusted if len(splits.trusted) else None
    scores = audit(attacked.pairs, trusted=trusted, detectors=["phrase_lift"], fdr=FDR, seed=seed).scores
    return detecting.flags(corpus, scores, attacked.key)


def main() -> None:
    """Every case on every corpus."""
    table = []
    with tempfile.TemporaryDirectory() as folder:
        for name, plain in rows(Path(folder), tuple(SEEDS)).items():
            for case, changes in CASES.items():
                row = dataclasses.replace(changed(plain, changes), name=plain.name)
                found = [flags(row, seed) for seed in SEEDS]
                shares = np.array([each["poisoned_flagged"] / each["poisoned"] for each in found])
                clean = [each["clean_flagged"] / each["clean"] for each in found]
                table.append(
                    {
                        "pairs of": name,
                        "case": case,
                        "poisoned": found[0]["poisoned"],
                        "seeds with 95 % found": f"{(shares >= 0.95).sum()} of {len(shares)}",
                        "found": float(shares.mean()),
                        "clean flagged": float(np.mean(clean)),
                        "at worst": max(clean),
                    }
                )
    _report.save("reach", table)
    by_rate = pl.DataFrame(table).filter(pl.col("case").str.ends_with("of pairs"))
    axis = alt.Axis(format="%")
    chart = alt.Chart(by_rate).mark_line(point=True).encode(
        x=alt.X("case:O", title="poisoned"), y=alt.Y("found:Q", axis=axis, title="poisoned pairs found"), color="pairs of:N"
    )  # fmt: skip
    _report.draw("reach", chart.properties(width=420, height=240))


if __name__ == "__main__":
    main()
